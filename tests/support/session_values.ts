/**
 * Values that a session might report, for tests of whoever shows them.
 * @module
 */
import type { Connected, SessionState, SideChanges, SyncSummary } from "../../src/brain/report.ts";
import type { EndpointFacts } from "../../src/core/endpoint.ts";

/** The facts of a local endpoint, with some of them replaced. */
export function someFacts(facts: Partial<EndpointFacts> = {}): EndpointFacts {
  return {
    hostName: "here",
    bootId: "boot-1",
    root: "/a",
    isRootUser: false,
    processId: 1,
    processStart: "1",
    fsId: "f5",
    fsType: "ext4",
    rootInode: 2n,
    rootDevice: 1n,
    mountId: 1n,
    ancestors: [],
    isEmpty: false,
    pairMarker: null,
    lock: null,
    lockHolderLives: false,
    age: null,
    reduced: [],
    rsync: "rsync  version 3.2.7  protocol version 31",
    build: "0123456789abcdef",
    clockMs: 0,
    ...facts,
  };
}

/** A pair whose right side is another host. */
export function someConnection(): Connected {
  return {
    left: someFacts(),
    right: someFacts({ hostName: "nas", bootId: "boot-2", root: "/b" }),
    deployed: false,
  };
}

/** No changes of one side. */
export function noChanges(): SideChanges {
  const none = { files: 0, dirs: 0, links: 0 };
  return { created: none, changed: none, removed: none, renamed: 0 };
}

/** A first sync that found both sides equal, with some of it replaced. */
export function someSummary(summary: Partial<SyncSummary> = {}): SyncSummary {
  return {
    left: noChanges(),
    right: noChanges(),
    agreed: 0,
    conflicts: 0,
    heldRemovals: 0,
    skipped: 0,
    blocked: 0,
    busy: 0,
    bytes: 0,
    ms: 1000,
    ...summary,
  };
}

/** A live session at rest, with some of it replaced. */
export function someState(state: Partial<SessionState> = {}): SessionState {
  const { left, right } = someConnection();
  return {
    phase: "live",
    why: null,
    left: { given: "a", isConnected: true, facts: left, watches: 3, watchLimit: 8_192, unwatched: 0 },
    right: { given: "/b", isConnected: true, facts: right, watches: 3, watchLimit: 8_192, unwatched: 0 },
    archived: 12,
    inFlight: [],
    waiting: 0,
    conflicts: [],
    holds: [],
    problems: [],
    totals: { runMs: 65_000, files: 4, bytes: 5000, conflicts: 0, reconnects: 1 },
    lagMs: null,
    lag: {
      left: { changes: 0, medianMs: null, p99Ms: null },
      right: { changes: 0, medianMs: null, p99Ms: null },
    },
    ...state,
  };
}
