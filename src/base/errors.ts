/**
 * The error classes of psync, one for each way in which a caller reacts.
 *
 * Thrown for "I cannot go on"; a path that did not work is a `Problem` (core/problem.ts) instead.
 * Only cli/run.ts turns them into exit codes. OS errors become one of these where they occur.
 * @module
 */

/** The codes that tell what kind of reaction an error wants. */
export type ErrorCode =
  | "usage"
  | "config"
  | "setup"
  | "halt"
  | "endpoint-lost"
  | "protocol"
  | "watch"
  | "archive"
  | "banned";

/** The base of every error that psync throws on purpose. */
export class PsyncError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The command line is wrong (exit 2). */
export class UsageError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("usage", message, options);
  }
}

/** A configuration value is wrong (exit 2). */
export class ConfigError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("config", message, options);
  }
}

/** Something that must stand before syncing can start does not: root, host, binary (exit 3). */
export class SetupError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("setup", message, options);
  }
}

/** The pair must stand still until its cause is gone: a root is missing or replaced (exit 4). */
export class SafetyHaltError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("halt", message, options);
  }
}

/** The endpoint is gone: process ended, link cut, heartbeat missed. A new one may be started. */
export class EndpointLostError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("endpoint-lost", message, options);
  }
}

/** The peer speaks wrongly; trying again cannot help. */
export class ProtocolError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("protocol", message, options);
  }
}

/** The watcher failed; it must be started again as a new generation. */
export class WatchError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("watch", message, options);
  }
}

/** A program runs beside which psync must not (exit 6). */
export class BannedError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("banned", message, options);
  }
}

/** The archive is lost or broken; the pair is merged without removals. */
export class ArchiveError extends PsyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("archive", message, options);
  }
}
