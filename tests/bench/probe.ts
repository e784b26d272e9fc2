/**
 * Builds probe.c once for each run of the bench, and runs it.
 * @module
 */
import { must } from "../support/binary.ts";

const SOURCE = new URL("probe.c", import.meta.url).pathname;
const DELAYED_SSH = new URL("delayed_ssh.c", import.meta.url).pathname;

/** What one sample of `latency` does in the first tree. */
export const DEEDS = ["create", "change", "rename", "delete"] as const;
export type Deed = typeof DEEDS[number];

/** The stopwatch. */
export class Probe {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Compiles it into a directory of the caller. */
  static async build(dir: string): Promise<Probe> {
    return new Probe(await compiled(SOURCE, `${dir}/probe`));
  }

  /** Milliseconds from each deed in `from` to its being visible in `to`. */
  async latency(
    deed: Deed,
    options: { readonly samples: number; readonly gapMs: number; readonly from: string; readonly to: string },
  ): Promise<number[]> {
    const { samples, gapMs, from, to } = options;
    return await this.#run(["latency", deed, `${samples}`, `${gapMs}`, from, to]);
  }

  /** Runs a command; milliseconds that it took, and from its end until `to` holds each file of `source`. */
  async same(source: string, to: string, command: readonly string[]): Promise<Waited> {
    return waited(await this.#run(["same", source, to, "--", ...command]));
  }

  /** Runs a command; milliseconds that it took, and from its end until a path is there, or gone. */
  async until(what: "there" | "gone", path: string, command: readonly string[]): Promise<Waited> {
    return waited(await this.#run([what, path, "--", ...command]));
  }

  /** Runs a command in `from`; milliseconds that it took, and from its end until `to` shows what it made of `from`. */
  async follow(from: string, to: string, command: readonly string[]): Promise<Waited> {
    return waited(await this.#run(["follow", from, to, "--", ...command]));
  }

  /** Writes to a file so often, with a gap: anew each time, or at its end. */
  async keepWriting(
    how: "rewrite" | "append",
    path: string,
    options: { readonly count: number; readonly gapUs: number },
  ): Promise<void> {
    await must(this.#path, [how, path, `${options.count}`, `${options.gapUs}`]);
  }

  /** How many versions of a file are seen within a time, and how many that were not whole. */
  async versions(path: string, ms: number): Promise<{ readonly seen: number; readonly torn: number }> {
    const [seen, torn] = (await must(this.#path, ["versions", path, `${ms}`])).trim().split("\n").map(Number);
    if (seen === undefined || torn === undefined) throw new Error("Cannot read what probe printed");
    return { seen, torn };
  }

  /** Makes sparse files in an empty directory. */
  async tree(dir: string, count: number, aDir: number): Promise<void> {
    await must(this.#path, ["tree", dir, `${count}`, `${aDir}`]);
  }

  async #run(args: readonly string[]): Promise<number[]> {
    const out = await must(this.#path, args);
    return out.trim().split("\n").map((line) => Number(line) / 1000);
  }
}

/** Compiles the stand-in for an ssh over a long way into a directory of the caller; returns its path. */
export async function delayedSsh(dir: string): Promise<string> {
  return await compiled(DELAYED_SSH, `${dir}/delayed_ssh`);
}

async function compiled(source: string, path: string): Promise<string> {
  await must("gcc", ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o", path, source]);
  return path;
}

/** How long the user's command took, and how long after it the other side was equal, in ms. */
export interface Waited {
  readonly commandMs: number;
  readonly waitMs: number;
}

function waited([commandMs, waitMs]: readonly number[]): Waited {
  if (commandMs === undefined || waitMs === undefined) throw new Error("Cannot read what probe printed");
  return { commandMs, waitMs };
}
