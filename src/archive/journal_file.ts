/**
 * The journal of a pair on disk: lines in two files, the older of which is replaced when the newer one
 * is full, so that both together stay below 64 MB.
 *
 * Lines are gathered and written now and then, off everybody's way. What cannot be written is dropped
 * and counted: a full disk costs lines, never more. Gives no line a meaning (brain/journal_entry.ts). One
 * writer at a time, which the archive's lock sees to.
 * @module
 */
import { join } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";
import { logger } from "../base/log.ts";

/** The file that is written to, and the one before it. */
export const JOURNAL_FILES = { now: "journal", before: "journal.1" } as const;

/** A file is full at this size; a piece more may get into it. */
const PART_MAX_BYTES = 28 << 20;
/** How long lines are gathered. */
const GATHER_MS = 250;
/** So much is written at once. */
const PIECE_BYTES = 256 * 1024;
/** So many pieces may wait: a disk that hangs must not fill the memory. */
const PIECES_MAX = 16;
/** A line that is longer is dropped: two names of 4 kB, all of it escaped, have room. */
const LINE_MAX_UNITS = PIECE_BYTES / 4;
/** The most bytes that one unit of a line becomes. */
const UNIT_BYTES = 3;

/** The end does not wait for a disk that hangs. */
const END_MS = 1_000;

const NEWLINE = 10;

/** Lines that wait. */
interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  usedBytes: number;
  lines: number;
}

const encoder = new TextEncoder();

const log = logger("archive", "journal_file");

/** How a journal is kept. */
export interface JournalFileOptions {
  readonly clock: Clock;
  /** For tests; 28 MiB when left out. */
  readonly partMaxBytes?: number;
}

/** Opens the journals of pairs, whose archives lie in `stateDir`. */
export function journalsIn(stateDir: string, clock: Clock): (pairId: string) => JournalFile {
  return (pairId) => new JournalFile(join(stateDir, pairId), { clock });
}

/** Writes one pair's journal. */
export class JournalFile implements AsyncDisposable {
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #partMaxBytes: number;
  /** What waits: whole lines in each piece. */
  #pieces: Piece[] = [];
  #spare: Piece | null = null;
  #lost = 0;
  #timer: Timer | null = null;
  #writing: Promise<void> | null = null;
  /** Whether the last line may be torn: at the start, and after a write that failed. */
  #isTorn = true;

  /** `dir`: the pair's directory, which is there. */
  constructor(dir: string, { clock, partMaxBytes = PART_MAX_BYTES }: JournalFileOptions) {
    this.#dir = dir;
    this.#clock = clock;
    this.#partMaxBytes = partMaxBytes;
  }

  /** Takes a line without its line break. Returns at once, and never throws. */
  append(line: string): void {
    const piece = this.#pieceFor(line);
    if (piece === null) return void this.#lost++;
    const { written } = encoder.encodeInto(line, piece.bytes.subarray(piece.usedBytes));
    piece.usedBytes += written;
    piece.bytes[piece.usedBytes++] = NEWLINE;
    piece.lines++;
    if (this.#pieces.length > 1) this.#write();
    else this.#timer ??= this.#clock.after(GATHER_MS, () => this.#write());
  }

  /** Writes what waits; a disk that hangs is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const over = new AbortController();
    const late = this.#clock.sleep(END_MS, over.signal).catch(() => {});
    await Promise.race([this.#writeAll(), late]);
    over.abort();
  }

  /** The piece in which a line has room; null: there is none. */
  #pieceFor(line: string): Piece | null {
    if (line.length > LINE_MAX_UNITS) return null;
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.usedBytes + line.length * UNIT_BYTES < PIECE_BYTES) return last;
    if (this.#pieces.length >= PIECES_MAX) return null;
    const piece = this.#spare ?? { bytes: new Uint8Array(PIECE_BYTES), usedBytes: 0, lines: 0 };
    this.#spare = null;
    this.#pieces.push(piece);
    return piece;
  }

  async #writeAll(): Promise<void> {
    while (this.#pieces.length > 0 || this.#writing !== null) {
      this.#write();
      await this.#writing;
    }
  }

  #write(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#writing !== null) return;
    const piece = this.#pieces.shift();
    if (piece === undefined) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#writing = this.#put(piece, lost).then((isWritten) => {
      if (!isWritten) this.#lost += lost + piece.lines;
      [piece.usedBytes, piece.lines] = [0, 0];
      this.#spare = piece;
      this.#writing = null;
      if (this.#pieces.length > 1) this.#write();
      else if (this.#pieces.length > 0) this.#timer ??= this.#clock.after(GATHER_MS, () => this.#write());
    });
  }

  /** WHY opened anew each time: whoever removes or moves the file away gets it, and nothing is held. */
  async #put({ bytes, usedBytes }: Piece, lost: number): Promise<boolean> {
    try {
      const path = join(this.#dir, JOURNAL_FILES.now);
      using file = await Deno.open(path, { read: true, append: true, create: true, mode: 0o600 });
      const { size } = await file.stat();
      const gap = lost === 0 ? "" : `${JSON.stringify({ t: this.#clock.wallMs(), what: "lost", count: lost })}\n`;
      const head = encoder.encode(`${await this.#isTornAt(file, size) ? "\n" : ""}${gap}`);
      this.#isTorn = true;
      await writeAll(file, head);
      await writeAll(file, bytes.subarray(0, usedBytes));
      this.#isTorn = false;
      if (size + usedBytes >= this.#partMaxBytes) await Deno.rename(path, join(this.#dir, JOURNAL_FILES.before));
      return true;
    } catch (error) {
      if (lost === 0) log.warning("the journal cannot be written", { error: String(error) });
      return false;
    }
  }

  async #isTornAt(file: Deno.FsFile, size: number): Promise<boolean> {
    if (!this.#isTorn || size === 0) return false;
    const last = new Uint8Array(1);
    await file.seek(size - 1, Deno.SeekMode.Start);
    return await file.read(last) === 1 && last[0] !== NEWLINE;
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
