/**
 * A file system in memory: what POSIX promises of names, inodes and times, as far as psync looks.
 *
 * Inodes are used again at once, as ext4 does; the clock moves with every change.
 * @module
 */
import { nameOf, parentOf, type RelPath, ROOT } from "../../src/core/path.ts";

/** One object. */
export interface Node {
  readonly inode: bigint;
  readonly birthNs: bigint;
  readonly kind: "file" | "dir" | "link";
  mode: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** Text of a file, target of a link. */
  text: string;
  readonly children: Map<string, Node>;
}

/** What changed, for the watcher. */
export type OnChange = (path: RelPath, move?: { readonly from: RelPath; readonly to: RelPath }) => void;

/** A tree with one root. */
export class MemoryTree {
  readonly root: Node;
  #nowNs = 1_700_000_000_000_000_123n;
  #freeInodes: bigint[] = [];
  #nextInode = 10n;
  onChange: OnChange = () => {};

  constructor() {
    this.root = this.make("dir");
  }

  tick(): bigint {
    this.#nowNs += 1_001n;
    return this.#nowNs;
  }

  make(kind: Node["kind"], text = ""): Node {
    const now = this.tick();
    const inode = this.#freeInodes.pop() ?? this.#nextInode++;
    const mode = kind === "dir" ? 0o755 : kind === "link" ? 0o777 : 0o644;
    return { inode, birthNs: now, kind, mode, mtimeNs: now, ctimeNs: now, text, children: new Map() };
  }

  find(path: RelPath): Node | null {
    let node: Node | null = this.root;
    if (path === ROOT) return node;
    for (const name of path.split("/")) {
      node = node?.kind === "dir" ? node.children.get(name) ?? null : null;
      if (node === null) return null;
    }
    return node;
  }

  /** The directory that holds `path`, or null. */
  parent(path: RelPath): Node | null {
    const parent = this.find(parentOf(path));
    return parent?.kind === "dir" ? parent : null;
  }

  /** Puts an object at a path; what was there is returned. */
  put(path: RelPath, node: Node): Node | null {
    const parent = this.parent(path);
    if (parent === null) throw new Error(`no parent: ${path}`);
    const old = parent.children.get(nameOf(path)) ?? null;
    parent.children.set(nameOf(path), node);
    node.ctimeNs = this.tick();
    parent.mtimeNs = parent.ctimeNs = this.tick();
    this.onChange(path);
    return old;
  }

  /** Takes an object out. */
  take(path: RelPath): Node | null {
    const parent = this.parent(path);
    const node = parent?.children.get(nameOf(path)) ?? null;
    if (parent === null || node === null) return null;
    parent.children.delete(nameOf(path));
    node.ctimeNs = this.tick();
    this.onChange(path);
    return node;
  }

  /** Gives back the inodes of an object that nobody holds any more. */
  free(node: Node): void {
    this.#freeInodes.push(node.inode);
    for (const child of node.children.values()) this.free(child);
  }

  /** rename(2): what was at `to` is returned. */
  rename(from: RelPath, to: RelPath): Node | null {
    const node = this.parent(from)?.children.get(nameOf(from));
    if (node === undefined || this.parent(to) === null) throw new Error(`no ${from} or no parent of ${to}`);
    this.parent(from)!.children.delete(nameOf(from));
    const old = this.parent(to)!.children.get(nameOf(to)) ?? null;
    this.parent(to)!.children.set(nameOf(to), node);
    node.ctimeNs = this.tick();
    this.onChange(from);
    this.onChange(to, { from, to });
    return old;
  }

  /** Writes in place. */
  write(node: Node, path: RelPath, text: string): void {
    node.text = text;
    node.mtimeNs = node.ctimeNs = this.tick();
    this.onChange(path);
  }

  chmod(node: Node, path: RelPath, mode: number): void {
    node.mode = mode;
    node.ctimeNs = this.tick();
    this.onChange(path);
  }

  /** Every path with its object, parents first. */
  *walk(dir: Node = this.root, prefix = ""): Generator<[RelPath, Node]> {
    for (const [name, node] of dir.children) {
      const path = `${prefix}${name}` as RelPath;
      yield [path, node];
      if (node.kind === "dir") yield* this.walk(node, `${path}/`);
    }
  }

  /** The whole tree as text, for comparing. */
  show(): string {
    return [...this.walk()].map(([path, node]) => `${path} ${node.kind} ${node.mode.toString(8)} ${node.text}`).sort()
      .join("\n");
  }
}
