/**
 * --skip-initial-sync: equal size and mtime is agreement, everything else stays as it is until one side changes it.
 *
 * What was left alone has a problem and no row. A listing shows it together with what was changed beside it
 * (replica/crowds.ts): who touched it since has given it another ctime. Called by scan.ts.
 * @module
 */
import { sameContent, sameEntry } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import { parentOf, type RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { PairContext } from "./context.ts";
import type { MergedName } from "./merge.ts";

/** How far apart the clocks of both hosts may be believed to be for what was measured. */
const CLOCK_MS = 1_000;

/** What is left alone. */
export class InitialSkip {
  readonly #context: PairContext;
  readonly #beganNs: bigint;

  constructor(context: PairContext) {
    this.#context = context;
    this.#beganNs = BigInt(Math.floor(context.clock.wallMs()) - CLOCK_MS) * 1_000_000n;
  }

  /** Records what is equal, and lists what is not; it always takes what the first walk shows. */
  takes({ left, right, path }: MergedName): true {
    const { archive, status } = this.#context;
    if (!this.#hasParent(path)) return true;
    if (left?.kind === "present" && right?.kind === "present") {
      const isEqual = left.entry.kind === "dir" ? right.entry.kind === "dir" : sameContent(left.entry, right.entry);
      if (
        isEqual &&
        (left.entry.kind === "dir" ||
          sameEntry({ ...left.entry, owner: null }, { ...right.entry, mode: left.entry.mode }))
      ) {
        archive.transact(() => archive.put(path, { entry: left.entry, left: left.stamp, right: right.stamp }));
        status.agreed++;
        return true;
      }
    }
    status.problem({ path, side: null, reason: "skipped", detail: "differs, left alone by -k" });
    return true;
  }

  /** Whether nobody has touched what was left alone. */
  isAsItWas({ path, row, left, right }: MergedName): boolean {
    if (row !== null || this.#context.status.problems.get(path)?.reason !== "skipped") return false;
    return this.#isOld("left", left) && this.#isOld("right", right);
  }

  #isOld(side: Side, seen: Observation | null | undefined): boolean {
    if (seen?.kind !== "present") return true;
    const offsetNs = side === "right" ? this.#context.offsetNs : 0n;
    return seen.stamp.ctimeNs + offsetNs < this.#beganNs;
  }

  /** Whether the directory of a path is in the archive: below one that was skipped nothing is told. */
  #hasParent(path: RelPath): boolean {
    return this.#context.archive.isDir(parentOf(path));
  }
}
