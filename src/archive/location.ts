/**
 * Where psync keeps its state on this host.
 *
 * Pure: looks at the environment that it is given, not at the disk. Called by cli before a pair is
 * looked up in pair_store.ts.
 * @module
 */
import { isAbsolute, join } from "node:path";
import { SetupError } from "../base/errors.ts";

/** What the place depends on. */
export interface Surroundings {
  /** Environment variables; an empty one counts as not set. */
  readonly env: { get(name: string): string | undefined };
  readonly isRootUser: boolean;
}

/** Where the state of root lies unless XDG_STATE_HOME says otherwise. */
const ROOT_STATE_DIR = "/var/lib/psync";

/**
 * The directory of all pairs: `$XDG_STATE_HOME/psync`, for root `/var/lib/psync`, else
 * `~/.local/state/psync`. It need not exist.
 * @throws {SetupError} where neither variable helps, or one is not absolute.
 */
export function archiveDir(of: Surroundings): string {
  const stateHome = of.env.get("XDG_STATE_HOME") ?? "";
  if (stateHome !== "") return join(absolute("XDG_STATE_HOME", stateHome), "psync");
  if (of.isRootUser) return ROOT_STATE_DIR;
  const home = of.env.get("HOME") ?? "";
  if (home !== "") return join(absolute("HOME", home), ".local/state/psync");
  throw new SetupError(
    "Cannot find a place for the archive as HOME is not set: set XDG_STATE_HOME to a directory of your own",
  );
}

function absolute(name: string, value: string): string {
  if (isAbsolute(value)) return value;
  throw new SetupError(`Cannot use ${name} as it must be an absolute path: found ${JSON.stringify(value)}`);
}
