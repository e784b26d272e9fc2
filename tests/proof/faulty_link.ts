/**
 * The link that makes faults (faulty_ssh.c), as a test holds it: where its plan lies, what it did.
 *
 * The far end runs on this host. Owned by the test: `await using link = await FaultyLink.make()`.
 * @module
 */
import { REPO } from "../support/binary.ts";
import { childrenOf, commandOf } from "../support/procfs.ts";
import { signalIfThere } from "../support/signal.ts";
import { TempTree } from "../support/temp_tree.ts";
import { program } from "./build.ts";
import { type RunOptions, type RunResult, runTwoUsers } from "./two_users.ts";

/** What a connection can suffer; told in faulty_ssh.c. */
export const LINK_FAULTS = ["cut", "truncate", "stall", "deaf", "mute", "trickle", "slow", "refuse"] as const;

/** One of them. */
export type LinkFault = (typeof LINK_FAULTS)[number];

/** Where builds are deployed to: the same place for all scenes. */
const CACHE = `${REPO}/.cache/scenario`;

/** A stand-in for ssh, and its plan. */
export class FaultyLink implements AsyncDisposable {
  readonly host = "far";
  readonly #tree: TempTree;
  readonly #program: string;

  private constructor(tree: TempTree, program: string) {
    this.#tree = tree;
    this.#program = program;
  }

  static async make(): Promise<FaultyLink> {
    const tree = await TempTree.make({ link: {}, home: {} });
    const env = [`HOME=${tree.at("home")}`, `XDG_CACHE_HOME=${CACHE}`];
    await tree.write("far-ssh", `#!/bin/sh\nexec env ${env.join(" ")} ${await program("faulty_ssh")} "$@"\n`);
    await tree.sh("chmod 755 far-ssh");
    return new FaultyLink(tree, await program("faulty_ssh"));
  }

  /** What `--ssh` is given. */
  get sshCommand(): string {
    return `${this.#tree.at("far-ssh")} ${this.#tree.at("link")}`;
  }

  /** From now on each new connection suffers one of these kinds; none: all are fine. */
  async plan(seed: number, kinds: readonly (LinkFault | "fine")[]): Promise<void> {
    await this.#tree.write("plan", `${seed} ${kinds.join(" ")}\n`);
    if (kinds.length === 0) await this.#tree.sh("rm -f link/plan plan");
    else await this.#tree.sh("mv plan link/plan");
  }

  /** Makes every connection that a psync has now suffer what is planned. */
  strike(brain: number): void {
    for (const pid of this.pids(brain)) signalIfThere(pid, "SIGUSR1");
  }

  /** The connections of a psync. */
  pids(brain: number): number[] {
    return childrenOf(brain).filter((pid) => commandOf(pid)[0] === this.#program);
  }

  /** The kinds that have struck so far. */
  async faults(): Promise<readonly string[]> {
    const text = await this.#tree.sh("cat link/faults 2>/dev/null || true");
    return text.split("\n").filter(Boolean).map((line) => line.split(" ")[1] ?? "");
  }

  /** How many bytes each connection of rsync carried that has ended, in their order. */
  async carriedByRsync(): Promise<readonly number[]> {
    const text = await this.#tree.sh("cat link/carried 2>/dev/null || true");
    const lines = text.split("\n").map((line) => line.split(" "));
    return lines.filter(([, what]) => what === "rsync").map(([, , bytes]) => Number(bytes));
  }

  /** The processes below what psync started: there is no sshd between. */
  readonly sessionPids = (): number[] => [];

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tree[Symbol.asyncDispose]();
  }
}

/** A run of two users over a link that suffers while they work. */
export async function runOverFaults(
  options: Omit<RunOptions, "sshd" | "onWork">,
): Promise<RunResult & { readonly struck: readonly string[] }> {
  await using link = await FaultyLink.make();
  // A kind more than once is likelier; what a link suffers at its start is mostly nothing.
  const kinds = [
    "fine",
    "fine",
    "slow",
    "cut",
    "cut",
    "truncate",
    "stall",
    "deaf",
    "mute",
    "trickle",
    "refuse",
  ] as const;
  const onWork = async (isWorking: boolean) => {
    await link.plan(options.seed, isWorking ? kinds : []);
  };
  const result = await runTwoUsers({ ...options, sshd: link, onWork });
  const struck = await link.faults();
  const faults = result.faults.length === 0 ? [] : [...result.faults, `what the link suffered: ${struck.join(", ")}`];
  return { ...result, faults, struck };
}
