/**
 * A log record as a line, for people or for programs.
 *
 * Pure. Bytes are counted, never shown: they may be content of a file. Used by voice.ts.
 * @module
 */
import type { LogRecord } from "@logtape/logtape";
import { oneLine } from "./format.ts";

/** What JSON leaves as it is and a terminal might obey. */
const UNSAFE = /[\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** How much of its time a line begins with: date and time of day in UTC, the latter alone, nothing. */
export type LogTime = "full" | "short" | "none";

/** A record as a line: time, level, room and file, message, fields. */
export function logLine(record: LogRecord, form: LogTime): string {
  const iso = new Date(record.timestamp).toISOString();
  const time = { full: `${iso} `, short: `${iso.slice(11, 23)} `, none: "" }[form];
  const category = categoryOf(record);
  const message = messageOf(record);
  const fields = Object.entries(record.properties).map(([key, value]) => ` ${key}=${fieldText(value)}`).join("");
  return oneLine(`${time}${record.level} ${category}: ${message}${fields}`);
}

/**
 * A record as one JSON object: `time` (ISO 8601), `level`, `category`, `message`, and `fields` where it has
 * some. What a terminal or a reader of lines would take for more than text is escaped.
 */
export function logJson(record: LogRecord, { hasTime }: { readonly hasTime: boolean }): string {
  const { level, properties, timestamp } = record;
  const time = hasTime ? { time: new Date(timestamp).toISOString() } : {};
  const fields = Object.keys(properties).length === 0 ? {} : { fields: JSON.parse(objectText(properties)) };
  const object = { ...time, level, category: categoryOf(record), message: messageOf(record), ...fields };
  return JSON.stringify(object).replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The value of a field. Bytes are counted, not shown: they may be content of a file. */
function fieldText(value: unknown): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (value instanceof Error) return JSON.stringify(`${value.name}: ${value.message}`);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "object" && value !== null) return objectText(value);
  return JSON.stringify(value) ?? String(value);
}

function objectText(value: object): string {
  try {
    return JSON.stringify(value, replacer);
  } catch {
    return "<unreadable>";
  }
}

function replacer(_key: string, part: unknown): unknown {
  if (typeof part === "bigint") return String(part);
  if (part instanceof Error) return `${part.name}: ${part.message}`;
  return part instanceof Uint8Array ? `<${part.length} bytes>` : part;
}

function categoryOf({ category }: LogRecord): string {
  return category.length > 1 ? category.slice(1).join(".") : category.join(".");
}

function messageOf({ message }: LogRecord): string {
  return message.map((part) => typeof part === "string" ? part : fieldText(part)).join("");
}
