/**
 * Tells how far the work is that is known: while it is being done, and now and then while nothing but a
 * long transfer is under way.
 *
 * Counts nothing itself; what it tells begins anew whenever there was nothing to do. Owned by pair.ts.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { RelPath } from "../core/path.ts";
import type { FlightDeck } from "./in_flight.ts";
import type { News, NewsBoard } from "./news.ts";
import type { Report } from "./report.ts";
import type { Status } from "./status.ts";

/** Progress is told at most this often, and at least this often while there is work. */
const LEAST_MS = 100;
const MOST_MS = 1_000;
/** Sizes are summed up over so many paths; of more only the number is told. */
const SUM_PATHS = 5_000;

/** What progress is made of. */
export interface ProgressParts {
  readonly clock: Clock;
  readonly report: Pick<Report, "syncProgress">;
  readonly status: Pick<Status, "totalFiles" | "totalBytes">;
  readonly board: Pick<NewsBoard, "size" | "oldestMs" | "paths" | "peek">;
  readonly flights: Pick<FlightDeck, "size" | "oldestMs" | "shown">;
  /** Of files that are being transferred: what is on the other side already, in bytes. */
  movedBytes(): number;
  /** Whether a scan may find more. */
  isScanning(): boolean;
}

/** When the oldest live change that is not settled came, on the monotonic clock; null: there is none. */
export function oldestLiveMs({ board, flights }: Pick<ProgressParts, "board" | "flights">): number | null {
  const [known, flying] = [board.oldestMs(), flights.oldestMs()];
  return known === null ? flying : flying === null ? known : Math.min(known, flying);
}

/** The progress of one pair. */
export class Progress implements Disposable {
  readonly #parts: ProgressParts;
  #toldMs = -Infinity;
  #timer: Timer | null = null;
  #totalBytes: number | null = null;
  #mostBytes = 0;
  /** The counts when the work began; null: there is none. */
  #base: { readonly files: number; readonly bytes: number } | null = null;

  constructor(parts: ProgressParts) {
    this.#parts = parts;
  }

  /** Called whenever something may have been done. */
  tick(): void {
    const { clock, board, flights, status } = this.#parts;
    if (board.size + flights.size === 0 && !this.#parts.isScanning()) return this.#end();
    this.#base ??= { files: status.totalFiles, bytes: status.totalBytes };
    this.#timer ??= clock.after(MOST_MS, () => this.#late());
    if (clock.nowMs() - this.#toldMs >= LEAST_MS) this.#tell({ isWhole: false });
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #late(): void {
    this.#timer = null;
    // Sums are for now and then: they go through all that waits.
    this.#tell({ isWhole: true });
    this.tick();
  }

  /** What was told last must not stand there for ever. */
  #end(): void {
    this[Symbol.dispose]();
    if (this.#base !== null) this.#tell({ isWhole: true });
    this.#base = null;
    this.#mostBytes = 0;
  }

  #tell({ isWhole }: { readonly isWhole: boolean }): void {
    const { clock, report, status, board, flights } = this.#parts;
    const nowMs = clock.nowMs();
    this.#toldMs = nowMs;
    const base = this.#base ?? { files: 0, bytes: 0 };
    const files = status.totalFiles - base.files;
    const bytes = status.totalBytes - base.bytes;
    const isKnown = !this.#parts.isScanning();
    if (isWhole || !isKnown) this.#totalBytes = isKnown ? this.#sum(bytes) : null;
    // What has come is counted as done a moment later.
    this.#mostBytes = Math.max(this.#mostBytes, bytes + Math.floor(this.#parts.movedBytes()));
    const oldest = oldestLiveMs(this.#parts);
    report.syncProgress({
      files,
      bytes: this.#mostBytes,
      totalFiles: isKnown ? files + board.size + flights.size : null,
      totalBytes: this.#totalBytes === null ? null : Math.max(this.#totalBytes, this.#mostBytes),
      lagMs: oldest === null ? null : nowMs - oldest,
    });
  }

  /** The bytes of all that is known, with those that are done; null: it is too much to be summed up. */
  #sum(doneBytes: number): number | null {
    const { board, flights } = this.#parts;
    if (board.size + flights.size > SUM_PATHS) return null;
    let sum = doneBytes;
    const flying = new Set<RelPath>();
    for (const { path, sizeBytes } of flights.shown()) {
      flying.add(path);
      sum += sizeBytes ?? 0;
    }
    for (const path of board.paths()) if (!flying.has(path)) sum += sizeOf(board.peek(path));
    return sum;
  }
}

function sizeOf(news: News | null): number {
  const sizes = [news?.left, news?.right].map((seen) =>
    seen?.observation.kind === "present" && seen.observation.entry.kind === "file"
      ? seen.observation.entry.sizeBytes
      : 0
  );
  return Math.max(...sizes);
}
