/**
 * The carrier: a stream by which packs go from the psync-native of one endpoint to that of the other,
 * so that what is in them passes no interpreter (native/carrier.h).
 *
 * Brings the two together, over a connection of its own where they are on two hosts, and knows no more:
 * as long as there is none, or where there can be none, packs go in records and frames. The brain's side
 * is brain/bundles.ts.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import { Child } from "../base/process.ts";
import type { CarrierPlace, Endpoint } from "../core/endpoint.ts";
import { encodeBytes } from "../core/path.ts";
import { parseSshCommand, requireHost, sshArgs } from "./ssh_command.ts";

/**
 * A carrier that has ended by itself is not brought again before, each time for longer. WHY: where a host
 * runs another command than it is asked for, or drops the connection, each attempt is work for nothing there.
 */
const AGAIN_FIRST_MS = 10_000;
const AGAIN_MAX_MS = 600_000;

/**
 * What a peer may call its socket and its psync-native, as they come into a command for its shell: the path
 * between apostrophes, where no shell makes anything of what is left. People's names have letters of all kinds.
 */
const SOCKET = /^psync-[0-9a-f]{32}$/;
const NATIVE_PATH = /^\/[^'\\!\p{Cc}]+$/u;

/** A carrier that nobody has wanted for so long ends. */
const IDLE_MS = 60_000;

/** How long what brings a carrier may take to end. */
const END_GRACE_MS = 2_000;

const log = logger("endpoint", "carrier");

/** How the other host is reached. */
export interface CarrierRoute {
  /** The right one's host; null: this one. */
  readonly host: string | null;
  /** What starts ssh; `ssh` when left out. */
  readonly sshCommand?: string;
  readonly nativePath: string;
}

/** Between whom, and how the right one is reached. */
export interface CarrierOptions extends CarrierRoute {
  /** On this host. */
  readonly left: Endpoint;
  readonly right: Endpoint;
  readonly clock: Clock;
  /** A connection that was begun before, for the first stream. */
  readonly ahead?: CarrierAhead | null;
}

/**
 * A connection for a carrier that is begun while the right endpoint is still being reached: a login to ssh
 * takes as long as that. Its command waits for a line that says what it is to become. Whoever made it
 * disposes of it.
 */
export class CarrierAhead implements AsyncDisposable {
  readonly host: string;
  readonly #child: Child;
  #isUsed = false;

  constructor({ host, sshCommand, nativePath: command }: CarrierRoute & { readonly host: string }) {
    this.host = host;
    const words = sshWords(host, sshCommand, `exec sh -c 'IFS= read -r line && eval "exec $line"'`);
    this.#child = Child.spawn({ command, args: ["carry", "ahead", ...hexOf(words)], stdout: "null" });
  }

  /** Begins one; null where it cannot be begun: what is wrong with ssh is told by who needs it. */
  static begin(route: CarrierRoute & { readonly host: string }): CarrierAhead | null {
    try {
      return new CarrierAhead(route);
    } catch (error) {
      log.info("no carrier ahead", { why: String(error) });
      return null;
    }
  }

  /** Settles when the connection has ended. */
  get ended(): Promise<unknown> {
    return this.#child.status;
  }

  /** Has it carry between two; null where it has done so before, or has ended meanwhile. */
  take(from: CarrierPlace, command: string): Child | null {
    if (this.#isUsed || this.#child.hasEnded) return null;
    this.#isUsed = true;
    const { stdin } = this.#child;
    // One that ends right now shows it by its status.
    void stdin.write(encodeBytes(`${from.socket}\n${command}\n`)).then(() => stdin.close()).catch(() => {});
    return this.#child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.killAll("SIGTERM");
    await this.#child[Symbol.asyncDispose]();
  }
}

/**
 * A carrier that is brought when it is wanted, ends when nobody has wanted it for a while, and is brought
 * again when it is lost. Whoever made it disposes of it.
 */
export class Carrier implements AsyncDisposable {
  readonly #options: CarrierOptions;
  #child: Child | null = null;
  #idle: Timer | null = null;
  #bringing: Promise<void> | null = null;
  #isDisposed = false;
  #wanted = 0;
  #broughtAtMs = Number.NEGATIVE_INFINITY;
  #againMs = 0;

  constructor(options: CarrierOptions) {
    this.#options = options;
  }

  /**
   * Sees to it that there is a carrier soon; returns at once, and tells nobody where there can be none. It is
   * wanted until what this gives is disposed of: a pack may be on its way for minutes.
   */
  want(): Disposable {
    this.#wanted++;
    this.#idle?.cancel();
    this.#ensure();
    return { [Symbol.dispose]: () => this.#leave() };
  }

  #leave(): void {
    if (--this.#wanted > 0 || this.#isDisposed) return;
    this.#idle = this.#options.clock.after(IDLE_MS, () => this.#rest());
  }

  #ensure(): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#isDisposed || this.#bringing !== null || nowMs - this.#broughtAtMs < this.#againMs) return;
    this.#broughtAtMs = nowMs;
    this.#againMs = Math.min(AGAIN_MAX_MS, Math.max(AGAIN_FIRST_MS, 2 * this.#againMs));
    this.#bringing = this.#bring()
      .catch((error) => log.info("no carrier", { why: String(error) }))
      .finally(() => this.#bringing = null);
  }

  /** Settles when none is there and none is on its way. */
  get ended(): Promise<void> {
    return this.#bringing ?? Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#idle?.cancel();
    const child = this.#child;
    if (child === null) return; // an endpoint that does not answer is not waited for: nothing will be started
    child.killAll("SIGTERM");
    const timer = this.#options.clock.after(END_GRACE_MS, () => child.killAll("SIGKILL"));
    await this.#bringing;
    timer.cancel();
  }

  /** Ends what is not wanted any more; it may be wanted again at once. */
  #rest(): void {
    this.#child?.killAll("SIGTERM");
    this.#broughtAtMs = Number.NEGATIVE_INFINITY;
    this.#againMs = 0;
  }

  /** Settles when the stream has ended. */
  async #bring(): Promise<void> {
    const { left, right } = this.#options;
    const [from, to] = await Promise.all([left.carry(), right.carry()]);
    if (this.#isDisposed) return;
    if (from === null || to === null) return log.info("no carrier", { left: from !== null, right: to !== null });
    await using child = this.#options.ahead?.take(from, this.#command(to)) ?? this.#start(from, to);
    this.#child = child;
    const { code, signal } = await child.status;
    this.#child = null;
    log.debug("carrier ended", { code, signal, said: child.stderrTail() });
  }

  #start(from: CarrierPlace, to: CarrierPlace): Child {
    const { host, sshCommand, nativePath: command } = this.#options;
    const rest = host === null
      ? ["join", to.socket]
      : ["exec", ...hexOf(sshWords(host, sshCommand, `exec ${this.#command(to)}`))];
    return Child.spawn({ command, args: ["carry", from.socket, ...rest], stdin: "null", stdout: "null" });
  }

  /** What runs on the other host, for a shell. */
  #command(to: CarrierPlace): string {
    if (!SOCKET.test(to.socket) || !NATIVE_PATH.test(to.nativePath)) throw new Error("the other host's names are odd");
    return `'${to.nativePath}' carry ${to.socket}`;
  }
}

function sshWords(host: string, sshCommand: string | undefined, command: string): readonly string[] {
  requireHost(host);
  const ssh = parseSshCommand(sshCommand);
  return [ssh.words[0]!, ...sshArgs(ssh, host, command)];
}

function hexOf(words: readonly string[]): readonly string[] {
  return words.map((word) => encodeBytes(word).toHex());
}
