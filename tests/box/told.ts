/**
 * What an endpoint in the box has told: the memory of the real one (known_stamps.ts), used as reporter.ts and
 * local.ts use it. No stamp of the box hides a later write, so that none is racy.
 * @module
 */
import type { Listing, Move } from "../../src/core/endpoint.ts";
import type { Stamp } from "../../src/core/entry.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { RelPath } from "../../src/core/path.ts";
import type { Transition, TransitionResult } from "../../src/core/transition.ts";
import { toldOfMove } from "../../src/replica/committer.ts";
import { KnownStamps } from "../../src/replica/known_stamps.ts";
import { KIND, type RawStat } from "../../src/replica/native_format.ts";
import { NO_STAT } from "../../src/replica/native_records.ts";

/** Whether a look is told, and whether another directory was told at its path than is there now. */
export interface Judged {
  readonly isNews: boolean;
  readonly isOther: boolean;
}

/** What was told by one endpoint. */
export class Told {
  readonly #known = new KnownStamps();
  /** The counter when the newest listing began that was handed out. */
  #listedAt = 0;

  /** Takes note of what a look is told to have shown. */
  remember(seen: Observation): void {
    const { kind, path, began } = seen;
    const isTaken = (kind === "present" || kind === "absent") && began >= this.#listedAt;
    if (isTaken) this.#known.remember(path, statOf(seen), { began, isOwn: false, isRacy: false });
    else this.#known.forget(path, began);
  }

  /** Takes note of a listing that is handed out. */
  listed(listing: Listing): void {
    if (listing.kind === "unlisted") return this.remember(listing.self);
    this.sawDir(listing.self);
    this.#listedAt = Math.max(this.#listedAt, listing.began);
    for (const seen of listing.entries) this.#known.listed(seen.path, statOf(seen)!, listing.began);
  }

  /** Takes note of a directory that was gone through. */
  sawDir(seen: Observation): void {
    const [{ path, began }, stat] = [seen, statOf(seen)];
    if (stat === null || this.#known.match(path, stat) === "same") return;
    this.#known.remember(path, stat, { began, isOwn: false, isRacy: false });
  }

  /** Takes note of what became of a transition; `stat` of what was made. */
  committed(t: Transition, result: TransitionResult, stat: RawStat | null): void {
    const how = { began: result.ended, isOwn: true, isRacy: false };
    const paths = t.kind === "move" ? [t.from, t.to] : [t.path];
    if (result.kind !== "done") return paths.forEach((path) => this.#known.forget(path, result.ended));
    if (t.kind === "move") {
      this.#known.move(t);
      this.#known.remember(t.from, null, how);
    }
    const shown = t.kind === "move" && stat !== null ? toldOfMove(t, stat) : stat;
    this.#known.remember(paths.at(-1)!, shown, how);
  }

  /** What was told of a directory was told of what is in it, under its new name as well. */
  followMove(move: Move): void {
    this.#known.move(move);
  }

  /** Whether something later was told of a path than a look shows. */
  isOutdated({ path, began }: Observation): boolean {
    return this.#known.isOutdated(path, began);
  }

  /** Whether psync itself made what was last told at a path. */
  isOwn(path: RelPath): boolean {
    return this.#known.isOwn(path);
  }

  /** Judges a look that an event caused, and takes note of it where it is told. */
  judge(seen: Observation): Judged {
    const stat = statOf(seen);
    const { path } = seen;
    const isOther = stat?.kind === KIND.dir && this.#known.isDir(path) && !this.#known.isSameDir(path, stat);
    const isNews = seen.kind !== "orphan" && this.#known.match(path, stat) !== "same";
    if (isNews || seen.kind === "orphan") this.remember(seen);
    return { isNews, isOther };
  }
}

function statOf(seen: Observation): RawStat | null {
  return seen.kind === "present" ? rawStat(seen.entry.kind, seen.entry.mode, seen.stamp) : null;
}

/** The stat of an object of the box. */
export function rawStat(kind: "file" | "dir" | "link", mode: number, stamp: Stamp): RawStat {
  return { ...NO_STAT, ...stamp, kind: KIND[kind], mode };
}
