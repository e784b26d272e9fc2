/**
 * A filter in a child process: how it is greeted, ended, and what it said when it died.
 *
 * `connectPipe` is the door to a filter on this host; ssh.ts uses the same peer for the other one.
 * Copies nothing and knows no ssh.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, SetupError } from "../base/errors.ts";
import { Child } from "../base/process.ts";
import type { EndpointOptions } from "../core/endpoint.ts";
import { type Greeting, GreetingReader, requireProtocol } from "../wire/hello.ts";
import { type Peer, RemoteEndpoint } from "./remote.ts";

/** A process whose connection was closed has so long to end by itself. */
const END_MS = 2_000;

/** And so long after SIGTERM. */
const TERM_MS = 1_000;

/** How long the words of a dying process are waited for. */
const LAST_WORDS_MS = 1_000;

/** So much of them is shown. */
const LAST_WORDS_MAX = 400;

/** How long a filter may take to greet, when nothing else is said. */
export const GREETING_TIMEOUT_MS = 30_000;

/** A child process behind a connection. */
export class ProcessPeer implements Peer {
  readonly #child: Child;
  readonly #clock: Clock;
  #ending: Promise<void> | null = null;

  constructor(child: Child, clock: Clock) {
    this.#child = child;
    this.#clock = clock;
  }

  /** `graceMs`: how long it may take to end by itself. */
  end(graceMs = END_MS): Promise<void> {
    return this.#ending ??= (async () => {
      // EOF is what a filter, and an ssh, ends on.
      this.#child.stdin.close().catch(() => {});
      if (!(await this.#endsWithin(graceMs))) this.#child.kill("SIGTERM");
      if (!(await this.#endsWithin(TERM_MS))) this.#child.kill("SIGKILL");
      await this.#child[Symbol.asyncDispose]();
    })();
  }

  async lastWords(): Promise<string> {
    if (!(await this.#endsWithin(LAST_WORDS_MS))) return "";
    const { code, signal } = await this.#child.status;
    const said = oneLine(this.#child.stderrTail());
    if (said !== "") return said;
    return signal === null ? (code === 0 ? "" : `it ended with code ${code}`) : `it was ended by ${signal}`;
  }

  /** Whether the process ends within `ms`. */
  async #endsWithin(ms: number): Promise<boolean> {
    const late = Promise.withResolvers<false>();
    const timer = this.#clock.after(ms, () => late.resolve(false));
    const isEnded = await Promise.race([this.#child.status.then(() => true), late.promise]);
    timer.cancel();
    return isEnded;
  }
}

/** Ends what did not greet: one whose stream has ended gets the time to end by itself, others do not. */
export async function endUngreeted(starting: Starting, cause: unknown): Promise<ProcessPeer> {
  const peer = new ProcessPeer(starting.child, starting.clock);
  await starting.greetings.cancel();
  await peer.end(cause instanceof EndpointLostError ? END_MS : 0);
  return peer;
}

/** The last lines of a text as one line for people, without control characters. */
export function oneLine(text: string): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "");
  const shown = lines.slice(-3).join("; ").replace(/[^\x20-\x7e\u00a1-\ud7ff]/g, "?");
  return shown.length > LAST_WORDS_MAX ? `...${shown.slice(-LAST_WORDS_MAX)}` : shown;
}

/** A filter that is being started. Whoever made it ends it, or hands it on to a RemoteEndpoint. */
export interface Starting {
  readonly child: Child;
  readonly greetings: GreetingReader;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/**
 * Waits for the next greeting.
 * @throws {SetupError} where none comes in time; the signal's reason; what `GreetingReader.next` throws.
 */
export async function nextGreeting(starting: Starting, timeoutMs: number): Promise<Greeting> {
  const { clock, signal } = starting;
  signal?.throwIfAborted();
  const stopped = Promise.withResolvers<never>();
  const onAbort = () => stopped.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = clock.after(timeoutMs, () => {
    stopped.reject(new SetupError(`Cannot start the filter: it did not answer in ${Math.round(timeoutMs / 1000)} s`));
  });
  try {
    return await Promise.race([starting.greetings.next(), stopped.promise]);
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Makes an endpoint of a filter that has greeted; owns the child from here on. */
export async function openGreeted(
  starting: Starting,
  options: EndpointOptions & { readonly protocol: string },
): Promise<RemoteEndpoint> {
  const { child, greetings, clock, signal } = starting;
  const peer = new ProcessPeer(child, clock);
  try {
    requireProtocol(options.protocol);
  } catch (cause) {
    await greetings.cancel();
    await peer.end();
    throw cause;
  }
  const streams = { readable: greetings.rest(), writer: child.stdin };
  const opening = { ...options, clock, ...(signal === undefined ? {} : { signal }) };
  return await RemoteEndpoint.open(streams, opening, peer);
}

/** How a filter is started on this host. */
export interface PipeOptions extends EndpointOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Starts a filter as a child of this process and opens a root in it.
 * @throws {SetupError} where it cannot be started or the root cannot be opened.
 */
export async function connectPipe(options: PipeOptions): Promise<RemoteEndpoint> {
  const { command, args, env, cwd, clock, signal } = options;
  const child = Child.spawn({
    command,
    args,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  const greetings = new GreetingReader(child.stdout);
  const starting: Starting = { child, greetings, clock, signal };
  const greeting = await greetingOrEnd(starting, { command, timeoutMs: options.timeoutMs ?? GREETING_TIMEOUT_MS });
  return await openGreeted(starting, { ...options, protocol: greeting.protocol });
}

/** The greeting of a filter; where it does not come, nothing is left of the child. */
async function greetingOrEnd(
  starting: Starting,
  options: { readonly command: string; readonly timeoutMs: number },
): Promise<Extract<Greeting, { readonly kind: "filter" }>> {
  try {
    const greeting = await nextGreeting(starting, options.timeoutMs);
    if (greeting.kind !== "filter") throw new SetupError(`Cannot start the filter: it is something else`);
    return greeting;
  } catch (cause) {
    const peer = await endUngreeted(starting, cause);
    if (!(cause instanceof EndpointLostError)) throw cause;
    const words = (await peer.lastWords()) || starting.greetings.noise || cause.message;
    throw new SetupError(`Cannot start the filter "${options.command}": ${words}`, { cause });
  }
}
