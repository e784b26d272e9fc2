/**
 * The name under which a conflict's loser is put beside the version that stays.
 *
 * Pure. `notes.txt` becomes `notes.psync-conflict-20260131T235959Z-left.txt`; whoever puts it there
 * tries the next number where a name is taken.
 * @module
 */
import { encodeBytes, type Name, NAME_MAX_BYTES, parseName } from "./path.ts";
import type { Side } from "./problem.ts";

/** A longer tail behind the last dot is no extension but a part of the name. */
const EXTENSION_MAX_BYTES = 16;

/** The second in UTC, as names of files tell it. */
export function utcSecond(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");
}

/** A name of at most 255 bytes; `nth` 1 is the first choice. */
export function conflictName(
  name: Name,
  of: { readonly atMs: number; readonly loser: Side; readonly nth: number },
): Name {
  const dot = name.lastIndexOf(".");
  const hasExtension = dot > 0 && bytesIn(name.slice(dot)) <= EXTENSION_MAX_BYTES;
  const extension = hasExtension ? name.slice(dot) : "";
  const stem = hasExtension ? name.slice(0, dot) : name;
  const mark = `.psync-conflict-${utcSecond(of.atMs)}-${of.loser}${of.nth > 1 ? `-${of.nth}` : ""}`;
  return parseName(cutTo(stem, NAME_MAX_BYTES - bytesIn(mark) - bytesIn(extension)) + mark + extension);
}

/** The beginning of a text that takes at most `maxBytes`, cut between characters. */
function cutTo(text: string, maxBytes: number): string {
  let out = "";
  let left = maxBytes;
  for (const character of text) {
    left -= bytesIn(character);
    if (left < 0) break;
    out += character;
  }
  return out;
}

function bytesIn(text: string): number {
  return encodeBytes(text).length;
}
