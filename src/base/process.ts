/**
 * A child process with an owner: started, read, and ended through one object.
 *
 * Its stderr is drained all the time and the end of it is kept for error messages. No shell is
 * ever involved.
 * @module
 */
import { SetupError } from "./errors.ts";

/** How much of a child's stderr is kept, in bytes. */
const STDERR_KEPT_BYTES = 32 * 1024;

/** How a child is started. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether only `env` is handed on. */
  readonly clearEnv?: boolean;
  readonly cwd?: string;
  readonly stdin?: "piped" | "null";
  readonly stdout?: "piped" | "null" | "inherit";
  /** `tail` keeps the end of it; `inherit` shows it. */
  readonly stderr?: "tail" | "inherit";
}

/** How a child ended. */
export interface ChildStatus {
  readonly code: number;
  readonly signal: Deno.Signal | null;
}

/** A running child process. Disposing of it kills it and waits for its end. */
export class Child implements AsyncDisposable {
  readonly pid: number;
  readonly stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  /** Settles when the process has ended and its stderr was read to the end. */
  readonly status: Promise<ChildStatus>;
  readonly #process: Deno.ChildProcess;
  #tail = new Uint8Array(0);
  #isGone = false;
  #ended = false;

  private constructor(process: Deno.ChildProcess, options: ChildOptions) {
    this.#process = process;
    this.pid = process.pid;
    this.stdin = options.stdin === "null" ? closedWriter() : process.stdin.getWriter();
    this.stdout = (options.stdout ?? "piped") === "piped" ? process.stdout : emptyStream();
    const drained = options.stderr === "inherit" ? Promise.resolve() : this.#drain(process.stderr);
    const gone = process.status.finally(() => this.#isGone = true);
    this.status = Promise.all([gone, drained]).then(([{ code, signal }]) => {
      this.#ended = true;
      return { code, signal };
    });
  }

  /**
   * Starts a child.
   * @throws {SetupError} where the command cannot be executed.
   */
  static spawn(options: ChildOptions): Child {
    try {
      const command = new Deno.Command(options.command, {
        args: [...options.args],
        ...(options.env === undefined ? {} : { env: { ...options.env } }),
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        clearEnv: options.clearEnv ?? false,
        // WHY: a session of its own, so that Ctrl-C in a terminal ends psync alone, which then ends its
        // children in order; else ssh dies first, and the other host's lock stays behind.
        detached: true,
        stdin: options.stdin ?? "piped",
        stdout: options.stdout ?? "piped",
        stderr: options.stderr === "inherit" ? "inherit" : "piped",
      });
      return new Child(command.spawn(), options);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SetupError(`Cannot start "${options.command}": ${why}`, { cause });
    }
  }

  /** Whether it is known to have ended; what it started may still hold its stderr then. */
  get hasEnded(): boolean {
    return this.#isGone;
  }

  /** The end of what it wrote to stderr. */
  stderrTail(): string {
    return new TextDecoder().decode(this.#tail).trim();
  }

  /** Sends a signal; harmless when it has ended. */
  kill(signal: Deno.Signal): void {
    if (this.#ended) return;
    try {
      this.#process.kill(signal);
    } catch (error) {
      // It ended between the check and the call; anything else is a fault of ours.
      if (!(error instanceof Deno.errors.NotFound) && !(error instanceof TypeError)) throw error;
    }
  }

  /** Sends a signal to it and to all that it started and that stayed in its session's group. */
  killAll(signal: Deno.Signal): void {
    if (this.#ended) return;
    try {
      Deno.kill(-this.pid, signal); // `detached` made it the leader of its group
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.stdin.close().catch(() => {}); // the pipe may be broken already: that is what we want
    await this.status;
  }

  async #drain(stderr: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stderr) {
      const joined = new Uint8Array(this.#tail.length + chunk.length);
      joined.set(this.#tail);
      joined.set(chunk, this.#tail.length);
      this.#tail = joined.slice(Math.max(0, joined.length - STDERR_KEPT_BYTES));
    }
  }
}

function closedWriter(): WritableStreamDefaultWriter<Uint8Array> {
  return new WritableStream<Uint8Array>().getWriter();
}

function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}
