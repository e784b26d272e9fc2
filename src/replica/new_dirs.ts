/**
 * Walks directories that have just appeared: watched first, then listed, what is in them handed on as
 * dirty names, directory by directory.
 *
 * A directory that may have had another content before is not walked but listed by the brain
 * (reporter.ts decides). An ignored name is neither listed nor handed on (I6).
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import type { Move } from "../core/endpoint.ts";
import type { Ignore } from "../core/ignore.ts";
import { isBelow, parentOf, rebase, type RelPath, ROOT } from "../core/path.ts";
import { errnoName } from "./errno.ts";
import { CROWD_NAMES } from "./crowds.ts";
import { visibleEntries } from "./lister.ts";
import { DIRTY, KIND, type RawStat } from "./native_format.ts";
import type { RawListing, Watcher } from "./watcher.ts";

/** The most directories of one request: what they hold comes back at once. */
const REQUEST_DIRS = 64;
/** How many directories are remembered that had gone before they were listed, and for how long. */
const GONE_MAX = 10_000;
const GONE_MS = 60_000;
/** How many directories that psync made may wait to be walked, and how much it put into each. */
const MADE_DIRS_MAX = 10_000;
const MADE_NAMES_MAX = 10_000;

const log = logger("replica", "new_dirs");

/** Whether a directory that is new here was made here, and cannot be one that was known before. */
export function isJustMade(bits: number): boolean {
  return (bits & DIRTY.created) !== 0 && (bits & DIRTY.moved) === 0;
}

/** What a walk tells. */
export interface NewDirsParts {
  readonly watcher: Pick<Watcher, "list">;
  readonly clock: Pick<Clock, "nowMs">;
  readonly ignore: Ignore;
  /** Takes a name that was found. */
  readonly mark: (path: RelPath, bits: number) => void;
  /** Says that what is in a directory is to be told by one listing. */
  readonly crowd: (dir: RelPath) => void;
  /** Whether what was listed is just what psync itself made there: nobody has to look. */
  readonly isOwn: (path: RelPath, stat: RawStat) => boolean;
  /** Called when a round of names was handed on. */
  readonly pump: () => void;
  /** Settles when more names may be handed on. */
  readonly room: () => Promise<void>;
  /** The brain must list this directory. */
  readonly rescan: (path: RelPath, why: string) => void;
  readonly unwatched: (path: RelPath) => void;
}

/** The directories that wait to be walked, and the one walk that goes on. */
export class NewDirs {
  readonly #parts: NewDirsParts;
  readonly #queue = new Set<RelPath>();
  /** Those of the queue, or being listed, that were made just now. */
  readonly #justMade = new Set<RelPath>();
  #listing: readonly RelPath[] = [];
  /**
   * Directories that were gone when they were to be looked at or listed, oldest first, and when that was: a
   * rename that is still unheard of may explain it.
   */
  readonly #gone = new Map<RelPath, number>();
  /**
   * Directories that psync made and that are not walked yet, with what it put into them: what is taken
   * out again before the watch stands has no event, and no listing shows it.
   */
  readonly #made = new Map<RelPath, Set<RelPath>>();
  #walk: Promise<void> | null = null;
  #isStopped = false;
  #added = 0;

  constructor(parts: NewDirsParts) {
    this.#parts = parts;
  }

  /** Whether nothing waits to be walked, and nothing is. */
  get isIdle(): boolean {
    return this.#queue.size === 0 && this.#listing.length === 0;
  }

  /** How many directories were added so far. */
  get added(): number {
    return this.#added;
  }

  /** Adds a directory that has just been reported. */
  add(dir: RelPath, how = { isJustMade: false }): void {
    if (this.#isStopped) return;
    this.#added++;
    this.#queue.add(dir);
    if (how.isJustMade) this.#justMade.add(dir);
    else this.#justMade.delete(dir);
    this.#walk ??= this.#run();
  }

  /** Says that psync made a directory, of which an event is to come. */
  madeDir(dir: RelPath): void {
    this.#made.set(dir, new Set());
    if (this.#made.size <= MADE_DIRS_MAX) return;
    const [oldest] = this.#made.keys();
    this.#giveUp(oldest!);
  }

  /** Says that psync put something at a path, or took it away. */
  made(path: RelPath, isThere: boolean): void {
    const dir = parentOf(path);
    const names = this.#made.get(dir);
    if (names === undefined) return;
    if (isThere) names.add(path);
    else names.delete(path);
    if (names.size > MADE_NAMES_MAX) this.#giveUp(dir);
  }

  #giveUp(dir: RelPath): void {
    this.#made.delete(dir);
    this.#parts.rescan(dir, "too much was made in new directories before they were watched");
  }

  /** Follows the rename of a directory whose content may be unknown yet. */
  followMove(move: Move): void {
    const isInside = (path: RelPath) => path === move.from || isBelow(path, move.from);
    for (const [dir, names] of [...this.#made]) {
      if (!isInside(dir)) continue;
      this.#made.delete(dir);
      this.#made.set(rebase(dir, move), new Set([...names].map((path) => rebase(path, move))));
    }
    const affected = [...this.#queue, ...this.#listing, ...this.#gone.keys()].filter(isInside);
    for (const path of affected) {
      this.#queue.delete(path);
      this.#justMade.delete(path);
      this.#gone.delete(path);
      this.add(rebase(path, move));
    }
  }

  /** Forgets what waits, as everything is listed again. */
  clear(): void {
    this.#queue.clear();
    this.#justMade.clear();
    this.#gone.clear();
    this.#made.clear();
  }

  /** Ends the walk; settles when it has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.clear();
    await this.#walk;
  }

  /** Walks until nothing waits. What is added when it has ended starts another one, so it says at once that it has. */
  async #run(): Promise<void> {
    try {
      while (this.#queue.size > 0) {
        await this.#parts.room();
        await this.#listSome();
        this.#parts.pump();
      }
    } catch (error) {
      if (!(error instanceof EndpointLostError)) throw error;
      // The endpoint says so to its reader; nothing is left to be walked.
      log.debug("a walk ended with its watcher", { error: error.message });
    } finally {
      this.#walk = null;
    }
  }

  async #listSome(): Promise<void> {
    const dirs = [...this.#queue].slice(0, REQUEST_DIRS);
    for (const dir of dirs) this.#queue.delete(dir);
    this.#listing = dirs;
    try {
      for (const raw of await this.#parts.watcher.list(dirs)) this.#take(raw);
    } finally {
      this.#listing = [];
    }
  }

  /** Says that nothing was found any more where a directory had appeared that nobody has looked into. */
  noteGone(dir: RelPath): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#gone.delete(dir);
    this.#gone.set(dir, nowMs);
    for (const [old, atMs] of this.#gone) {
      if (atMs + GONE_MS > nowMs) break;
      this.#gone.delete(old);
    }
    if (this.#gone.size <= GONE_MAX) return;
    this.#gone.clear();
    this.#parts.rescan(ROOT, "too many new directories went away before anybody looked into them");
  }

  #take(raw: RawListing): void {
    const wasJustMade = this.#justMade.delete(raw.path);
    if (raw.isUnwatched) this.#parts.unwatched(raw.path);
    if (raw.errno !== 0) {
      const name = errnoName(raw.errno);
      log.debug("a new directory could not be listed", { errno: name });
      if (name === "ENOENT" || name === "ENOTDIR" || name === "EXDEV") {
        this.noteGone(raw.path);
        this.#parts.mark(raw.path, DIRTY.gone);
      } else this.#parts.rescan(raw.path, `a new directory could not be listed: ${name}`);
      return;
    }
    const missing = this.#made.get(raw.path) ?? new Set();
    const isMade = this.#made.delete(raw.path);
    const found = visibleEntries(raw, this.#parts.ignore).filter(({ path, entry }) => {
      missing.delete(path);
      return entry.stat.kind === KIND.dir || !this.#parts.isOwn(path, entry.stat);
    });
    // WHY not where psync made it: what is in it is known, and what is missing there is not listed. And not where
    // it came from elsewhere: one that the brain knows it goes through no further than to the names in it.
    if (found.length >= CROWD_NAMES && wasJustMade && !isMade) return this.#parts.crowd(raw.path);
    for (const { path, entry } of found) {
      const isDir = entry.stat.kind === KIND.dir;
      // WHY: "moved" is what asks for a look at once without claiming that anybody wrote.
      const how = isDir && wasJustMade ? DIRTY.created : DIRTY.moved;
      this.#parts.mark(path, how | (isDir ? DIRTY.dir | DIRTY.newDir : 0));
    }
    for (const path of missing) this.#parts.mark(path, DIRTY.gone);
  }
}
