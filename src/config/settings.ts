/**
 * What one session is to do, checked as far as that goes without touching a disk or a host.
 *
 * Later a file of configuration feeds the same type. Called by cli/options.ts; the brain takes it.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { compileIgnore, type PathRules } from "../core/ignore.ts";
import { type NamePair, parseTranslations } from "../core/translation.ts";
import { parseRsyncExtra, type RsyncExtra } from "./rsync_extra.ts";
import { type Operands, parseTargets, type Targets } from "./targets.ts";

/** The switches of a session. */
export interface Modes {
  /** Print the plan of the first sync and change nothing. */
  readonly dryRun: boolean;
  /** End after the first sync. */
  readonly syncOnly: boolean;
  /** Take what is equal by size and time as agreed, leave what differs. */
  readonly skipInitialSync: boolean;
  /** Release removals that an earlier run held. */
  readonly force: boolean;
}

/** Everything that a session is started with. */
export interface Settings extends Targets, Modes {
  /** The directory that a relative root on this host is relative to. */
  readonly cwd: string;
  /** What to run instead of `ssh`; null: `ssh`. */
  readonly sshCommand: string | null;
  /** What is left alone; each pattern compiles. */
  readonly rules: PathRules;
  /** Names that are others on the right. */
  readonly translate: readonly NamePair[];
  readonly rsync: RsyncExtra;
  /** Parts of the names of commands; psync does not run beside them. */
  readonly banned: readonly string[];
  /** Hours of the day, 0 to 23, sorted. */
  readonly fullSync: readonly number[];
}

/** The parts of `Settings` before they are checked. */
export interface RawSettings extends Operands, Modes {
  readonly cwd: string;
  readonly sshCommand: string | null;
  readonly excludes: readonly string[];
  /** Empty patterns stand for none. */
  readonly tempfiles: readonly string[];
  readonly rsyncExcludes: readonly string[];
  readonly rsyncExtra: readonly string[];
  readonly translate: readonly string[];
  readonly banned: readonly string[];
  readonly fullSync: readonly number[];
}

/**
 * Checks and joins what was given.
 * @throws {UsageError} that names what is wrong and says what to do.
 */
export function parseSettings(raw: RawSettings): Settings {
  const targets = parseTargets(raw);
  const tempfiles = raw.tempfiles.filter((pattern) => pattern !== "");
  const rules = { excludes: raw.excludes, tempfiles, rsyncExcludes: raw.rsyncExcludes, names: [] };
  const translate = parseTranslations(raw.translate);
  compileIgnore(rules);
  const rsync = parseRsyncExtra(raw.rsyncExtra);
  if (raw.banned.includes("")) throw new UsageError(`Cannot use "" as a banned program: every name holds it`);
  const fullSync = parseHours(raw.fullSync);
  if (raw.sshCommand !== null) checkSsh(raw.sshCommand, targets.remoteHost);
  const { cwd, sshCommand, banned, dryRun, syncOnly, skipInitialSync, force } = raw;
  return {
    ...targets,
    cwd,
    sshCommand,
    rules,
    translate,
    rsync,
    banned,
    fullSync,
    dryRun,
    syncOnly,
    skipInitialSync,
    force,
  };
}

function parseHours(hours: readonly number[]): readonly number[] {
  const wrong = hours.find((hour) => !Number.isInteger(hour) || hour < 0 || hour > 23);
  if (wrong !== undefined) throw new UsageError(`Cannot use ${wrong} as an hour: it must be one of 0 to 23`);
  return [...new Set(hours)].sort((a, b) => a - b);
}

function checkSsh(command: string, remoteHost: string | null): void {
  if (command.trim() === "") throw new UsageError(`Cannot use "" as --ssh: name the command to run instead of ssh`);
  if (remoteHost === null) {
    throw new UsageError(`Cannot use --ssh without another host: write RIGHT as host:path, or add --remote-host`);
  }
}
