/**
 * Frames that no honest end would send: whole messages in which a marked text is replaced by bytes
 * that our own codecs refuse to write, and frames whose head lies.
 * @module
 */
import { joinBytes } from "../../src/base/bytes.ts";
import { parseRelPath, type RelPath } from "../../src/core/path.ts";
import { beginFrame, endFrame, HEADER_BYTES } from "../../src/wire/frame.ts";
import {
  encodeParts,
  EVENT_PARTS,
  FRAME,
  type MethodName,
  METHODS,
  type Parts,
  REPLY_BIT,
} from "../../src/wire/message.ts";
import type { EventPart } from "../../src/wire/values.ts";

/** Stands where the hostile text goes; as a path of the tree. */
export const MARK: RelPath = parseRelPath("here-stands-the-hostile-text");

/** A text as it travels, or any bytes. */
export type Hostile = string | Uint8Array;

/** Which message, and what it says. */
export interface Saying {
  readonly id: number;
  readonly head: unknown;
  readonly items: readonly unknown[];
}

/** The frames of a request, with each MARK replaced. */
export function requestBytes(name: MethodName, saying: Saying, hostile?: Hostile): Uint8Array {
  const { type, request } = METHODS[name];
  return bytesOf(request as Parts<unknown, unknown>, { type, ...saying }, hostile);
}

/** The frames of a reply, with each MARK replaced. */
export function replyBytes(name: MethodName, saying: Saying, hostile?: Hostile): Uint8Array {
  const { type, reply } = METHODS[name];
  return bytesOf(reply as Parts<unknown, unknown>, { type: type | REPLY_BIT, ...saying }, hostile);
}

/** The frames of an event, with each MARK replaced. */
export function eventBytes(parts: readonly EventPart[], hostile?: Hostile): Uint8Array {
  return bytesOf(
    EVENT_PARTS as Parts<unknown, unknown>,
    { type: FRAME.event, id: 0, head: null, items: parts },
    hostile,
  );
}

/** A frame of any type with any body; `length`: what its head says instead of the truth. */
export function rawFrame(type: number, id: number, body: Uint8Array = new Uint8Array(0), length?: number): Uint8Array {
  const writer = beginFrame({ type, id });
  writer.raw(body);
  const frame = endFrame(writer);
  if (length !== undefined) new DataView(frame.buffer, frame.byteOffset).setUint32(0, length, true);
  return frame;
}

function bytesOf(
  parts: Parts<unknown, unknown>,
  message: { readonly type: number; readonly id: number; readonly head: unknown; readonly items: readonly unknown[] },
  hostile: Hostile | undefined,
): Uint8Array {
  const frames = [...encodeParts(parts, message)].map(({ frame }) => {
    return hostile === undefined ? frame : replaceMark(frame, hostile);
  });
  return joinBytes(frames);
}

/** Replaces each marked text, its length, and the length of the frame. */
function replaceMark(frame: Uint8Array, hostile: Hostile): Uint8Array {
  const mark = new TextEncoder().encode(MARK);
  const text = typeof hostile === "string" ? new TextEncoder().encode(hostile) : hostile;
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (let at = HEADER_BYTES + 4; at + mark.length <= frame.length; at++) {
    if (!mark.every((byte, i) => frame[at + i] === byte)) continue;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, text.length, true);
    pieces.push(frame.subarray(from, at - 4), length, text);
    from = at + mark.length;
  }
  const whole = joinBytes([...pieces, frame.subarray(from)]);
  new DataView(whole.buffer).setUint32(0, whole.length - 4, true);
  return whole;
}
