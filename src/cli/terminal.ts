/**
 * The two streams to people, written in order and without ever holding up whoever writes: lines to
 * stdout and stderr, and one progress line below them where stderr is a terminal.
 *
 * A reader that stops reading costs lines on stderr, never time; `out` lets its caller wait instead.
 * Knows nothing of what is said. Owned by run.ts, which flushes it before it exits.
 * @module
 */
import type { Clock } from "../base/clock.ts";

/** One of the process's streams. */
export interface Stream {
  readonly isTerminal: boolean;
  /** Writes all bytes. Rejects with `Deno.errors.BrokenPipe` where nobody can read them any more. */
  write(bytes: Uint8Array): Promise<void>;
}

/** What a terminal is made of. */
export interface TerminalOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly clock: Clock;
  /** Whether a line may be drawn over (not under TERM=dumb). */
  readonly canRedraw: boolean;
  /** Columns of the terminal, asked whenever a progress line is drawn. */
  readonly columns: () => number;
  /** Called once, when nobody reads stdout any more. */
  readonly onOutClosed: () => void;
}

interface Item {
  readonly stream: Stream;
  readonly bytes: Uint8Array;
  readonly done: () => void;
}

/** How much waits for stderr before lines are dropped: some thousand lines. */
const MAX_WAITING_BYTES = 1 << 20;

const CLEAR = "\r\x1b[K";
const encoder = new TextEncoder();

/** Where lines go. */
export class Terminal {
  readonly #options: TerminalOptions;
  readonly #queue: Item[] = [];
  readonly #closed = new Set<Stream>();
  #waitingBytes = 0;
  #dropped = 0;
  #wanted = "";
  #shown = "";
  #isDraining = false;
  #drained: Promise<void> = Promise.resolve();

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  /** Whether `progress` shows anything. */
  get hasProgressLine(): boolean {
    return this.#options.stderr.isTerminal && this.#options.canRedraw;
  }

  /** Writes a line to stdout; resolves when it is written, or will never be. */
  out(line: string): Promise<void> {
    return new Promise((done) => this.#push(this.#options.stdout, `${line}\n`, done));
  }

  /** Writes a line to stderr, soon. */
  err(line: string): void {
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#push(this.#options.stderr, `${line}\n`, () => {});
  }

  /** Whether stderr is a terminal. */
  get isErrTerminal(): boolean {
    return this.#options.stderr.isTerminal;
  }

  /** Writes a line to another stream, such as a log file, as `err` does. */
  to(stream: Stream, line: string): void {
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#dropped++;
    else this.#push(stream, `${line}\n`, () => {});
  }

  /** Shows the text below all lines until it is replaced; the empty text takes it away. */
  progress(text: string): void {
    if (!this.hasProgressLine) return;
    this.#wanted = text;
    this.#start();
  }

  /** Waits until all is written, or the time is over. */
  async flush(deadlineMs: number): Promise<void> {
    const over = new AbortController();
    const late = this.#options.clock.sleep(deadlineMs, over.signal).catch(() => {});
    await Promise.race([this.#drained, late]);
    over.abort();
    await late;
  }

  #push(stream: Stream, text: string, done: () => void): void {
    if (this.#closed.has(stream)) return done();
    const bytes = encoder.encode(text);
    this.#waitingBytes += bytes.length;
    this.#queue.push({ stream, bytes, done });
    this.#start();
  }

  #start(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#drained = this.#run();
  }

  /** Writes until nothing waits. Never rejects. */
  async #run(): Promise<void> {
    for (;;) {
      const item = this.#queue.shift();
      if (item !== undefined) {
        if (item.stream === this.#options.stdout || item.stream === this.#options.stderr) await this.#redraw("");
        await this.#write(item.stream, item.bytes);
        this.#waitingBytes -= item.bytes.length;
        item.done();
      } else if (this.#dropped > 0) {
        const text = `psync: ${this.#dropped} lines were dropped here, as nobody read them\n`;
        this.#dropped = 0;
        await this.#write(this.#options.stderr, encoder.encode(text));
      } else if (this.#shown !== this.#wanted) {
        await this.#redraw(this.#wanted);
      } else {
        // In the same step as the last look at the queue: a line pushed from here on starts anew.
        this.#isDraining = false;
        return;
      }
    }
  }

  async #redraw(text: string): Promise<void> {
    if (this.#shown === text) return;
    this.#shown = text;
    const room = Math.max(10, this.#options.columns() - 1);
    await this.#write(this.#options.stderr, encoder.encode(CLEAR + text.slice(0, room)));
  }

  /** WHY: a write that fails costs its line only; a full disk under a log file must not end a session. */
  async #write(stream: Stream, bytes: Uint8Array): Promise<void> {
    if (this.#closed.has(stream)) return;
    try {
      await stream.write(bytes);
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) return;
      this.#closed.add(stream);
      if (stream === this.#options.stdout) this.#options.onOutClosed();
    }
  }
}
