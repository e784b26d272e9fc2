/**
 * A directory of a test's own, gone when the test is over, and a shell for what Deno cannot do:
 * names that are not UTF-8, FIFOs, hard links, moves of trees.
 * @module
 */
import { decodeBytes } from "../../src/core/path.ts";
import { removeTree } from "./remove_tree.ts";

/** What a tree is made of: text for a file, `{}` for a directory, `{ link }` for a symlink. */
export type TreeShape = { readonly [name: string]: string | TreeShape | { readonly link: string } };

/** A temporary directory. */
export class TempTree implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes an empty tree, or one of a shape; below `dir` where it must lie on another file system. */
  static async make(shape: TreeShape = {}, dir?: string): Promise<TempTree> {
    const path = await Deno.makeTempDir({ prefix: "psync-test-", ...(dir === undefined ? {} : { dir }) });
    const tree = new TempTree(await Deno.realPath(path));
    await tree.fill(shape);
    return tree;
  }

  /** The absolute path of something in the tree. */
  at(path: string): string {
    return `${this.path}/${path}`;
  }

  /** Adds what a shape describes. */
  async fill(shape: TreeShape, below = ""): Promise<void> {
    for (const [name, what] of Object.entries(shape)) {
      const path = below === "" ? name : `${below}/${name}`;
      if (typeof what === "string") await this.write(path, what);
      else if (isLink(what)) await Deno.symlink(what.link, this.at(path));
      else {
        await Deno.mkdir(this.at(path), { recursive: true });
        await this.fill(what, path);
      }
    }
  }

  async write(path: string, text: string): Promise<void> {
    await Deno.writeTextFile(this.at(path), text);
  }

  async read(path: string): Promise<string> {
    return await Deno.readTextFile(this.at(path));
  }

  async exists(path: string): Promise<boolean> {
    try {
      await Deno.lstat(this.at(path));
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
      throw error;
    }
  }

  /** Runs a script in the tree; returns what it prints, bytes that are no text kept as in core/path.ts. */
  async sh(script: string): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-ec", script],
      cwd: this.path,
      env: { LC_ALL: "C" },
    }).output();
    if (code !== 0) throw new Error(`Cannot run "${script}": ${new TextDecoder().decode(stderr)}`);
    return decodeBytes(stdout);
  }

  /** Takes it away; what a process that is just ending still makes in it is waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.path);
  }
}

function isLink(shape: TreeShape | { readonly link: string }): shape is { readonly link: string } {
  return typeof (shape as { link?: unknown }).link === "string" && Object.keys(shape).length === 1;
}
