/**
 * The second ssh connection of a pair: many rsync runs share it, and the frames never wait behind them.
 *
 * Starts no rsync (transfer/). A master that cannot be had costs speed only: ssh falls back to a
 * connection for each run by itself when the socket is not there or takes no more sessions.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import { Child } from "../base/process.ts";
import { throughNative } from "../replica/native_exec.ts";
import { masterArgs, parseSshCommand, requireHost, sharedSshWords, type SshCommand } from "./ssh_command.ts";
import { joinForRsync } from "./words.ts";

/** What fits sockaddr_un, with the NUL, and with the suffix that ssh adds while it makes the socket. */
const SOCKET_PATH_MAX_BYTES = 107 - 17;

/** How often a master that is coming up is asked for, and for how long. */
const READY_STEP_MS = 50;
const READY_MAX_MS = 15_000;

/** How long a master that was told to end may take. */
const EXIT_MS = 2_000;

/** After a master ended by itself, the next one is not started before. */
const RESTART_MS = 10_000;

const log = logger("endpoint", "bulk_link");

/** Where bulk goes. */
export interface BulkOptions {
  readonly host: string;
  readonly sshCommand?: string;
  /** Starts ssh where it is given (replica/native_exec.ts). */
  readonly nativePath?: string;
  readonly clock: Clock;
}

/** One run's share of the connection; disposed of when the run has ended. */
export interface BulkUse extends Disposable {
  /**
   * The value of rsync's `-e`. As long as no connection is shared, or where none can be, what this names
   * makes a connection of its own.
   */
  readonly shell: string;
  /** Says that nothing comes through: later runs get a new connection, this one ends with its last run. */
  retire(): void;
}

/** One shared connection. */
interface Master {
  readonly child: Child;
  readonly socket: string;
  users: number;
}

/** A shared connection that starts when it is first used. Whoever opened it disposes of it. */
export class BulkLink implements AsyncDisposable {
  readonly #ssh: SshCommand;
  readonly #host: string;
  readonly #nativePath: string | undefined;
  readonly #clock: Clock;
  /** The 0700 directory of the socket; null where connections cannot be shared. */
  readonly #dir: string | null;
  #master: Master | null = null;
  /** Those that run, retired ones included. */
  readonly #masters = new Set<Master>();
  #count = 0;
  #startedAtMs = -RESTART_MS;
  #disposed: Promise<void> | null = null;

  private constructor(ssh: SshCommand, options: BulkOptions, dir: string | null) {
    this.#ssh = ssh;
    this.#host = options.host;
    this.#nativePath = options.nativePath;
    this.#clock = options.clock;
    this.#dir = dir;
  }

  /** Prepares a link; nothing is started yet. @throws {UsageError} for a host or command that cannot be. */
  static open(options: BulkOptions): BulkLink {
    requireHost(options.host);
    const ssh = parseSshCommand(options.sshCommand);
    return new BulkLink(ssh, options, ssh.isSsh ? socketDir() : null);
  }

  /** Begins a run. The first one starts the master. */
  use(): BulkUse {
    this.#start();
    const master = this.#master;
    if (master !== null) master.users++;
    const shell = joinForRsync(sharedSshWords(this.#ssh, master?.socket ?? null));
    return {
      shell,
      retire: () => this.#retire(master),
      [Symbol.dispose]: () => {
        if (master !== null && --master.users === 0 && master !== this.#master) master.child.kill("SIGTERM");
      },
    };
  }

  /** Waits until the master is up; false where it cannot be had. Starts it where it is not started. */
  async ready(signal?: AbortSignal): Promise<boolean> {
    this.#start();
    const endMs = this.#clock.nowMs() + READY_MAX_MS;
    while (this.#master !== null && this.#clock.nowMs() < endMs) {
      if (await exists(this.#master.socket)) return true;
      await this.#clock.sleep(READY_STEP_MS, signal);
    }
    return false;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#disposed ??= this.#dispose();
  }

  /** WHY at once, and not after RESTART_MS: it did not end by itself. */
  #retire(master: Master | null): void {
    if (master === null || master !== this.#master) return;
    this.#master = null;
    this.#startedAtMs = -RESTART_MS;
    if (master.users === 0) master.child.kill("SIGTERM");
  }

  #start(): void {
    const isTooSoon = this.#clock.nowMs() - this.#startedAtMs < RESTART_MS;
    if (this.#dir === null || this.#master !== null || this.#disposed !== null || isTooSoon) return;
    this.#startedAtMs = this.#clock.nowMs();
    const socket = `${this.#dir}/${++this.#count}`;
    const words = [this.#ssh.words[0]!, ...masterArgs(this.#ssh, this.#host, socket)];
    const child = Child.spawn({ ...throughNative(this.#nativePath, words), stdin: "piped", stdout: "null" });
    const master = { child, socket, users: 0 };
    this.#master = master;
    this.#masters.add(master);
    child.status.then(() => {
      this.#masters.delete(master);
      if (this.#master === master) this.#master = null;
      log.debug("bulk master ended", { host: this.#host, said: child.stderrTail() });
    });
  }

  async #dispose(): Promise<void> {
    await Promise.all([...this.#masters].map(({ child }) => this.#end(child)));
    if (this.#dir !== null) await Deno.remove(this.#dir, { recursive: true }).catch(() => {}); // removed before
  }

  async #end(child: Child): Promise<void> {
    // SIGTERM makes a master remove its socket and end its sessions, as `-O exit` does.
    child.kill("SIGTERM");
    const timer = this.#clock.after(EXIT_MS, () => child.kill("SIGKILL"));
    await child.status;
    timer.cancel();
  }
}

/** A fresh 0700 directory whose name is short enough for a socket; null where there is none. */
function socketDir(): string | null {
  for (const parent of [Deno.env.get("XDG_RUNTIME_DIR"), "/tmp"]) {
    if (
      parent === undefined || !parent.startsWith("/") ||
      parent.length + "/psync-0123456789abcdef/1234".length > SOCKET_PATH_MAX_BYTES
    ) {
      continue;
    }
    try {
      return Deno.makeTempDirSync({ dir: parent, prefix: "psync-" });
    } catch (error) {
      log.debug("no directory for the bulk socket", { parent, error: String(error) });
    }
  }
  return null;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
