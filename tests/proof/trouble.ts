/**
 * Trouble under two users: for a moment a file or a directory cannot be read, a directory cannot be
 * written, a root is covered by another file system or is another directory, at random and again and
 * again; files stay half for long, events are lost, and the watchers stand still for a while.
 *
 * psync runs as a user without rights of its own, so that permissions count for it; the two users
 * work on whatever the modes are, in the roots that they once entered. Needs root.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import type { Side } from "../../src/core/problem.ts";
import { childrenOf, commandOf } from "../support/procfs.ts";
import { signalIfThere } from "../support/signal.ts";
import { withShortQueue } from "../support/short_queue.ts";
import { seededRandom } from "./random.ts";

/** Nobody on this machine. */
const UID = 54_321;
/** The longest that a trouble lasts, and the longest time between two. */
const LAST_MS = 1_800;
const PAUSE_MS = 700;
const START_MS = 30_000;
/** How long a user may keep a file half, open for writing. */
const HOLD_MS = 900;

/** The name of what lies in a root that is not the users'. */
const FOREIGN = "foreign";

const KINDS = ["closed", "closed", "unwritable", "covered", "swapped"] as const;

/** Whether this machine lets us make trouble. */
export function canMakeTrouble(): boolean {
  return Deno.uid() === 0;
}

/** What goes wrong in one run. */
export class Trouble {
  readonly #roots: Readonly<Record<Side, string>>;
  readonly #dir: string;
  readonly #next: (below: number) => number;
  readonly #note: (text: string) => void;
  readonly #psync: () => number | null;
  /** WHY its own: two that take turns by the clock would take other numbers each time. */
  readonly #nextSlow: (below: number) => number;
  #stop = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  /** One line each: what psync did to a root that is not the users'. */
  readonly faults: string[] = [];
  count = 0;

  /** `psync` tells its process id, or null where none runs. */
  constructor(
    dir: string,
    of: { readonly seed: number; readonly note: (text: string) => void; readonly psync: () => number | null },
  ) {
    this.#psync = of.psync;
    this.#nextSlow = seededRandom(of.seed + 1);
    this.#dir = dir;
    this.#roots = { left: `${dir}/left`, right: `${dir}/right` };
    this.#next = seededRandom(of.seed);
    this.#note = of.note;
  }

  /** Gives everything to the user as whom psync runs, and puts the programs where he may run them. */
  async make(programs: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, path] of Object.entries(programs)) await Deno.copyFile(path, `${this.#dir}/${name}`);
    await this.#sh(`chmod 755 "$1" "$1"/*; mkdir "$1/home"; chown -R ${UID}:${UID} "$1"`, this.#dir);
  }

  /** In front of psync. */
  get asPsync(): readonly string[] {
    return ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", "--", "env", `HOME=${this.#dir}/home`]
      .concat(`XDG_CACHE_HOME=${this.#dir}/home`, `XDG_STATE_HOME=${this.#dir}/state`);
  }

  /** In front of a user. */
  get asUser(): readonly string[] {
    return ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", "--inh-caps=+dac_override"]
      .concat("--ambient-caps=+dac_override", "--", "env", `PROOF_HOLD_MS=${HOLD_MS}`);
  }

  /** Runs `start` under a short queue of events; what it starts keeps that. Waits until it has found its roots. */
  async withShortQueue(start: () => void): Promise<void> {
    await withShortQueue(async () => {
      start();
      await this.#started();
    });
  }

  /** Before it knows them any root is theirs. */
  async #started(): Promise<void> {
    const endMs = systemClock.nowMs() + START_MS;
    while (!/^First sync done/m.test(await Deno.readTextFile(`${this.#dir}/psync.log`).catch(() => ""))) {
      if (systemClock.nowMs() > endMs) throw new Error("psync does not start");
      await systemClock.sleep(50);
    }
  }

  /** Begins to make trouble, or ends it: then everything is as it was. */
  async go(isWorking: boolean): Promise<void> {
    this.#stop.abort();
    await this.#work;
    if (!isWorking) return;
    this.#stop = new AbortController();
    this.#work = Promise.all([this.#run(this.#stop.signal), this.#slow(this.#stop.signal)]);
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = 50 + this.#next(PAUSE_MS);
      if (await this.#isOver(waitMs, signal)) return;
      const kind = KINDS[this.#next(KINDS.length)]!;
      const side: Side = this.#next(2) === 0 ? "left" : "right";
      const lastMs = 200 + this.#next(LAST_MS);
      this.#note(`${kind} on the ${side} for ${lastMs} ms`);
      this.count++;
      try {
        await this.#strike(kind, this.#roots[side], () => this.#isOver(lastMs, signal));
      } catch (error) {
        this.faults.push(`the trouble itself: ${error}`);
      }
      this.#note(`${kind} is over`);
    }
  }

  /** Stops the watchers for a while, as a busy machine does: what they would tell comes late. */
  async #slow(signal: AbortSignal): Promise<void> {
    while (!await this.#isOver(this.#nextSlow(PAUSE_MS * 2), signal)) {
      const pid = this.#psync();
      const watchers = pid === null ? [] : childrenOf(pid).filter((child) => commandOf(child).at(-1) === "watch");
      const send = (name: "SIGSTOP" | "SIGCONT") => {
        for (const watcher of watchers) signalIfThere(watcher, name);
      };
      send("SIGSTOP");
      const isOver = await this.#isOver(this.#nextSlow(LAST_MS), signal);
      send("SIGCONT");
      if (isOver) return;
    }
  }

  async #isOver(ms: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return true;
    return await systemClock.sleep(ms, signal).then(() => false, () => true);
  }

  async #strike(kind: typeof KINDS[number], root: string, last: () => Promise<unknown>): Promise<void> {
    if (kind === "covered") {
      await this.#sh(`mount -t tmpfs -o uid=${UID},mode=700 tmpfs "$1"; touch "$1/${FOREIGN}"`, root);
      await last();
      await this.#judgeForeign(root);
      return await this.#sh(`umount -l "$1"`, root);
    }
    if (kind === "swapped") {
      await this.#sh(`mv "$1" "$1.away"; mkdir "$1"; touch "$1/${FOREIGN}"; chown -R ${UID} "$1"`, root);
      await last();
      await this.#judgeForeign(root);
      return await this.#sh(`mv "$1" "$1.foreign"; mv "$1.away" "$1"; rm -r "$1.foreign"`, root);
    }
    // WHY the owner: a mode would be synchronised, and take the other side's copy away for good. It is
    // set through a descriptor, as the name may be another one when it is over; `read` waits for that.
    // A file that can still be read is one on which psync may take no lease.
    const what = kind === "closed" ? "\\( -type f -o -type d ! -perm /044 \\)" : "-type d";
    const script = `cd "$1"; find . -mindepth 1 -path ./.psync -prune -o ${what} -print0 |
      shuf -z -n 1 --random-source="$2" | { IFS= read -r -d "" p || exit 0; exec 3<"$p" || exit 0; f=/proc/self/fd/3
      chown 0:0 $f; read -r _ <&4; chown ${UID}:${UID} $f; }`;
    const child = new Deno.Command("bash", {
      args: ["-c", `exec 4<&0; ${script}`, "bash", root, await this.#dice()],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await last();
    await child.stdin.close().catch(() => {});
    await child.status;
  }

  /** A file with random bytes of this seed. */
  async #dice(): Promise<string> {
    const path = `${this.#dir}/dice`;
    await Deno.writeFile(path, Uint8Array.from({ length: 4096 }, () => this.#next(256)));
    return path;
  }

  async #judgeForeign(root: string): Promise<void> {
    const names = (await Array.fromAsync(Deno.readDir(root))).map(({ name }) => name);
    if (names.join() !== FOREIGN) this.faults.push(`outside: psync changed what is not its root: ${names.join()}`);
  }

  async #sh(script: string, ...args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("bash", {
      args: ["-ec", script, "bash", ...args],
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
}
