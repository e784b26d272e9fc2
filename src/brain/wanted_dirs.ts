/**
 * The directories that are to be gone through, none of which lies in another.
 *
 * Bounded by the length of their names, since a peer may name as many as it likes, and as deep: beyond that
 * the root is wanted in place of all of them, which leaves nothing out (I8). Used by scan.ts.
 * @module
 */
import { type RelPath, ROOT } from "../core/path.ts";
import { PathTree } from "./path_tree.ts";

/**
 * How long all names together may be. WHY so few: each directory of a path costs some 200 bytes, and may have
 * a name of one letter. It is enough for some 10,000 directories of the usual kind; to go through
 * more of them one by one saves little.
 */
export const WANTED_CHARS_MAX = 1 << 19;

/** A set of directories, with all that is below them. */
export class WantedDirs {
  #dirs = new PathTree();
  #chars = 0;

  /** How many directories are named. */
  get size(): number {
    return this.#dirs.size;
  }

  /** Adds a directory; false: it is wanted already, or one above it is. */
  add(dir: RelPath): boolean {
    // Where all is wanted, nobody looks at names.
    if (this.#dirs.covers(ROOT) || this.#dirs.covers(dir)) return false;
    for (const below of [...this.#dirs.below(dir)]) this.#delete(below);
    this.#chars += dir.length;
    const isTooMuch = this.#chars > WANTED_CHARS_MAX;
    if (isTooMuch) this.#clear();
    this.#dirs.add(isTooMuch ? ROOT : dir);
    return true;
  }

  /** Takes so many out, the oldest first. */
  take(count: number): RelPath[] {
    const taken = this.#dirs.take(count);
    for (const dir of taken) this.#chars -= dir.length;
    return taken;
  }

  #delete(dir: RelPath): void {
    this.#dirs.delete(dir);
    this.#chars -= dir.length;
  }

  #clear(): void {
    this.#dirs = new PathTree();
    this.#chars = 0;
  }
}
