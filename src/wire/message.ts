/**
 * The messages of the protocol: which frame types there are, what each request asks and answers,
 * and how a message that is too large for one frame travels in parts.
 *
 * A message is one head and any number of items. A part is a frame whose body is
 *
 *     u8 flags   1: more parts follow
 *     head       in the first part only
 *     items      to the end of the body
 *
 * Does no I/O. caller.ts and answerer.ts send and gather parts; the endpoints give them meaning.
 * @module
 */
import { createHash } from "node:crypto";
import { ProtocolError } from "../base/errors.ts";
import type { BasisResult, CarrierPlace, EndpointEvent, Listing, Move } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import type { Writer } from "./buffer.ts";
import { bool, type Codec, digits, nothing, type Of, option, struct, u32, varint } from "./codec.ts";
import { beginFrame, bodyOf, endFrame, type Frame, FRAME_MAX_BYTES } from "./frame.ts";
import * as batches from "./batch_values.ts";
import * as doctor from "./checkup_values.ts";
import * as values from "./values.ts";

/** Rises when frames change their meaning without changing their layout. */
const PROTOCOL_VERSION = 1;

/** A part is closed once it is this large: control frames never wait long behind one. */
export const PART_TARGET_BYTES = 256 * 1024;

/** The types of frames that are no request and no reply. */
export const FRAME = {
  error: 0x01,
  cancel: 0x02,
  ping: 0x03,
  pong: 0x04,
  bye: 0x05,
  event: 0x06,
  credit: 0x07,
} as const;

/** Added to the type of a request: its reply. */
export const REPLY_BIT = 0x80;

/** What a message consists of. */
export interface Parts<H, I> {
  readonly head: Codec<H>;
  readonly item: Codec<I>;
}

/** One request and its answer. */
export interface Method<QH, QI, RH, RI> {
  /** The type of its frames. */
  readonly type: number;
  readonly request: Parts<QH, QI>;
  readonly reply: Parts<RH, RI>;
}

/** Items that are never there. */
const none: Codec<never> = {
  shape: "none",
  minBytes: 1,
  write() {
    throw new ProtocolError("Cannot write frame: this message has no items");
  },
  read: (reader) => reader.fail("this message has no items"),
};

function method<QH, QI, RH, RI>(
  type: number,
  parts: { readonly request: Parts<QH, QI>; readonly reply: Parts<RH, RI> },
): Method<QH, QI, RH, RI> {
  return { type, ...parts };
}

const empty = { head: nothing, item: none };
const batchHead = struct<{ readonly batch: string }>({ batch: values.batchName });

/** Every method of the Endpoint contract, and `open`, which must come first. */
export const METHODS = {
  open: method(0x10, {
    request: { head: values.openRequest, item: none },
    reply: { head: values.facts, item: none },
  }),
  list: method(0x11, {
    request: { head: nothing, item: values.treePath },
    reply: { head: nothing, item: values.listingPart },
  }),
  look: method(0x12, {
    request: { head: values.lookOptions, item: values.treePath },
    reply: { head: nothing, item: values.observation },
  }),
  commit: method(0x13, {
    request: { head: values.carried, item: values.commitPart },
    reply: { head: nothing, item: values.transitionResult },
  }),
  supply: method(0x14, {
    request: { head: batchHead, item: batches.supplyRequest },
    reply: { head: nothing, item: batches.supplyResult },
  }),
  prepare: method(0x15, {
    request: { head: batchHead, item: batches.basisRequest },
    reply: { head: nothing, item: batches.basisResult },
  }),
  release: method(0x16, {
    request: { head: batchHead, item: none },
    reply: {
      head: struct<{ readonly stable: readonly number[] }>({ stable: batches.stableIds }),
      item: batches.basisResult as Codec<BasisResult>,
    },
  }),
  adopt: method(0x17, {
    request: { head: batches.marks, item: none },
    reply: { head: batches.renewed, item: values.trashPath },
  }),
  releaseLock: method(0x18, { request: empty, reply: empty }),
  sync: method(0x19, {
    request: { head: batches.syncRequest, item: none },
    reply: { head: nothing, item: values.trashPath },
  }),
  setCompareOwners: method(0x1a, {
    request: { head: struct<{ readonly on: boolean }>({ on: bool }), item: none },
    reply: empty,
  }),
  trashList: method(0x1b, {
    request: { head: values.trashQuery, item: none },
    reply: { head: values.trashPageHead, item: values.trashItem },
  }),
  trashAct: method(0x1c, {
    request: { head: nothing, item: values.trashAction },
    reply: { head: nothing, item: values.trashResult },
  }),
  space: method(0x1d, {
    request: { head: struct<{ readonly neededBytes: number }>({ neededBytes: varint }), item: none },
    reply: { head: values.space, item: none },
  }),
  findProgram: method(0x1e, {
    request: { head: values.programQuery, item: none },
    reply: { head: values.programFound, item: none },
  }),
  pack: method(0x23, {
    request: { head: nothing, item: values.packRequest },
    reply: { head: values.carried, item: values.packPart },
  }),
  carry: method(0x25, {
    request: empty,
    reply: {
      head: struct<{ readonly place: CarrierPlace | null }>({ place: option(values.carrierPlace) }),
      item: none,
    },
  }),
  verify: method(0x24, {
    request: { head: struct<{ readonly key: string }>({ key: digits(16) }), item: values.dirClaim },
    reply: { head: nothing, item: bool },
  }),
  barrier: method(0x1f, {
    request: { head: struct<{ readonly id: number }>({ id: u32 }), item: none },
    reply: empty,
  }),
  checkup: method(0x20, { request: empty, reply: { head: doctor.checkup, item: none } }),
  echo: method(0x21, {
    request: { head: doctor.echoSize, item: doctor.noise },
    reply: { head: doctor.echoed, item: doctor.noise },
  }),
  vitals: method(0x22, { request: empty, reply: { head: doctor.vitals, item: none } }),
} as const;

/** The name of a method. */
export type MethodName = keyof typeof METHODS;

/** A message of one kind of parts. */
export interface Message<H, I> {
  readonly head: H;
  readonly items: readonly I[];
}

/** The request of a method. */
export type RequestOf<M extends MethodName> = Message<
  Of<(typeof METHODS)[M]["request"]["head"]>,
  Of<(typeof METHODS)[M]["request"]["item"]>
>;

/** The reply of a method. */
export type ReplyOf<M extends MethodName> = Message<
  Of<(typeof METHODS)[M]["reply"]["head"]>,
  Of<(typeof METHODS)[M]["reply"]["item"]>
>;

/** The parts of an event. */
export const EVENT_PARTS: Parts<null, values.EventPart> = { head: nothing, item: values.eventPart };

/** 16 hex digits that differ where two builds would not understand each other. */
export const PROTOCOL_HASH: string = protocolHash();

function protocolHash(): string {
  const methods = Object.entries(METHODS).map(([name, { type, request, reply }]) =>
    [name, type, request.head.shape, request.item.shape, reply.head.shape, reply.item.shape].join(" ")
  );
  const rest = [PROTOCOL_VERSION, FRAME_MAX_BYTES, JSON.stringify(FRAME), EVENT_PARTS.item.shape];
  const error = values.errorReply.shape;
  return createHash("sha256").update([...methods, ...rest, error].join("\n")).digest("hex").slice(0, 16);
}

/**
 * Encodes a message as frames, each about PART_TARGET_BYTES or one item large.
 *
 * Lazily: a frame is made when it is asked for, so that a large message needs no second copy.
 * @throws {ProtocolError} where a value must not be sent.
 */
export function* encodeParts<H, I>(
  parts: Parts<H, I>,
  message: { readonly type: number; readonly id: number; readonly head: H; readonly items: Iterable<I> },
): Generator<{ readonly frame: Uint8Array<ArrayBuffer>; readonly isLast: boolean }> {
  let writer = beginFrame(message);
  const flagsAt = writer.sizeBytes;
  writer.u8(0);
  parts.head.write(writer, message.head);
  for (const item of message.items) {
    if (writer.sizeBytes >= PART_TARGET_BYTES) {
      writer.patchU8(flagsAt, 1);
      const next: Writer = beginFrame(message, PART_TARGET_BYTES + (PART_TARGET_BYTES >> 3));
      next.u8(0);
      next.dir = writer.dir;
      yield { frame: endFrame(writer), isLast: false };
      writer = next;
    }
    parts.item.write(writer, item);
  }
  yield { frame: endFrame(writer), isLast: true };
}

/** What an item weighs beside its bytes: the smallest ones grow most when they become objects. */
const ITEM_BYTES = 64;

/** Gathers the parts of one message. */
export class Assembly<H, I> {
  readonly #parts: Parts<H, I>;
  readonly #maxBytes: number;
  readonly #items: I[] = [];
  #head: { readonly value: H } | null = null;
  #dir = bodyOf({ type: 0, id: 0, body: new Uint8Array(0) }).dir;
  #bytes = 0;

  /** `maxBytes` bounds what a peer can make us hold for one message: its bytes, and 64 for each item. */
  constructor(parts: Parts<H, I>, maxBytes: number) {
    this.#parts = parts;
    this.#maxBytes = maxBytes;
  }

  /** What was taken weighs so much. */
  get sizeBytes(): number {
    return this.#bytes;
  }

  /**
   * Takes the next part; gives the message once it is whole.
   * @throws {ProtocolError} where it is malformed or too large.
   */
  add(frame: Frame): Message<H, I> | null {
    this.#weigh(frame.type, frame.body.length);
    const reader = bodyOf(frame);
    reader.dir = this.#dir;
    const flags = reader.u8();
    if (flags > 1) reader.fail(`flags must be 0 or 1: found ${flags}`);
    this.#head ??= { value: this.#parts.head.read(reader) };
    while (reader.left > 0) {
      this.#weigh(frame.type, ITEM_BYTES);
      this.#items.push(this.#parts.item.read(reader));
    }
    this.#dir = reader.dir;
    return flags === 1 ? null : { head: this.#head.value, items: this.#items };
  }

  #weigh(type: number, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return;
    throw new ProtocolError(`Cannot read message of type ${type}: it weighs more than ${this.#maxBytes} bytes`);
  }
}

/** Takes listings apart for their journey. */
export function* listingParts(listings: Iterable<Listing>): Generator<values.ListingPart> {
  for (const listing of listings) {
    yield listing;
    if (listing.kind === "unlisted") continue;
    for (const entry of listing.entries) yield { kind: "entry", entry };
  }
}

/**
 * Puts listings together again.
 * @throws {ProtocolError} where an entry comes before its listing.
 */
export function joinListings(parts: readonly values.ListingPart[]): Listing[] {
  const listings: Listing[] = [];
  let entries: Observation[] | null = null;
  for (const part of parts) {
    if (part.kind === "entry") {
      if (entries === null) throw new ProtocolError("Cannot read listing: found an entry without a directory");
      entries.push(part.entry);
    } else if (part.kind === "listed") {
      entries = [];
      listings.push({ ...part, entries });
    } else {
      entries = null;
      listings.push(part);
    }
  }
  return listings;
}

/** Takes an event apart for its journey. */
export function* eventParts(event: EndpointEvent): Generator<values.EventPart> {
  if (event.kind !== "observed") return yield event;
  for (const move of event.moves) yield { kind: "move", move };
  for (const observation of event.observations) yield { kind: "observation", observation };
}

/**
 * Puts an event together again.
 * @throws {ProtocolError} where parts of different events are mixed.
 */
export function joinEvent(parts: readonly values.EventPart[]): EndpointEvent {
  const observations: Observation[] = [];
  const moves: Move[] = [];
  for (const part of parts) {
    if (part.kind === "observation") observations.push(part.observation);
    else if (part.kind === "move") moves.push(part.move);
    else if (parts.length > 1) throw new ProtocolError(`Cannot read event: "${part.kind}" must stand alone`);
    else return part;
  }
  return { kind: "observed", observations, moves };
}
