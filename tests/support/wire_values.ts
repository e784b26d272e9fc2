/**
 * Arbitrary values of the Endpoint contract for property tests, hostile names included.
 * @module
 */
import { fc } from "./properties.ts";
import type { BasisResult, EndpointEvent, EndpointFacts, Listing, Move } from "../../src/core/endpoint.ts";
import type { Entry, Owner, Stamp } from "../../src/core/entry.ts";
import type { Observation } from "../../src/core/observation.ts";
import { compareNames, decodeBytes, joinPath, type Name, type RelPath, ROOT } from "../../src/core/path.ts";
import type { ProblemReason } from "../../src/core/problem.ts";
import type { Content, Disposal, Expected, Transition, TransitionResult } from "../../src/core/transition.ts";

const i64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const counter = fc.maxSafeNat();
const text = fc.string({ unit: "grapheme", maxLength: 40 }).map((value) => value.replaceAll("\0", ""));

/** Names of any bytes that Linux takes, but psync's own. */
export const name: fc.Arbitrary<Name> = fc.oneof(
  fc.constantFrom("a", "-", "#x", "q'\"", "new\nline", "caf\u00e9", "\u{1f600}", "x".repeat(255)),
  fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) =>
    decodeBytes(bytes.map((b) => b === 0 || b === 47 ? 65 : b))
  ),
).filter((value) => value !== "." && value !== ".." && value !== ".psync") as fc.Arbitrary<Name>;

/** Paths below a root. */
export const entryPath: fc.Arbitrary<RelPath> = fc.array(name, { minLength: 1, maxLength: 5 })
  .map((names) => names.join("/") as RelPath);

/** Paths, the root included. */
export const treePath: fc.Arbitrary<RelPath> = fc.oneof({ weight: 5, arbitrary: entryPath }, fc.constant(ROOT));

const noise = fc.uint8Array({ maxLength: 40 });
const maybeText = fc.option(text, { nil: null });
const maybeCounter = fc.option(counter, { nil: null });
const checkup = fc.record({
  host: fc.record({
    hostName: text,
    kernel: text,
    glibc: maybeText,
    distribution: text,
    rsync: maybeText,
    ssh: maybeText,
    isRootUser: fc.boolean(),
    watchLimit: maybeCounter,
    watchesInUse: counter,
    openFileLimit: maybeCounter,
    hasLeases: fc.boolean(),
  }),
  root: fc.record({
    freeBytes: counter,
    totalBytes: counter,
    freeInodes: counter,
    totalInodes: counter,
    dirs: counter,
    entries: counter,
    bytes: counter,
    mounts: fc.array(entryPath),
    unreadable: counter,
    tmpfile: text,
    lease: text,
    owner: text,
    exchange: text,
  }),
});

const mode = fc.nat(0o7777);
const owner: fc.Arbitrary<Owner | null> = fc.option(fc.record({ user: text, group: text }), { nil: null });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.toHex());
const maybeDigest = fc.option(digest, { nil: null });

/** What lies at a path. */
export const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant("file" as const), mode, owner, sizeBytes: counter, mtimeNs: i64, digest: maybeDigest }),
  fc.record({ kind: fc.constant("dir" as const), mode, owner, mtimeNs: i64 }),
  fc.record({ kind: fc.constant("link" as const), mode, owner, target: text, mtimeNs: i64 }),
);

/** Local evidence. */
export const stamp: fc.Arbitrary<Stamp> = fc.record({
  inode: u64,
  birthNs: i64,
  sizeBytes: counter,
  mtimeNs: i64,
  ctimeNs: i64,
});
const maybeStamp = fc.option(stamp, { nil: null });

const reason = fc.constantFrom<ProblemReason>("busy", "special", "mount", "unreadable", "no-space", "io", "skipped");

function observationOf(
  path: fc.Arbitrary<RelPath>,
  content: fc.Arbitrary<Uint8Array | null>,
): fc.Arbitrary<Observation> {
  return fc.oneof(
    fc.record({ kind: fc.constant("present" as const), path, began: counter, entry, stamp, content }),
    fc.record({ kind: fc.constant("absent" as const), path, began: counter }),
    fc.record({ kind: fc.constant("orphan" as const), path, began: counter }),
    fc.record({ kind: fc.constant("blocked" as const), path, began: counter, reason, detail: text }),
    fc.record({ kind: fc.constant("busy" as const), path, began: counter }),
  );
}

/** What a look showed. */
export const observation = observationOf(treePath, fc.option(fc.uint8Array({ maxLength: 2000 }), { nil: null }));

/** A rename. */
export const move: fc.Arbitrary<Move> = fc.record({ from: entryPath, to: entryPath });

const listedEntry = fc.oneof(
  fc.record({ kind: fc.constant("present" as const), began: counter, entry, stamp, content: fc.constant(null) }),
  fc.record({ kind: fc.constant("blocked" as const), began: counter, reason, detail: text }),
);

/** A listing of `path` as the contract promises it. */
export function listingOf(path: RelPath): fc.Arbitrary<Listing> {
  const self = observationOf(fc.constant(path), fc.constant(null));
  const entries = fc.uniqueArray(name, { maxLength: 20, selector: (value) => value })
    .chain((names) =>
      fc.tuple(
        ...[...names].sort(compareNames).map((value) =>
          listedEntry.map((fields) => ({ ...fields, path: joinPath(path, value) }) as Observation)
        ),
      )
    );
  const flags = { isWatched: fc.boolean(), hasIgnored: fc.boolean() };
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("listed" as const),
        path: fc.constant(path),
        self,
        entries,
        began: counter,
        ...flags,
      }),
    },
    fc.record({ kind: fc.constant("unlisted" as const), path: fc.constant(path), self }),
  );
}

const expected: fc.Arbitrary<Expected> = fc.oneof(
  fc.constant({ kind: "absent" as const }),
  fc.record({ kind: fc.constant("file" as const), stamp }),
  fc.record({ kind: fc.constant("link" as const), stamp, target: text }),
  fc.record({ kind: fc.constant("dir" as const), mode, owner, stamp: maybeStamp }),
);
const batch = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/);
const id = fc.nat();
const content: fc.Arbitrary<Content> = fc.oneof(
  fc.record({ kind: fc.constant("inline" as const), bytes: fc.uint8Array({ maxLength: 3000 }) }),
  fc.constant({ kind: "packed" as const }),
  fc.record({ kind: fc.constant("staged" as const), batch, id }),
);
const disposal = fc.constantFrom<Disposal>("drop", "removed", "conflict");

/** One change of a replica. */
export const transition: fc.Arbitrary<Transition> = fc.oneof(
  fc.record({
    kind: fc.constant("put" as const),
    path: entryPath,
    expected,
    entry,
    content: fc.option(content, { nil: null }),
    disposal,
  }),
  fc.record({ kind: fc.constant("remove" as const), path: entryPath, expected, disposal, force: fc.boolean() }),
  fc.record({
    kind: fc.constant("move" as const),
    from: entryPath,
    to: entryPath,
    expectedFrom: expected,
    expectedTo: expected,
    disposal,
  }),
  fc.record({ kind: fc.constant("meta" as const), path: treePath, expected, entry }),
);

const kept = fc.option(entryPath, { nil: null });

/** The outcome of one change. */
export const transitionResult: fc.Arbitrary<TransitionResult> = fc.oneof(
  fc.record({ kind: fc.constant("done" as const), ended: counter, stamp: maybeStamp, kept, masked: fc.boolean() }),
  fc.record({
    kind: fc.constantFrom("stale", "stale-kept", "busy", "dirty", "not-empty", "orphan", "gone" as const),
    ended: counter,
    kept,
  }),
  fc.record({ kind: fc.constant("failed" as const), ended: counter, reason, detail: text }),
);

/** What a replica's host is. */
export const facts: fc.Arbitrary<EndpointFacts> = fc.record({
  hostName: text,
  bootId: text,
  root: text,
  isRootUser: fc.boolean(),
  processId: counter,
  processStart: fc.stringMatching(/^[0-9]{1,20}$/),
  fsId: text,
  fsType: text,
  rootInode: u64,
  rootDevice: u64,
  mountId: u64,
  ancestors: fc.array(fc.stringMatching(/^[0-9]{1,9}:[0-9]{1,9}$/), { maxLength: 8 }),
  isEmpty: fc.boolean(),
  pairMarker: fc.option(text, { nil: null }),
  lock: fc.option(text, { nil: null }),
  lockHolderLives: fc.boolean(),
  age: fc.option(text, { nil: null }),
  reduced: fc.array(fc.constantFrom("exchange", "lease"), { maxLength: 2 }),
  rsync: fc.option(text, { nil: null }),
  build: text,
  clockMs: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
});

/** What an endpoint reports by itself. */
export const event: fc.Arbitrary<EndpointEvent> = fc.oneof(
  fc.record({
    kind: fc.constant("observed" as const),
    observations: fc.array(observation, { maxLength: 8 }),
    moves: fc.array(move, { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("rescan" as const), path: treePath, why: text }),
  fc.record({ kind: fc.constant("crowd" as const), path: treePath }),
  fc.record({ kind: fc.constant("root-lost" as const), why: text }),
  fc.record({ kind: fc.constant("unwatched" as const), path: treePath }),
  fc.record({ kind: fc.constant("barrier" as const), id: fc.nat(0xffff_ffff) }),
);

/** Requests and replies of each method, as `{ head, items }`. */
export const messages = {
  open: {
    request: {
      head: fc.record({
        protocol: fc.stringMatching(/^[0-9a-f]{16}$/),
        root: text,
        maxWatches: counter,
        bytesPerSecond: fc.option(counter, { nil: null }),
        rules: fc.record({
          excludes: fc.array(text),
          tempfiles: fc.array(text),
          rsyncExcludes: fc.array(text),
          names: fc.array(fc.record({ left: text, right: text })),
        }),
      }),
      items: fc.constant([]),
    },
    reply: { head: facts, items: fc.constant([]) },
  },
  look: {
    request: {
      head: fc.record({
        contentLimitBytes: counter,
        digests: fc.boolean(),
        growing: fc.boolean(),
        agreed: fc.array(fc.record({ path: entryPath, sizeBytes: fc.nat(), digest })),
      }),
      items: fc.array(treePath),
    },
    reply: { head: fc.constant(null), items: fc.array(observation) },
  },
  commit: {
    request: { head: fc.record({ carried: fc.option(counter, { nil: null }) }), items: fc.array(transition) },
    reply: { head: fc.constant(null), items: fc.array(transitionResult) },
  },
  supply: {
    request: {
      head: fc.record({ batch }),
      items: fc.array(fc.record({ id, path: entryPath, stamp, digest: maybeDigest })),
    },
    reply: {
      head: fc.constant(null),
      items: fc.array(fc.record({
        id,
        kind: fc.constantFrom("supplied" as const, "stale" as const, "busy" as const),
        diskBytes: counter,
      })),
    },
  },
  prepare: {
    request: {
      head: fc.record({ batch }),
      items: fc.array(fc.record({ id, path: entryPath, expected, incomingBytes: fc.nat() })),
    },
    reply: {
      head: fc.constant(null),
      items: fc.array(fc.record({ id, stamp: maybeStamp, ended: counter }) as fc.Arbitrary<BasisResult>),
    },
  },
  release: {
    request: { head: fc.record({ batch }), items: fc.constant([]) },
    reply: {
      head: fc.record({ stable: fc.array(id) }),
      items: fc.array(fc.record({ id, stamp: maybeStamp, ended: counter })),
    },
  },
  adopt: {
    request: {
      head: fc.record({ pair: text, lock: text, oldLock: fc.option(text, { nil: null }) }),
      items: fc.constant([]),
    },
    reply: {
      head: fc.record({ renewed: fc.array(fc.record({ path: entryPath, before: stamp, now: stamp })) }),
      items: fc.constant([]),
    },
  },
  trashList: {
    request: {
      head: fc.record({
        only: fc.constantFrom("removed" as const, "conflict" as const, null),
        after: fc.option(entryPath, { nil: null }),
      }),
      items: fc.constant([]),
    },
    reply: {
      head: fc.record({ hasMore: fc.boolean() }),
      items: fc.array(fc.record({
        kept: entryPath,
        kind: fc.constantFrom("file" as const, "dir" as const, "link" as const, "other" as const),
        sizeBytes: counter,
        mtimeNs: i64,
      })),
    },
  },
  trashAct: {
    request: {
      head: fc.constant(null),
      items: fc.array(fc.oneof(
        fc.record({ kind: fc.constant("restore" as const), kept: entryPath, to: entryPath, replaces: fc.boolean() }),
        fc.record({ kind: fc.constantFrom("release" as const, "purge" as const), kept: entryPath }),
      )),
    },
    reply: {
      head: fc.constant(null),
      items: fc.array(fc.oneof(
        fc.record({ kind: fc.constant("done" as const), kept }),
        fc.record({ kind: fc.constantFrom("gone" as const, "taken", "busy", "orphan", "not-empty") }),
        fc.record({ kind: fc.constant("failed" as const), reason, detail: text }),
      )),
    },
  },
  space: {
    request: { head: fc.record({ neededBytes: counter }), items: fc.constant([]) },
    reply: { head: fc.record({ freeBytes: counter, totalBytes: counter }), items: fc.constant([]) },
  },
  checkup: {
    request: { head: fc.constant(null), items: fc.constant([]) },
    reply: { head: checkup, items: fc.constant([]) },
  },
  echo: {
    request: { head: fc.record({ sendBytes: counter, replyBytes: counter }), items: fc.array(noise) },
    reply: {
      head: fc.record({ clockMs: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
      items: fc.array(noise),
    },
  },
  vitals: {
    request: { head: fc.constant(null), items: fc.constant([]) },
    reply: {
      head: fc.record({ watches: counter, watchLimit: fc.option(counter, { nil: null }) }),
      items: fc.constant([]),
    },
  },
  barrier: {
    request: { head: fc.record({ id: fc.nat(0xffff_ffff) }), items: fc.constant([]) },
    reply: { head: fc.constant(null), items: fc.constant([]) },
  },
  findProgram: {
    request: { head: fc.record({ parts: fc.array(text) }), items: fc.constant([]) },
    reply: { head: fc.record({ found: fc.option(text) }), items: fc.constant([]) },
  },
  setCompareOwners: {
    request: { head: fc.record({ on: fc.boolean() }), items: fc.constant([]) },
    reply: { head: fc.constant(null), items: fc.constant([]) },
  },
};
