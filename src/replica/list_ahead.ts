/**
 * Directories that are listed before anybody asks for them, while the other root is still being reached:
 * a login to another host takes as long as it takes to list ten thousand files.
 *
 * What was listed ahead is as good as what is listed when it is asked for as long as nothing happens in the
 * tree: each directory is watched before it is listed, and the first event ends all of it, before anybody
 * hears of that event. Listings are hints in any case. Used by endpoint/local.ts.
 * @module
 */
import { type RelPath, ROOT } from "../core/path.ts";
import type { Listed } from "./lister.ts";

/** How many directories are listed in one request. */
const LIST_DIRS = 16;
/** With more names than this it ends: they are kept in memory until they are asked for. */
const ENTRIES_MAX = 16_000;

/** Listings that wait for whoever wants them; each is given once. */
export class ListAhead {
  readonly #list: (dirs: readonly RelPath[]) => Promise<readonly Listed[]>;
  readonly #kept = new Map<RelPath, Listed>();
  #isOver = false;

  /** `list`: watches and lists directories, one answer for each, in order. */
  constructor(list: (dirs: readonly RelPath[]) => Promise<readonly Listed[]>) {
    this.#list = list;
  }

  /** Lists the root and what is below it, as far as there is room, or until somebody is there. Rejects as `list` does. */
  async run(): Promise<void> {
    const todo: RelPath[] = [ROOT];
    let entries = 0;
    while (todo.length > 0 && entries < ENTRIES_MAX) {
      const listed = await this.#list(todo.splice(0, LIST_DIRS));
      if (this.#isOver) return;
      for (const each of listed) {
        if (each.listing.kind !== "listed" || !each.listing.isWatched) continue;
        this.#kept.set(each.listing.path, each);
        entries += each.listing.entries.length;
        for (const seen of each.listing.entries) {
          if (seen.kind === "present" && seen.entry.kind === "dir") todo.push(seen.path);
        }
      }
    }
  }

  /**
   * Takes what was listed ahead; null: it is to be listed now. From then on whoever asks is ahead: what was
   * still being listed would be listed twice, and kept for nobody.
   */
  take(dir: RelPath): Listed | null {
    const kept = this.#kept.get(dir) ?? null;
    this.#kept.delete(dir);
    if (kept === null) this.#isOver = true;
    return kept;
  }

  /** Something has happened, or what is listed is to be shown in another way: nothing is given any more. */
  end(): void {
    this.#isOver = true;
    this.#kept.clear();
  }
}
