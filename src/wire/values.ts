/**
 * How the values of the Endpoint contract (core/) are written to and read from frames.
 *
 * A path from the peer is a RelPath or it is refused: `..`, absolute, empty names, NUL, and whatever
 * lies in `.psync` of a root (I10, I11). Names travel as their bytes. Makes no decision and knows no
 * frame; message.ts says which value stands where.
 * @module
 */
import { ProtocolError } from "../base/errors.ts";
import type {
  AgreedFile,
  CarrierPlace,
  DirClaim,
  EndpointFacts,
  EndpointOptions,
  Listing,
  LookOptions,
  Move,
  PackRequest,
} from "../core/endpoint.ts";
import type { Entry, Owner, Stamp } from "../core/entry.ts";
import { OWN_DIR, type PathRules } from "../core/ignore.ts";
import type { Observation } from "../core/observation.ts";
import {
  decodeBytes,
  joinPath,
  NAME_MAX_BYTES,
  nameOf,
  parseName,
  parseRelPath,
  PATH_MAX_BYTES,
  type RelPath,
  ROOT,
} from "../core/path.ts";
import type { NamePair } from "../core/translation.ts";
import type { Content, Expected, Transition, TransitionResult } from "../core/transition.ts";
import type { Space, TrashAction, TrashItem, TrashPage, TrashQuery, TrashResult } from "../core/trash.ts";
import {
  bool,
  bytes,
  type Codec,
  digits,
  f64,
  i64,
  list,
  mode,
  oneOf,
  option,
  parsed,
  sha256,
  struct,
  text,
  u32,
  u64,
  u8,
  union,
  varint,
} from "./codec.ts";

/** The most of a file that travels in a frame (LookOptions, inline content). */
export const CONTENT_MAX_BYTES = 1 << 20;

/** What fits sockaddr_un. */
const SOCKET_MAX_BYTES = 107;
/** The most of a pack that travels as one item. */
const PIECE_MAX_BYTES = 256 << 10;

/** The most exclude patterns that a filter takes. */
export const EXCLUDES_MAX = 10_000;

/** The most files of one batch of supply, prepare or release. */
export const BATCH_FILES_MAX = 65_536;

/** A name of the user data base, a reason, a version line: short text for people. */
const SHORT_MAX_BYTES = 4096;

const shortText = text(SHORT_MAX_BYTES);

/** Takes a path of the tree from outside: what is psync's own is never named (I10). */
export function parseTreePath(path: string): RelPath {
  const parsedPath = parseRelPath(path);
  if (parsedPath === OWN_DIR || parsedPath.startsWith(`${OWN_DIR}/`)) {
    throw new ProtocolError(`Cannot use path: it lies in "${OWN_DIR}"`);
  }
  return parsedPath;
}

function parseEntryPath(path: string): RelPath {
  const parsedPath = parseTreePath(path);
  if (parsedPath === ROOT) throw new ProtocolError("Cannot use path: it is the root itself");
  return parsedPath;
}

function parseBatch(batch: string): string {
  // It becomes the name of a directory: one plain component that cannot hide or climb.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(batch)) {
    throw new ProtocolError("Cannot use batch: its name must be plain letters and digits");
  }
  return batch;
}

/** A path in the tree, or the root. */
export const treePath: Codec<RelPath> = parsed(text(PATH_MAX_BYTES), parseTreePath, "treePath");

/** A path in the tree that is not the root. */
export const entryPath: Codec<RelPath> = parsed(text(PATH_MAX_BYTES), parseEntryPath, "entryPath");

/** The name of a batch. */
export const batchName: Codec<string> = parsed(text(100), parseBatch, "batch");

/** Where something lies below the trash: any path that does not climb. */
export const trashPath: Codec<string> = parsed(text(PATH_MAX_BYTES), parseRelPath, "trashPath");

/** A path that travels as its name in `dir` of the reader or writer. */
const childPath: Codec<RelPath> = {
  shape: "childPath",
  minBytes: 5,
  write: (writer, path) => writer.text(nameOf(path)),
  read(reader) {
    const name = decodeBytes(reader.bytes(NAME_MAX_BYTES));
    try {
      return parseEntryPath(joinPath(reader.dir, parseName(name)));
    } catch (error) {
      return reader.fail(error instanceof Error ? error.message : String(error));
    }
  },
};

/** The path of a directory whose entries follow with their names alone. */
const dirPath: Codec<RelPath> = {
  shape: "dirPath",
  minBytes: treePath.minBytes,
  write(writer, path) {
    treePath.write(writer, path);
    writer.dir = path;
  },
  read: (reader) => reader.dir = treePath.read(reader),
};

const reason = oneOf([
  "busy",
  "special",
  "mount",
  "unreadable",
  "no-space",
  "read-only",
  "denied",
  "name-too-long",
  "not-empty",
  "too-large",
  "io",
  "skipped",
  "excluded",
  "one-way",
  "translated",
]);

const owner: Codec<Owner> = struct<Owner>({ user: text(256), group: text(256) });

const ownerOrNone = option(owner);

/** What lies at a path. */
export const entry: Codec<Entry> = union<Entry>({
  file: { mode, owner: ownerOrNone, sizeBytes: varint, mtimeNs: i64, digest: option(sha256) },
  dir: { mode, owner: ownerOrNone, mtimeNs: i64 },
  link: { mode, owner: ownerOrNone, target: text(PATH_MAX_BYTES), mtimeNs: i64 },
});

/** Local evidence. */
export const stamp: Codec<Stamp> = struct<Stamp>({
  inode: u64,
  birthNs: i64,
  sizeBytes: varint,
  mtimeNs: i64,
  ctimeNs: i64,
});

/** A stamp, or none. */
export const stampOrNone = option(stamp);

function observationAt(path: Codec<RelPath>): Codec<Observation> {
  return union<Observation>({
    present: { path, began: varint, entry, stamp, content: option(bytes(CONTENT_MAX_BYTES)) },
    absent: { path, began: varint },
    orphan: { path, began: varint },
    blocked: { path, began: varint, reason, detail: shortText },
    busy: { path, began: varint },
  });
}

/** What a look showed. */
export const observation: Codec<Observation> = observationAt(treePath);

/** A rename that was seen. */
export const move: Codec<Move> = struct<Move>({ from: entryPath, to: entryPath });

/** What a transition expects. */
export const expected: Codec<Expected> = union<Expected>({
  absent: {},
  file: { stamp },
  link: { stamp, target: text(PATH_MAX_BYTES) },
  dir: { mode, owner: ownerOrNone, stamp: stampOrNone },
});

const content: Codec<Content> = union<Content>({
  inline: { bytes: bytes(CONTENT_MAX_BYTES) },
  packed: {},
  staged: { batch: batchName, id: u32 },
});

const disposal = oneOf(["drop", "removed", "conflict"]);

/** A piece of a pack, so that no frame is too large. */
export interface PackPiece {
  readonly kind: "piece";
  readonly bytes: Uint8Array;
}

const piece = { bytes: bytes(PIECE_MAX_BYTES) };

/** Cuts a pack for its journey. */
export function* packPieces(pack: Iterable<Uint8Array>): Generator<PackPiece> {
  for (const bytes of pack) {
    for (let at = 0; at < bytes.length; at += PIECE_MAX_BYTES) {
      yield { kind: "piece", bytes: bytes.subarray(at, at + PIECE_MAX_BYTES) };
    }
  }
}

/** One change of one replica, or a piece of the pack that follows the last one. Of the root only metadata may change. */
export const commitPart: Codec<Transition | PackPiece> = union<Transition | PackPiece>({
  put: { path: entryPath, expected, entry, content: option(content), disposal },
  remove: { path: entryPath, expected, disposal, force: bool },
  move: { from: entryPath, to: entryPath, expectedFrom: expected, expectedTo: expected, disposal },
  meta: { path: treePath, expected, entry },
  piece,
});

/** A directory as the archive has it. */
export const dirClaim: Codec<DirClaim> = struct<DirClaim>({
  path: treePath,
  sum: digits(16),
  self: option(struct<NonNullable<DirClaim["self"]>>({ mode, owner: ownerOrNone, inode: u64, birthNs: i64 })),
});

/** A small file to be packed. */
export const packRequest: Codec<PackRequest> = struct<PackRequest>({ path: entryPath, stamp });

/** What became of one file of a pack, or a piece of the contents that follow. */
export type PackPart = { readonly kind: "digest"; readonly digest: string | null } | PackPiece;

/** A part of a pack. */
export const packPart: Codec<PackPart> = union<PackPart>({ digest: { digest: option(sha256) }, piece });

/** The number of a pack that goes by the carrier. */
export const carried: Codec<{ readonly carried: number | null }> = struct<{ readonly carried: number | null }>({
  carried: option(varint),
});

/** Where a carrier is waited for. */
export const carrierPlace: Codec<CarrierPlace> = struct<CarrierPlace>({
  socket: text(SOCKET_MAX_BYTES),
  nativePath: text(PATH_MAX_BYTES),
});

const refused = { ended: varint, kept: option(trashPath) };

/** The outcome of one transition. */
export const transitionResult: Codec<TransitionResult> = union<TransitionResult>({
  done: { ended: varint, stamp: stampOrNone, kept: option(trashPath), masked: bool },
  stale: refused,
  "stale-kept": refused,
  busy: refused,
  dirty: refused,
  "not-empty": refused,
  orphan: refused,
  gone: refused,
  failed: { ended: varint, reason, detail: shortText },
});

/** Which items of the trash are asked for. */
export const trashQuery: Codec<TrashQuery> = struct<TrashQuery>({
  only: option(oneOf(["removed", "conflict"])),
  after: option(trashPath),
});

/** The head of a page of the trash. */
export const trashPageHead: Codec<Omit<TrashPage, "items">> = struct<Omit<TrashPage, "items">>({ hasMore: bool });

/** An item of the trash. */
export const trashItem: Codec<TrashItem> = struct<TrashItem>({
  kept: trashPath,
  kind: oneOf(["file", "dir", "link", "other"]),
  sizeBytes: varint,
  mtimeNs: i64,
});

/** What is to be done with an item of the trash. */
export const trashAction: Codec<TrashAction> = union<TrashAction>({
  restore: { kept: trashPath, to: entryPath, replaces: bool },
  release: { kept: trashPath },
  purge: { kept: trashPath },
});

/** What became of an action on the trash. */
export const trashResult: Codec<TrashResult> = union<TrashResult>({
  done: { kept: option(trashPath) },
  gone: {},
  taken: {},
  busy: {},
  orphan: {},
  "not-empty": {},
  failed: { reason, detail: shortText },
});

/** The space of a file system. */
export const space: Codec<Space> = struct<Space>({ freeBytes: varint, totalBytes: varint });

/** A listing as it travels: its head, then each entry on its own, so that no frame is too large. */
export type ListingPart =
  | Omit<Extract<Listing, { readonly kind: "listed" }>, "entries">
  | Extract<Listing, { readonly kind: "unlisted" }>
  | { readonly kind: "entry"; readonly entry: Observation };

/** A part of a listing. */
export const listingPart: Codec<ListingPart> = union<ListingPart>({
  listed: { path: dirPath, self: observation, began: varint, isWatched: bool, hasIgnored: bool },
  unlisted: { path: treePath, self: observation },
  entry: { entry: observationAt(childPath) },
});

/** The options of `look` that travel. */
export const lookOptions: Codec<Required<Omit<LookOptions, "signal">>> = struct<Required<Omit<LookOptions, "signal">>>({
  contentLimitBytes: varint,
  digests: bool,
  growing: bool,
  agreed: list(struct<AgreedFile>({ path: entryPath, sizeBytes: varint, digest: sha256 }), BATCH_FILES_MAX),
});

/** What a filter is opened with, and for which protocol. */
export interface OpenRequest extends Required<EndpointOptions> {
  readonly protocol: string;
}

/** Parts of the names of commands, and the one that was found. */
export const programQuery: Codec<{ readonly parts: readonly string[] }> = struct<{ readonly parts: readonly string[] }>(
  {
    parts: list(shortText, EXCLUDES_MAX),
  },
);
/** What `findProgram` found. */
export const programFound: Codec<{ readonly found: string | null }> = struct<{ readonly found: string | null }>({
  found: option(shortText),
});

/** The first request. */
export const openRequest: Codec<OpenRequest> = struct<OpenRequest>({
  protocol: text(64),
  root: text(PATH_MAX_BYTES),
  rules: struct<PathRules>({
    excludes: list(text(PATH_MAX_BYTES), EXCLUDES_MAX),
    tempfiles: list(text(PATH_MAX_BYTES), EXCLUDES_MAX),
    rsyncExcludes: list(text(PATH_MAX_BYTES), EXCLUDES_MAX),
    names: list(struct<NamePair>({ left: shortText, right: shortText }), EXCLUDES_MAX),
  }),
  maxWatches: varint,
  bytesPerSecond: option(varint),
});

/** The answer to the first request. */
export const facts: Codec<EndpointFacts> = struct<EndpointFacts>({
  hostName: shortText,
  bootId: shortText,
  root: text(PATH_MAX_BYTES),
  isRootUser: bool,
  processId: varint,
  processStart: text(64),
  fsId: shortText,
  fsType: shortText,
  rootInode: u64,
  rootDevice: u64,
  mountId: u64,
  ancestors: list(text(64), PATH_MAX_BYTES),
  isEmpty: bool,
  pairMarker: option(text(PATH_MAX_BYTES)),
  lock: option(text(PATH_MAX_BYTES)),
  lockHolderLives: bool,
  age: option(text(PATH_MAX_BYTES)),
  reduced: list(text(64), 64),
  rsync: option(shortText),
  build: shortText,
  clockMs: f64,
});

/** An error as it travels. `internal` is a fault of the far program; it arrives as EndpointLostError. */
export interface ErrorReply {
  readonly code: ErrorReplyCode;
  readonly message: string;
}

const ERROR_CODES = [
  "usage",
  "config",
  "setup",
  "halt",
  "endpoint-lost",
  "protocol",
  "watch",
  "archive",
  "banned",
  "internal",
  "cancelled",
] as const;

/** The codes of base/errors.ts, and two that are no class. */
export type ErrorReplyCode = (typeof ERROR_CODES)[number];

/** The longest message of an error that travels. */
export const ERROR_MESSAGE_MAX_BYTES = 16_384;

/** An error. */
export const errorReply: Codec<ErrorReply> = struct<ErrorReply>({
  code: oneOf(ERROR_CODES),
  message: text(ERROR_MESSAGE_MAX_BYTES),
});

/** One piece of what an endpoint reports by itself (message.ts puts pieces together). */
export type EventPart =
  | { readonly kind: "observation"; readonly observation: Observation }
  | { readonly kind: "move"; readonly move: Move }
  | { readonly kind: "rescan"; readonly path: RelPath; readonly why: string }
  | { readonly kind: "crowd"; readonly path: RelPath }
  | { readonly kind: "root-lost"; readonly why: string }
  | { readonly kind: "unwatched"; readonly path: RelPath }
  | { readonly kind: "barrier"; readonly id: number };

/** A piece of an event. */
export const eventPart: Codec<EventPart> = union<EventPart>({
  observation: { observation },
  move: { move },
  rescan: { path: treePath, why: shortText },
  crowd: { path: treePath },
  "root-lost": { why: shortText },
  unwatched: { path: treePath },
  barrier: { id: u32 },
});

/** How many bytes of events the reader has taken. */
export const credit: Codec<number> = u32;

/** Whether more parts of a message follow. */
export const more: Codec<number> = u8;
