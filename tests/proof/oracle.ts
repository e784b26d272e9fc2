/**
 * The oracle of the two users: from what they logged and what is left, says what went wrong.
 *
 * Pure. A token that was written and that no user retired must still be found: in a tree, or in
 * what psync keeps in either `.psync`. Called by two_users.ts when both trees are at rest.
 * @module
 */
import type { Thing } from "./survey.ts";

/** What one user's log says. */
export interface UserLog {
  readonly operations: number;
  readonly written: readonly string[];
  readonly retired: ReadonlySet<string>;
  /** Lines that say that the user himself met a torn file. */
  readonly torn: readonly string[];
}

/** Reads the log of a user; its form is told in user.h. */
export function readLog(text: string): UserLog {
  const lines = text.split("\n").filter(Boolean);
  const words = (sign: string) =>
    lines.flatMap((line) => line.split(" ").filter((word) => word.startsWith(sign) && isToken(word.slice(1))))
      .map((word) => word.slice(1));
  return {
    operations: lines.length,
    written: words("+"),
    retired: new Set(words("-")),
    torn: lines.filter((line) => line.includes(" !torn ")),
  };
}

function isToken(word: string): boolean {
  return /^[LR][0-9a-f]{11}$/.test(word);
}

/** What the oracle looks at. */
export interface Evidence {
  readonly logs: readonly UserLog[];
  /** Both trees, and what lies below both `.psync`. */
  readonly live: readonly Thing[];
  readonly kept: readonly Thing[];
}

/** Names that users give; anything else in a tree is psync's. Components as survey.c prints them. */
const FOREIGN = /(^|\/)(\.psync(\/|$)|[^/]*\.psync\.|\.~tmp~|\.[^/]*\.[A-Za-z0-9]{6}$(?<!\.f\.Xa8Kd2))/;

/** Where the trash keeps what was removed, not what lost a conflict. */
const REMOVED = /^\.psync\/trash\/[^/]*\.removed\//;

/** What is wrong, one line each; empty when all is well. */
export function accuse({ logs, live, kept }: Evidence): readonly string[] {
  const retired = new Set(logs.flatMap((log) => [...log.retired]));
  const written = logs.flatMap((log) => log.written);
  const known = new Set(written);
  const found = new Set([...live, ...kept].flatMap(({ tokens }) => tokens));
  // What was removed is purged one day: only what a user removed may lie there and nowhere else.
  const safe = new Set([...live, ...kept.filter(({ path }) => !REMOVED.test(path))].flatMap(({ tokens }) => tokens));
  const owed = written.filter((token) => !retired.has(token));
  return [
    ...owed.filter((token) => !found.has(token)).map((token) => `lost: ${token}`),
    ...owed.filter((token) => found.has(token) && !safe.has(token)).map((token) => `removed by nobody: ${token}`),
    ...[...found].filter((token) => !known.has(token)).map((token) => `unknown: ${token}`),
    ...live.filter(({ isTorn }) => isTorn).map(({ path }) => `torn: ${path}`),
    ...logs.flatMap((log) => log.torn).map((line) => `torn under a user's eyes: ${line}`),
    ...live.filter(({ kind }) => kind === "?").map(({ path }) => `no user made this: ${path}`),
    ...live.filter(({ path }) => FOREIGN.test(path)).map(({ path }) => `psync's own, outside .psync: ${path}`),
  ];
}
