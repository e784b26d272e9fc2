/**
 * A file system in memory: what POSIX promises of names, inodes and times, as far as psync looks.
 *
 * Inodes are used again at once, as ext4 does; the clock moves with every change. Beside what lives
 * there is the disk: images of the tree as `mark` saw it, of which a power cut leaves any one that is
 * not older than the last flush, as a journal does. What psync staged is flushed before it has a name;
 * what a user wrote may come back as zeros under its name and stamp.
 * @module
 */
import { nameOf, parentOf, type RelPath, ROOT } from "../../src/core/path.ts";
import type { Random } from "./scheduler.ts";

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
  /** Whether the text is on disk. */
  isFlushed: boolean;
  readonly children: Map<string, Node>;
}

/** What a power cut may leave. */
interface Image {
  readonly root: Node;
  readonly trash: readonly Node[];
}

function copyOf(node: Node): Node {
  return { ...node, children: new Map([...node.children].map(([name, child]) => [name, copyOf(child)])) };
}

/** Everything at and below an object that is no directory. */
function texts(node: Node): Node[] {
  return node.kind === "dir" ? [...node.children.values()].flatMap(texts) : [node];
}

/** What changed, for the watcher. */
export type OnChange = (path: RelPath, move?: { readonly from: RelPath; readonly to: RelPath }) => void;

/** A tree with one root. */
export class MemoryTree {
  root: Node;
  /** What was displaced and kept. */
  trash: Node[] = [];
  /** Oldest first; the first one is on disk. */
  #images: Image[] = [];
  /** The number of the first image. */
  #oldest = 0;
  #nowNs = 1_700_000_000_000_000_123n;
  #freeInodes: bigint[] = [];
  #nextInode = 10n;
  onChange: OnChange = () => {};

  constructor() {
    this.root = this.make("dir");
    this.mark();
  }

  /** Makes an image: what was done up to now is one step for a power cut. */
  mark(): void {
    this.#images.push({ root: copyOf(this.root), trash: this.trash.map(copyOf) });
  }

  /** The number of the newest image. */
  get newest(): number {
    return this.#oldest + this.#images.length - 1;
  }

  /** Makes everything durable up to an image; the kernel by itself sees to names, not to contents. */
  flush(image: number, how: { readonly contents: boolean }): void {
    const count = image - this.#oldest;
    if (count > 0) {
      this.#images.splice(0, count);
      this.#oldest = image;
    }
    if (!how.contents) return;
    const flushed = new Map(texts(this.#images[0]!.root).map((node) => [`${node.inode} ${node.birthNs}`, node.text]));
    for (const root of [...this.#images.map((each) => each.root), this.root]) {
      for (const node of texts(root)) {
        if (flushed.get(`${node.inode} ${node.birthNs}`) === node.text) node.isFlushed = true;
      }
    }
  }

  /** The disk as it is found after a power cut. */
  cut(random: Pick<Random, "below" | "next">): void {
    const image = this.#images[random.below(this.#images.length)]!;
    this.root = copyOf(image.root);
    this.trash = image.trash.map(copyOf);
    for (const node of texts(this.root)) {
      if (node.isFlushed || node.kind !== "file") continue;
      if (random.next() < 0.3) node.text = "\0".repeat(node.text.length);
      node.isFlushed = true;
    }
    this.#freeInodes = [];
    this.#oldest = this.newest + 1;
    this.#images = [];
    this.mark();
  }

  tick(): bigint {
    this.#nowNs += 1_001n;
    return this.#nowNs;
  }

  make(kind: Node["kind"], text = ""): Node {
    const now = this.tick();
    const inode = this.#freeInodes.pop() ?? this.#nextInode++;
    const mode = kind === "dir" ? 0o755 : kind === "link" ? 0o777 : 0o644;
    return { inode, birthNs: now, kind, mode, mtimeNs: now, ctimeNs: now, text, isFlushed: false, children: new Map() };
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

  /** renameat2(2) with RENAME_EXCHANGE: told as two renames, one after the other. */
  exchange(from: RelPath, to: RelPath): void {
    const [one, other] = [this.find(from), this.find(to)];
    if (one === null || other === null) throw new Error(`no ${from} or no ${to}`);
    this.parent(from)!.children.set(nameOf(from), other);
    this.parent(to)!.children.set(nameOf(to), one);
    one.ctimeNs = other.ctimeNs = this.tick();
    this.onChange(from);
    this.onChange(to, { from, to });
    this.onChange(from, { from: to, to: from });
  }

  /** Writes in place. */
  write(node: Node, path: RelPath, text: string): void {
    node.text = text;
    node.isFlushed = false;
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
