/**
 * In which form, and where, lines for people and log records are written: as text or JSON, to stderr or
 * a file, with priorities where the journal of systemd listens.
 *
 * Decides nothing about what is said. LogTape's records come from logging.ts, lines from
 * console_report.ts and run.ts. Owned by run.ts.
 * @module
 * @see systemd.exec(5), SyslogLevelPrefix=
 */
import type { LogLevel, LogRecord } from "@logtape/logtape";
import { logJson, logLine, type LogTime } from "./log_text.ts";
import type { Stream, Terminal } from "./terminal.ts";

/** The form of a log. */
export type LogFormat = "text" | "json";

/** Of a line for people. */
export type SayLevel = Extract<LogLevel, "info" | "warning" | "error">;

/** A log file, as far as it matters here. */
export interface LogSink extends Stream {
  /** Whether stderr leads to it as well. */
  readonly isStderr: boolean;
}

/** How a voice speaks. */
export interface VoiceStyle {
  readonly format: LogFormat;
  /** null: stderr is the log. */
  readonly file: LogSink | null;
}

/** The priorities of syslog(3). */
const PRIORITY: Readonly<Record<LogLevel, number>> = { fatal: 2, error: 3, warning: 4, info: 6, debug: 7, trace: 7 };

/** What psync says beside its output. */
export class Voice {
  readonly #terminal: Pick<Terminal, "err" | "to" | "isErrTerminal">;
  readonly #isJournal: boolean;
  readonly #wallMs: () => number;
  #style: VoiceStyle = { format: "text", file: null };

  constructor(
    terminal: Pick<Terminal, "err" | "to" | "isErrTerminal">,
    options: { readonly isJournal: boolean; readonly wallMs: () => number },
  ) {
    this.#terminal = terminal;
    this.#isJournal = options.isJournal;
    this.#wallMs = options.wallMs;
  }

  /** Speaks so from now on. */
  setStyle(style: VoiceStyle): void {
    this.#style = style;
  }

  /** A line for people. Beside a file a terminal shows it as well, and stderr always what ends psync. */
  say(line: string, level: SayLevel = "info"): void {
    const { file, format } = this.#style;
    const isShown = file === null || this.#terminal.isErrTerminal || (level === "error" && !file.isStderr);
    if (isShown) this.#err(format === "json" ? this.#json(line, level, this.#isJournal) : line, level);
    if (file === null) return;
    const text = format === "json" ? this.#json(line, level, false) : logLine(this.#record(line, level), "full");
    this.#terminal.to(file, text);
  }

  /** A record of LogTape. */
  log(record: LogRecord): void {
    const { file, format } = this.#style;
    const time: LogTime = file !== null ? "full" : this.#isJournal ? "none" : "short";
    const line = format === "json" ? logJson(record, { hasTime: time !== "none" }) : logLine(record, time);
    if (file !== null) this.#terminal.to(file, line);
    else this.#err(line, record.level);
  }

  #err(line: string, level: LogLevel): void {
    this.#terminal.err(this.#isJournal ? `<${PRIORITY[level]}>${line}` : line);
  }

  #json(line: string, level: SayLevel, isBare: boolean): string {
    return logJson(this.#record(line, level), { hasTime: !isBare });
  }

  #record(line: string, level: SayLevel): LogRecord {
    const message = [line];
    return { category: ["psync"], level, message, rawMessage: line, timestamp: this.#wallMs(), properties: {} };
  }
}

/**
 * Whether stderr leads to the journal: `stream` is JOURNAL_STREAM, which a child inherits also where its
 * stderr is something else.
 */
export function isJournal(
  stream: string | undefined,
  stderr: { readonly dev: number; readonly ino: number | null } | null,
): boolean {
  return stderr !== null && stderr.ino !== null && stream === `${stderr.dev}:${stderr.ino}`;
}
