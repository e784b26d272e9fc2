/**
 * Exit codes: what psync's end says to a shell.
 *
 * Pure. The session's own outcome already is such a code (differences 1, halted or held 4, new
 * conflicts 5; where several hold: 4, 1, 5); here errors and signals get theirs. Used by run.ts.
 * @module
 */
import { type ErrorCode, PsyncError } from "../base/errors.ts";

/** The command line or the configuration is wrong. */
export const EXIT_USAGE = 2;
/** It could not be set up or connected, or psync itself failed. */
export const EXIT_SETUP = 3;

const BY_ERROR: Readonly<Record<ErrorCode, number>> = {
  "usage": EXIT_USAGE,
  "config": EXIT_USAGE,
  "setup": EXIT_SETUP,
  "endpoint-lost": EXIT_SETUP,
  "protocol": EXIT_SETUP,
  "watch": EXIT_SETUP,
  "archive": EXIT_SETUP,
  "halt": 4,
  "banned": 6,
};

/** The code for something that was thrown; what psync did not throw on purpose is a failure of psync. */
export function exitCodeOf(error: unknown): number {
  return error instanceof PsyncError ? BY_ERROR[error.code] : EXIT_SETUP;
}

/** The signals that end psync. */
export type EndSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

const NUMBER: Readonly<Record<EndSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** What a shell shows for a program that a signal ended before its work was done. */
export function exitCodeOfSignal(signal: EndSignal): number {
  return 128 + NUMBER[signal];
}
