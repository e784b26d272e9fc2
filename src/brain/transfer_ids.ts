/**
 * The number by which rsync knows a file: made from its path, so that what an interrupted transfer left
 * on the target is found by the next one, also after a restart. Two paths may have the same: then one is
 * taken for a part of the other, which costs bytes, and no more.
 * @module
 */
import { encodeBytes, type RelPath } from "../core/path.ts";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A number of 32 bits for each path, none twice. */
export function transferIds(paths: readonly RelPath[]): number[] {
  const taken = new Set<number>();
  return paths.map((path) => {
    let id = hash(path);
    while (taken.has(id)) id = (id + 1) >>> 0;
    taken.add(id);
    return id;
  });
}

function hash(path: RelPath): number {
  let sum = FNV_OFFSET;
  for (const byte of encodeBytes(path)) sum = Math.imul(sum ^ byte, FNV_PRIME);
  return sum >>> 0;
}
