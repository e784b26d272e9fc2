/**
 * `-T A:B`: a part of a path that is named A on the left is named B on the right, and back.
 *
 * Pure. The names are exchanged, so that no two paths ever become one: what is named A on the right, or
 * B on the left, would meet another path and is not synchronised (`isTaken`). Everything but the right
 * replica itself has the left's names. Used by endpoint/translated.ts and ignore.ts.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { OWN_DIR } from "./own.ts";
import { ancestorsOf, nameOf, parseName, type RelPath, showPath } from "./path.ts";

/** A name on the left, and what it is on the right. */
export interface NamePair {
  readonly left: string;
  readonly right: string;
}

/** How paths of one side are turned into those of the other: the same both ways. */
export interface Translation {
  translate(path: RelPath): RelPath;
  /** Whether a path, in the left's names, would meet another one. */
  isTaken(path: RelPath): boolean;
  /** Whether one of the directories above it would. */
  isBelowTaken(path: RelPath): boolean;
}

/**
 * Reads the values of `-T`.
 * @throws {UsageError} for what are no two names, and for a name that is there twice.
 */
export function parseTranslations(values: readonly string[]): NamePair[] {
  const seen = new Set<string>();
  return values.map((value) => {
    const [left, right, ...more] = value.split(":");
    const isName = (name: string | undefined) => name !== undefined && canBeName(name);
    if (!isName(left) || !isName(right) || more.length > 0) {
      throw new UsageError(
        `Cannot use "${showPath(value)}" as translation: write LEFTNAME:RIGHTNAME, two parts of paths`,
      );
    }
    for (const name of [left!, right!]) {
      if (seen.has(name)) throw new UsageError(`Cannot translate "${showPath(name)}" twice`);
      seen.add(name);
    }
    return { left: left!, right: right! };
  });
}

function canBeName(text: string): boolean {
  try {
    return parseName(text) !== OWN_DIR;
  } catch {
    return false;
  }
}

/** Compiles name pairs; all of their names are distinct. */
export function compileTranslation(pairs: readonly NamePair[]): Translation {
  const other = new Map(pairs.flatMap(({ left, right }) => [[left, right], [right, left]]));
  const taken = new Set(pairs.map(({ right }) => right));
  const isTaken = (path: RelPath) => path !== "" && taken.has(nameOf(path));
  return {
    // A name for a name: what comes out is a path again.
    translate: (path) => path.split("/").map((name) => other.get(name) ?? name).join("/") as RelPath,
    isTaken,
    isBelowTaken: (path) => ancestorsOf(path).some((dir) => isTaken(dir)),
  };
}
