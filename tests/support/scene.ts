/**
 * Two roots, a place for state, and dist/psync between them: what a user has, for scenario tests.
 *
 * Both roots lie on this host; with an sshd the right one is reached through it, as if on another.
 * The executable is the one that `PSYNC_BIN` names, else dist/psync, which scripts/build made. The
 * cache of unpacked and deployed builds is shared by all scenes, everything else is the scene's own.
 * Owned by the test: `await using scene = await Scene.make()`.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { otherSide, type Side } from "../../src/core/problem.ts";
import { DIST, REPO } from "./binary.ts";
import { isAlive } from "./procfs.ts";
import { type PsyncEnd, PsyncProcess } from "./psync_process.ts";
import { type Sshd, type SshdOptions, startSshd } from "./sshd.ts";
import { TempTree, type TreeShape } from "./temp_tree.ts";

/** How long a condition may take; generous, as machines are busy. */
export const DEADLINE_MS = Number(Deno.env.get("PSYNC_TEST_DEADLINE_MS") ?? 20_000);

/** How often a condition is looked at. */
const POLL_MS = 15;

/** Where builds are unpacked, and where they are deployed to. */
const CACHE = `${REPO}/.cache/scenario`;

/** The executable under test. */
export function binary(): string {
  return Deno.env.get("PSYNC_BIN") || DIST;
}

/** What a scene begins with. */
export interface SceneOptions {
  readonly left?: TreeShape;
  readonly right?: TreeShape;
  /** An sshd through which the right root is reached. */
  readonly ssh?: SshdOptions;
  /** Environment of psync, over what a scene gives. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Waits until `check` gives something else than null, undefined or false, and returns that. */
export async function eventually<T>(
  what: string,
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  options: { readonly deadlineMs?: number; readonly tell?: () => Promise<string> | string } = {},
): Promise<T> {
  const endMs = systemClock.nowMs() + (options.deadlineMs ?? DEADLINE_MS);
  for (;;) {
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found;
    if (systemClock.nowMs() > endMs) {
      throw new Error(`Not in time: ${what}${options.tell === undefined ? "" : `\n${await options.tell()}`}`);
    }
    await systemClock.sleep(POLL_MS);
  }
}

/** Two roots and what runs on them. */
export class Scene implements AsyncDisposable {
  /** The environment in which psync is started. */
  readonly env: Readonly<Record<string, string>>;
  readonly #running = new Set<PsyncProcess>();

  private constructor(
    readonly tree: TempTree,
    /** The roots. */
    readonly left: TempTree,
    readonly right: TempTree,
    readonly sshd: Sshd | null,
    env: Readonly<Record<string, string>>,
  ) {
    this.env = { HOME: `${tree.path}/home`, XDG_CACHE_HOME: CACHE, XDG_STATE_HOME: this.stateDir, ...env };
  }

  static async make(options: SceneOptions = {}): Promise<Scene> {
    await Deno.mkdir(CACHE, { recursive: true, mode: 0o700 });
    await using stack = new AsyncDisposableStack();
    const tree = stack.use(await TempTree.make({ home: {}, state: {} }));
    const left = stack.use(await TempTree.make(options.left));
    const right = stack.use(await TempTree.make(options.right));
    const ssh = options.ssh;
    const sshd = ssh === undefined
      ? null
      : stack.use(await startSshd({ ...ssh, env: { XDG_CACHE_HOME: CACHE, ...ssh.env } }));
    stack.move();
    return new Scene(tree, left, right, sshd, options.env ?? {});
  }

  get stateDir(): string {
    return `${this.tree.path}/state`;
  }

  /** The command that runs psync. */
  get words(): readonly string[] {
    return [binary()];
  }

  root(side: Side): TempTree {
    return this[side];
  }

  /** The operands, and what they need to be reached. */
  get operands(): readonly string[] {
    if (this.sshd === null) return [this.left.path, this.right.path];
    return ["--ssh", this.sshd.sshCommand, this.left.path, `${this.sshd.host}:${this.right.path}`];
  }

  /** Starts psync with options before the scene's operands. */
  async start(...options: string[]): Promise<PsyncProcess> {
    return await this.startWith([...options, ...this.operands]);
  }

  /** Starts psync with all of its arguments. */
  async startWith(args: readonly string[], more: { env?: Record<string, string>; cwd?: string } = {}) {
    const psync = await PsyncProcess.start({
      command: this.words,
      args,
      stateDir: this.stateDir,
      cwd: more.cwd ?? this.tree.path,
      env: { ...this.env, ...more.env },
    });
    this.#running.add(psync);
    return psync;
  }

  /** Starts psync and waits until its first sync is done. */
  async live(...options: string[]): Promise<PsyncProcess> {
    const psync = await this.start(...options);
    await psync.until(/^First sync done/m);
    return psync;
  }

  /** Runs psync with options before the scene's operands to its end. */
  async run(...options: string[]): Promise<PsyncEnd> {
    return await (await this.start(...options)).ended;
  }

  async runWith(args: readonly string[], more: { env?: Record<string, string>; cwd?: string } = {}): Promise<PsyncEnd> {
    return await (await this.startWith(args, more)).ended;
  }

  /** Ends a psync as a user does, and returns how it ended. */
  async end(psync: PsyncProcess): Promise<PsyncEnd> {
    psync.signal("SIGTERM");
    return await psync.ended;
  }

  /**
   * Runs a script in one root, and waits until the other one shows the same while the first still
   * shows what the script left.
   */
  async change(side: Side, script: string): Promise<string[]> {
    await this.root(side).sh(script);
    return await this.follows(side);
  }

  /**
   * Waits until the other root shows what this one shows now; that must stay as it is meanwhile.
   * `below`: only this directory is looked at.
   */
  async follows(side: Side, below = "."): Promise<string[]> {
    const here = this.root(side).at(below);
    const there = this.root(otherSide(side)).at(below);
    const wanted = await entriesOf(here);
    const isThere = async () => isSame(await entriesOf(there), wanted);
    const tell = async () => {
      const found = await entriesOf(there);
      return `${difference(wanted, found)}\n${[...this.#running].map(({ text }) => text).join("\n")}`;
    };
    await eventually(`what changed on the ${side} is on the other side`, isThere, { tell });
    const now = await entriesOf(here);
    if (!isSame(now, wanted)) throw new Error(`What was changed on the ${side} was undone\n${difference(wanted, now)}`);
    return wanted;
  }

  /** Everything in a root but psync's own. */
  entries(side: Side): Promise<string[]> {
    return entriesOf(this.root(side).path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const psync of this.#running) await psync[Symbol.asyncDispose]();
    await this.sshd?.stop();
    for (const tree of [this.right, this.left, this.tree]) await tree[Symbol.asyncDispose]();
  }
}

const FORMAT = String.raw`%y %m %U:%G %s %T@ %P -> %l\0`;
const DIR_FORMAT = String.raw`%y %m %U:%G %P\0`;

/**
 * What a root holds but psync's own: kind, mode, owner, and of files and links size, time to the ns
 * and target, sorted; a second part are the checksums of the files.
 */
export async function entriesOf(root: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("find", {
    args: [root, "-mindepth", "1", "(", "-path", `${root}/.psync`, "-prune", ")", "-o"]
      .concat(["-type", "d", "-printf", DIR_FORMAT, "-o", "-printf", FORMAT]),
    env: { LC_ALL: "C" },
    stderr: "null", // what vanishes while it is listed shows the next time
  }).output();
  const sums = await new Deno.Command("sh", {
    args: ["-c", `cd "$0" && find . -path ./.psync -prune -o -type f -print0 | sort -z | xargs -0r sha256sum -z`, root],
    env: { LC_ALL: "C" },
    stderr: "null",
  }).output();
  const latin1 = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return [...latin1(stdout).split("\0").filter(Boolean).sort(), ...latin1(sums.stdout).split("\0").filter(Boolean)];
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}

function difference(wanted: readonly string[], found: readonly string[]): string {
  const only = (of: readonly string[], not: readonly string[]) => of.filter((line) => !not.includes(line)).slice(0, 20);
  return [
    ...only(wanted, found).map((line) => `missing: ${line}`),
    ...only(found, wanted).map((line) => `extra: ${line}`),
  ]
    .join("\n");
}

/** Waits until none of some processes lives. */
export async function gone(pids: readonly number[], deadlineMs = DEADLINE_MS): Promise<void> {
  const tell = () =>
    pids.filter(isAlive).map((pid) => `${pid}: ${Deno.readTextFileSync(`/proc/${pid}/cmdline`)}`).join("\n");
  await eventually("every process has ended", () => !pids.some(isAlive), { deadlineMs, tell });
}
