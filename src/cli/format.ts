/**
 * Numbers, spans and lists as people read them, and text that is safe to print.
 *
 * Pure; knows no report and no state (report_text.ts, state_text.ts).
 * @module
 */
import { format } from "@std/fmt/bytes";
import { showPath } from "../core/path.ts";

/** A size such as `1.2 MB`; powers of 1000. */
export function bytesText(bytes: number): string {
  return format(bytes, { maximumFractionDigits: 1, locale: "en" });
}

/** A number with its noun: `1 file`, `1,203 files`. */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A span such as `0.4 s`, `12 s`, `3 min 20 s`, `5 h 12 min`, `3 d 4 h`. */
export function spanText(ms: number): string {
  const two = (unitMs: number, big: string, smallMs: number, small: string) => {
    const rest = Math.floor((ms % unitMs) / smallMs);
    return `${Math.floor(ms / unitMs)} ${big}${rest === 0 ? "" : ` ${rest} ${small}`}`;
  };
  if (ms < 10 * SECOND_MS) return `${(Math.max(0, ms) / SECOND_MS).toFixed(1)} s`;
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return two(MINUTE_MS, "min", SECOND_MS, "s");
  if (ms < DAY_MS) return two(HOUR_MS, "h", MINUTE_MS, "min");
  return two(DAY_MS, "d", HOUR_MS, "h");
}

/** `a`, `a and b`, `a, b and c`. */
export function listText(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** Some names out of `total`: `a, b and 7 more`. */
export function sampleText(names: readonly string[], total: number): string {
  const more = total - names.length;
  return listText([...names.map(showPath), ...(more > 0 ? [`${more.toLocaleString("en")} more`] : [])]);
}

// deno-lint-ignore no-control-regex -- control characters are what must not reach a terminal
const UNSAFE = /[\x00-\x1f\x7f-\x9f]|[\ud800-\udfff]|[\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Any text as one line without control characters; unlike `showPath` it leaves backslashes alone. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").replace(UNSAFE, (unit) => {
    const code = unit.charCodeAt(0);
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, "0")}`;
  });
}
