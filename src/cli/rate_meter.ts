/**
 * How fast long work goes, and how long it will still take, from how far it was a moment ago.
 *
 * Pure. Owned by console_report.ts.
 * @module
 */
import type { SyncProgress } from "../brain/report.ts";

/** The rate is that of the last ten seconds, in which what comes in lumps evens out. */
const SPAN_MS = 10_000;
const STEP_MS = 500;
/** Before so much time has passed nothing is said. */
const LEAST_MS = 2_000;

/** What is known of the speed; null: not yet. */
export interface Pace {
  readonly bytesPerSecond: number | null;
  readonly leftMs: number | null;
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
  readonly files: number;
}

/** Measures the pace of work. */
export class RateMeter {
  #samples: Sample[] = [];

  /** Takes how far the work is now. */
  note({ files, bytes, totalFiles, totalBytes }: SyncProgress, atMs: number): Pace {
    const last = this.#samples.at(-1);
    // Less than before: it is other work.
    if (last !== undefined && (bytes < last.bytes || files < last.files)) this.#samples = [];
    if (last === undefined || this.#samples.length === 0 || atMs - last.atMs >= STEP_MS) {
      this.#samples.push({ atMs, bytes, files });
    }
    this.#samples = this.#samples.filter((sample) => atMs - sample.atMs <= SPAN_MS);
    const first = this.#samples[0];
    const ms = first === undefined ? 0 : atMs - first.atMs;
    if (first === undefined || ms < LEAST_MS) return { bytesPerSecond: null, leftMs: null };
    const [bytesMs, filesMs] = [(bytes - first.bytes) / ms, (files - first.files) / ms];
    return {
      bytesPerSecond: bytesMs * 1_000,
      leftMs: leftMs({ files, bytes, totalFiles, totalBytes }, { bytesMs, filesMs }),
    };
  }

  /** Forgets everything: what comes next is other work. */
  reset(): void {
    this.#samples = [];
  }
}

/** The slower of both says how long it takes: many small files are not held up by their bytes. */
function leftMs(
  { files, bytes, totalFiles, totalBytes }: Omit<SyncProgress, "lagMs">,
  { bytesMs, filesMs }: { readonly bytesMs: number; readonly filesMs: number },
): number | null {
  const byBytes = totalBytes !== null && bytesMs > 0 ? (totalBytes - bytes) / bytesMs : null;
  const byFiles = totalFiles !== null && filesMs > 0 ? (totalFiles - files) / filesMs : null;
  if (byBytes !== null && bytes > 0) return Math.max(0, byBytes);
  return byFiles === null ? null : Math.max(0, byFiles);
}
