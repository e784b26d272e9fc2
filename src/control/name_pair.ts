/**
 * Which pair a command is about: named by its two roots, or the only one of this host.
 *
 * Roots on this host are compared as the disk resolves them, so that any way to write them will do.
 * @module
 */
import { join } from "node:path";
import { listPairs, type Pair } from "../archive/pair_store.ts";
import { UsageError } from "../base/errors.ts";
import { parseTargets, type Targets } from "../config/targets.ts";
import { parseRelPath, type RelPath, showPath } from "../core/path.ts";

/** What was written behind a command. */
export interface Named {
  /** LEFT and RIGHT, or paths, or both. */
  readonly operands: readonly string[];
  readonly remoteHost: string | null;
  readonly cwd: string;
}

/** The pair, and what else was written. */
export interface NamedPair {
  readonly pair: Pair;
  /** Below the roots. */
  readonly paths: readonly RelPath[];
}

/**
 * Finds the pair. The first two operands are its roots where they name one, or where another host is
 * named; else all of them are paths in the only pair.
 * @throws {UsageError} that lists the pairs where it is not clear.
 */
export function namePair(stateDir: string, named: Named): NamedPair {
  const { pairs } = listPairs(stateDir);
  const [left, right, ...rest] = named.operands;
  if (left !== undefined && right !== undefined) {
    const targets = targetsOf({ left, right, remoteHost: named.remoteHost });
    const pair = targets === null ? undefined : pairs.find((each) => isPair(each, targets, named.cwd));
    if (pair !== undefined) return { pair, paths: rest.map((path) => relativeTo(pair, path, named.cwd)) };
    if (named.remoteHost !== null || targets?.remoteHost != null) {
      throw new UsageError(`Cannot find a pair of "${showPath(left)}" and "${showPath(right)}"; ${known(pairs)}`);
    }
  } else if (named.remoteHost !== null) {
    throw new UsageError(`Cannot use --remote-host alone: write LEFT and RIGHT as well`);
  }
  const [only, ...others] = pairs;
  if (only === undefined) throw new UsageError("Cannot find a pair: psync was never started on this host by this user");
  if (others.length > 0) throw new UsageError(`Cannot tell which pair is meant: name LEFT and RIGHT; ${known(pairs)}`);
  return { pair: only, paths: named.operands.map((path) => relativeTo(only, path, named.cwd)) };
}

/** The pair of two roots as they were written; null: psync never synced them. */
export function findTargets(stateDir: string, targets: Targets, cwd: string): Pair | null {
  return listPairs(stateDir).pairs.find((each) => isPair(each, targets, cwd)) ?? null;
}

/** A pair as a command line names it. */
export function pairText({ leftRoot, rightHost, rightRoot }: Pair): string {
  return `${showPath(leftRoot)} ${rightHost === null ? "" : `${showPath(rightHost)}:`}${showPath(rightRoot)}`;
}

function known(pairs: readonly Pair[]): string {
  return pairs.length === 0 ? "there is none" : `there are: ${pairs.map(pairText).join("; ")}`;
}

/** The operands as roots; null where they cannot be. */
function targetsOf(
  operands: { readonly left: string; readonly right: string; readonly remoteHost: string | null },
): Targets | null {
  try {
    return parseTargets(operands);
  } catch (error) {
    if (operands.remoteHost === null && error instanceof UsageError) return null;
    throw error;
  }
}

function isPair(pair: Pair, targets: Targets, cwd: string): boolean {
  const { leftRoot, rightHost, rightRoot } = pair;
  if (leftRoot !== resolved(targets.left, cwd) || rightHost !== targets.remoteHost) return false;
  if (rightHost === null) return rightRoot === resolved(targets.right, cwd);
  // A relative one lies below the login directory, which only the other host knows.
  return targets.right.startsWith("/") ? rightRoot === targets.right : rightRoot.endsWith(`/${targets.right}`);
}

/** The canonical path of a root on this host; as it is written where it is not there, or is no text. */
function resolved(root: string, cwd: string): string {
  const absolute = root.startsWith("/") ? root : join(cwd, root);
  try {
    return Deno.realPathSync(absolute);
  } catch {
    return absolute.replace(/\/+$/, "") || "/";
  }
}

/**
 * A path below the roots, from one as it was written: below a root, or absolute in one of them.
 * @throws {UsageError} for everything else.
 */
function relativeTo(pair: Pair, path: string, cwd: string): RelPath {
  const roots = pair.rightHost === null ? [pair.leftRoot, pair.rightRoot] : [pair.leftRoot];
  const isPlaced = path.startsWith("/") || /^\.\.?(\/|$)/.test(path);
  const whole = !isPlaced ? null : path.startsWith("/") ? join(path) : join(cwd, path);
  const root = whole === null ? "" : roots.find((each) => `${whole}/`.startsWith(each === "/" ? "/" : `${each}/`));
  if (root === undefined) {
    throw new UsageError(`Cannot use "${showPath(path)}": it lies in none of the roots; write it from a root on`);
  }
  const below = whole === null ? join(path) : whole.slice(root.length);
  try {
    return parseRelPath(below.replace(/^\/+|\/+$/g, "").replace(/^\.$/, ""));
  } catch (cause) {
    throw new UsageError(`Cannot use "${showPath(path)}" as a path below the roots`, { cause });
  }
}
