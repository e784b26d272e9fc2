/**
 * A real psync, started as a user would, for scenario tests: the executable that `PSYNC_BIN` names,
 * else the source tree with a psync-native of its own.
 *
 * Keeps its state in a directory of the test. Whoever starts one disposes of it; what is left of it
 * then is killed by its process id.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { nativePath } from "./native_build.ts";

/** How long a line may take to appear before the test fails; generous, as machines are busy. */
const LINE_MS = 30_000;

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** How psync is started. */
export interface PsyncOptions {
  readonly args: readonly string[];
  /** Where archives go. */
  readonly stateDir: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The words of the command that runs psync; what `psyncCommand` gives when left out. */
  readonly command?: readonly string[];
}

/** How psync ended. */
export interface PsyncEnd {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The words of the command that runs psync, and what it needs in its environment. */
export async function psyncCommand(): Promise<{ readonly words: string[]; readonly env: Record<string, string> }> {
  const binary = Deno.env.get("PSYNC_BIN");
  if (binary !== undefined && binary !== "") return { words: [binary], env: {} };
  const words = [Deno.execPath(), "run", "-A", "-q", "--no-check", MAIN];
  return { words, env: { PSYNC_NATIVE: await nativePath() } };
}

/** Runs psync to its end. */
export async function runPsync(options: PsyncOptions): Promise<PsyncEnd> {
  await using psync = await PsyncProcess.start(options);
  return await psync.ended;
}

/** A running psync. */
export class PsyncProcess implements AsyncDisposable {
  readonly pid: number;
  readonly ended: Promise<PsyncEnd>;
  readonly #child: Deno.ChildProcess;
  #out = "";
  #err = "";
  #isEnded = false;
  #onText: () => void = () => {};

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.pid = child.pid;
    const read = async (stream: ReadableStream<Uint8Array>, take: (text: string) => void) => {
      const decoder = new TextDecoder();
      for await (const bytes of stream) {
        take(decoder.decode(bytes, { stream: true }));
        this.#onText();
      }
    };
    const all = [
      child.status,
      read(child.stdout, (text) => this.#out += text),
      read(child.stderr, (text) => this.#err += text),
    ] as const;
    this.ended = Promise.all(all).then(([{ code }]) => {
      this.#isEnded = true;
      this.#onText();
      return { code, out: this.#out, err: this.#err };
    });
  }

  /** Starts psync. */
  static async start(options: PsyncOptions): Promise<PsyncProcess> {
    const { words, env } = options.command === undefined ? await psyncCommand() : { words: options.command, env: {} };
    const child = new Deno.Command(words[0]!, {
      args: [...words.slice(1), ...options.args],
      env: { ...env, XDG_STATE_HOME: options.stateDir, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new PsyncProcess(child);
  }

  /** What it has written so far, both streams. */
  get text(): string {
    return this.#out + this.#err;
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until what it has written matches; fails with all of it when psync ends before. */
  async until(pattern: RegExp): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const fail = () => reject(new Error(`No ${pattern} in time; psync wrote:\n${this.text}`));
    const timer = systemClock.after(LINE_MS, fail);
    const matched = async () => {
      while (!pattern.test(this.text)) {
        if (this.#isEnded) throw new Error(`psync ended without ${pattern}; it wrote:\n${this.text}`);
        await new Promise<void>((resolve) => this.#onText = resolve);
      }
    };
    try {
      await Promise.race([matched(), late]);
    } finally {
      timer.cancel();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEnded) {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It ended in between.
      }
    }
    await this.ended;
  }
}
