/**
 * The third door: a filter on another host, over the system's ssh, put there where it is missing.
 *
 * Makes no decision about the pair. One call is one attempt: who connects again, and when, is the
 * brain's matter. What it started is gone when it throws. Frames only; files go through bulk_link.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, SetupError } from "../base/errors.ts";
import { Child } from "../base/process.ts";
import { CANNOT_OPEN_ROOT, type EndpointOptions } from "../core/endpoint.ts";
import { throughNative } from "../replica/native_exec.ts";
import { type Greeting, GreetingReader } from "../wire/hello.ts";
import {
  failureOf,
  type OnProgress,
  parseNeed,
  requireHostFits,
  type SelfFile,
  sendSelf,
  startCommand,
} from "./deploy.ts";
import { endUngreeted, GREETING_TIMEOUT_MS, nextGreeting, openGreeted, type Starting } from "./pipe.ts";
import type { RemoteEndpoint } from "./remote.ts";
import { explainSsh, parseSshCommand, requireHost, sshArgs, type SshCommand } from "./ssh_command.ts";

export { BulkLink, type BulkOptions } from "./bulk_link.ts";

/** How another host is reached. */
export interface SshOptions extends EndpointOptions {
  /** As the user wrote it: a name, `user@name`, or an entry of the ssh config. */
  readonly host: string;
  /** What starts ssh, split at blanks as a shell does it; `ssh` when left out. */
  readonly sshCommand?: string;
  readonly self: SelfFile;
  /** Starts ssh where it is given (replica/native_exec.ts). */
  readonly nativePath?: string;
  /** Called while this program is copied to the host. */
  readonly onProgress?: OnProgress;
  readonly clock: Clock;
  /** Ends the attempt; what was opened lives on. */
  readonly signal?: AbortSignal;
  /** How long the host may take to answer, beside the time of the copy; 30 s when left out. */
  readonly connectTimeoutMs?: number;
}

/**
 * Connects to the filter of this build on `host` and opens the root in it.
 *
 * @throws {UsageError} for a host or command that cannot be; {SetupError} with one line that says
 * what is wrong and what to do; what the filter answers; the signal's reason.
 */
export async function connectSsh(options: SshOptions): Promise<RemoteEndpoint> {
  const { host, clock, signal } = options;
  requireHost(host);
  const ssh = parseSshCommand(options.sshCommand);
  const command = startCommand(options.self);
  signal?.throwIfAborted();
  const words = [ssh.words[0]!, ...sshArgs(ssh, host, command)];
  const child = Child.spawn(throughNative(options.nativePath, words));
  const starting: Starting = { child, greetings: new GreetingReader(child.stdout), clock, signal };
  const protocol = await greetedOrEnded(starting, ssh, options);
  try {
    const { root, rules, maxWatches = 0, bytesPerSecond = null } = options;
    return await openGreeted(starting, { root, rules, maxWatches, bytesPerSecond, protocol });
  } catch (cause) {
    if (cause instanceof SetupError) throw new SetupError(withHost(cause.message, host), { cause });
    throw cause;
  }
}

/** What a filter says of its root, which does not know by which name its host was called. */
function withHost(message: string, host: string): string {
  const end = message.startsWith(CANNOT_OPEN_ROOT) ? message.indexOf('": ') + 1 : 0;
  return end === 0
    ? `Cannot go on with "${host}": ${message}`
    : `${message.slice(0, end)} on "${host}"${message.slice(end)}`;
}

/** The protocol of the filter that answers; where none does, nothing is left of the child. */
async function greetedOrEnded(starting: Starting, ssh: SshCommand, options: SshOptions): Promise<string> {
  try {
    return await greeted(starting, options);
  } catch (cause) {
    const { child, greetings } = starting;
    await endUngreeted(starting, cause);
    if (!(cause instanceof EndpointLostError)) throw cause;
    const { code } = await child.status;
    throw explainSsh(ssh, { host: options.host, code, stderr: child.stderrTail(), noise: greetings.noise });
  }
}

async function greeted(starting: Starting, options: SshOptions): Promise<string> {
  const timeoutMs = options.connectTimeoutMs ?? GREETING_TIMEOUT_MS;
  const first = await nextGreeting(starting, timeoutMs);
  if (first.kind === "filter") return first.protocol;
  await answerNeed(starting, first, options);
  const second = await nextGreeting(starting, timeoutMs);
  if (second.kind === "filter") return second.protocol;
  throw deployFailed(second, options.host);
}

/** Copies this program to a host that asks for it, if it can run there. */
async function answerNeed(
  starting: Starting,
  greeting: Extract<Greeting, { readonly kind: "deploy" }>,
  options: SshOptions,
): Promise<void> {
  const facts = parseNeed(greeting.words);
  if (facts === null) throw deployFailed(greeting, options.host);
  requireHostFits(options.host, facts);
  try {
    await sendSelf(starting.child.stdin, options.self, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof SetupError) throw error;
    // RACE: the pipe broke because the script gave up; what it said is still to be read.
  }
}

function deployFailed(greeting: Greeting, host: string): Error {
  const why = greeting.kind === "deploy" ? failureOf(greeting.words) : null;
  if (why !== null) return new SetupError(`Cannot copy psync to "${host}": ${why}`);
  return new ProtocolError(`Cannot copy psync to "${host}": it answered something else`);
}
