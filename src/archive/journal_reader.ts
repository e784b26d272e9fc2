/**
 * Reads the journal of a pair, while psync writes it and while it does not.
 *
 * Gives whole lines, oldest first; what is being written is waited for. Gives no line a meaning.
 * @module
 */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { SetupError } from "../base/errors.ts";
import { JOURNAL_FILES } from "./journal_file.ts";

/** How often it is looked for new lines. */
const POLL_MS = 250;
const READ_BYTES = 256 * 1024;

/** How a journal is read. */
export interface JournalReading {
  readonly clock: Clock;
  /** Whether to go on when all is read. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/**
 * The lines of a pair's journal, in batches; an empty batch says that all which is there has been read.
 * @throws {SetupError} where it cannot be read; the signal's reason.
 */
export async function* readJournal(dir: string, reading: JournalReading): AsyncGenerator<readonly string[]> {
  const { clock, follow, signal } = reading;
  let files = openBoth(dir);
  try {
    if (files.before !== null) yield* linesOf(new LineReader(files.before), signal);
    let reader = files.now === null ? null : new LineReader(files.now);
    for (;;) {
      const isMoved = follow && files.now !== null && inodeAt(join(dir, JOURNAL_FILES.now)) !== inodeOf(files.now);
      if (reader !== null) yield* linesOf(reader, signal);
      if (!isMoved && files.now !== null) yield [];
      if (!follow) return;
      if (isMoved || files.now === null) {
        close(files);
        files = { before: null, now: open(join(dir, JOURNAL_FILES.now)) };
        reader = files.now === null ? null : new LineReader(files.now);
        if (files.now !== null) continue;
      }
      await clock.sleep(POLL_MS, signal);
    }
  } finally {
    close(files);
  }
}

interface Files {
  readonly now: Deno.FsFile | null;
  readonly before: Deno.FsFile | null;
}

function close({ now, before }: Files): void {
  now?.close();
  before?.close();
}

/** RACE: the newer one may become the older one in between; then there is a newer one again. */
function openBoth(dir: string): Files {
  for (;;) {
    const now = open(join(dir, JOURNAL_FILES.now));
    const before = open(join(dir, JOURNAL_FILES.before));
    if (now === null || before === null || inodeOf(now) !== inodeOf(before)) return { now, before };
    close({ now, before });
  }
}

function open(path: string): Deno.FsFile | null {
  try {
    return Deno.openSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw new SetupError(`Cannot read the journal: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function inodeOf(file: Deno.FsFile): number | null {
  return file.statSync().ino;
}

function inodeAt(path: string): number | null {
  try {
    return Deno.statSync(path).ino;
  } catch {
    return null; // moved away, and not made again yet
  }
}

async function* linesOf(reader: LineReader, signal: AbortSignal): AsyncGenerator<readonly string[]> {
  for (let lines = await reader.next(); lines !== null; lines = await reader.next()) {
    signal.throwIfAborted();
    if (lines.length > 0) yield lines;
  }
}

/** Whole lines of a file that may grow. */
class LineReader {
  readonly #file: Deno.FsFile;
  readonly #chunk = new Uint8Array(READ_BYTES);
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** The lines of the next piece; null at the end of what is there. */
  async next(): Promise<string[] | null> {
    const got = await this.#file.read(this.#chunk);
    if (got === null || got === 0) return null;
    const lines = (this.#rest + this.#decoder.decode(this.#chunk.subarray(0, got), { stream: true })).split("\n");
    this.#rest = lines.pop()!;
    return lines;
  }
}
