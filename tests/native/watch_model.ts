/**
 * A follower of `psync-native watch`: keeps a picture of a tree by nothing but its records and the
 * looks that they ask for, as the replica room does, so that a test can compare it with the disk.
 *
 * Not for use outside tests/native.
 * @module
 */
import { assertEquals } from "@std/assert";
import { isBelow, rebase, type RelPath, ROOT } from "../../src/core/path.ts";
import type { WatchRecord } from "../../src/replica/native_format.ts";
import { DIRTY } from "../../src/replica/native_format.ts";
import type { WatchDriver, WholeListing } from "./watch_driver.ts";

/** What tells one version of an object from another; directories have no size or time in it. */
export function signatureOf(path: string): string | null {
  try {
    const info = Deno.lstatSync(path);
    const what = info.isDirectory ? "dir" : `${info.size} ${info.mtime?.getTime()} ${info.isSymlink}`;
    return `${what} ${info.ino} ${info.mode}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

/** The signatures of all that is below a directory, by path. */
export function pictureOf(root: string, dir: RelPath = ROOT, out = new Map<string, string>()): Map<string, string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${root}/${dir}`)) {
    const path = (dir === "" ? name : `${dir}/${name}`) as RelPath;
    out.set(path, signatureOf(`${root}/${path}`)!);
    if (isDirectory) pictureOf(root, path, out);
  }
  return out;
}

/** A picture of a tree that follows its watcher. */
export class WatchModel {
  readonly picture = new Map<string, string>();
  /** How often everything had to be listed again. */
  overflows = 0;
  /** How often a directory had too many dirty names. */
  wholes = 0;
  moves = 0;
  readonly #driver: WatchDriver;
  /**
   * What was looked at since nothing was left to do. A pair that is still to come may tell that a
   * directory above had moved before the look: then another object was seen, or none.
   */
  #recent = new Set<RelPath>();

  constructor(driver: WatchDriver) {
    this.#driver = driver;
  }

  /** Takes in what a full walk showed. */
  take(walked: ReadonlyMap<string, WholeListing>): void {
    for (const [dir, { entries, isUnwatched }] of walked) {
      if (isUnwatched) throw new Error("Cannot test: the machine's limit of watches is reached");
      for (const { name } of entries) this.#look((dir === "" ? name : `${dir}/${name}`) as RelPath);
    }
  }

  /** Follows until a barrier comes behind which nothing is left to do. */
  async settle(): Promise<void> {
    for (;;) {
      const { records } = await this.#driver.sync();
      const again = this.#follow(records);
      if (again.size === 0 && records.length === 0) {
        this.#recent.clear();
        return;
      }
      for (const dir of again) await this.#relist(dir);
    }
  }

  /** Takes in records; returns what is to be listed again with all that is below. */
  #follow(records: readonly WatchRecord[]): Set<RelPath> {
    let again = new Set<RelPath>();
    for (const record of records) {
      if (record.kind === "overflow") {
        this.overflows++;
        again.add(ROOT);
      } else if (record.kind === "move") {
        if (record.isDir) again = new Set([...again].map((path) => rebase(path, record)));
        for (const path of this.#move(record)) again.add(path);
      } else if (record.kind === "dirty") {
        for (const { path, bits } of record.names) {
          this.#look(path);
          if (bits & DIRTY.whole) this.wholes++;
          if (bits & (DIRTY.newDir | DIRTY.whole)) again.add(path);
        }
      }
    }
    return again;
  }

  /**
   * Renames what is known; returns what is to be listed. A look that came too late for the old path
   * and too early for the pair has forgotten what lay there: it is listed under the new one.
   */
  #move(move: { readonly isDir: boolean; readonly from: RelPath; readonly to: RelPath }): RelPath[] {
    this.moves++;
    if (!move.isDir) return [];
    const moved = [...this.picture].filter(([path]) => isBelow(path as RelPath, move.from));
    const wasKnown = this.picture.get(move.from)?.startsWith("dir") ?? false;
    this.#forget(move.from);
    this.picture.delete(move.from);
    this.#forget(move.to);
    this.#look(move.to);
    // What has gone on from there already will be told by the pair that follows.
    if (!this.picture.get(move.to)?.startsWith("dir")) return [];
    for (const [path, signature] of moved) this.picture.set(rebase(path as RelPath, move), signature);
    const late = [...this.#recent].filter((path) => isBelow(path, move.from));
    for (const path of late) this.#look(rebase(path, move));
    return wasKnown ? late.map((path) => rebase(path, move)) : [move.to];
  }

  #forget(path: RelPath): void {
    for (const known of [...this.picture.keys()]) if (isBelow(known as RelPath, path)) this.picture.delete(known);
  }

  #look(path: RelPath): void {
    if (path === "") return;
    this.#recent.add(path);
    const signature = signatureOf(`${this.#driver.root}/${path}`);
    const wasDir = this.picture.get(path)?.startsWith("dir") ?? false;
    if (wasDir && !signature?.startsWith("dir")) this.#forget(path);
    if (signature !== null) {
      this.picture.set(path, signature);
      return;
    }
    this.picture.delete(path);
  }

  /** Lists a directory and all below; what is not found there any more is gone. */
  async #relist(dir: RelPath): Promise<void> {
    const walked = await this.#driver.walk(dir);
    if (walked.get(dir)!.errno !== 0) return;
    const before = [...this.picture.keys()].filter((path) => isBelow(path as RelPath, dir));
    this.take(walked);
    for (const path of before) this.#look(path as RelPath);
  }
}

/** Proves that the picture is the disk, and that each directory is heard under its own path. */
export async function assertFollows(model: WatchModel, driver: WatchDriver, message: string): Promise<void> {
  await model.settle();
  const disk = pictureOf(driver.root);
  const differing = [...new Set([...disk.keys(), ...model.picture.keys()])]
    .filter((path) => disk.get(path) !== model.picture.get(path))
    .map((path) => `${path}: disk ${disk.get(path)}, picture ${model.picture.get(path)}`);
  assertEquals(differing, [], message);
  const dirs = [ROOT, ...[...disk].filter(([, signature]) => signature.startsWith("dir")).map(([path]) => path)];
  const probes = dirs.map((dir) => dir === "" ? ".probe" : `${dir}/.probe`);
  const unheard = [];
  for (const probe of probes) { // one by one, so that the shortest queue holds them
    Deno.writeTextFileSync(`${driver.root}/${probe}`, "");
    if (!(await driver.sync()).dirty.has(probe)) unheard.push(probe);
    Deno.removeSync(`${driver.root}/${probe}`);
    await driver.sync();
  }
  assertEquals(unheard, [], `${message}: unheard`);
}
