/**
 * The command line: what may be written, and what it means.
 *
 * The one definition from which parsing and the option list of `--help` (help.ts) are made. Does
 * not print, exit, or touch a disk. Called by run.ts with arguments decoded as names are.
 * @module
 */
import { formatMessage, type Message, message, option, parse } from "@optique/core";
import { argument, multiple, object, optional, type OptionErrorOptions, string, type ValueParser } from "@optique/core";
import { UsageError } from "../base/errors.ts";
import { parseSettings, type Settings } from "../config/settings.ts";
import { showPath } from "../core/path.ts";
import { normalizeTokens } from "./tokens.ts";

/** How much is logged: 0 warnings, 1 what changes, 2 each decision, 3 everything. */
export type DebugLevel = 0 | 1 | 2 | 3;

/** What the user asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "session"; readonly settings: Settings; readonly debugLevel: DebugLevel };

/** Where relative roots start; null where the working directory is gone. */
export interface CommandContext {
  readonly cwd: string | null;
}

/** The levels of `-d`. */
export const LEVEL: ValueParser<"sync", DebugLevel> = {
  mode: "sync",
  metavar: "LEVEL",
  placeholder: 0,
  parse(input) {
    if (/^[0-3]$/.test(input)) return { success: true, value: Number(input) as DebugLevel };
    const words = `Cannot use "${showPath(input)}" as debug level: it must be 0, 1, 2 or 3`;
    return { success: false, error: [{ type: "text", text: words }] };
  },
  format: (level) => String(level),
};

/** The parser. Its groups are the sections of `--help`, in this order. */
export const PARSER = object({
  what: object("What to sync", {
    // Told in the usage line of help.ts: a list of two has no name of its own.
    roots: multiple(argument(string({ metavar: "ROOT" }), { hidden: true })),
    remoteHost: optional(option("-r", "--remote-host", string({ metavar: "HOST" }), {
      errors: sayings("--remote-host", "HOST"),
      description: message`RIGHT is on this host, as ssh knows it: host, user@host.`,
    })),
    srcroot: optional(option("--srcroot", string({ metavar: "LEFT" }), {
      errors: sayings("--srcroot", "LEFT"),
      description: message`LEFT, as an option.`,
    })),
    dstroot: optional(option("--dstroot", string({ metavar: "RIGHT" }), {
      errors: sayings("--dstroot", "RIGHT"),
      description: message`RIGHT, as an option.`,
    })),
    ssh: optional(option("--ssh", string({ metavar: "COMMAND" }), {
      errors: sayings("--ssh", "COMMAND"),
      description: message`Run this instead of ssh, such as "ssh -p 2222 -i key".`,
    })),
    excludes: multiple(option("-e", "--excludes", string({ metavar: "REGEX" }), {
      errors: sayings("--excludes", "REGEX"),
      description: message`Leave alone what matches, on both sides: a JavaScript regular expression, case ignored, \
found anywhere in "/" and the path below the root. A folder that matches is not entered. May be repeated.`,
    })),
    rsyncExcludes: multiple(option("--rsync-excludes", string({ metavar: "PATTERN" }), {
      errors: sayings("--rsync-excludes", "PATTERN"),
      description: message`The same, as a pattern of rsync: the first one that matches counts, and one that begins \
with "+ " is not excluded. May be repeated.`,
    })),
    tempfiles: multiple(option("-t", "--tempfiles", string({ metavar: "REGEX" }), {
      errors: sayings("--tempfiles", "REGEX"),
      description: message`Scratch of applications, in the form of --excludes: not sent, until it is renamed to a \
name that is none. Instead of the list below; an empty one switches that off. May be repeated.`,
    })),
  }),
  how: object("How to run", {
    dryRun: flag("-n", "--dry-run", message`Print what the first sync would do, one line a path, and change nothing.`),
    syncOnly: flag("-s", "--sync-only", message`Sync once, then end.`),
    skipInitialSync: flag(
      "-k",
      "--skip-initial-sync",
      message`Leave what differs now as it is, listed, until one side changes it.`,
    ),
    extra: multiple(option("-x", "--extra", string({ metavar: "OPTION" }), {
      errors: sayings("--extra", "OPTION"),
      description: message`An option for every rsync, such as --bwlimit=2M or --compress; only what changes how bytes \
travel is taken. May be repeated.`,
    })),
    force: flag(
      "-f",
      "--force",
      message`Release the removals that an earlier run held back, and remove folders in which the other \
side has something unknown (it goes to the trash).`,
    ),
  }),
  talk: object("What to say", {
    debug: optional(option("-d", "--debug", LEVEL, {
      errors: sayings("--debug", "LEVEL"),
      description: message`Log to stderr: 0 warnings, 1 changes of state, 2 decisions (also -d alone), 3 everything.`,
    })),
    help: flag("-h", "--help", message`Show this and end.`),
    version: option("--version", { errors: sayings("--version", ""), description: message`Show the version and end.` }),
  }),
}, { errors: { suggestions: nearMiss } });

/**
 * Reads a command line. `--help` and `--version` win over all that is wrong with the roots.
 * @throws {UsageError} in one line that names what is wrong and says what to do.
 */
export function parseCommand(args: readonly string[], context: CommandContext): Command {
  const result = parse(PARSER, normalizeTokens(args));
  if (!result.success) throw new UsageError(oneSentence(result.error));
  const { what, how, talk } = result.value;
  if (talk.help) return { kind: "help" };
  if (talk.version) return { kind: "version" };
  const { left, right } = takeRoots(what.roots, what);
  const { extra, ...modes } = how;
  const settings = parseSettings({
    left,
    right,
    remoteHost: what.remoteHost ?? null,
    sshCommand: what.ssh ?? null,
    excludes: what.excludes,
    tempfiles: what.tempfiles.length === 0 ? null : what.tempfiles,
    rsyncExcludes: what.rsyncExcludes,
    rsyncExtra: extra,
    cwd: context.cwd ?? "/",
    ...modes,
  });
  if (context.cwd === null) refuseRelative(settings);
  return { kind: "session", settings, debugLevel: talk.debug ?? 0 };
}

/** What is said where an option lacks its value, or is there twice. */
export function sayings(name: string, metavar: string): OptionErrorOptions {
  const line = (words: string): Message => [{ type: "text", text: words }];
  return {
    endOfInput: line(`Cannot use "${name}" alone: write "${name} ${metavar}"`),
    duplicate: line(`Cannot use "${name}" twice: keep one of the two`),
    unexpectedValue: (value) => line(`Cannot give "${name}" the value "${showPath(value)}": write it alone`),
    invalidValue: (why) => why,
  };
}

/** A switch without a value. */
export function flag(short: `-${string}`, long: `--${string}`, description: Message) {
  return option(short, long, { description, errors: sayings(long, "") });
}

/** The roots as operands, as options, or one of each: what is no option is taken from the operands in order. */
function takeRoots(
  operands: readonly string[],
  { srcroot, dstroot }: { readonly srcroot: string | undefined; readonly dstroot: string | undefined },
): { readonly left: string; readonly right: string } {
  const rest = [...operands];
  const left = srcroot ?? rest.shift();
  const right = dstroot ?? rest.shift();
  const more = rest;
  if (left === undefined) {
    throw new UsageError(
      `Cannot start without LEFT and RIGHT: write "psync LEFT RIGHT"; "psync --help" shows examples`,
    );
  }
  if (right === undefined) {
    throw new UsageError(`Cannot start without RIGHT: found only "${showPath(left)}"; write "psync LEFT RIGHT"`);
  }
  if (more.length > 0) {
    throw new UsageError(
      `Cannot use "${showPath(more[0]!)}" as a third root: two are joined; quote a path that holds spaces`,
    );
  }
  return { left, right };
}

/** Without a working directory only absolute roots mean something on this host. */
function refuseRelative(settings: Settings): void {
  const here = settings.remoteHost === null ? [settings.left, settings.right] : [settings.left];
  const relative = here.find((root) => !root.startsWith("/"));
  if (relative !== undefined) {
    throw new UsageError(`Cannot use "${showPath(relative)}": the working directory is gone; write the whole path`);
  }
}

/** Short options are too short to be near to anything. */
export function nearMiss(similar: readonly string[]): Message {
  const long = similar.find((name) => name.startsWith("--"));
  return [{
    type: "text",
    text: long === undefined ? `"psync --help" lists what there is` : `did you mean "${long}"?`,
  }];
}

/** An error of the parser as one line in our form: no line breaks, no full stop, plain quotes. */
export function oneSentence(error: Message): string {
  return formatMessage(error, { colors: false })
    .replace(/\s*\n+\s*/g, " ")
    .replace(/^Unexpected option or argument: (.*?)\. /s, "Unknown option $1: ")
    .replaceAll("`", '"')
    .replace(/\.$/, "");
}
