/**
 * The proof of the kill points: psync, and everything below it, runs a sync under strace, and the
 * process that comes to the k-th call of a kind is killed there. Then everything is accounted for, a
 * new psync finishes the work, and another one finds nothing to do. The proof of the errors is the
 * same with calls that fail, once or from then on.
 *
 * Calls are counted for each thread, so a point kills whichever comes to its k-th call first: the
 * brain (at the writes and flushes of its archive, at its marks), psync-native (at what it makes,
 * renames, removes and flushes), rsync.
 * @module
 */
import { REPO } from "../support/binary.ts";
import { childrenOf } from "../support/procfs.ts";
import { binary, entriesOf } from "../support/scene.ts";
import { systemClock } from "../../src/base/clock.ts";
import { signalIfThere } from "../support/signal.ts";
import { TempTree } from "../support/temp_tree.ts";
import type { Found } from "./hostile_records.ts";
import { KILL_SCENARIOS, type KillScenario, PRELUDE } from "./kill_scenarios.ts";
import { seededRandom } from "./random.ts";

/** Every call that changes a file system, and those that decide whether one may be changed. */
const CALLS = ["renameat2", "rename", "linkat", "unlinkat", "unlink", "mkdirat", "symlinkat", "fchownat", "fchmod"]
  .concat(["fchmodat", "utimensat", "fdatasync", "fsync", "syncfs", "ftruncate", "sync_file_range"])
  .concat(["pwrite64", "write", "openat2", "fcntl"]);

/** Calls that may fail: those of psync-native, and the flushes of the archive. */
const FAILING = ["renameat2", "linkat", "unlinkat", "mkdirat", "symlinkat", "fchownat", "fchmod", "utimensat"]
  .concat(["fdatasync", "fsync", "syncfs", "openat2", "getdents64", "fcntl", "pread64", "statx"]);

/** What they fail with. */
const ERRNOS = ["EIO", "ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS", "EMFILE", "ENOMEM", "ESTALE", "EXDEV", "EBUSY"];

/** A run that takes longer hangs. */
const RUN_MS = 45_000;

/** So much of what psync said is shown. */
const SAID_MAX = 600;

/** A kill at the k-th call of a kind. */
export interface Point {
  readonly call: string;
  readonly k: number;
}

/** Whether strace is there and may kill. */
export async function canKillAtCalls(): Promise<boolean> {
  try {
    const args = ["-f", "-o", "/dev/null", "-e", "inject=unlinkat:signal=KILL:when=9", "true"];
    return (await new Deno.Command("strace", { args, stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** The points of a scenario, in a fixed order. */
export async function pointsOf(scenario: KillScenario): Promise<readonly Point[]> {
  await using world = await KillWorld.make(scenario);
  await world.trace(["-e", `trace=${CALLS.join()}`]);
  const most = new Map<string, number>();
  const counts = new Map<string, number>();
  const leases = new Set<number>();
  for (const [, pid, call, rest] of (await world.log()).matchAll(/^(\d+) +([a-z0-9_]+)\((.*)$/gm)) {
    const count = (counts.get(`${pid} ${call}`) ?? 0) + 1;
    counts.set(`${pid} ${call}`, count);
    // Of fcntl those of leases: the hundreds of others only set flags of descriptors.
    if (call === "fcntl" && !/_LEASE/.test(rest!)) continue;
    if (call === "fcntl") leases.add(count);
    most.set(call!, Math.max(most.get(call!) ?? 0, count));
  }
  const ks = (call: string) => Array.from({ length: most.get(call) ?? 0 }, (_, i) => i + 1);
  return CALLS.flatMap((call) => (call === "fcntl" ? [...leases] : ks(call)).map((k) => ({ call, k })));
}

/** Kills at some points of a scenario that the seed chooses. */
export async function runKillPoints(seed: number, count: number): Promise<Found> {
  const next = seededRandom(seed);
  const scenario = KILL_SCENARIOS[seed % KILL_SCENARIOS.length]!;
  const points = [...await pointsOf(scenario)];
  const chosen = Array.from({ length: Math.min(count, points.length) }, () => {
    // Of each call as many as of any other: there are a hundred times as many writes as renames.
    const calls = [...new Set(points.map(({ call }) => call))];
    const call = calls[next(calls.length)]!;
    const same = points.filter((point) => point.call === call);
    return same[next(same.length)]!;
  });
  return await runPoints(scenario, chosen);
}

/** Kills at every point of a scenario. */
export async function runAllKillPoints(seed: number): Promise<Found> {
  const scenario = KILL_SCENARIOS[seed % KILL_SCENARIOS.length]!;
  return await runPoints(scenario, await pointsOf(scenario));
}

/** Makes calls fail in syncs of a scenario; the seed chooses which, with what, when, and how often. */
export async function runErrors(seed: number, count: number): Promise<Found> {
  const next = seededRandom(seed);
  const scenario = KILL_SCENARIOS[seed % KILL_SCENARIOS.length]!;
  const faults: string[] = [];
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const call = FAILING[next(FAILING.length)]!;
    const when = `${1 + next(6)}${next(2) === 0 ? "" : "+"}`;
    const inject = `${call}:error=${ERRNOS[next(ERRNOS.length)]}:when=${when}`;
    const where = `${scenario.number} (${scenario.name}), ${inject}`;
    try {
      const result = await disturbOnce(scenario, { call, inject, mark: "(INJECTED)" });
      failed += result.isDisturbed ? 1 : 0;
      faults.push(...result.faults.map((fault) => `${where}: ${fault}`));
    } catch (error) {
      faults.push(`${where}: ${error}`);
    }
  }
  return { faults, counts: { runs: count, "with failed calls": failed } };
}

/** Kills at the points given. */
export async function runPoints(scenario: KillScenario, points: readonly Point[]): Promise<Found> {
  const faults: string[] = [];
  let kills = 0;
  for (const point of points) {
    const where = `${scenario.number} (${scenario.name}), killed at ${point.call} ${point.k}`;
    try {
      const inject = `${point.call}:signal=KILL:when=${point.k}`;
      const result = await disturbOnce(scenario, { call: point.call, inject, mark: "killed by SIGKILL" });
      kills += result.isDisturbed ? 1 : 0;
      faults.push(...result.faults.map((fault) => `${where}: ${fault}`));
    } catch (error) {
      faults.push(`${where}: ${error}`);
    }
  }
  return { faults, counts: { points: points.length, kills } };
}

/** What strace does to a run, and what its log then shows. */
interface Disturbance {
  readonly call: string;
  readonly inject: string;
  readonly mark: string;
}

async function disturbOnce(
  scenario: KillScenario,
  { call, inject, mark }: Disturbance,
): Promise<{ isDisturbed: boolean; faults: string[] }> {
  await using world = await KillWorld.make(scenario);
  const must = await world.mustLive();
  await world.trace(["-e", `trace=${call}`, "-e", `inject=${inject}`]);
  const isDisturbed = (await world.log()).includes(mark);
  const faults = (await world.wrong(must)).map((fault) => `at once: ${fault}`);
  const said = [world.said];
  const codes = await world.again();
  said.push(world.said);
  if (!codes.includes(0) && !codes.includes(5)) faults.push(`the next life ended with ${codes.join()}: ${world.said}`);
  faults.push(...(await world.wrong(must)).map((fault) => `after the next life: ${fault}`));
  const [left, right] = [await shownBy(world.left), await shownBy(world.right)];
  if (left.join("\n") !== right.join("\n")) {
    faults.push(`not equal: ${left.join("; ")} | ${right.join("; ")}; ${said.join(" || ")}`);
  }
  const code = await world.sync();
  if (code !== 0 && code !== 5) faults.push(`the life after that ended with ${code}`);
  if (!/nothing had to be changed/.test(world.said)) faults.push(`the life after that did something: ${world.said}`);
  for (const root of [world.left, world.right]) {
    const staged = [...Deno.readDirSync(`${root}/.psync/stage`)].map(({ name }) => name);
    if (staged.length > 0) faults.push(`in the stage is left: ${staged.join()}`);
  }
  return { isDisturbed, faults };
}

/** What a root shows that psync keeps equal: no FIFOs. */
async function shownBy(root: string): Promise<string[]> {
  return (await entriesOf(root)).filter((line) => !line.startsWith("p "));
}

/** Two roots in the state that a scenario describes. */
class KillWorld implements AsyncDisposable {
  said = "";
  readonly #tree: TempTree;
  readonly #scenario: KillScenario;
  #baseTokens: ReadonlySet<string> = new Set();

  private constructor(tree: TempTree, scenario: KillScenario) {
    this.#tree = tree;
    this.#scenario = scenario;
  }

  static async make(scenario: KillScenario): Promise<KillWorld> {
    const tree = await TempTree.make({ left: {}, right: {}, state: {}, home: {} });
    const world = new KillWorld(tree, scenario);
    await world.#script("left", scenario.before);
    const code = await world.sync();
    if (code !== 0) throw new Error(`The first sync ended with ${code}: ${world.said}`);
    world.#baseTokens = await world.#tokens([world.left]);
    await world.#script("left", scenario.left);
    await world.#script("right", scenario.right);
    if (scenario.forgets) await tree.sh("rm -rf state; mkdir state");
    return world;
  }

  get left(): string {
    return this.#tree.at("left");
  }

  get right(): string {
    return this.#tree.at("right");
  }

  async #script(side: "left" | "right", script: string): Promise<void> {
    await this.#tree.sh(`cd ${side}\n${PRELUDE}\n${script}`);
  }

  /** Tokens that no user destroyed: new ones, and old ones that both sides still have. */
  async mustLive(): Promise<ReadonlySet<string>> {
    const [left, right] = [await this.#tokens([this.left]), await this.#tokens([this.right])];
    return new Set(
      [...left, ...right].filter((token) => !this.#baseTokens.has(token) || left.has(token) && right.has(token)),
    );
  }

  /** What is lost, and what is torn. */
  async wrong(must: ReadonlySet<string>): Promise<string[]> {
    const found = await this.#tokens([this.left, this.right]);
    const torn = await this.#tree.sh(
      `find left right -name .psync -prune -o -type f -print | while read -r f; do
         a=$(head -n 1 "$f"); b=$(tail -n 1 "$f"); [ "$a" = "<\${b%>}" ] || echo "$f"; done`,
    );
    return [
      ...[...must].filter((token) => !found.has(token)).map((token) => `lost ${token}`),
      ...torn.split("\n").filter(Boolean).map((path) => `torn ${path}`),
    ];
  }

  /** Every token whose end stands in some file, psync's own directories included. */
  async #tokens(roots: readonly string[]): Promise<ReadonlySet<string>> {
    const { stdout } = await new Deno.Command("grep", {
      args: ["-rhoaE", "^T[0-9a-z]+>$", ...roots],
      stderr: "null",
    }).output();
    return new Set(new TextDecoder().decode(stdout).split("\n").filter(Boolean));
  }

  /** Runs `psync -s` under strace until it, or what strace kills, has ended. */
  async trace(args: readonly string[]): Promise<void> {
    // -D, -I 1: strace is no parent of psync, and obeys signals, so that it lets go of it when told.
    const words = ["-D", "-I", "1", "-f", "-o", this.#tree.at("log"), ...args, binary()];
    this.said = (await this.#run("strace", words)).said;
  }

  async log(): Promise<string> {
    return await this.#tree.read("log");
  }

  /** The next life, or two of them at once; their exit codes. */
  async again(): Promise<readonly number[]> {
    if (!this.#scenario.twice) return [await this.sync()];
    const both = await Promise.all([this.#sync(), this.#sync()]);
    this.said = both.map(({ said }) => said).join(" | ");
    return both.map(({ code }) => code);
  }

  async sync(): Promise<number> {
    const { code, said } = await this.#sync();
    this.said = said;
    return code;
  }

  #sync(): Promise<{ readonly code: number; readonly said: string }> {
    return this.#run(binary(), []);
  }

  async #run(command: string, args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
    const child = new Deno.Command(command, {
      args: [...args, "-s", this.left, this.right],
      env: {
        HOME: this.#tree.at("home"),
        XDG_STATE_HOME: this.#tree.at("state"),
        XDG_CACHE_HOME: `${REPO}/.cache/scenario`,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let isLate = false;
    const timer = systemClock.after(RUN_MS, () => {
      isLate = true;
      for (const pid of [child.pid, ...childrenOf(child.pid)]) signalIfThere(pid, "SIGKILL");
    });
    const out = new Response(child.stdout).text();
    let err = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      err += text;
      if (err.includes("killed by SIGKILL")) detach(child.pid);
    }
    const { code } = await child.status;
    timer.cancel();
    const said = (await out + err).slice(-SAID_MAX);
    if (isLate) throw new Error(`It hangs: ${said}`);
    return { code, said };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tree[Symbol.asyncDispose]();
  }
}

/**
 * Makes whoever traces a process let go of it (proc(5)): one kill is enough, and what psync starts
 * instead of what was killed must not be killed at its k-th call, too.
 */
function detach(pid: number): void {
  try {
    const tracer = Number(/TracerPid:\s*(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0);
    if (tracer !== 0) Deno.kill(tracer, "SIGTERM");
  } catch {
    // It has ended.
  }
}
