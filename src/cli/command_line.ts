/**
 * What a command line means: which command it is, and what it is to work on.
 *
 * Does not print, exit, or touch a disk; a file of configuration is read by the function that it is
 * given. Called by run.ts with arguments decoded as names are.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { ConfigName } from "../config/file.ts";
import { type ConfigFile, type InForce, inForce } from "../config/given.ts";
import { parseSettings, type Settings } from "../config/settings.ts";
import { showPath } from "../core/path.ts";
import { type DebugLevel, type Flags, parseFlags } from "./options.ts";

/** Commands about a pair that take the options of psync. A folder of such a name is written `./run`. */
const VERBS = ["run", "config", "check", "runcheck", "start", "stop", "doctor"] as const;
type Verb = typeof VERBS[number];

interface SessionLike<K extends string> {
  readonly kind: K;
  readonly settings: Settings;
  readonly debugLevel: DebugLevel;
}

/** What the user asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  /** `logFile`: a whole path; null: stderr. */
  | SessionLike<"session"> & { readonly logFile: string | null; readonly logFormat: "text" | "json" }
  | SessionLike<"check" | "runcheck"> & { readonly checksum: boolean }
  /** `words`: how the psync in the background is called. */
  | SessionLike<"start"> & { readonly words: readonly string[]; readonly logFile: string | null }
  /** null: the only pair of this host (stop), or this host alone (doctor). */
  | { readonly kind: "stop" | "doctor"; readonly settings: Settings | null; readonly debugLevel: DebugLevel }
  | { readonly kind: "config.show"; readonly shown: InForce; readonly path: string | null };

/** What a command line is read with. */
export interface CommandContext {
  /** Where relative roots start; null where the working directory is gone. */
  readonly cwd: string | null;
  /** Reads a file of configuration; null where `mayNeedConfig` says that none is needed. */
  readonly loadConfig: ((name: ConfigName) => ConfigFile) | null;
}

/** Whether a file of configuration may be asked for: reading one takes a library. */
export function mayNeedConfig(args: readonly string[]): boolean {
  return verbOf(args) !== null || args.some((arg) => /^--config(=|$)/.test(arg));
}

function verbOf([word]: readonly string[]): Verb | null {
  return VERBS.find((verb) => verb === word) ?? null;
}

/**
 * Reads a command line. `--help` and `--version` win over all that is wrong with the roots.
 * @throws {UsageError | ConfigError} in one line that names what is wrong and says what to do.
 */
export function parseCommand(args: readonly string[], context: CommandContext): Command {
  const verb = verbOf(args);
  const flags = parseFlags(withoutWords(args, verb));
  if (flags.help) return { kind: "help" };
  if (flags.version) return { kind: "version" };
  const name = configName(flags, verb);
  const file = name === null ? null : loadWith(context, name);
  const operands = name?.kind === "name" ? [] : flags.operands;
  const roots = takeRoots(operands, flags.given);
  const shown = inForce({ ...flags.given, ...roots }, file);
  if (verb === "config") return { kind: "config.show", shown, path: file?.path ?? null };
  refuseForeignFlags(flags, verb);
  const debugLevel = shown.values.debug;
  const isLone = (verb === "stop" || verb === "doctor") && shown.values.left === null && shown.values.right === null;
  if (isLone) return { kind: verb, settings: null, debugLevel };
  const settings = settingsOf(shown, context.cwd);
  switch (verb) {
    case "check":
    case "runcheck":
      return { kind: verb, settings, debugLevel, checksum: flags.checksum };
    case "start":
      refuseShort(settings);
      return { kind: verb, settings, debugLevel, words: startWords(args), logFile: shown.values["log-file"] };
    case "stop":
    case "doctor":
      return { kind: verb, settings, debugLevel };
    default:
      return { kind: "session", settings, debugLevel, ...logOf(shown, settings) };
  }
}

function logOf({ values }: InForce, { cwd }: Settings): { logFile: string | null; logFormat: "text" | "json" } {
  const { "log-file": path, "log-format": logFormat } = values;
  return { logFile: path === null || path.startsWith("/") ? path : `${cwd}/${path}`, logFormat };
}

/** How the psync that `psync start` starts is called. */
function startWords(args: readonly string[]): readonly string[] {
  const words = args.slice(1).filter((arg, i, all) => !/^--log-file(=|$)/.test(arg) && all[i - 1] !== "--log-file");
  return ["run", ...words];
}

/** What ends by itself needs no background. */
function refuseShort({ dryRun, syncOnly }: Settings): void {
  if (!dryRun && !syncOnly) return;
  throw new UsageError(`Cannot use "${dryRun ? "--dry-run" : "--sync-only"}" with start: write it without start`);
}

/** The words behind the command's own. */
function withoutWords(args: readonly string[], verb: Verb | null): readonly string[] {
  if (verb === null) return args;
  if (verb !== "config" || args.includes("--help") || args.includes("-h")) return args.slice(1);
  if (args[1] !== "show") throw new UsageError(`Cannot do this with the configuration: write "psync config show"`);
  return args.slice(2);
}

/** A command with one operand names a configuration by it. */
function configName({ operands, config, given }: Flags, verb: Verb | null): ConfigName | null {
  if (config !== null) return { kind: "path", path: config };
  const isName = verb !== null && operands.length === 1 && given.left === undefined && given.right === undefined;
  return isName ? { kind: "name", name: operands[0]! } : null;
}

function loadWith({ loadConfig }: CommandContext, name: ConfigName): ConfigFile {
  if (loadConfig === null) throw new Error("A configuration is asked for, and nothing to read it with");
  return loadConfig(name);
}

/** What only some commands take. */
function refuseForeignFlags({ checksum, given }: Flags, verb: Verb | null): void {
  const isCheck = verb === "check" || verb === "runcheck";
  const log = (["log-file", "log-format"] as const).find((key) => given[key] !== undefined);
  const isLogging = verb === null || verb === "run" || verb === "start";
  const foreign = checksum && !isCheck ? "--checksum" : log !== undefined && !isLogging ? `--${log}` : null;
  if (foreign !== null) {
    throw new UsageError(`Cannot use "${foreign}" here: "psync --help" says which command takes it`);
  }
}

/**
 * What is in force, checked.
 * @throws {UsageError} that names what is wrong.
 */
function settingsOf({ values, origins }: InForce, cwd: string | null): Settings {
  const { left, right } = values;
  if (left === null) {
    throw new UsageError(
      `Cannot start without LEFT and RIGHT: write "psync LEFT RIGHT"; "psync --help" shows examples`,
    );
  }
  if (right === null) {
    throw new UsageError(`Cannot start without RIGHT: found only "${showPath(left)}"; write "psync LEFT RIGHT"`);
  }
  const settings = parseSettings({
    left,
    right,
    remoteHost: values["remote-host"],
    sshCommand: values.ssh,
    excludes: values.excludes,
    tempfiles: values.tempfiles,
    rsyncExcludes: values["rsync-excludes"],
    rsyncExtra: values.extra,
    translate: values.translate,
    banned: values.banned,
    fullSync: values["full-sync"],
    cwd: cwd ?? "/",
    dryRun: values["dry-run"],
    syncOnly: values["sync-only"],
    skipInitialSync: values["skip-initial-sync"],
    force: values.force,
  });
  if (cwd === null) refuseRelative(settings);
  const isInFile = origins.right.kind === "file" && settings.remoteHost === null;
  if (isInFile && !settings.right.startsWith("/")) {
    throw new UsageError(`Cannot use "${showPath(right)}" as right: a file of configuration names the whole path`);
  }
  return settings;
}

/** The roots as operands, as options, or one of each: what is no option is taken from the operands in order. */
function takeRoots(
  operands: readonly string[],
  given: { readonly left?: string | null; readonly right?: string | null },
): { readonly left?: string; readonly right?: string } {
  const rest = [...operands];
  const left = given.left ?? rest.shift();
  const right = given.right ?? rest.shift();
  if (rest.length > 0) {
    throw new UsageError(
      `Cannot use "${showPath(rest[0]!)}" as a third root: two are joined; quote a path that holds spaces`,
    );
  }
  return { ...(left === undefined ? {} : { left }), ...(right === undefined ? {} : { right }) };
}

/** Without a working directory only absolute roots mean something on this host. */
function refuseRelative(settings: Settings): void {
  const here = settings.remoteHost === null ? [settings.left, settings.right] : [settings.left];
  const relative = here.find((root) => !root.startsWith("/"));
  if (relative !== undefined) {
    throw new UsageError(`Cannot use "${showPath(relative)}": the working directory is gone; write the whole path`);
  }
}
