/**
 * The command lines of `psync status`, `log`, `flush`, `pause`, `resume` and `reset`: what may be written, and
 * what it means.
 *
 * Does not print, exit, or touch a disk. Which operands are roots is found out later, where the pairs
 * of this host are known (control/name_pair.ts). Called by run.ts.
 * @module
 */
import { argument, message, multiple, object, option, optional, parse, string } from "@optique/core";
import { UsageError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";
import { type DebugLevel, flag, LEVEL, nearMiss, oneSentence, sayings } from "./options.ts";
import { normalizeTokens } from "./tokens.ts";

/** Words that begin such a command; a folder of that name is written `./status`. */
export const ASK_WORDS = ["status", "log", "flush", "pause", "resume", "reset"] as const;
type AskWord = typeof ASK_WORDS[number];

/** From which lag on a monitor is to warn, and to cry, ms. */
export interface MaxLag {
  readonly warnMs: number;
  readonly critMs: number;
}

/** What is to be done. */
export type AskTask =
  | { readonly kind: "help" }
  | { readonly kind: "status"; readonly form: "text" | "json" | "watch" }
  | { readonly kind: "monitor"; readonly maxLag: MaxLag }
  /** `timeoutMs` null: as long as it takes. */
  | { readonly kind: "flush"; readonly timeoutMs: number | null }
  /** `last`: so many of the newest entries to begin with; null: all. */
  | { readonly kind: "log"; readonly follow: boolean; readonly last: number | null }
  | { readonly kind: "pause" | "resume" | "reset" };

/** A command about the psync that runs on a pair. */
export interface AskCommand {
  readonly task: AskTask;
  /** LEFT and RIGHT, or paths, or both; not told apart yet. */
  readonly operands: readonly string[];
  readonly remoteHost: string | null;
  /** Do not ask. */
  readonly yes: boolean;
  readonly debugLevel: DebugLevel;
}

/** The parser of these commands. */
export const ASK_PARSER = object({
  what: object("Which pair", {
    operands: multiple(argument(string({ metavar: "OPERAND" }), { hidden: true })),
    remoteHost: optional(option("-r", "--remote-host", string({ metavar: "HOST" }), {
      errors: sayings("--remote-host", "HOST"),
      description: message`RIGHT is on this host.`,
    })),
  }),
  how: object("How", {
    json: flag("-j", "--json", message`status: print one JSON object; docs/status.md describes it.`),
    watch: flag("-w", "--watch", message`status: show it again every second, until Ctrl-C.`),
    maxLag: optional(option("--max-lag", string({ metavar: "WARN[:CRIT]" }), {
      errors: sayings("--max-lag", "WARN[:CRIT]"),
      description:
        message`status: one line and the exit code of a monitoring plugin, by the lag in seconds: 0 fine, 1 warning, 2 critical, 3 unknown.`,
    })),
    follow: flag("-f", "--follow", message`log: show the newest entries, then each new one, until Ctrl-C.`),
    lines: optional(option("-n", "--lines", string({ metavar: "COUNT" }), {
      errors: sayings("--lines", "COUNT"),
      description: message`log: only so many of the newest entries; 10 with --follow.`,
    })),
    timeout: optional(option("--timeout", string({ metavar: "SECONDS" }), {
      errors: sayings("--timeout", "SECONDS"),
      description: message`flush: give up after this time, with exit code 124.`,
    })),
    yes: flag("-y", "--yes", message`reset: do it without asking. Needed where there is no terminal to ask on.`),
    debug: optional(option("-d", "--debug", LEVEL, {
      errors: sayings("--debug", "LEVEL"),
      description: message`Log to stderr, from 0 to 3.`,
    })),
    help: flag("-h", "--help", message`Show this and end.`),
  }),
}, { errors: { suggestions: nearMiss } });

/**
 * Reads a command line whose first word is one of `ASK_WORDS`.
 * @throws {UsageError} in one line that names what is wrong and says what to do.
 */
export function parseAsk(args: readonly string[]): AskCommand {
  const [first, ...more] = args;
  const word = ASK_WORDS.find((each) => each === first);
  if (word === undefined) throw new Error(`Cannot parse ${first}: it begins another command`);
  const result = parse(ASK_PARSER, normalizeTokens(more));
  if (!result.success) throw new UsageError(oneSentence(result.error));
  const { what, how } = result.value;
  const common = { remoteHost: what.remoteHost ?? null, yes: how.yes, debugLevel: how.debug ?? 0 as const };
  if (how.help) return { ...common, task: { kind: "help" }, operands: [] };
  refuseForeign(word, how);
  return { ...common, task: taskOf(word, how), operands: what.operands };
}

interface How {
  readonly json: boolean;
  readonly watch: boolean;
  readonly maxLag?: string | undefined;
  readonly follow: boolean;
  readonly lines?: string | undefined;
  readonly timeout?: string | undefined;
  readonly yes: boolean;
}

/** Which command takes which option. */
const OWNER: Readonly<Record<keyof How, { readonly option: string; readonly word: AskWord }>> = {
  json: { option: "--json", word: "status" },
  watch: { option: "--watch", word: "status" },
  maxLag: { option: "--max-lag", word: "status" },
  follow: { option: "--follow", word: "log" },
  lines: { option: "--lines", word: "log" },
  timeout: { option: "--timeout", word: "flush" },
  yes: { option: "--yes", word: "reset" },
};

function refuseForeign(word: AskWord, how: How): void {
  for (const key of Object.keys(OWNER) as (keyof How)[]) {
    const isGiven = how[key] !== undefined && how[key] !== false;
    if (isGiven && OWNER[key].word !== word) {
      throw new UsageError(`Cannot use "${OWNER[key].option}" with ${word}: it belongs to ${OWNER[key].word}`);
    }
  }
}

function taskOf(word: AskWord, how: How): AskTask {
  if (word === "flush") {
    return { kind: "flush", timeoutMs: how.timeout === undefined ? null : parseTimeout(how.timeout) };
  }
  if (word === "log") return { kind: "log", follow: how.follow, last: lastOf(how) };
  if (word !== "status") return { kind: word };
  const forms = [how.json, how.watch, how.maxLag !== undefined].filter(Boolean);
  if (forms.length > 1) {
    throw new UsageError(`Cannot show the status in two forms: write one of --json, --watch, --max-lag`);
  }
  if (how.maxLag !== undefined) return { kind: "monitor", maxLag: parseMaxLag(how.maxLag) };
  return { kind: "status", form: how.json ? "json" : how.watch ? "watch" : "text" };
}

/** With --follow so many entries come first. */
const FOLLOW_LINES = 10;

function lastOf({ lines, follow }: How): number | null {
  if (lines === undefined) return follow ? FOLLOW_LINES : null;
  if (/^\d{1,9}$/.test(lines)) return Number(lines);
  throw new UsageError(`Cannot use "${showPath(lines)}" as --lines: write a number, such as 50`);
}

const SECONDS = /^\d{1,9}(\.\d{1,3})?$/;

function parseTimeout(text: string): number {
  if (!SECONDS.test(text)) {
    throw new UsageError(`Cannot use "${showPath(text)}" as --timeout: write seconds, such as 30 or 0.5`);
  }
  return Number(text) * 1_000;
}

function parseMaxLag(text: string): MaxLag {
  const [warn, crit, ...rest] = text.split(":");
  const parts = [warn, ...(crit === undefined ? [] : [crit])];
  if (rest.length > 0 || !parts.every((part) => SECONDS.test(part!))) {
    throw new UsageError(`Cannot use "${showPath(text)}" as --max-lag: write seconds, such as 60 or 60:300`);
  }
  const [warnMs, critMs] = [Number(warn) * 1_000, crit === undefined ? Infinity : Number(crit) * 1_000];
  if (critMs < warnMs) {
    throw new UsageError(`Cannot use "${showPath(text)}" as --max-lag: the second number must not be smaller`);
  }
  return { warnMs, critMs };
}
