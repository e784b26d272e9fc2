/**
 * Where a bench takes place: a directory on tmpfs (or another that is named), a real sshd on
 * loopback, trees of small files that are the same in each run.
 *
 * Owns what it makes: `await using world = await World.make()`.
 * @module
 */
import { must } from "../support/binary.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { Probe } from "./probe.ts";

/** How many files a directory of a made tree has. */
const FILES_A_DIR = 100;
const SIZE_MIN_BYTES = 200;
const SIZE_MAX_BYTES = 16 << 10;
const WATCH_LIMIT = "/proc/sys/fs/inotify/max_user_watches";

/** The place of one run of the bench. */
export class World implements AsyncDisposable {
  readonly #made = new Map<number, string>();
  #count = 0;

  private constructor(readonly dir: string, readonly sshd: Sshd, readonly probe: Probe) {}

  /** Makes it in `PSYNC_BENCH_DIR`, else on tmpfs. */
  static async make(): Promise<World> {
    const dir = await Deno.makeTempDir({ dir: Deno.env.get("PSYNC_BENCH_DIR") ?? "/dev/shm", prefix: "psync-bench-" });
    return new World(dir, await startSshd(), await Probe.build(dir));
  }

  /** Two empty roots with a place for state, in a directory of their own. */
  async pair(): Promise<Roots> {
    const dir = `${this.dir}/pair-${++this.#count}`;
    for (const name of ["left", "right", "state"]) await Deno.mkdir(`${dir}/${name}`, { recursive: true });
    const remove = async () => void await must("rm", ["-rf", dir]);
    return {
      dir,
      left: `${dir}/left`,
      right: `${dir}/right`,
      stateDir: `${dir}/state`,
      [Symbol.asyncDispose]: remove,
    };
  }

  /** A tree of `count` files of 0.2 to 16 KB, 100 a directory; the same bytes in each run. Not to be changed. */
  async tree(count: number): Promise<string> {
    const known = this.#made.get(count);
    if (known !== undefined) return known;
    const dir = `${this.dir}/tree-${count}`;
    await makeTree(dir, count);
    this.#made.set(count, dir);
    return dir;
  }

  /** Lets so many directories be watched on this machine, which here is both hosts, until it is disposed of. */
  async watchLimit(watches: number): Promise<AsyncDisposable> {
    const before = (await Deno.readTextFile(WATCH_LIMIT)).trim();
    const wanted = Math.ceil(watches * 1.1) + 10_000;
    if (Number(before) >= wanted) return { [Symbol.asyncDispose]: () => Promise.resolve() };
    await Deno.writeTextFile(WATCH_LIMIT, `${wanted}`);
    return { [Symbol.asyncDispose]: () => Deno.writeTextFile(WATCH_LIMIT, before) };
  }

  /** The remote form of a root. */
  remote(root: string): string {
    return `${this.sshd.host}:${root}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sshd.stop();
    await must("rm", ["-rf", this.dir]);
  }
}

/** Two roots. */
export interface Roots extends AsyncDisposable {
  readonly dir: string;
  readonly left: string;
  readonly right: string;
  readonly stateDir: string;
}

async function makeTree(dir: string, count: number): Promise<void> {
  const random = randomOf(0x5eed);
  // WHY: neither rsync nor psync may gain by contents that are alike.
  const bytes = crypto.getRandomValues(new Uint8Array(1 << 16));
  for (let i = 0; i < count; i++) {
    const below = `${dir}/d${Math.floor(i / FILES_A_DIR)}`;
    if (i % FILES_A_DIR === 0) await Deno.mkdir(below, { recursive: true });
    const size = SIZE_MIN_BYTES + Math.floor(random() * (SIZE_MAX_BYTES - SIZE_MIN_BYTES));
    const from = Math.floor(random() * (bytes.length - size));
    Deno.writeFileSync(`${below}/f${i}`, bytes.subarray(from, from + size));
  }
}

/** A small generator of even numbers in [0, 1): the same seed, the same tree. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Fails when two trees differ in anything that both programs carry over; without `contents` sizes and times tell. */
export async function requireEqual(left: string, right: string, { contents = true } = {}): Promise<void> {
  const options = ["-a", "-n", ...(contents ? ["-c"] : []), "-i", "--delete", "--omit-dir-times", "--exclude=/.psync"];
  const found = await must("rsync", [...options, `${left}/`, `${right}/`]);
  if (found !== "") throw new Error(`Trees differ: ${found.split("\n").slice(0, 5).join("; ")}`);
}
