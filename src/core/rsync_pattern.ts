/**
 * Exclude patterns in rsync's syntax, as rsync itself would decide: the first rule that matches counts.
 *
 * Pure. Paths are compared byte by byte, as rsync does: `?` is one byte, and case matters. Used by
 * ignore.ts, beside the regular expressions.
 * @see rsync(1), "FILTER RULES" and "PATTERN MATCHING RULES"
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { encodeBytes, type RelPath } from "./path.ts";

/** Whether the rules exclude a path; `isDir` null: not known, and only what is excluded in any case is. */
export type RsyncRules = (path: RelPath, isDir: boolean | null) => boolean;

/** One rule: what it is compared with, and how. */
interface Rule {
  readonly isInclude: boolean;
  readonly dirsOnly: boolean;
  /** Compared with the last name alone. */
  readonly nameOnly: boolean;
  /** `**` at the front may also match nothing but the slash before the first name. */
  readonly slashBefore: boolean;
  /** `***` at the end also matches the directory itself, as if its name ended in a slash. */
  readonly slashAfter: boolean;
  readonly pattern: RegExp;
}

/**
 * Compiles the values of `--rsync-excludes`, in their order. A value may begin with `+ ` (a path that is
 * not excluded after all) or `- `; `!` alone drops what came before.
 * @throws {UsageError} for a pattern that is empty.
 */
export function compileRsyncRules(values: readonly string[]): RsyncRules {
  let rules: Rule[] = [];
  for (const value of values) {
    if (value === "!") rules = [];
    else rules.push(compileRule(value));
  }
  if (rules.length === 0) return () => false;
  const decide = (whole: string, isDir: boolean) => {
    const name = whole.slice(whole.lastIndexOf("/") + 1);
    const first = rules.find((rule) => matches(rule, rule.nameOnly ? name : whole, isDir));
    return first !== undefined && !first.isInclude;
  };
  return (path, isDir) => {
    const whole = bytesOf(path);
    return isDir === null ? decide(whole, true) && decide(whole, false) : decide(whole, isDir);
  };
}

function matches(rule: Rule, path: string, isDir: boolean): boolean {
  if (rule.dirsOnly && !isDir) return false;
  const subject = rule.slashBefore ? `/${path}` : path;
  return rule.pattern.test(rule.slashAfter && isDir ? `${subject}/` : subject);
}

function compileRule(value: string): Rule {
  const isPrefixed = /^[+-] /.test(value);
  let pattern = bytesOf(isPrefixed ? value.slice(2) : value);
  if (pattern === "") throw new UsageError(`Cannot use rsync pattern ${JSON.stringify(value)}: it is empty`);
  const dirsOnly = pattern.length > 1 && pattern.endsWith("/");
  if (dirsOnly) pattern = pattern.slice(0, -1);
  const isWild = /[*[?]/.test(pattern);
  const twoStars = pattern.indexOf("**");
  const slashes = pattern.split("/").length - 1;
  const isAnchored = pattern.startsWith("/");
  const body = isWild
    ? wildcards(pattern.slice(isAnchored ? 1 : 0))
    : { source: quote(pattern.slice(isAnchored ? 1 : 0)) };
  const nameOnly = slashes === 0 && twoStars < 0;
  const isWhole = isAnchored || nameOnly || twoStars === 0;
  // A slash in brackets counts where names are counted, and matches none.
  const isHopeless = body === null || (!isWhole && twoStars < 0 && isWild && slashesIn(body.source) !== slashes);
  return {
    isInclude: value.startsWith("+ "),
    dirsOnly,
    nameOnly,
    slashBefore: twoStars === 0,
    slashAfter: pattern.endsWith("***"),
    pattern: isHopeless ? /(?!)/ : new RegExp(`${isWhole ? "^" : "(?:^|/)"}${body.source}$`, "s"),
  };
}

/** The wildcards of a pattern as a regular expression; null: nothing can match (a `[` without its end). */
function wildcards(pattern: string): { readonly source: string } | null {
  let source = "";
  for (let i = 0; i < pattern.length;) {
    const char = pattern[i]!;
    if (char === "*") {
      const stars = /^\*+/.exec(pattern.slice(i))![0].length;
      source += stars > 1 ? "[^]*" : "[^/]*";
      i += stars;
    } else if (char === "?") {
      source += "[^/]";
      i++;
    } else if (char === "[") {
      const set = brackets(pattern, i);
      if (set === null) return null;
      source += set.source;
      i = set.end;
    } else if (char === "\\") {
      if (i + 1 === pattern.length) return null;
      source += quote(pattern[i + 1]!);
      i += 2;
    } else {
      source += quote(char);
      i++;
    }
  }
  return { source };
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "\\x21-\\x7e",
  lower: "a-z",
  print: "\\x20-\\x7e",
  punct: "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e",
  space: "\\t-\\r ",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

/** The set that begins at `start`, never matching a slash; a `]` right at its front is a member. */
function brackets(pattern: string, start: number): { readonly source: string; readonly end: number } | null {
  let i = start + 1;
  const isNegated = pattern[i] === "!" || pattern[i] === "^";
  if (isNegated) i++;
  const members: string[] = [];
  for (let isFirst = true; isFirst || pattern[i] !== "]"; isFirst = false) {
    const named = /^\[:([a-z]*):\]/.exec(pattern.slice(i));
    if (named !== null) {
      const members_ = CLASSES[named[1]!];
      if (members_ === undefined) return null;
      members.push(members_);
      i += named[0].length;
      continue;
    }
    const low = member(pattern, i);
    if (low === null) return null;
    i = low.end;
    const high = pattern[i] === "-" && pattern[i + 1] !== "]" ? member(pattern, i + 1) : null;
    if (high === null) {
      if (pattern[i] === "-" && i + 1 >= pattern.length) return null;
      members.push(hex(low.char));
      continue;
    }
    i = high.end;
    if (low.char <= high.char) members.push(`${hex(low.char)}-${hex(high.char)}`);
  }
  const set = isNegated ? `[^${members.join("")}]` : members.length === 0 ? "(?!)" : `[${members.join("")}]`;
  return { source: `(?![\\x2f])${set}`, end: i + 1 };
}

function member(pattern: string, at: number): { readonly char: string; readonly end: number } | null {
  const end = pattern[at] === "\\" ? at + 1 : at;
  const char = pattern[end];
  return char === undefined ? null : { char, end: end + 1 };
}

function quote(text: string): string {
  return Array.from(text, (char) => /[\w/]/.test(char) ? char : hex(char)).join("");
}

function hex(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** How many slashes a source matches, all of them written as such. */
function slashesIn(source: string): number {
  return source.replaceAll("[^/]", "").split("/").length - 1;
}

// deno-lint-ignore no-control-regex -- what is ASCII is its own bytes
const ASCII = /^[\x00-\x7f]*$/;

/** A text as its bytes, one character each. */
function bytesOf(text: string): string {
  if (ASCII.test(text)) return text;
  return Array.from(encodeBytes(text), (byte) => String.fromCharCode(byte)).join("");
}
