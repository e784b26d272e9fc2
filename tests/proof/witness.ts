/**
 * What the witnesses of both roots say (witness.c), and what is wrong with it: half files that were
 * shown, and files that vanished on one side though nobody touched them on the other.
 * @module
 */
import type { Side } from "../../src/core/problem.ts";
import { program } from "./build.ts";

/** A shorter absence may be a rename that is made as a new name and a removal. */
const ABSENT_MS = 1_000;
/** So long before and after it must have stood on the other side. */
const AROUND_MS = 500;

const SIDES: readonly Side[] = ["left", "right"];

/** A half file is seen again and again. */
const TORN_SHOWN = 3;

/** When something happened: between two looks. */
interface Moment {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** From when to when a token stood at a path. */
interface Stay {
  readonly token: string;
  readonly path: string;
  readonly from: Moment;
  readonly to: Moment;
}

/** What stood there to the end. */
const NEVER: Moment = { earliestMs: Infinity, latestMs: Infinity };

/** What one side's witness says. */
export interface Testimony {
  readonly torn: readonly string[];
  readonly stays: readonly Stay[];
  /** How it ended before it was to; null: it saw everything. */
  readonly gone: string | null;
}

/** A witness at work. */
export class Witness {
  readonly #child: Deno.ChildProcess;
  readonly #text: Promise<string>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#text = new Response(child.stdout).text();
  }

  static async start(root: string): Promise<Witness> {
    const child = new Deno.Command(await program("witness"), { args: [root], stdout: "piped" }).spawn();
    return new Witness(child);
  }

  /** Ends it; what it said. One that had ended by itself saw nothing from then on, and says so. */
  async end(): Promise<Testimony> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended: its status tells.
    }
    const { code, signal } = await this.#child.status;
    const said = readTestimony(await this.#text);
    return code === 0 ? said : { ...said, gone: signal === null ? `with status ${code}` : `by ${signal}` };
  }
}

/** Reads what a witness said. */
export function readTestimony(text: string): Testimony {
  const lines = text.split("\n").filter(Boolean);
  const open = new Map<string, Moment>();
  const stays: Stay[] = [];
  for (const line of lines) {
    const [, sign, earliest, latest, token, path] = /^([+-]) (\d+) (\d+) (\S+) (.*)$/.exec(line) ?? [];
    if (sign === undefined) continue;
    const key = `${token} ${path}`;
    const moment = { earliestMs: Number(earliest), latestMs: Number(latest) };
    const from = open.get(key) ?? { earliestMs: 0, latestMs: 0 };
    if (sign === "+") open.set(key, moment);
    else stays.push({ token: token!, path: path!, from, to: moment });
    if (sign === "-") open.delete(key);
  }
  for (const [key, from] of open) {
    const at = key.indexOf(" ");
    stays.push({ token: key.slice(0, at), path: key.slice(at + 1), from, to: NEVER });
  }
  return { torn: lines.filter((line) => line.startsWith("torn ")).map((line) => line.slice(5)), stays, gone: null };
}

/** What is wrong; `isExcused` tells which tokens a user destroyed, or lost a conflict. */
export function accuseBy(
  testimonies: Readonly<Record<Side, Testimony>>,
  isExcused: (token: string) => boolean,
): readonly string[] {
  const { left, right } = testimonies;
  return [
    ...SIDES.flatMap((side) =>
      testimonies[side].gone === null ? [] : [`the witness on the ${side} ended ${testimonies[side].gone}`]
    ),
    ...left.torn.slice(0, TORN_SHOWN).map((what) => `torn, and shown on the left: ${what}`),
    ...right.torn.slice(0, TORN_SHOWN).map((what) => `torn, and shown on the right: ${what}`),
    ...vanished(left, right, isExcused).map((what) => `vanished on the left, untouched on the right: ${what}`),
    ...vanished(right, left, isExcused).map((what) => `vanished on the right, untouched on the left: ${what}`),
  ];
}

/** What was missing here for long, while it stood there, at the same path and no other. */
function vanished(here: Testimony, there: Testimony, isExcused: (token: string) => boolean): readonly string[] {
  const others = Map.groupBy(there.stays, ({ token }) => token);
  const own = Map.groupBy(here.stays, ({ token }) => token);
  return here.stays.flatMap((stay) => {
    const { token, path, to } = stay;
    if (to === NEVER || isExcused(token)) return [];
    const endMs = to.latestMs + ABSENT_MS;
    const isBack = own.get(token)!.some((one) =>
      one !== stay && one.to.latestMs > to.earliestMs && one.from.earliestMs < endMs
    );
    const other = others.get(token) ?? [];
    const isUntouched = other.some((one) =>
      one.path === path && one.from.latestMs < to.earliestMs - AROUND_MS && one.to.earliestMs > endMs + AROUND_MS
    );
    const isElsewhere = other.some((one) =>
      one.path !== path && one.from.earliestMs < endMs + AROUND_MS && one.to.latestMs > to.earliestMs - AROUND_MS
    );
    return isUntouched && !isElsewhere && !isBack ? [`${token} at ${path}`] : [];
  });
}
