/**
 * A set of paths that knows which of them lie below a directory, without going through the others.
 *
 * Costs about one more entry a path. Used by what is asked "is anything below?" for each directory of a
 * large tree: board, flights, retries, scans.
 * @module
 */
import { parentOf, type RelPath, ROOT } from "../core/path.ts";

/** A set of paths. */
export class PathTree {
  readonly #members = new Set<RelPath>();
  /** Of each directory the names in it that are members, or have members below them. */
  readonly #children = new Map<RelPath, Set<RelPath>>();

  get size(): number {
    return this.#members.size;
  }

  /** Whether a path, or a directory above it, is a member. */
  covers(path: RelPath): boolean {
    for (let at = path;; at = parentOf(at)) {
      if (this.#members.has(at)) return true;
      if (at === ROOT) return false;
    }
  }

  /** Takes so many members out, the oldest first. */
  take(count: number): RelPath[] {
    const taken = [...this.#members.values().take(count)];
    for (const path of taken) this.delete(path);
    return taken;
  }

  add(path: RelPath): void {
    if (this.#members.has(path)) return;
    this.#members.add(path);
    for (let at = path; at !== ROOT;) {
      const parent = parentOf(at);
      const siblings = this.#children.get(parent);
      if (siblings?.has(at)) return;
      if (siblings === undefined) this.#children.set(parent, new Set([at]));
      else siblings.add(at);
      if (siblings !== undefined) return; // the directories above are known to hold something
      at = parent;
    }
  }

  delete(path: RelPath): void {
    if (!this.#members.delete(path)) return;
    for (let at = path; at !== ROOT && !this.#members.has(at) && !this.#children.has(at);) {
      const parent = parentOf(at);
      const siblings = this.#children.get(parent)!;
      siblings.delete(at);
      if (siblings.size > 0) return;
      this.#children.delete(parent);
      at = parent;
    }
  }

  /** The members that lie in a directory itself. Not to be mixed with changes. */
  *inside(dir: RelPath): Generator<RelPath> {
    for (const child of this.#children.get(dir) ?? []) if (this.#members.has(child)) yield child;
  }

  /** The members strictly below a directory, in no particular order. Not to be mixed with changes. */
  *below(dir: RelPath): Generator<RelPath> {
    const pending = [dir];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      for (const child of this.#children.get(at) ?? []) {
        if (this.#members.has(child)) yield child;
        if (this.#children.has(child)) pending.push(child);
      }
    }
  }
}
