/**
 * Which paths psync leaves alone: what the user excluded, scratch of applications, and psync's own
 * files (I10).
 *
 * Pure; does not touch the tree and knows nothing of what is there. An ignored path is never looked
 * at, watched, listed, reported or removed, and is never taken for absent (I6). Both replicas compile
 * the same rules; an asymmetric list would make one side's silence look like a removal.
 * Used by replica (before it descends), by brain (what an archive row may no longer speak of).
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { OWN_DIR } from "./own.ts";
import { ancestorsOf, type RelPath } from "./path.ts";
import { compileRsyncRules } from "./rsync_pattern.ts";
import { compileTranslation, type NamePair } from "./translation.ts";

export { OWN_DIR } from "./own.ts";

/** A name that holds this is never synchronised. */
export const IGNORE_MARK = ".psync.ignore";

/** What the user chose to leave alone. */
export interface PathRules {
  /** Regular expressions, flag `i`, unanchored, against `/` + path. */
  readonly excludes: readonly string[];
  /** The same for scratch of applications: not sent, until it is renamed to a name that is none. */
  readonly tempfiles: readonly string[];
  /** Patterns in rsync's syntax, in their order (rsync_pattern.ts). */
  readonly rsyncExcludes: readonly string[];
  /** On the right: its names, since patterns are for the left's; on the left none. */
  readonly names: readonly NamePair[];
}

/** Nothing but what is psync's own is left alone. */
export const NO_RULES: PathRules = { excludes: [], tempfiles: [], rsyncExcludes: [], names: [] };

/** The tempfiles where the user names none: whole names that only scratch has. */
export const DEFAULT_TEMPFILES: readonly string[] = [
  String.raw`/~\$[^/]*$`, // office locks and owner files
  String.raw`/\.~lock\.[^/]*#$`,
  String.raw`/\.#[^/]*$`, // emacs
  String.raw`/\.[^/]*\.sw[a-z]$`, // vim's swap files
  "/4913$", // vim's test whether it may write
  String.raw`/[^/]+\.part$`, // downloads
  String.raw`/[^/]+\.crdownload$`,
  String.raw`/\.nfs[0-9a-f]+$`, // what is removed while it is open
  String.raw`/\.fuse_hidden[0-9a-f]+$`,
];

/** What is left alone. The root itself is never ignored. */
export interface Ignore {
  /**
   * Whether `path` matches; asked top-down, so that no directory above `path` is ignored. `isDir`
   * null: not known yet; only what is ignored in any case is then.
   */
  isIgnored(path: RelPath, isDir: boolean | null): boolean;
  /** Whether `path` or a directory above it matches; for paths that come from nowhere, such as an event's. */
  isIgnoredDeep(path: RelPath, isDir: boolean | null): boolean;
  /** Whether a path may be ignored under one directory and not under another: a rename then changes more than names. */
  readonly dependsOnPlace: boolean;
}

/**
 * Compiles the rules. A directory is tested without a trailing slash.
 *
 * WHY: flag `i` without `u`, so that patterns written for other tools keep working (`\-`, `\_` and a
 * lone `{` are errors under `u`), and a byte that is no text stays one unit that `.` matches.
 * @throws {UsageError} where a pattern is empty (it would match every path) or does not compile.
 */
export function compileIgnore(rules: PathRules): Ignore {
  const patterns = [
    ...rules.excludes.map((source) => compilePattern(source, "exclude pattern")),
    ...rules.tempfiles.map((source) => compilePattern(source, "pattern of tempfiles")),
  ];
  const isExcluded = compileRsyncRules(rules.rsyncExcludes);
  const isEmpty = patterns.length + rules.rsyncExcludes.length === 0;
  const { translate } = compileTranslation(rules.names);
  const toLeft = rules.names.length === 0 ? (path: RelPath) => path : translate;
  const matches = (path: RelPath, isDir: boolean | null) => matchesAny(patterns, path) || isExcluded(path, isDir);
  const isIgnored = (path: RelPath, isDir: boolean | null) =>
    isOwn(path) || (path !== "" && !isEmpty && matches(toLeft(path), isDir));
  return {
    dependsOnPlace: [...rules.excludes, ...rules.tempfiles].some((source) => !isOfOneName(source)) ||
      rules.rsyncExcludes.some((pattern) => pattern.replace(/^[+-] /, "").replace(/\/$/, "").match(/\/|\*\*/) !== null),
    isIgnored,
    isIgnoredDeep: (path, isDir) =>
      isIgnored(path, isDir) || (!isEmpty && ancestorsOf(path).some((dir) => isIgnored(dir, true))),
  };
}

/** Whether a path is psync's own or marked as not to be synchronised, at any depth (I10). */
export function isOwn(path: RelPath): boolean {
  return path.includes(IGNORE_MARK) || path === OWN_DIR || path.startsWith(`${OWN_DIR}/`);
}

function matchesAny(patterns: readonly RegExp[], path: RelPath): boolean {
  const subject = `/${path}`;
  return patterns.some((pattern) => pattern.test(subject));
}

/** Whether a regular expression can match within one name only, perhaps with the slash before it; no in doubt. */
function isOfOneName(source: string): boolean {
  const plain = source.replaceAll("\\/", "/").replace(/\\[^WSD]/g, "x").replaceAll("[^/]", "x").replace(/^\//, "");
  return !/[\/^.\\]/.test(plain);
}

function compilePattern(source: string, what: string): RegExp {
  if (source === "") throw new UsageError(`Cannot use ${what} "": it would match every path`);
  try {
    return new RegExp(source, "i");
  } catch (cause) {
    throw new UsageError(`Cannot use ${what} ${JSON.stringify(source)}: ${reasonOf(cause)}`, { cause });
  }
}

/** What the engine complains of, without the pattern that it repeats before it. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.slice(text.lastIndexOf(": ") + 2) || text;
}
