/**
 * What a hostile peer is let loose on: a root with ways out of it, and beside it what must not be
 * touched, read or listed. Owned by the test: `await using world = await HostileWorld.make()`.
 * @module
 */
import { TempTree } from "../support/temp_tree.ts";

/** Must never be seen by the peer: it stands outside the root only. */
export const SECRET = "the secret that lies outside";

/** A root and its surroundings. */
export class HostileWorld implements AsyncDisposable {
  readonly #tree: TempTree;
  readonly #before: string;

  private constructor(tree: TempTree, before: string) {
    this.#tree = tree;
    this.#before = before;
  }

  static async make(): Promise<HostileWorld> {
    const tree = await TempTree.make({
      outside: { secret: SECRET, dir: { deep: SECRET }, both: "inside as well" },
      root: {
        mine: "a user's",
        dir: { x: "1" },
        out: { link: "../outside" },
        "out-file": { link: "../outside/secret" },
      },
    });
    await tree.sh("mkfifo root/fifo; ln outside/both root/hard; chmod 600 outside/secret");
    return new HostileWorld(tree, await stateOf(tree));
  }

  get root(): string {
    return this.#tree.at("root");
  }

  at(path: string): string {
    return this.#tree.at(path);
  }

  read(path: string): Promise<string> {
    return this.#tree.read(path);
  }

  sh(script: string): Promise<string> {
    return this.#tree.sh(script);
  }

  /** What was changed outside the root; empty where nothing was. */
  async harm(): Promise<string[]> {
    const now = await stateOf(this.#tree);
    return now === this.#before ? [] : [`outside: ${this.#before} became ${now}`];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tree[Symbol.asyncDispose]();
  }
}

/** Everything outside the root: names, modes, owners, times, contents. A hard link's count and ctime may change. */
async function stateOf(tree: TempTree): Promise<string> {
  return await tree.sh(
    "find . -path ./root -prune -o -path ./root -o -mindepth 1 -not -name both -printf '%p %m %U %s %T@ %C@\\n' | sort;" +
      " ls -A; cat outside/secret outside/dir/deep outside/both",
  );
}
