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

/** A file is full at this size; a batch of lines more may get into it. */
const PART_MAX_BYTES = 28 << 20;
/** How long lines are gathered. */
const GATHER_MS = 250;
/** At this size they are written at once. */
const BATCH_UNITS = 256 * 1024;
/** What waits beyond this is dropped, as a disk that hangs must not fill the memory. */
const WAITING_MAX_UNITS = 4 << 20;
/** The end does not wait for a disk that hangs. */
const END_MS = 1_000;

const NEWLINE = 10;

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
  #lines: string[] = [];
  #units = 0;
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
    if (this.#units > WAITING_MAX_UNITS) return void this.#lost++;
    this.#lines.push(line);
    this.#units += line.length + 1;
    if (this.#units >= BATCH_UNITS) this.#write();
    else this.#timer ??= this.#clock.after(GATHER_MS, () => this.#write());
  }

  /** Writes what waits; a disk that hangs is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const over = new AbortController();
    const late = this.#clock.sleep(END_MS, over.signal).catch(() => {});
    await Promise.race([this.#writeAll(), late]);
    over.abort();
  }

  async #writeAll(): Promise<void> {
    while (this.#lines.length > 0 || this.#writing !== null) {
      this.#write();
      await this.#writing;
    }
  }

  #write(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#writing !== null || this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    this.#units = 0;
    const gap = this.#lost === 0 ? [] : [JSON.stringify({ t: this.#clock.wallMs(), what: "lost", count: this.#lost })];
    const lostBefore = this.#lost;
    this.#lost = 0;
    this.#writing = this.#put([...gap, ...lines], lostBefore > 0).then((isWritten) => {
      if (!isWritten) this.#lost += lostBefore + lines.length;
      this.#writing = null;
      if (this.#units >= BATCH_UNITS) this.#write();
      else if (this.#lines.length > 0) this.#timer ??= this.#clock.after(GATHER_MS, () => this.#write());
    });
  }

  /** WHY opened anew each time: whoever removes or moves the file away gets it, and nothing is held. */
  async #put(lines: readonly string[], isAgain: boolean): Promise<boolean> {
    try {
      const path = join(this.#dir, JOURNAL_FILES.now);
      using file = await Deno.open(path, { read: true, append: true, create: true, mode: 0o600 });
      const { size } = await file.stat();
      const bytes = new TextEncoder().encode(`${await this.#isTornAt(file, size) ? "\n" : ""}${lines.join("\n")}\n`);
      this.#isTorn = true;
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      this.#isTorn = false;
      if (size + bytes.length >= this.#partMaxBytes) await Deno.rename(path, join(this.#dir, JOURNAL_FILES.before));
      return true;
    } catch (error) {
      if (!isAgain) log.warning("the journal cannot be written", { error: String(error) });
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
