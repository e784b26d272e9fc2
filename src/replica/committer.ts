/**
 * Turns transitions into the operations of psync-native and its answers into results.
 *
 * Decides nothing: compare, swap and look happen in psync-native apply (I2). Batches are cut to the
 * size of a record; their order is kept, as each part is answered before the next is sent.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { ProtocolError, SafetyHaltError } from "../base/errors.ts";
import type { Entry, Owner, Stamp } from "../core/entry.ts";
import type {
  CommitBatch,
  Disposal,
  Expected,
  MoveTransition,
  PutTransition,
  Transition,
  TransitionResult,
} from "../core/transition.ts";
import type { Applier } from "./applier.ts";
import type { Counter } from "./counter.ts";
import { errnoName, writeReason } from "./errno.ts";
import type { OwnerNaming } from "./looker.ts";
import {
  DISPOSE,
  KIND,
  LEAVE_ID,
  LEAVE_MTIME_NS,
  NO_STAT,
  type RawCommitted,
  type RawExpected,
  type RawMeta,
  type RawOp,
  type RawSource,
  type RawStat,
  RECORD_MAX_BYTES,
  STATUS,
} from "./native_format.ts";
import { stampOf } from "./observe.ts";
import type { OwnerIds } from "./owners.ts";

/** What one operation takes besides its strings and content; generous. */
const OP_FIXED_BYTES = 512;
const PART_BYTES = RECORD_MAX_BYTES - (64 << 10);
/** The answer must fit into a record as well; a part is flushed as a whole, so fewer are cheaper. */
const PART_OPS = 16_384;
/** UTF-8 takes at most this many bytes for one unit of a string. */
const UNIT_BYTES = 3;

/** A result, with what psync-native saw at the end of it. */
export interface Committed {
  readonly result: TransitionResult;
  readonly stat: RawStat;
}

/**
 * What a rename may be said to have shown. WHY not the mode of a directory: no rename compares it, so that a user
 * may have set it meanwhile; whoever asked for the rename believes in the one that he expected.
 */
export function toldOfMove({ expectedFrom }: MoveTransition, stat: RawStat): RawStat {
  return expectedFrom.kind === "dir" && stat.kind === KIND.dir ? { ...stat, mode: expectedFrom.mode } : stat;
}

/** A STAT that holds only what EXPECTED compares. */
export function statOfStamp(kind: number, stamp: Stamp): RawStat {
  return { ...NO_STAT, ...stamp, kind };
}

function rawExpected(expected: Expected, numbersOf: NumbersOf): RawExpected {
  switch (expected.kind) {
    case "absent":
      return { stat: NO_STAT, target: "" };
    case "file":
      return { stat: statOfStamp(KIND.file, expected.stamp), target: "" };
    case "link":
      return { stat: statOfStamp(KIND.link, expected.stamp), target: expected.target };
    case "dir": {
      const { uid, gid } = numbersOf(expected.owner);
      const stat = expected.stamp === null ? { ...NO_STAT, kind: KIND.dir } : statOfStamp(KIND.dir, expected.stamp);
      return { stat: { ...stat, mode: expected.mode, uid: uid ?? LEAVE_ID, gid: gid ?? LEAVE_ID }, target: "" };
    }
  }
}

/** The numbers of an owner; both null where there is none to set. */
type NumbersOf = (owner: Owner | null) => OwnerIds;

function rawMeta(entry: Entry, numbersOf: NumbersOf): RawMeta {
  const { uid, gid } = numbersOf(entry.owner);
  return { mode: entry.mode, uid: uid ?? LEAVE_ID, gid: gid ?? LEAVE_ID, mtimeNs: entry.mtimeNs };
}

/** Of a directory that is there, psync sets no mtime: each commit in it changes it. */
function metaOfLive(entry: Entry, numbersOf: NumbersOf): RawMeta {
  const meta = rawMeta(entry, numbersOf);
  return entry.kind === "dir" ? { ...meta, mtimeNs: LEAVE_MTIME_NS } : meta;
}

function rawSource(put: PutTransition): RawSource {
  if (put.content === null) throw new ProtocolError("Cannot put a file: no content was given");
  if (put.content.kind === "inline") return put.content;
  // What was read of a file that grew meanwhile may be more than what was decided on.
  return { ...put.content, sizeBytes: put.entry.kind === "file" ? put.entry.sizeBytes : 0 };
}

const DISPOSALS: Readonly<Record<Disposal, number>> = DISPOSE;

function rawPut(put: PutTransition, numbersOf: NumbersOf): RawOp {
  const { path, entry } = put;
  const base = {
    path,
    expected: rawExpected(put.expected, numbersOf),
    disposal: DISPOSALS[put.disposal],
    meta: rawMeta(entry, numbersOf),
  };
  switch (entry.kind) {
    case "file":
      return { ...base, op: "put-file", source: rawSource(put) };
    case "dir":
      return { ...base, op: "put-dir" };
    case "link":
      return { ...base, op: "put-link", target: entry.target };
  }
}

/** One transition as psync-native takes it. */
export function rawOp(transition: Transition, numbersOf: NumbersOf): RawOp {
  switch (transition.kind) {
    case "put":
      return rawPut(transition, numbersOf);
    case "remove": {
      const { path, force } = transition;
      const expected = rawExpected(transition.expected, numbersOf);
      return { op: "remove", path, expected, disposal: DISPOSALS[transition.disposal], force };
    }
    case "move":
      return {
        op: "move",
        path: transition.from,
        expected: rawExpected(transition.expectedFrom, numbersOf),
        to: transition.to,
        expectedTo: rawExpected(transition.expectedTo, numbersOf),
        disposal: DISPOSALS[transition.disposal],
      };
    case "meta": {
      const { path, entry } = transition;
      const expected = rawExpected(transition.expected, numbersOf);
      return { op: "meta", path, expected, disposal: DISPOSE.drop, meta: metaOfLive(entry, numbersOf) };
    }
  }
}

/** An upper bound of what an operation takes in a record. */
function opBytes(op: RawOp): number {
  const units = op.path.length + op.expected.target.length +
    (op.op === "move" ? op.to.length + op.expectedTo.target.length : op.op === "put-link" ? op.target.length : 0);
  const content = op.op !== "put-file" || op.source.kind === "staged"
    ? 0
    : op.source.kind === "inline"
    ? op.source.bytes.length
    : op.source.sizeBytes;
  return OP_FIXED_BYTES + units * UNIT_BYTES + content;
}

/** The pack must be just what the packed sources take, and go into one record with them, or be on its way. */
function requirePack(ops: readonly RawOp[], { pack = [], carried = null }: CommitBatch, parts: number): void {
  let wanted = 0;
  for (const op of ops) if (op.op === "put-file" && op.source.kind === "packed") wanted += op.source.sizeBytes;
  const given = pack.reduce((sum, piece) => sum + piece.length, 0);
  if (carried === 0) throw new ProtocolError("Cannot commit: no pack has the number 0");
  if (carried === null ? wanted !== given : given > 0) {
    throw new ProtocolError(`Cannot commit: the pack must have ${wanted} bytes: found ${given}`);
  }
  if (parts > 1 && (wanted > 0 || carried !== null)) throw new ProtocolError("Cannot commit: the pack is too large");
}

/** Cuts operations into parts that each fit into one record, in order. */
export function cutOps(ops: readonly RawOp[]): RawOp[][] {
  const parts: RawOp[][] = [];
  let part: RawOp[] = [];
  let bytes = 0;
  for (const op of ops) {
    const more = opBytes(op);
    if (part.length > 0 && (bytes + more > PART_BYTES || part.length >= PART_OPS)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(op);
    bytes += more;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

const REFUSED = {
  [STATUS.stale]: "stale",
  [STATUS.staleKept]: "stale-kept",
  [STATUS.busy]: "busy",
  [STATUS.dirty]: "dirty",
  [STATUS.notEmpty]: "not-empty",
  [STATUS.orphan]: "orphan",
  [STATUS.gone]: "gone",
} as const;

/** What became of one operation, in the words of the contract. */
export function resultOf(
  raw: RawCommitted,
  context: { readonly op: RawOp["op"]; readonly ended: number; readonly isUnowned: boolean },
): TransitionResult {
  const { ended } = context;
  const kept = raw.kept === "" ? null : raw.kept;
  if (raw.status === STATUS.done) {
    const stamp = context.op === "remove" ? null : stampOf(raw.stat);
    return { kind: "done", ended, stamp, kept, masked: raw.masked || context.isUnowned };
  }
  if (raw.status === STATUS.failed) {
    const step = raw.step === "" ? "" : ` while ${raw.step}`;
    return { kind: "failed", ended, reason: writeReason(raw.errno), detail: errnoName(raw.errno) + step };
  }
  if (raw.status === STATUS.mount) return { kind: "failed", ended, reason: "mount", detail: "mount point" };
  const refused = (REFUSED as Readonly<Record<number, typeof REFUSED[keyof typeof REFUSED]>>)[raw.status];
  if (refused !== undefined) return { kind: refused, ended, kept };
  throw new ProtocolError(`Cannot commit: psync-native answered with status ${raw.status}`);
}

/** Names of trash directories: the second in UTC, and a number that no other batch of it has. */
export class TrashLabels {
  readonly #clock: Pick<Clock, "wallMs">;
  #last: number;

  constructor(clock: Pick<Clock, "wallMs">) {
    this.#clock = clock;
    // WHY: random, so that a process that starts in the same second does not use the same labels.
    this.#last = crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000;
  }

  /** A label such as `20260131T235959Z-17`. */
  next(): string {
    const utc = new Date(this.#clock.wallMs()).toISOString().replace(/[-:]|\.\d+/g, "");
    return `${utc}-${++this.#last}`;
  }
}

/** Makes transitions. */
export class Committer {
  readonly #applier: Applier;
  readonly #counter: Counter;
  readonly #naming: OwnerNaming;
  readonly #labels: TrashLabels;

  constructor(
    parts: {
      readonly applier: Applier;
      readonly counter: Counter;
      readonly naming: OwnerNaming;
      readonly labels: TrashLabels;
    },
  ) {
    this.#applier = parts.applier;
    this.#counter = parts.counter;
    this.#naming = parts.naming;
    this.#labels = parts.labels;
  }

  /**
   * Makes the transitions in order; one outcome for each.
   * @throws {SafetyHaltError} where the root or its marks are not what they were; of the part that
   * was refused nothing was changed.
   */
  async commit(batch: CommitBatch): Promise<Committed[]> {
    const { transitions, pack = [], carried = null } = batch;
    const numbersOf = await this.#numbersOf(transitions);
    const ops = transitions.map((transition) => rawOp(transition, numbersOf));
    const label = this.#labels.next();
    const out: Committed[] = [];
    const cut = cutOps(ops);
    // What the carrier brings is taken also where nothing is to be made of it.
    const parts = cut.length === 0 && carried !== null ? [[]] : cut;
    requirePack(ops, batch, parts.length);
    for (const part of parts) {
      const committed = await this.#applier.commit({ label, ops: part, pack, carried });
      const ended = this.#counter.end();
      guard(committed);
      for (const [i, raw] of committed.entries()) {
        const transition = transitions[out.length]!;
        const isUnowned = this.#naming.isOn && isOwnerUnknown(transition, numbersOf);
        out.push({ result: resultOf(raw, { op: part[i]!.op, ended, isUnowned }), stat: raw.stat });
      }
    }
    return out;
  }

  async #numbersOf(transitions: readonly Transition[]): Promise<NumbersOf> {
    if (!this.#naming.isOn) return () => ({ uid: null, gid: null });
    const numbersOf = await this.#naming.owners.numberer(ownersIn(transitions));
    return (owner) => owner === null ? { uid: null, gid: null } : numbersOf(owner);
  }
}

function* ownersIn(transitions: readonly Transition[]): Generator<Owner> {
  for (const transition of transitions) {
    if (transition.kind === "put" || transition.kind === "meta") {
      if (transition.entry.owner !== null) yield transition.entry.owner;
    }
    for (const expected of expectationsOf(transition)) {
      if (expected.kind === "dir" && expected.owner !== null) yield expected.owner;
    }
  }
}

function expectationsOf(transition: Transition): Expected[] {
  return transition.kind === "move" ? [transition.expectedFrom, transition.expectedTo] : [transition.expected];
}

/** Whether a transition was to set an owner whose name this host does not know: it was left alone. */
function isOwnerUnknown(transition: Transition, numbersOf: NumbersOf): boolean {
  if (transition.kind !== "put" && transition.kind !== "meta") return false;
  const { owner } = transition.entry;
  if (owner === null) return false;
  const { uid, gid } = numbersOf(owner);
  return uid === null || gid === null;
}

function guard(committed: readonly RawCommitted[]): void {
  if (committed.some(({ status }) => status === STATUS.guard)) {
    throw new SafetyHaltError("Cannot commit: the root or its marks are not what they were");
  }
}
