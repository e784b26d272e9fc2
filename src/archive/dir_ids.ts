/**
 * Remembers the ids of the directories that were used last, so that a path costs one look-up and not
 * one for each of its names.
 *
 * A bounded cache and nothing else: what is not in it is found in the file (nodes.ts).
 * @module
 */
import type { RelPath } from "../core/path.ts";
import { ROOT_ID } from "./schema.ts";

/** About 1 MB with paths of 100 bytes. */
const CAPACITY = 4096;

/** Path of a directory -> id, least recently used first. */
export class DirIds {
  readonly #ids = new Map<RelPath, number>();
  readonly #capacity: number;
  /** The one that was used last: paths of one directory come one after the other. */
  #lastPath: RelPath | null = null;
  #lastId = 0;

  constructor(capacity = CAPACITY) {
    this.#capacity = capacity;
  }

  /** The id of a directory that was used lately; of the root always. */
  get(path: RelPath): number | undefined {
    if (path === "") return ROOT_ID;
    if (path === this.#lastPath) return this.#lastId;
    const id = this.#ids.get(path);
    if (id === undefined) return undefined;
    this.#ids.delete(path);
    this.#ids.set(path, id);
    this.#lastPath = path;
    this.#lastId = id;
    return id;
  }

  set(path: RelPath, id: number): void {
    this.#lastPath = null;
    this.#ids.delete(path);
    this.#ids.set(path, id);
    if (this.#ids.size <= this.#capacity) return;
    for (const oldest of this.#ids.keys()) {
      this.#ids.delete(oldest);
      return;
    }
  }

  /** Forgets one directory that holds nothing. */
  delete(path: RelPath): void {
    this.#lastPath = null;
    this.#ids.delete(path);
  }

  /** Forgets all: after a rename or a rollback any path may mean another directory. */
  clear(): void {
    this.#lastPath = null;
    this.#ids.clear();
  }

  get size(): number {
    return this.#ids.size;
  }
}
