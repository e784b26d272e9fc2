/**
 * The entries of the journal: what was done, to which path, in which direction, for what cause, with
 * which result. One line of JSON each.
 *
 * Pure. Written by chronicle.ts into archive/journal_file.ts, read by cli/journal.ts. Never holds content
 * of files. The keys are short, as there are many lines; names that are no text keep their lone surrogates
 * as escapes.
 * @module
 */
import type { RelPath } from "../core/path.ts";
import { parseRelPath } from "../core/path.ts";
import type { Problem, Side } from "../core/problem.ts";
import type { Conflict, Did, Hold, Notice } from "./report.ts";

/** What an entry tells. */
export type JournalEvent =
  | { readonly what: "did"; readonly did: Did }
  | { readonly what: "conflict"; readonly conflict: Conflict }
  | { readonly what: "held"; readonly hold: Omit<Hold, "sample"> }
  | { readonly what: "problem"; readonly problem: Problem }
  | { readonly what: "fine"; readonly path: RelPath }
  | { readonly what: "notice"; readonly notice: Notice }
  | { readonly what: "first-sync"; readonly changes: number; readonly ms: number }
  | { readonly what: "link-lost" | "halted"; readonly why: string }
  | { readonly what: "link-back"; readonly downMs: number }
  | { readonly what: "started" | "connected" | "healed" | "ended" }
  /** So many entries could not be written. */
  | { readonly what: "lost"; readonly count: number };

/** An event with its time, ms since 1970. */
export type JournalEntry = JournalEvent & { readonly atMs: number };

/** The line of an entry, without its line break. */
export function printEntry(event: JournalEvent, atMs: number): string {
  if (event.what === "did") return printDid(event.did, atMs);
  return JSON.stringify({ t: atMs, ...event });
}

/** WHY by hand: it is on the way of each change, and all but the names is known to need no escapes. */
function printDid({ side, deed, path, from, kind, bytes, cause }: Did, atMs: number): string {
  return `{"t":${atMs},"what":"did","d":"${deed}","s":"${side}","p":${JSON.stringify(path)},"f":${
    from === null ? "null" : JSON.stringify(from)
  },"k":"${kind}","b":${bytes},"c":"${cause.how}","o":"${cause.side}"}`;
}

/** Reads a line; null where it is none of ours, or was torn by a crash. */
export function parseEntry(line: string): JournalEntry | null {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) && typeof value["t"] === "number" ? entryOf(value, value["t"]) : null;
  } catch {
    return null;
  }
}

/** The paths that an entry is about; none: it is about the pair. */
export function pathsOf(entry: JournalEvent): readonly RelPath[] {
  switch (entry.what) {
    case "did":
      return entry.did.from === null ? [entry.did.path] : [entry.did.from, entry.did.path];
    case "conflict":
      return [entry.conflict.path];
    case "problem":
      return [entry.problem.path];
    case "fine":
      return [entry.path];
    case "notice":
      if (entry.notice.kind === "renamed-apart") return [entry.notice.path, entry.notice.left, entry.notice.right];
      if (entry.notice.kind === "rename-undone") return [entry.notice.path, entry.notice.undone, entry.notice.into];
      return "path" in entry.notice ? [entry.notice.path] : [];
    default:
      return [];
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entryOf(line: Fields, atMs: number): JournalEntry | null {
  switch (line["what"]) {
    case "did":
      return { atMs, what: "did", did: didOf(line) };
    case "conflict": {
      const { path, loser, kept, why } = fieldsOf(line["conflict"]);
      const conflict = { path: pathOf(path), loser: sideOf(loser), kept: kept === null ? null : textOf(kept) };
      return { atMs, what: "conflict", conflict: { ...conflict, why: textOf(why) as Conflict["why"] } };
    }
    case "held": {
      const { id, side, count } = fieldsOf(line["hold"]);
      return { atMs, what: "held", hold: { id: numberOf(id), side: sideOf(side), count: numberOf(count) } };
    }
    case "problem": {
      const { path, side, reason, detail } = fieldsOf(line["problem"]);
      const where = side === null ? null : sideOf(side);
      const why = { reason: textOf(reason) as Problem["reason"], detail: textOf(detail) };
      return { atMs, what: "problem", problem: { path: pathOf(path), side: where, ...why } };
    }
    case "fine":
      return { atMs, what: "fine", path: pathOf(line["path"]) };
    case "notice": {
      const notice = fieldsOf(line["notice"]);
      textOf(notice["kind"]);
      return { atMs, what: "notice", notice: notice as unknown as Notice };
    }
    case "first-sync":
      return { atMs, what: "first-sync", changes: numberOf(line["changes"]), ms: numberOf(line["ms"]) };
    case "link-lost":
    case "halted":
      return { atMs, what: line["what"], why: textOf(line["why"]) };
    case "link-back":
      return { atMs, what: "link-back", downMs: numberOf(line["downMs"]) };
    case "lost":
      return { atMs, what: "lost", count: numberOf(line["count"]) };
    case "started":
    case "connected":
    case "healed":
    case "ended":
      return { atMs, what: line["what"] };
    default:
      return null; // of a later psync
  }
}

function didOf({ d, s, p, f, k, b, c, o }: Fields): Did {
  return {
    deed: wordOf(d, ["created", "changed", "removed", "renamed"]),
    side: sideOf(s),
    path: pathOf(p),
    from: f === null ? null : pathOf(f),
    kind: wordOf(k, ["file", "dir", "link"]),
    bytes: numberOf(b),
    cause: { how: wordOf(c, ["event", "look"]), side: sideOf(o) },
  };
}

function fieldsOf(value: unknown): Fields {
  return isObject(value) ? value : refuse();
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : refuse();
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : refuse();
}

function pathOf(value: unknown): RelPath {
  return parseRelPath(textOf(value));
}

function sideOf(value: unknown): Side {
  return wordOf(value, ["left", "right"]);
}

function wordOf<const T extends string>(value: unknown, words: readonly T[]): T {
  return words.find((word) => word === value) ?? refuse();
}

function refuse(): never {
  throw new Error("It is no entry");
}
