/**
 * Which paths psync leaves alone: the user's exclude patterns and psync's own files (I10).
 *
 * Pure; does not touch the tree and knows nothing of what is there. An ignored path is never looked
 * at, watched, listed, reported or removed, and is never taken for absent (I6). Both replicas compile
 * the same patterns; an asymmetric list would make one side's silence look like a removal.
 * Used by replica (before it descends), by brain (what an archive row may no longer speak of).
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { ancestorsOf, type RelPath } from "./path.ts";

/** psync's own directory in a root. */
export const OWN_DIR = ".psync";

/** A name that holds this is never synchronised. */
export const IGNORE_MARK = ".psync.ignore";

/** What is left alone. The root itself is never ignored. */
export interface Ignore {
  /** Whether `path` matches; asked top-down, so that no directory above `path` is ignored. */
  isIgnored(path: RelPath): boolean;
  /** Whether `path` or a directory above it matches; for paths that come from nowhere, such as an event's. */
  isIgnoredDeep(path: RelPath): boolean;
}

/**
 * Compiles exclude patterns: JavaScript regular expressions, case ignored, unanchored, each tested
 * against `/` + path. A directory is tested without a trailing slash.
 *
 * WHY: flag `i` without `u`, so that patterns written for other tools keep working (`\-`, `\_` and a
 * lone `{` are errors under `u`), and a byte that is no text stays one unit that `.` matches.
 * @throws {UsageError} where a pattern is empty (it would match every path) or does not compile.
 */
export function compileIgnore(excludes: readonly string[]): Ignore {
  const patterns = excludes.map(compilePattern);
  const isIgnored = (path: RelPath) => isOwn(path) || (path !== "" && matchesAny(patterns, path));
  return {
    isIgnored,
    isIgnoredDeep: (path) => isIgnored(path) || (patterns.length > 0 && ancestorsOf(path).some(isIgnored)),
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

function compilePattern(source: string): RegExp {
  if (source === "") throw new UsageError(`Cannot use exclude pattern "": it would match every path`);
  try {
    return new RegExp(source, "i");
  } catch (cause) {
    throw new UsageError(`Cannot use exclude pattern ${JSON.stringify(source)}: ${reasonOf(cause)}`, { cause });
  }
}

/** What the engine complains of, without the pattern that it repeats before it. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.slice(text.lastIndexOf(": ") + 2) || text;
}
