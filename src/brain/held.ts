/**
 * Which removals wait for approval, as planning has to know it: until then a path that was held, and
 * what is below it, is not removed, whatever caused it to be looked at again.
 *
 * Absences.ts raises holds and lifts them; a removal that an event tells of is never held.
 * @module
 */
import type { Archive } from "../core/archive.ts";
import { ancestorsOf, type RelPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { News } from "./news.ts";

/** The held paths of one side, read when they are asked for. */
export class HeldPaths {
  readonly #archive: Pick<Archive, "holds">;
  #paths: Record<Side, Set<RelPath>> | null = null;

  constructor(archive: Pick<Archive, "holds">) {
    this.#archive = archive;
  }

  /** Forgets what was read: a hold may have come or gone. */
  refresh(): void {
    this.#paths = null;
  }

  /** Whether the removal on `side` that these news ask for waits for approval. */
  covers(news: News, side: Side): boolean {
    if (news[otherSide(side)]?.isLive === true) return false;
    const paths = this.#read()[side];
    if (paths.size === 0) return false;
    if (paths.has(news.path)) return true;
    for (const above of ancestorsOf(news.path)) if (paths.has(above)) return true;
    return false;
  }

  #read(): Record<Side, Set<RelPath>> {
    if (this.#paths !== null) return this.#paths;
    const paths = { left: new Set<RelPath>(), right: new Set<RelPath>() };
    for (const hold of this.#archive.holds()) for (const path of hold.paths) paths[hold.side].add(path);
    return this.#paths = paths;
  }
}
