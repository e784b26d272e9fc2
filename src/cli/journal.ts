/**
 * `psync log`: shows the journal of a pair, whether psync runs on it or not.
 *
 * Reads only. Called by ask.ts.
 * @module
 */
import { type JournalEntry, parseEntry, pathsOf } from "../brain/journal_entry.ts";
import { isBelow, type RelPath } from "../core/path.ts";
import { journalLine } from "./journal_text.ts";

/** How much is written at once. */
const PIECE_LINES = 500;

/** What the journal is shown with. */
export interface JournalWorld {
  /** Lines in batches; an empty one says that all which is there has been read. */
  readonly lines: AsyncIterable<readonly string[]>;
  /** Resolves when the text was written. */
  out(text: string): Promise<void>;
}

/** What is asked for. */
export interface JournalQuery {
  /** Entries about these, and what lies below; none: all entries. */
  readonly paths: readonly RelPath[];
  /** So many of the newest entries to begin with; null: all. */
  readonly last: number | null;
}

/** Shows the journal until it ends; tells whether there was anything. */
export async function showJournal({ lines, out }: JournalWorld, { paths, last }: JournalQuery): Promise<boolean> {
  // Before all is read, only the newest entries are kept where only those are asked for.
  let newest: JournalEntry[] | null = last === null ? null : [];
  let isAny = false;
  for await (const batch of lines) {
    if (batch.length === 0 && newest !== null) {
      await print(newest.slice(Math.max(0, newest.length - last!)), out);
      newest = null;
    }
    const entries = batch.map(parseEntry).filter((entry) => entry !== null && isAbout(entry, paths)) as JournalEntry[];
    isAny ||= entries.length > 0;
    if (newest === null) await print(entries, out);
    else if (newest.push(...entries) > 2 * last! + batch.length) newest = newest.slice(newest.length - last!);
  }
  if (newest !== null) await print(newest.slice(Math.max(0, newest.length - last!)), out);
  return isAny;
}

function isAbout(entry: JournalEntry, paths: readonly RelPath[]): boolean {
  if (paths.length === 0) return true;
  return pathsOf(entry).some((path) => paths.some((at) => at === "" || path === at || isBelow(path, at)));
}

async function print(entries: readonly JournalEntry[], out: JournalWorld["out"]): Promise<void> {
  for (let from = 0; from < entries.length; from += PIECE_LINES) {
    await out(entries.slice(from, from + PIECE_LINES).map(journalLine).join("\n"));
  }
}
