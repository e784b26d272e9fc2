/**
 * The state of a session as the JSON object of `psync status --json`: a stable form, which scripts may
 * rely on. docs/status.md describes it.
 *
 * Pure. Fields are added, never renamed or given another meaning, while `version` is the same.
 * @module
 */
import type { SessionState, SideState } from "../brain/report.ts";
import { showPath } from "../core/path.ts";

/** Rises when a field changes its meaning. */
const VERSION = 1;

/** The object for a pair; `state` null: no psync runs on it. */
export function statusJson(state: SessionState | null): Record<string, unknown> {
  if (state === null) return { version: VERSION, running: false, state: "not-running" };
  return {
    version: VERSION,
    running: true,
    state: state.phase,
    why: state.why,
    uptimeSeconds: seconds(state.totals.runMs),
    left: sideJson(state.left),
    right: sideJson(state.right),
    agreedPaths: state.archived,
    waitingChanges: state.waiting,
    lagSeconds: state.lagMs === null ? 0 : seconds(state.lagMs),
    lagLastHour: { toRight: lagJson(state.lag.right), toLeft: lagJson(state.lag.left) },
    inFlight: state.inFlight.map(({ path, target, sizeBytes }) => ({ path: showPath(path), target, bytes: sizeBytes })),
    conflicts: state.conflicts.map((row) => ({
      id: row.id,
      path: showPath(row.path),
      loser: row.loser,
      kept: `.psync/trash/${showPath(row.kept)}`,
      at: new Date(row.atMs).toISOString(),
    })),
    heldRemovals: state.holds.map(({ id, side, paths }) => ({ id, side, paths: paths.map(showPath) })),
    problems: state.problems.map(({ path, side, reason, detail }) => ({ path: showPath(path), side, reason, detail })),
    totals: {
      files: state.totals.files,
      bytes: state.totals.bytes,
      conflicts: state.totals.conflicts,
      reconnects: state.totals.reconnects,
    },
  };
}

function sideJson({ given, isConnected, facts, watches, watchLimit, unwatched }: SideState): Record<string, unknown> {
  return {
    given: showPath(given),
    connected: isConnected,
    host: facts === null ? null : facts.hostName,
    root: facts === null ? null : showPath(facts.root),
    reduced: facts === null ? [] : facts.reduced,
    build: facts === null || facts.build === "" ? null : facts.build,
    watches,
    watchLimit,
    unwatchedFolders: unwatched,
  };
}

function lagJson({ changes, medianMs, p99Ms }: SessionState["lag"]["left"]): Record<string, unknown> {
  return {
    changes,
    medianSeconds: medianMs === null ? null : seconds(medianMs),
    p99Seconds: p99Ms === null ? null : seconds(p99Ms),
  };
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
