/**
 * Where log records go: to stderr, one line each, as much as `-d` asks for. Never to stdout, which
 * carries plans, summaries and (of `psync filter`) frames.
 *
 * The only place that configures LogTape; loggers come from base/log.ts. Called by run.ts.
 * @module
 */
import { configureSync, type LogLevel, type LogRecord } from "@logtape/logtape";
import { oneLine } from "./format.ts";

/** From which level on records are shown, by the level of `-d`. */
const LOWEST: readonly LogLevel[] = ["warning", "info", "debug", "trace"];

/** What logging needs. */
export interface LoggingOptions {
  /** 0 to 3, as `-d` takes it. */
  readonly level: number;
  /** Takes one line without its line break; must not throw. */
  readonly write: (line: string) => void;
}

/** Sets logging up for the process; a second call replaces the first. */
export function setUpLogging({ level, write }: LoggingOptions): void {
  configureSync({
    reset: true,
    sinks: { stderr: (record) => write(logLine(record)) },
    loggers: [
      { category: "psync", lowestLevel: LOWEST[level] ?? "trace", sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stderr"] },
    ],
  });
}

/** A record as a line: time of day (UTC), level, room and file, message, fields. */
export function logLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const category = record.category.slice(1).join(".");
  const message = record.message.map((part) => typeof part === "string" ? part : fieldText(part)).join("");
  const fields = Object.entries(record.properties).map(([key, value]) => ` ${key}=${fieldText(value)}`).join("");
  return oneLine(`${time} ${record.level} ${category}: ${message}${fields}`);
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
    return JSON.stringify(value, (_key, part) => {
      if (typeof part === "bigint") return String(part);
      return part instanceof Uint8Array ? `<${part.length} bytes>` : part;
    });
  } catch {
    return "<unreadable>";
  }
}
