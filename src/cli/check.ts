/**
 * `psync check` and `psync runcheck`: tells what differs between two trees, and has it repaired.
 *
 * Compares and repairs nothing itself. Called by run.ts.
 * @module
 */
import type { Comparison, Difference } from "../brain/compare.ts";
import { showPath } from "../core/path.ts";
import { countText } from "./format.ts";
import { REASON } from "./report_text.ts";

/** Equal, or not. */
const EXIT_EQUAL = 0;
const EXIT_DIFFERENT = 1;

/** What a check works with. */
export interface CheckWorld {
  compare(): Promise<Comparison>;
  /** Makes the sides equal, by the psync that runs or by one of its own; null: only compare. */
  readonly repair: (() => Promise<void>) | null;
  /** A line of the list; resolves when it was written. */
  out(line: string): Promise<void>;
  err(line: string): void;
}

/** Checks, and repairs where that is asked for; returns the exit code. */
export async function check(world: CheckWorld): Promise<number> {
  const first = await tell(world);
  if (first.differences.length === 0 || world.repair === null) return exitCode(first);
  world.err("Repairing");
  await world.repair();
  return exitCode(await tell(world));
}

function exitCode({ differences }: Comparison): number {
  return differences.length === 0 ? EXIT_EQUAL : EXIT_DIFFERENT;
}

async function tell(world: CheckWorld): Promise<Comparison> {
  const found = await world.compare();
  const { differences, paths } = found;
  for (const difference of differences) await world.out(differenceLine(difference));
  world.err(
    differences.length === 0
      ? `Equal: ${countText(paths, "path")}`
      : `Different: ${countText(differences.length, "path")} of ${paths}`,
  );
  return found;
}

/** One line of the list. */
export function differenceLine({ path, what }: Difference): string {
  const name = showPath(path) || ".";
  switch (what.kind) {
    case "only":
      return `only ${what.side.padEnd(5)} ${name}${what.entryKind === "dir" ? "/" : ""}`;
    case "kind":
      return `kind       ${name}: ${KIND[what.left]} on the left, ${KIND[what.right]} on the right`;
    case "size":
      return `content    ${name}: ${what.left} bytes on the left, ${what.right} on the right`;
    case "mode":
      return `mode       ${name}: ${what.left.toString(8)} on the left, ${what.right.toString(8)} on the right`;
    case "busy":
      return `open       ${name}: a program writes to it`;
    case "unknown":
      return `unknown    ${name} (${what.side}): ${REASON[what.reason]}`;
    case "content":
    case "time":
    case "target":
    case "owner":
      return `${what.kind.padEnd(10)} ${name}`;
    default:
      return unreachable(what);
  }
}

const KIND = { file: "a file", dir: "a folder", link: "a symbolic link" } as const;

function unreachable(value: never): never {
  throw new Error(`Cannot show a difference: found ${JSON.stringify(value)}`);
}
