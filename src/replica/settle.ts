/**
 * When a dirty path is looked at: the first events of an idle path at once, a path that keeps changing
 * in bundles, a path that a writer has open when it is closed, a path that psync itself changes
 * afterwards.
 *
 * Pure but for the clock that is handed in; starts no timer (`nextDueMs` tells) and looks at nothing.
 * Called by reporter.ts. Events are hints: merging them loses nothing.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { Move } from "../core/endpoint.ts";
import { ancestorsOf, isBelow, rebase, type RelPath } from "../core/path.ts";
import { DIRTY } from "./native_format.ts";

/** The shortest time between two reports of a path that keeps changing; doubled while it does. */
export const BUNDLE_FIRST_MS = 20;
export const BUNDLE_LAST_MS = 1_000;
/** How many reports in a row are made at once before a path counts as one that keeps changing. */
export const BURST_FREE = 4;
/** How long a file that was created or written may take to be closed before it is looked at. */
export const CLOSE_WAIT_MS = 2;
/** How soon a busy path is looked at again where no close is heard of; doubled up to the last. */
export const BUSY_FIRST_MS = 1_000;
export const BUSY_LAST_MS = 10_000;
/** A writer that comes back so soon counts as one that never went. */
export const BUSY_AGAIN_MS = 3_000;
const ENDED_MAX = 10_000;
/** From then on a file that a writer has open all the time may be shown as it grows. */
export const LONG_BUSY_MS = 10_000;
/** The shortest time between two reports of a file that grows, and how much of it is read in that time at most. */
export const GROWING_MS = 10_000;
export const GROWING_BYTES = 100 << 20;
/** For how long a look may have been led astray by a rename of a directory above. */
const RECENT_MS = 5_000;
const RECENT_MAX = 50_000;
const ORPHAN_MS = 60_000;
const ORPHAN_MAX = 10_000;

/** Not a bit of `DIRTY`: look deeply (with digests) and report what is found in any case. */
export const LOOK_DEEP = 1 << 16;

/** Not one either: a rename of a directory above may have led a look astray, and nothing else happened. */
export const LOOK_FOLLOWED = 1 << 17;

/** A path to look at now. */
export interface Due {
  readonly path: RelPath;
  /** Bits of `DIRTY`, `LOOK_DEEP` and `LOOK_FOLLOWED`. */
  readonly bits: number;
  /** Whether it waited because it keeps changing. */
  readonly isBundled: boolean;
}

/** What came of a look: it was reported, or not, or the very object that was known there was seen, or it was busy. */
export type LookOutcome = "reported" | "silent" | "same" | "busy";

/** A path that a writer has open. */
interface Busy {
  dueMs: number;
  readonly delayMs: number;
  readonly sinceMs: number;
  /** Before then it is not shown as it grows (again). */
  readonly quietMs: number;
  /** Whether the writer had gone, and came back soon. */
  readonly isAgain: boolean;
}

interface Waiting {
  bits: number;
  dueMs: number;
  readonly isBundled: boolean;
}

/** Looks at a path that are in flight. */
interface Flight {
  again: number;
  readonly bits: number;
  readonly isBundled: boolean;
  readonly looks: number;
  /** The number of the newest of them (`Look`). */
  readonly nth: number;
}

/** The last report of a path, and how many came before it without a pause. */
interface Heat {
  readonly atMs: number;
  readonly delayMs: number;
  readonly burst: number;
}

const WRITING = DIRTY.created | DIRTY.modified;
const SETTLED = DIRTY.closed | DIRTY.gone | DIRTY.moved | DIRTY.dir | LOOK_DEEP;

/** Whether a writer has probably just begun: nothing is gained by a look before it closes. */
function isJustBegun(bits: number): boolean {
  return (bits & WRITING) !== 0 && (bits & SETTLED) === 0;
}

/** The dirty paths of one endpoint. */
export class Settle {
  readonly #clock: Pick<Clock, "nowMs">;
  /** To be looked at now, in the order of their events. */
  readonly #ready = new Map<RelPath, { bits: number; isBundled: boolean }>();
  readonly #waiting = new Map<RelPath, Waiting>();
  /** Looks in flight, with what happened since they began. */
  readonly #flying = new Map<RelPath, Flight>();
  /** Paths that psync itself changes now: how many commits, and what happened meanwhile. */
  readonly #held = new Map<RelPath, { count: number; bits: number }>();
  readonly #heat = new Map<RelPath, Heat>();
  readonly #busy = new Map<RelPath, Busy>();
  /** Paths that were busy until lately, oldest first. */
  readonly #ended = new Map<RelPath, { readonly busy: Busy; readonly atMs: number }>();
  readonly #recent = new Map<RelPath, Look>();
  #looks = 0;
  readonly #orphans = new Map<RelPath, Trace>();

  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
  }

  /** How many paths are to be looked at, now or later. */
  get size(): number {
    return this.#ready.size + this.#waiting.size;
  }

  /** Every path that something happened to that no look has seen yet; what a writer has open is none. */
  pending(): Set<RelPath> {
    const held = [...this.#held].filter(([, { bits }]) => bits !== 0).map(([path]) => path);
    return new Set([...this.#ready.keys(), ...this.#waiting.keys(), ...this.#flying.keys(), ...held]);
  }

  /** Whether a path is one of those. */
  isPending(path: RelPath): boolean {
    return this.#ready.has(path) || this.#waiting.has(path) || this.#flying.has(path) ||
      (this.#held.get(path)?.bits ?? 0) !== 0;
  }

  /** Whether a look at a path is under way, or psync changes it, or a writer has it open: it has its own turn. */
  isEngaged(path: RelPath): boolean {
    return this.#flying.has(path) || this.#held.has(path) || this.#busy.has(path);
  }

  /** Takes back what events alone made dirty, where `isWithdrawn` says so. */
  withdraw(isWithdrawn: (path: RelPath, bits: number) => boolean): void {
    for (const paths of [this.#ready, this.#waiting]) {
      for (const [path, { bits }] of paths) {
        if ((bits & (LOOK_DEEP | LOOK_FOLLOWED)) === 0 && isWithdrawn(path, bits)) paths.delete(path);
      }
    }
  }

  /** Whether the last look at a path found a writer. */
  isBusy(path: RelPath): boolean {
    return this.#busy.has(path);
  }

  /** Whether a writer has had a path open for so long that it may be shown as it grows. */
  isLongBusy(path: RelPath): boolean {
    const busy = this.#busy.get(path);
    return busy !== undefined && this.#clock.nowMs() >= busy.sinceMs + LONG_BUSY_MS;
  }

  /** The same for a report: not more often than now and then. */
  isDueToGrow(path: RelPath): boolean {
    return this.isLongBusy(path) && this.#clock.nowMs() >= this.#busy.get(path)!.quietMs;
  }

  /** Notes that somebody who asked found a writer. */
  noteBusy(path: RelPath): void {
    if (!this.#busy.has(path) && !this.#flying.has(path)) this.#setBusy(path);
  }

  /** Has every path looked at again that a writer had open at the last look. */
  markBusy(): void {
    for (const path of this.#busy.keys()) this.mark(path, DIRTY.attrib);
  }

  /** Ends the look at a path that is shown as it grows: a writer has it open still. */
  finishGrowing(path: RelPath, sizeBytes: number): void {
    const sinceMs = (this.#busy.get(path) ?? this.#endedLately(path))?.sinceMs ?? this.#clock.nowMs();
    this.finish(path, "silent");
    const delayMs = GROWING_MS * Math.max(1, sizeBytes / GROWING_BYTES);
    const dueMs = this.#clock.nowMs() + delayMs;
    this.#busy.set(path, { dueMs, delayMs, sinceMs, quietMs: dueMs, isAgain: false });
  }

  /** Whether psync itself changes a path now. */
  isHeld(path: RelPath): boolean {
    return this.#held.has(path);
  }

  /** Takes a hint. */
  mark(path: RelPath, bits: number): void {
    const held = this.#held.get(path);
    if (held !== undefined) {
      // NEWDIR and the like must not get lost, and 0 bits are a hint as well.
      held.bits |= bits | DIRTY.attrib;
      return;
    }
    const flying = this.#flying.get(path);
    if (flying !== undefined) {
      flying.again |= bits | DIRTY.attrib;
      return;
    }
    this.#enqueue(path, bits);
  }

  /** Looks at a path some time later, even if nothing else happens to it. */
  defer(path: RelPath, { bits, afterMs }: { readonly bits: number; readonly afterMs: number }): void {
    const waiting = this.#waiting.get(path);
    const dueMs = this.#clock.nowMs() + afterMs;
    this.#waiting.set(path, { bits: bits | (waiting?.bits ?? 0), dueMs, isBundled: false });
  }

  #enqueue(path: RelPath, bits: number): void {
    if (this.#busy.has(path) && isJustBegun(bits)) return;
    const ready = this.#ready.get(path);
    if (ready !== undefined) {
      ready.bits |= bits;
      return;
    }
    const nowMs = this.#clock.nowMs();
    const waiting = this.#waiting.get(path);
    if (waiting !== undefined) {
      waiting.bits |= bits;
      if (!waiting.isBundled && !isJustBegun(waiting.bits)) this.#wait(path, { ...waiting, dueMs: nowMs });
      return;
    }
    const heat = this.#heat.get(path);
    const isBundled = heat !== undefined && heat.burst >= BURST_FREE && nowMs < heat.atMs + heat.delayMs;
    const dueMs = isBundled ? heat.atMs + heat.delayMs : isJustBegun(bits) ? nowMs + CLOSE_WAIT_MS : nowMs;
    this.#wait(path, { bits, dueMs, isBundled });
  }

  #wait(path: RelPath, waiting: Waiting): void {
    if (waiting.dueMs > this.#clock.nowMs()) {
      this.#waiting.set(path, waiting);
      return;
    }
    this.#waiting.delete(path);
    this.#ready.set(path, { bits: waiting.bits, isBundled: waiting.isBundled });
  }

  /** When `take` has more to give though nothing happens, on the clock's `nowMs`; null: never. */
  nextDueMs(): number | null {
    if (this.#ready.size > 0) return this.#clock.nowMs();
    let next: number | null = null;
    for (const { dueMs } of this.#waiting.values()) next = next === null || dueMs < next ? dueMs : next;
    for (const { dueMs } of this.#busy.values()) next = next === null || dueMs < next ? dueMs : next;
    return next;
  }

  /** Takes up to `limit` paths to look at now, directories before what is in them. */
  take(limit: number): Due[] {
    this.#promote();
    const out: Due[] = [];
    for (const path of this.#ready.keys()) {
      if (out.length >= limit) break;
      for (const above of [...ancestorsOf(path)].reverse()) this.#takeOne(above, out);
      this.#takeOne(path, out);
    }
    return out;
  }

  /** Takes one path now, whether it was dirty or not; null where psync itself changes it. */
  takeNow(path: RelPath): Due | null {
    if (this.#held.has(path)) return null;
    const out: Due[] = [];
    this.#takeOne(path, out);
    return out[0] ?? this.#fly({ path, bits: 0, isBundled: false });
  }

  #promote(): void {
    const nowMs = this.#clock.nowMs();
    for (const [path, waiting] of this.#waiting) {
      if (waiting.dueMs > nowMs) continue;
      this.#waiting.delete(path);
      if (this.#flying.has(path) || this.#held.has(path)) this.mark(path, waiting.bits);
      else this.#wait(path, waiting);
    }
    for (const [path, busy] of this.#busy) {
      if (busy.dueMs > nowMs || this.#ready.has(path)) continue;
      busy.dueMs = nowMs + BUSY_LAST_MS;
      this.mark(path, DIRTY.attrib);
    }
  }

  #takeOne(path: RelPath, out: Due[]): void {
    const found = this.#ready.get(path) ?? this.#waiting.get(path);
    if (found === undefined || this.#flying.has(path)) return;
    this.#ready.delete(path);
    this.#waiting.delete(path);
    out.push(this.#fly({ path, bits: found.bits, isBundled: found.isBundled }));
  }

  /** Notes a look that begins now: what happened since another one began is seen by this one as well. */
  #fly({ path, bits, isBundled }: Due): Due {
    const other = this.#flying.get(path);
    const due = { path, bits: bits | (other?.again ?? 0), isBundled };
    this.noteLooks([path]);
    this.#flying.set(path, {
      again: 0,
      bits: due.bits | (other?.bits ?? 0),
      isBundled: isBundled || (other?.isBundled ?? false),
      looks: (other?.looks ?? 0) + 1,
      nth: this.#looks,
    });
    return due;
  }

  /** Ends the look at a path that was taken. */
  finish(path: RelPath, outcome: LookOutcome): void {
    const flying = this.#flying.get(path);
    if (flying !== undefined && flying.looks > 1) this.#flying.set(path, { ...flying, looks: flying.looks - 1 });
    else this.#flying.delete(path);
    // WHY: an object that is known under this name, untouched since, was surely seen under it. RACE: but a look of
    // the brain that began since may still come too late for its name.
    if (outcome === "same" && this.#recent.get(path)?.nth === flying?.nth) this.#recent.delete(path);
    const busy = this.#busy.get(path);
    if (outcome === "busy") this.#setBusy(path);
    else if (busy !== undefined) this.#endBusy(path, busy);
    // WHY: a writer that comes and goes shows another state each time.
    const isInARow = (flying?.isBundled ?? false) || (busy?.isAgain ?? false);
    if (outcome === "reported") this.#heatUp(path, isInARow);
    if (flying !== undefined && flying.again !== 0 && !this.#flying.has(path)) this.mark(path, flying.again);
  }

  #endBusy(path: RelPath, busy: Busy): void {
    this.#busy.delete(path);
    stampTrace(this.#ended, path, { busy, atMs: this.#clock.nowMs() }, { keepMs: BUSY_AGAIN_MS, max: ENDED_MAX });
  }

  #endedLately(path: RelPath): Busy | undefined {
    const ended = this.#ended.get(path);
    return ended !== undefined && this.#clock.nowMs() < ended.atMs + BUSY_AGAIN_MS ? ended.busy : undefined;
  }

  #setBusy(path: RelPath): void {
    const nowMs = this.#clock.nowMs();
    const known = this.#busy.get(path);
    const before = known ?? this.#endedLately(path);
    const sinceMs = before?.sinceMs ?? nowMs;
    const delayMs = before === undefined ? BUSY_FIRST_MS : Math.min(before.delayMs * 2, BUSY_LAST_MS);
    const longMs = sinceMs + LONG_BUSY_MS;
    const dueMs = nowMs < longMs ? Math.min(nowMs + delayMs, longMs) : Math.max(nowMs + delayMs, before!.quietMs);
    const isAgain = known?.isAgain ?? before !== undefined;
    this.#busy.set(path, { dueMs, delayMs, sinceMs, quietMs: before?.quietMs ?? longMs, isAgain });
  }

  #heatUp(path: RelPath, wasBundled: boolean): void {
    const nowMs = this.#clock.nowMs();
    const before = this.#heat.get(path);
    const delayMs = wasBundled && before !== undefined ? Math.min(before.delayMs * 2, BUNDLE_LAST_MS) : BUNDLE_FIRST_MS;
    const isInARow = before !== undefined && (wasBundled || nowMs < before.atMs + BUNDLE_FIRST_MS);
    this.#heat.delete(path);
    this.#heat.set(path, { atMs: nowMs, delayMs, burst: isInARow ? before.burst + 1 : 1 });
    for (const [old, { atMs }] of this.#heat) {
      if (atMs + BUNDLE_LAST_MS > nowMs) break;
      this.#heat.delete(old);
    }
  }

  /** Says that psync itself begins to change paths: they are not looked at before `release`. */
  hold(paths: Iterable<RelPath>): void {
    for (const path of paths) {
      const held = this.#held.get(path);
      if (held !== undefined) {
        held.count++;
        continue;
      }
      const bits = (this.#ready.get(path)?.bits ?? 0) | (this.#waiting.get(path)?.bits ?? 0);
      const wasDirty = this.#ready.delete(path) || this.#waiting.has(path);
      this.#waiting.delete(path);
      this.#held.set(path, { count: 1, bits: wasDirty ? bits | DIRTY.attrib : 0 });
    }
  }

  /** Ends one `hold` of each path; what happened to it meanwhile is looked at now. */
  release(paths: Iterable<RelPath>): void {
    for (const path of paths) {
      const held = this.#held.get(path);
      if (held === undefined || --held.count > 0) continue;
      this.#held.delete(path);
      if (held.bits !== 0) this.mark(path, held.bits);
    }
  }

  /** Remembers looks that were asked for, as those that a hint caused are. */
  noteLooks(paths: readonly RelPath[]): void {
    const nowMs = this.#clock.nowMs();
    for (const path of paths) {
      const look = { atMs: nowMs, nth: ++this.#looks };
      stampTrace(this.#recent, path, look, { keepMs: RECENT_MS, max: RECENT_MAX });
    }
  }

  /** Remembers that a look found no parent: a rename that is still unheard of may explain it. */
  noteOrphan(path: RelPath): void {
    stampTrace(this.#orphans, path, { atMs: this.#clock.nowMs() }, { keepMs: ORPHAN_MS, max: ORPHAN_MAX });
  }

  /** Follows the rename of a directory: what was or is dirty below its old name is dirty below the new. */
  followMove(move: Move): void {
    const bits = new Map<RelPath, number>();
    const add = (path: RelPath, more: number) => {
      if (isBelow(path, move.from)) bits.set(path, (bits.get(path) ?? 0) | more);
    };
    for (const [path, ready] of this.#ready) add(path, ready.bits);
    for (const [path, waiting] of this.#waiting) add(path, waiting.bits);
    // A look that comes too late for its name finds nothing: whoever walks new directories is to see it again.
    for (const [path, flying] of this.#flying) add(path, flying.again | (flying.bits & (DIRTY.dir | DIRTY.newDir)));
    for (const path of this.#busy.keys()) add(path, 0);
    for (const path of this.#orphans.keys()) add(path, 0);
    const oldest = this.#clock.nowMs() - RECENT_MS;
    for (const [path, { atMs }] of this.#recent) if (atMs >= oldest) add(path, 0);
    for (const [path, more] of bits) {
      this.#forget(path);
      this.mark(rebase(path, move), more === 0 || more === LOOK_FOLLOWED ? LOOK_FOLLOWED : more | DIRTY.attrib);
    }
  }

  /** Drops every hint, as everything is looked at again; looks and commits in flight go on. */
  clear(): void {
    this.#ready.clear();
    this.#waiting.clear();
    this.#orphans.clear();
    this.#recent.clear();
  }

  #forget(path: RelPath): void {
    this.#ready.delete(path);
    this.#waiting.delete(path);
    this.#busy.delete(path);
    this.#ended.delete(path);
    this.#orphans.delete(path);
    this.#recent.delete(path);
  }
}

/** When something was noted. */
interface Trace {
  readonly atMs: number;
}

/** A look that began: of events, or of the brain. */
interface Look extends Trace {
  readonly nth: number;
}

/** So many stay longer than they must: the first of a map is found behind all that were deleted before it. */
const TRACES_SWEPT = 1_024;

/** Adds a path to a bounded map in order of time, and drops what is too old, many at once. */
function stampTrace<T extends Trace>(
  traces: Map<RelPath, T>,
  path: RelPath,
  trace: T,
  { keepMs, max }: { readonly keepMs: number; readonly max: number },
): void {
  traces.delete(path);
  traces.set(path, trace);
  if (traces.size <= max && traces.size % TRACES_SWEPT !== 0) return;
  const keep = traces.size <= max ? max : max - TRACES_SWEPT;
  for (const [old, { atMs }] of traces) {
    if (traces.size <= keep && atMs + keepMs > trace.atMs) break;
    traces.delete(old);
  }
}
