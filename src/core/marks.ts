/**
 * The marks in `.psync/` of each root, as text: `pair` says to which pair the root belongs, `lock` which
 * psync works on it now, with the term that fences off an older one, `age` how old the pair's archive is.
 *
 * Pure. psync-native compares the marks as bytes before each batch and reads only the line
 * `pid N` of the lock (native/format.h).
 * @module
 */

/** 32 lower-case hex digits. */
export type PairId = string;

/** Who works on a root. */
export interface Lock {
  /** The process on the root's own host. */
  readonly processId: number;
  readonly processStart: string;
  /** Counts up with every psync that took the pair. */
  readonly term: number;
  /** The brain: on which host, in which boot, which process. */
  readonly brainHost: string;
  readonly brainBoot: string;
  readonly brainPid: number;
  readonly brainStart: string;
}

/** The text of `.psync/pair`. */
export function printPair(id: PairId): string {
  return `psync pair 1\nid ${id}\n`;
}

/** The id in a `.psync/pair`, or null where it is no such text. */
export function parsePair(text: string): PairId | null {
  return /^psync pair 1\nid ([0-9a-f]{32})\n$/.exec(text)?.[1] ?? null;
}

/** The text of `.psync/age`: of which pair, and how old its archive is. */
export function printAge(pair: PairId, age: number): string {
  return `psync age 1\nid ${pair}\nage ${age}\n`;
}

/** What stands in a `.psync/age`, or null where it is no such text. */
export function parseAge(text: string): { readonly pair: PairId; readonly age: number } | null {
  const match = /^psync age 1\nid ([0-9a-f]{32})\nage ([0-9]{1,15})\n$/.exec(text);
  return match === null ? null : { pair: match[1]!, age: Number(match[2]) };
}

/** The text of `.psync/lock`. */
export function printLock(lock: Lock): string {
  return [
    "psync lock 1",
    `pid ${lock.processId}`,
    `start ${lock.processStart}`,
    `term ${lock.term}`,
    `brain-host ${lock.brainHost.replace(/\s/g, "_")}`,
    `brain-boot ${lock.brainBoot}`,
    `brain-pid ${lock.brainPid}`,
    `brain-start ${lock.brainStart}`,
    "",
  ].join("\n");
}

/** The lock in a text, or null where it is none: it then counts as dead. */
export function parseLock(text: string): Lock | null {
  const lines = new Map(text.split("\n").map((line) => [line.split(" ", 1)[0]!, line.slice(line.indexOf(" ") + 1)]));
  const number = (key: string) => Number.parseInt(lines.get(key) ?? "", 10);
  const lock: Lock = {
    processId: number("pid"),
    processStart: lines.get("start") ?? "",
    term: number("term"),
    brainHost: lines.get("brain-host") ?? "",
    brainBoot: lines.get("brain-boot") ?? "",
    brainPid: number("brain-pid"),
    brainStart: lines.get("brain-start") ?? "",
  };
  const isWhole = text.startsWith("psync lock 1\n") && Number.isSafeInteger(lock.term) &&
    Number.isSafeInteger(lock.processId) && Number.isSafeInteger(lock.brainPid);
  return isWhole ? lock : null;
}
