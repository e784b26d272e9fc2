/**
 * Sets LogTape up: as much as `-d` asks for, and never to stdout, which carries plans, summaries and (of
 * `psync filter`) frames. In which form and where is said by voice.ts.
 *
 * The only place that configures LogTape; loggers come from base/log.ts. Called by run.ts.
 * @module
 */
import { configureSync, type LogLevel, type LogRecord } from "@logtape/logtape";

/** From which level on records are shown, by the level of `-d`. */
const LOWEST: readonly LogLevel[] = ["warning", "info", "debug", "trace"];

/** What logging needs. */
export interface LoggingOptions {
  /** 0 to 3, as `-d` takes it. */
  readonly level: number;
  /** Takes one record; must not throw. */
  readonly write: (record: LogRecord) => void;
}

/** Sets logging up for the process; a second call replaces the first. */
export function setUpLogging({ level, write }: LoggingOptions): void {
  configureSync({
    reset: true,
    sinks: { voice: write },
    loggers: [
      { category: "psync", lowestLevel: LOWEST[level] ?? "trace", sinks: ["voice"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["voice"] },
    ],
  });
}
