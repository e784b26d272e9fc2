/**
 * The words of the journal: one line an entry, for `psync log`.
 *
 * Pure. Names are escaped; an arrow tells the direction: `->` what was done on the right.
 * @module
 */
import { format } from "@std/fmt/bytes";
import type { JournalEntry, JournalEvent } from "../brain/journal_entry.ts";
import type { Cause, Did, Notice } from "../brain/report.ts";
import { showPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { countText, oneLine, spanText } from "./format.ts";
import { CAUSE, noticeLine, reasonText } from "./report_text.ts";

const KIND = { file: "file", dir: "folder", link: "link" } as const;

/** One entry as a line. */
export function journalLine(entry: JournalEntry): string {
  return `${timeText(entry.atMs)}  ${eventText(entry)}`;
}

/** Local time: `2026-01-31 23:59:59.123`. */
function timeText(atMs: number): string {
  const at = new Date(atMs);
  if (Number.isNaN(at.getTime())) return "at no time";
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function eventText(event: JournalEvent): string {
  switch (event.what) {
    case "did":
      return didText(event.did);
    case "conflict": {
      const { path, loser, kept, why } = event.conflict;
      const where = kept === null ? "its removal was undone" : `its version is .psync/trash/${showPath(kept)}`;
      return `${arrow(loser)} conflict ${shown(path)}: ${CAUSE[why] ?? oneLine(why)}; the ${loser} lost, ${where}`;
    }
    case "held":
      return `${arrow(event.hold.side)} held ${countText(event.hold.count, "removal")} (hold ${event.hold.id})`;
    case "problem":
      return `-- not synced ${shown(event.problem.path)}${reasonText(event.problem)}`;
    case "fine":
      return `-- fine again ${shown(event.path)}`;
    case "notice":
      return `-- ${noticeText(event.notice)}`;
    case "first-sync":
      return `-- first sync done: ${countText(event.changes, "change")} in ${spanText(event.ms)}`;
    case "link-lost":
      return `-- link lost: ${oneLine(event.why)}`;
    case "link-back":
      return `-- link back after ${spanText(event.downMs)}`;
    case "halted":
      return `-- halted: ${oneLine(event.why)}`;
    case "lost":
      return `-- ${countText(event.count, "entry", "entries")} could not be written here`;
    case "started":
    case "connected":
    case "healed":
    case "ended":
      return `-- psync ${SESSION[event.what]}`;
  }
}

/** A notice of a later psync has no words here. */
function noticeText(notice: Notice): string {
  try {
    return noticeLine(notice);
  } catch {
    return oneLine(notice.kind);
  }
}

const SESSION = {
  started: "started",
  connected: "has reached both sides",
  healed: "goes on: what halted it is gone",
  ended: "ended",
} as const;

function didText({ side, deed, path, from, kind, bytes, cause }: Did): string {
  const name = from === null ? shown(path) : `${shown(from)} => ${shown(path)}`;
  // WHY not bytesText: it is slow, and a journal has many lines.
  const size = kind === "file" && bytes > 0 ? ` (${format(bytes)})` : "";
  return `${arrow(side)} ${deed} ${KIND[kind]} ${name}${size}; ${causeText(cause)}`;
}

function causeText({ how, side }: Cause): string {
  return how === "event" ? `event on the ${side}` : `look at the ${side}`;
}

function arrow(side: Side): string {
  return side === "right" ? "->" : "<-";
}

function shown(path: string): string {
  return showPath(path) || "the root";
}
