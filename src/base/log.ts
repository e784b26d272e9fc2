/**
 * Loggers by room and file; where records go is set up in cli/logging.ts alone.
 *
 * Levels: error = a human must act, warning = psync recovered, info = state changed, debug = one
 * line per decision. Fields, not sentences; never file contents.
 * @module
 */
import { getLogger, type Logger } from "@logtape/logtape";

/** The logger of one file: category `psync.<room>.<file>`. */
export function logger(room: string, file: string): Logger {
  return getLogger(["psync", room, file]);
}
