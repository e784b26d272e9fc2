/**
 * What the kernel would show of an object in the box: its stamp, its entry, and whether it is what a
 * transition expects.
 *
 * Pure. Used by endpoint.ts.
 * @module
 */
import type { Entry, Stamp } from "../../src/core/entry.ts";
import type { Expected } from "../../src/core/transition.ts";
import type { Node } from "./tree.ts";

/** Whether two stamps are the same in each part. */
export function sameAll(a: Stamp, b: Stamp): boolean {
  return a.inode === b.inode && a.birthNs === b.birthNs && a.ctimeNs === b.ctimeNs && a.mtimeNs === b.mtimeNs;
}

/** The stamp of an object. */
export function stampOf(node: Node): Stamp {
  const { inode, birthNs, mtimeNs, ctimeNs } = node;
  return {
    inode,
    birthNs,
    mtimeNs,
    ctimeNs,
    sizeBytes: node.kind === "file" ? new TextEncoder().encode(node.text).length : 0,
  };
}

/** What is synchronised of an object; `digest`: with that of its content. */
export function entryOf(node: Node, digest: boolean): Entry {
  const { mode, mtimeNs, text } = node;
  if (node.kind === "dir") return { kind: "dir", mode, owner: null, mtimeNs };
  if (node.kind === "link") return { kind: "link", mode, owner: null, mtimeNs, target: text };
  const sizeBytes = new TextEncoder().encode(text).length;
  return { kind: "file", mode, owner: null, mtimeNs, sizeBytes, digest: digest ? fakeDigest(text) : null };
}

/** Not a hash, but as good as one here: different texts give different digests. */
function fakeDigest(text: string): string {
  return new TextEncoder().encode(text).toHex().padEnd(64, "0");
}

/** Whether what is there is what a transition expects. */
export function isExpected(node: Node | null, expected: Expected): boolean {
  if (expected.kind === "absent" || node === null) return expected.kind === "absent" && node === null;
  if (expected.kind !== node.kind) return false;
  if (expected.kind === "dir") return expected.stamp === null || expected.stamp.inode === node.inode;
  if (expected.kind === "link") return expected.stamp.inode === node.inode && expected.target === node.text;
  return sameAll(stampOf(node), expected.stamp);
}
