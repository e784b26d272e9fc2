/**
 * The arguments of `psync filter`, read without the parser of the command line, so that the other
 * host's side starts fast.
 *
 * Pure. The command is for psync itself and for forced commands in authorized_keys; `--help` does
 * not tell of it. Called by run.ts.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";

/** What a filter is told when it is started; everything else comes in its first frame. */
export interface FilterArguments {
  /** The only root that it serves, absolute. */
  readonly only?: string;
}

/**
 * Reads `[--only ROOT]`.
 * @throws {UsageError} for everything else: a filter that ignored a restriction would be open to all.
 */
export function parseFilterArguments(args: readonly string[]): FilterArguments {
  if (args.length === 0) return {};
  const glued = args[0]!.startsWith("--only=") ? args[0]!.slice("--only=".length) : null;
  const only = glued ?? args[1];
  const isWhole = glued !== null ? args.length === 1 : args.length === 2 && args[0] === "--only";
  if (!isWhole || only === undefined) {
    throw new UsageError(
      `Cannot run the filter with "${showPath(args.join(" "))}": it takes nothing, or --only and one root ` +
        `(for a folder named "filter" write ./filter)`,
    );
  }
  if (!only.startsWith("/")) {
    throw new UsageError(`Cannot use "${showPath(only)}" as --only: write the whole path, from "/" on`);
  }
  return { only };
}
