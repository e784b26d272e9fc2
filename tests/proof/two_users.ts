/**
 * The proof of the two users: both work at random on their sides while psync runs between them.
 *
 * One run is one seed, in four parts: both users at once; the left one alone; the right one alone;
 * rest. After each part both trees must become equal. A user who is alone must find his tree as he
 * left it, and no conflict. At the end nothing may change any more, a second start must find
 * nothing to do, and the oracle must account for every token. With kills, psync or one of its
 * processes is killed at random moments, and started again when it was psync itself.
 *
 * What a failed run leaves is kept: both roots, both users' logs, and psync's own log.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import type { Side } from "../../src/core/problem.ts";
import { childrenOf, commandOf } from "../support/procfs.ts";
import { removeTree } from "../support/remove_tree.ts";
import { signalIfThere } from "../support/signal.ts";
import { binary } from "../support/scene.ts";
import type { Sshd } from "../support/sshd.ts";
import { program } from "./build.ts";
import { accuse, readLog, type UserLog } from "./oracle.ts";
import { differences, survey, type Thing } from "./survey.ts";
import { Trouble } from "./trouble.ts";
import { accuseBy, Witness } from "./witness.ts";

/** How the right root is reached: what is given to `--ssh`, and what runs there. */
export interface FarSide extends Pick<Sshd, "sshCommand" | "sessionPids"> {
  readonly host: string;
}

/** How a run is made. */
export interface RunOptions {
  readonly seed: number;
  /** Of each user, while both work; alone each makes a quarter of that. */
  readonly operations: number;
  /** Through which the right root is reached; null: both are reached directly. */
  readonly sshd: FarSide | null;
  readonly isKilling: boolean;
  /** Whether files and roots are taken away for a while (trouble.ts); only where there is no `sshd`. */
  readonly isTroubled?: boolean;
  /** Told when the users begin to work, and when they are done: when faults of the link begin and end. */
  readonly onWork?: (isWorking: boolean) => Promise<void>;
  /** Where the run's directory is made; the system's place when left out. */
  readonly dir?: string;
  /** What psync is given with `-d`. */
  readonly debugLevel?: number;
}

/** What came out of a run. */
export interface RunResult {
  readonly seed: number;
  /** One line each; empty when all is well. */
  readonly faults: readonly string[];
  readonly operations: number;
  readonly conflicts: number;
  readonly kills: number;
  readonly seconds: number;
  /** Where everything lies that a failed run left; removed after a good one. */
  readonly dir: string;
}

const SIDES: readonly Side[] = ["left", "right"];
/** How long both trees may take to become equal, retries after a kill included. */
const REST_DEADLINE_MS = 60_000;
/** The same where the link suffers: a transfer that stalls is given up after half a minute, and tried again. */
const FAULTS_REST_DEADLINE_MS = 180_000;
/** How long equal trees must stay as they are: between the parts, and at the end. */
const SHORT_QUIET_MS = 1_000;
const LONG_QUIET_MS = 3_000;
const POLL_MS = 150;
/** The longest time between two kills. */
const KILL_EVERY_MS = 3_000;
const LINES_SHOWN = 40;

/** Runs one seed. */
export async function runTwoUsers(options: RunOptions): Promise<RunResult> {
  const begin = systemClock.nowMs();
  const dir = await Deno.makeTempDir({
    prefix: `psync-two-users-${options.seed}-`,
    ...(options.dir === undefined ? {} : { dir: options.dir }),
  });
  const run = new Run(dir, options);
  await run.make();
  try {
    await run.play();
  } catch (error) {
    run.faults.push(error instanceof Fault ? error.message : `the proof itself: ${String(error)}`);
  } finally {
    await run.stop();
  }
  await run.account();
  const result = { ...await run.count(), seconds: (systemClock.nowMs() - begin) / 1000 };
  if (result.faults.length === 0) await removeTree(dir);
  return result;
}

/** What ends a run early. */
class Fault extends Error {}

class Run {
  readonly faults: string[] = [];
  readonly #dir: string;
  readonly #options: RunOptions;
  readonly #trouble: Trouble | null = null;
  #psync: Deno.ChildProcess | null = null;
  #kills = 0;
  #conflicts = 0;
  #isEnding = false;

  constructor(dir: string, options: RunOptions) {
    this.#dir = dir;
    this.#options = options;
    if (options.isTroubled !== true) return;
    this.#trouble = new Trouble(dir, {
      seed: options.seed,
      note: (text) => this.#note(text),
      psync: () => this.#psync?.pid ?? null,
    });
  }

  async make(): Promise<void> {
    for (const side of SIDES) {
      await Deno.mkdir(this.#root(side));
      await Deno.mkdir(this.#grave(side));
    }
    await this.#trouble?.make({ psync: binary(), user: await program("user") });
  }

  async play(): Promise<void> {
    const witnesses = await Promise.all(SIDES.map((side) => Witness.start(this.#root(side))));
    try {
      if (this.#trouble === null) this.#start();
      else await this.#trouble.withShortQueue(() => this.#start());
      await this.#part(0, SIDES);
      for (const [i, side] of SIDES.entries()) await this.#alone(side, i + 1);
      await this.#end();
    } finally {
      await this.#trouble?.go(false);
      this.faults.push(...this.#trouble?.faults ?? []);
      const [left, right] = await Promise.all(witnesses.map((witness) => witness.end()));
      const isExcused = await this.#excused();
      this.faults.push(...accuseBy({ left: left!, right: right! }, isExcused));
    }
  }

  /** Tells the tokens that a user destroyed, or that lost a conflict. */
  async #excused(): Promise<(token: string) => boolean> {
    const { kept } = await this.#holdings();
    const losers = kept.filter(({ path }) => !/^\.psync\/trash\/[^/]*\.removed\//.test(path));
    const tokens = new Set(losers.flatMap((thing) => thing.tokens));
    for (const { retired } of await this.#logs()) for (const token of retired) tokens.add(token);
    return (token) => tokens.has(token);
  }

  /** Tells everybody that the users begin to work, or that they are done. */
  async #working(isWorking: boolean): Promise<void> {
    await this.#options.onWork?.(isWorking);
    await this.#trouble?.go(isWorking);
  }

  /** Accounts for every token, also where no rest was found. */
  async account(): Promise<void> {
    this.faults.push(...accuse({ logs: await this.#logs(), ...await this.#holdings() }));
  }

  /** Both users, or one, at work; then rest. Returns what each user left when he was done. */
  async #part(phase: number, sides: readonly Side[]): Promise<void> {
    const killer = new AbortController();
    const killing = this.#options.isKilling ? this.#killAtRandom(killer.signal) : Promise.resolve();
    await this.#working(true);
    await Promise.all(sides.map((side) => this.#user(side, phase)));
    await this.#working(false);
    killer.abort();
    await killing;
    await this.#rest(`part ${phase}`, SHORT_QUIET_MS);
  }

  async #alone(side: Side, phase: number): Promise<void> {
    const before = await this.#conflictCount();
    const killer = new AbortController();
    const killing = this.#options.isKilling ? this.#killAtRandom(killer.signal) : Promise.resolve();
    await this.#working(true);
    await this.#user(side, phase);
    await this.#working(false);
    const left = await survey(this.#root(side));
    killer.abort();
    await killing;
    await this.#rest(`part ${phase}`, SHORT_QUIET_MS);
    const changed = differences(left, await survey(this.#root(side)), "print");
    // What trouble took away and gave back was touched: an edit, which wins over a removal.
    const isAllowed = (line: string) => this.#trouble !== null && line.includes(": (absent) | ");
    this.#accuse(
      `changed on the ${side} though only its user worked`,
      changed.filter((line) => !isAllowed(line)),
    );
    const conflicts = await this.#conflictCount() - before;
    // A version that was committed and is edited before that could be recorded has two sides that changed;
    // a link that is lost with the answer to a commit does the same.
    // What trouble touched counts as changed where its content cannot be compared.
    const mayConflict = this.#options.isKilling || this.#options.onWork !== undefined || this.#trouble !== null;
    if (conflicts > 0 && !mayConflict) {
      this.faults.push(`${conflicts} conflicts though only the user on the ${side} worked`);
    }
  }

  async #end(): Promise<void> {
    await this.#rest("the end", LONG_QUIET_MS);
    const before = await this.#trees();
    await this.#stopKindly();
    this.#start("-s");
    const { code } = await this.#psync!.status;
    this.#psync = null;
    if (code !== 0) this.faults.push(`a second start with -s ended with ${code}`);
    const after = await this.#trees();
    for (const side of SIDES) {
      this.#accuse(`changed on the ${side} by a second start`, differences(before[side], after[side], "print"));
    }
  }

  #accuse(what: string, lines: readonly string[]): void {
    if (lines.length > 0) this.faults.push([`${what}:`, ...lines.slice(0, LINES_SHOWN)].join("\n    "));
  }

  /** Waits until both trees are equal and stay as they are. */
  async #rest(when: string, quietMs: number): Promise<void> {
    const isOverFaults = this.#options.onWork !== undefined || this.#trouble !== null;
    const endMs = systemClock.nowMs() + (isOverFaults ? FAULTS_REST_DEADLINE_MS : REST_DEADLINE_MS);
    let last = await this.#trees();
    let sinceMs = systemClock.nowMs();
    for (;;) {
      await systemClock.sleep(POLL_MS);
      const now = await this.#trees();
      const isSame = SIDES.every((side) => differences(last[side], now[side], "print").length === 0);
      const apart = differences(now.left, now.right);
      if (!isSame || apart.length > 0) sinceMs = systemClock.nowMs();
      if (systemClock.nowMs() - sinceMs >= quietMs) return;
      if (systemClock.nowMs() > endMs) {
        this.#psync?.kill("SIGUSR1");
        await systemClock.sleep(500);
        this.#accuse(isSame ? `not equal, at ${when}` : `never quiet, at ${when}`, apart);
        throw new Fault(`no rest at ${when}`);
      }
      last = now;
    }
  }

  async #trees(): Promise<Record<Side, readonly Thing[]>> {
    const [left, right] = await Promise.all(SIDES.map((side) => survey(this.#root(side))));
    return { left: left!, right: right! };
  }

  async #user(side: Side, phase: number): Promise<void> {
    const { seed, operations } = this.#options;
    const [command, ...words] = this.#trouble === null
      ? [await program("user")]
      : [...this.#trouble.asUser, `${this.#dir}/user`];
    const { code, stderr } = await new Deno.Command(command!, {
      args: [...words, this.#root(side), this.#grave(side), this.#log(side), side === "left" ? "L" : "R"]
        .concat([seed, phase, phase === 0 ? operations : Math.ceil(operations / 4)].map(String)),
      stderr: "piped",
    }).output();
    if (code !== 0) throw new Error(`The user on the ${side} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
  }

  #start(...flags: string[]): void {
    const { sshd, debugLevel } = this.#options;
    const debug = debugLevel === undefined ? [] : ["-d", String(debugLevel)];
    const operands = sshd === null
      ? [this.#root("left"), this.#root("right")]
      : ["--ssh", sshd.sshCommand, this.#root("left"), `${sshd.host}:${this.#root("right")}`];
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        `exec "$@" >>"$0" 2>&1`,
        `${this.#dir}/psync.log`,
        ...this.#words(),
        ...debug,
        ...flags,
        ...operands,
      ],
      env: { XDG_STATE_HOME: `${this.#dir}/state` },
      stdin: "null",
    }).spawn();
    this.#psync = child;
    this.#note(`started ${flags.join(" ")} as ${child.pid}`);
    if (flags.length === 0) void child.status.then((status) => this.#onEnd(child, status));
  }

  /** psync, and in trouble as a user without rights. */
  #words(): readonly string[] {
    return this.#trouble === null ? [binary()] : [...this.#trouble.asPsync, `${this.#dir}/psync`];
  }

  /** A psync that ended by itself is a fault; one that was killed is started again. */
  #onEnd(child: Deno.ChildProcess, status: Deno.CommandStatus): void {
    if (this.#isEnding || this.#psync !== child) return;
    this.#note(`psync ended: ${JSON.stringify(status)}`);
    // Before it was connected once, what is killed below it, or cut, ends psync: set-up has failed.
    const isDisturbed = this.#options.isKilling || this.#options.onWork !== undefined;
    const isAllowed = status.signal === "SIGKILL" || (isDisturbed && status.code === 3);
    if (!isAllowed) this.faults.push(`psync ended by itself with ${status.signal ?? status.code}`);
    this.#start();
  }

  async #killAtRandom(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await systemClock.sleep(50 + Math.random() * KILL_EVERY_MS, signal);
      } catch {
        return;
      }
      const brain = this.#psync!.pid;
      const victims = [brain, ...childrenOf(brain), ...(this.#options.sshd?.sessionPids() ?? [])];
      const victim = Math.random() < 0.4 ? brain : victims[Math.floor(Math.random() * victims.length)]!;
      this.#note(`SIGKILL to ${victim}: ${commandOf(victim).slice(0, 3).join(" ")}`);
      if (signalIfThere(victim, "SIGKILL")) this.#kills++;
    }
  }

  #note(text: string): void {
    const line = `${new Date().toISOString().slice(11, 23)} ### ${text}\n`;
    Deno.writeTextFileSync(`${this.#dir}/psync.log`, line, { append: true });
  }

  async #stopKindly(): Promise<void> {
    this.#isEnding = true;
    this.#psync!.kill("SIGTERM");
    const { code, signal } = await this.#psync!.status;
    if (code !== 0) this.faults.push(`psync ended with ${signal ?? code} at SIGTERM`);
    this.#psync = null;
  }

  /** Ends whatever still runs. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    if (this.#psync === null) return;
    try {
      this.#psync.kill("SIGTERM");
    } catch {
      // It ended in between.
    }
    await this.#psync.status;
  }

  async #holdings(): Promise<{ readonly live: readonly Thing[]; readonly kept: readonly Thing[] }> {
    const all = async (own?: "own") => {
      const trees = await Promise.all(SIDES.map((side) => survey(this.#root(side), own)));
      return trees.flat();
    };
    return { live: await all(), kept: await all("own") };
  }

  async #conflictCount(): Promise<number> {
    const { kept } = await this.#holdings();
    return kept.filter(({ path, kind }) => kind !== "d" && /^\.psync\/trash\/[^/]*\.conflict/.test(path)).length;
  }

  async #logs(): Promise<readonly UserLog[]> {
    const read = (side: Side) => Deno.readTextFile(this.#log(side)).catch(() => "");
    return (await Promise.all(SIDES.map(read))).map(readLog);
  }

  async count(): Promise<Omit<RunResult, "seconds">> {
    const operations = (await this.#logs()).reduce((sum, log) => sum + log.operations, 0);
    this.#conflicts = await this.#conflictCount();
    return {
      seed: this.#options.seed,
      faults: this.faults,
      operations,
      conflicts: this.#conflicts,
      kills: this.#kills,
      dir: this.#dir,
    };
  }

  #root(side: Side): string {
    return `${this.#dir}/${side}`;
  }

  #grave(side: Side): string {
    return `${this.#dir}/grave-${side}`;
  }

  #log(side: Side): string {
    return `${this.#dir}/user-${side}.log`;
  }
}
