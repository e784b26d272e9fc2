/**
 * The command line: what may be written.
 *
 * The one definition from which parsing and the option list of `--help` (help.ts), the man page and
 * the completions are made. Does not print, exit, or touch a disk. What the words mean is said by
 * command_line.ts.
 * @module
 */
import { formatMessage, type Message, message, negatableFlag, option, parse } from "@optique/core";
import { argument, multiple, object, optional, type OptionErrorOptions, string, type ValueParser } from "@optique/core";
import { UsageError } from "../base/errors.ts";
import type { Given } from "../config/given.ts";
import { showPath } from "../core/path.ts";
import { normalizeTokens } from "./tokens.ts";

/** How much is logged: 0 warnings, 1 what changes, 2 each decision, 3 everything. */
export type DebugLevel = 0 | 1 | 2 | 3;

/** What a command line says, word by word. */
export interface Flags {
  readonly given: Given;
  /** What is no option: roots, or the name of a configuration. */
  readonly operands: readonly string[];
  /** From `--config`. */
  readonly config: string | null;
  readonly checksum: boolean;
  readonly help: boolean;
  readonly version: boolean;
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

/** The forms of `--log-format`. */
const FORMAT: ValueParser<"sync", "text" | "json"> = {
  mode: "sync",
  metavar: "FORMAT",
  placeholder: "text",
  parse(input) {
    if (input === "text" || input === "json") return { success: true, value: input };
    const words = `Cannot use "${showPath(input)}" as log format: it must be text or json`;
    return { success: false, error: [{ type: "text", text: words }] };
  },
  format: (format) => format,
};

/** The hours of `--full-sync`. */
const HOURS: ValueParser<"sync", readonly number[]> = {
  mode: "sync",
  metavar: "HOURS",
  placeholder: [],
  parse(input) {
    const hours = input.split(",").map((hour) => /^\d{1,2}$/.test(hour) ? Number(hour) : 24);
    if (hours.every((hour) => hour < 24)) return { success: true, value: hours };
    const words = `Cannot use "${showPath(input)}" as hours: write numbers from 0 to 23, such as 1,13`;
    return { success: false, error: [{ type: "text", text: words }] };
  },
  format: (hours) => hours.join(","),
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
    translate: multiple(option("-T", "--translate", string({ metavar: "A:B" }), {
      errors: sayings("--translate", "A:B"),
      description: message`A part of a path that is named A on the left is named B on the right, and back. Patterns \
and messages have the left's names. May be repeated.`,
    })),
  }),
  how: object("How to run", {
    config: optional(option("--config", string({ metavar: "FILE" }), {
      errors: sayings("--config", "FILE"),
      description: message`Take what is not said here from this file (TOML; its keys are the long options).`,
    })),
    dryRun: toggle(
      "-n",
      "--dry-run",
      message`Print what the first sync would do, one line a path, and change nothing.`,
    ),
    syncOnly: toggle("-s", "--sync-only", message`Sync once, then end.`),
    skipInitialSync: toggle(
      "-k",
      "--skip-initial-sync",
      message`Leave what differs now as it is, listed, until one side changes it.`,
    ),
    extra: multiple(option("-x", "--extra", string({ metavar: "OPTION" }), {
      errors: sayings("--extra", "OPTION"),
      description: message`An option for every rsync, such as --bwlimit=2M or --compress; only what changes how bytes \
travel is taken, and -L: a link on the left to a regular file is that file on the right. May be repeated.`,
    })),
    banned: multiple(option("-b", "--banned", string({ metavar: "PROGRAM" }), {
      errors: sayings("--banned", "PROGRAM"),
      description: message`Do not run while a command whose name holds this runs on either host: looked for at the \
start and every 5 s, and psync ends with 6. May be repeated.`,
    })),
    fullSync: optional(option("--full-sync", HOURS, {
      errors: sayings("--full-sync", "HOURS"),
      description: message`Compare everything at these hours of the day, such as 1,13, and repair what differs.`,
    })),
    force: toggle(
      "-f",
      "--force",
      message`Release the removals that an earlier run held back, and remove folders in which the other \
side has something unknown (it goes to the trash).`,
    ),
  }),
  only: object("Of single commands", {
    checksum: flag("-c", "--checksum", message`check, runcheck: compare contents as well, by their SHA-256.`),
  }),
  talk: object("What to say", {
    debug: optional(option("-d", "--debug", LEVEL, {
      errors: sayings("--debug", "LEVEL"),
      description: message`Log to stderr: 0 warnings, 1 changes of state, 2 decisions (also -d alone), 3 everything.`,
    })),
    logFile: optional(option("--log-file", string({ metavar: "FILE" }), {
      errors: sayings("--log-file", "FILE"),
      description: message`Log to this file instead of stderr, with what is told; a file above 16 MB is put aside.`,
    })),
    logFormat: optional(option("--log-format", FORMAT, {
      errors: sayings("--log-format", "FORMAT"),
      description: message`Log as text or as json, one object a line.`,
    })),
    help: flag("-h", "--help", message`Show this and end.`),
    version: option("--version", { errors: sayings("--version", ""), description: message`Show the version and end.` }),
  }),
}, { errors: { suggestions: nearMiss } });

/**
 * Reads the words of a command line, those behind a command's name.
 * @throws {UsageError} in one line that names what is wrong and says what to do.
 */
export function parseFlags(args: readonly string[]): Flags {
  const result = parse(PARSER, normalizeTokens(args));
  if (!result.success) throw new UsageError(oneSentence(result.error));
  const { what, how, only, talk } = result.value;
  const given = {
    left: what.srcroot,
    right: what.dstroot,
    "remote-host": what.remoteHost,
    ssh: what.ssh,
    excludes: listed(what.excludes),
    "rsync-excludes": listed(what.rsyncExcludes),
    tempfiles: listed(what.tempfiles),
    translate: listed(what.translate),
    extra: listed(how.extra),
    banned: listed(how.banned),
    "full-sync": how.fullSync,
    "dry-run": how.dryRun,
    "sync-only": how.syncOnly,
    "skip-initial-sync": how.skipInitialSync,
    force: how.force,
    "log-file": talk.logFile,
    "log-format": talk.logFormat,
    debug: talk.debug,
  };
  return {
    given: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Given,
    operands: what.roots,
    config: how.config ?? null,
    checksum: only.checksum,
    help: talk.help,
    version: talk.version,
  };
}

function listed(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values;
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

/** A switch that a file may set, and that can be unset: left out it is undefined. */
function toggle(short: `-${string}`, long: `--${string}`, description: Message) {
  const line = (text: string): Message => [{ type: "text", text }];
  const negative = `--no-${long.slice(2)}` as const;
  return optional(negatableFlag({ positive: [short, long], negative: [negative] }, {
    description,
    errors: {
      duplicate: line(`Cannot use "${long}" twice: keep one of the two`),
      conflict: line(`Cannot use both "${long}" and "${negative}": keep one of the two`),
      unexpectedValue: (name, value) => line(`Cannot give "${name}" the value "${showPath(value)}": write it alone`),
    },
  }));
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
