/**
 * Frames: how one byte stream is cut into typed pieces.
 *
 *     u32 length   of what follows (type, id, body), little-endian; at most FRAME_MAX
 *     u8  type     message.ts
 *     u32 id       of the request; 0 where there is none
 *     ... body
 *
 * Knows no message. The length is checked before anything is allocated for it.
 * Used by channel.ts on both ends; each treats the other as hostile.
 * @module
 */
import { ProtocolError } from "../base/errors.ts";
import { Reader, Writer } from "./buffer.ts";

/** The greatest length that a frame may state: what a peer can make us hold before it is read. */
export const FRAME_MAX_BYTES = 4 << 20;

/** Length, type and id. */
export const HEADER_BYTES = 9;

const LENGTH_BYTES = 4;
const AFTER_LENGTH = HEADER_BYTES - LENGTH_BYTES;

/** One frame as it came: `body` is a view that is valid as long as it is held. */
export interface Frame {
  readonly type: number;
  readonly id: number;
  readonly body: Uint8Array;
}

/** A writer that stands behind the header of a frame; `endFrame` completes it. */
export function beginFrame(head: { readonly type: number; readonly id: number }, startBytes = 512): Writer {
  const writer = new Writer(startBytes);
  writer.u32(0);
  writer.u8(head.type);
  writer.u32(head.id);
  return writer;
}

/**
 * Completes the frame and hands over its buffer.
 * @throws {ProtocolError} where it is too large to be sent.
 */
export function endFrame(writer: Writer): Uint8Array<ArrayBuffer> {
  const length = writer.sizeBytes - LENGTH_BYTES;
  if (length > FRAME_MAX_BYTES) {
    throw new ProtocolError(`Cannot send frame: length must be at most ${FRAME_MAX_BYTES}: found ${length}`);
  }
  writer.patchU32(0, length);
  return writer.finish();
}

/** A frame without body. */
export function emptyFrame(type: number, id = 0): Uint8Array<ArrayBuffer> {
  return endFrame(beginFrame({ type, id }, HEADER_BYTES));
}

/** A strict reader of the body of a frame. */
export function bodyOf(frame: Frame): Reader {
  return new Reader(frame.body);
}

/** Cuts chunks of any size into frames; a frame that lies in one chunk is a view of it. */
export class FrameCutter {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerHas = 0;
  #body: Uint8Array<ArrayBuffer> | null = null;
  #bodyHas = 0;

  /** Whether the stream stands between two frames. */
  get isBetween(): boolean {
    return this.#headerHas === 0;
  }

  /**
   * Gives the frames that `chunk` completes. It must be read to its end before the next call.
   * @throws {ProtocolError} where a length is too small or too large.
   */
  *push(chunk: Uint8Array): Generator<Frame> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerHas < HEADER_BYTES) {
        const take = Math.min(HEADER_BYTES - this.#headerHas, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + take), this.#headerHas);
        this.#headerHas += take;
        at += take;
        // The length alone is enough to refuse what follows.
        if (this.#headerHas >= LENGTH_BYTES) this.#bodyLength();
        if (this.#headerHas < HEADER_BYTES) return;
      }
      const length = this.#bodyLength();
      if (this.#body === null && chunk.length - at >= length) {
        yield this.#complete(chunk.subarray(at, at + length));
        at += length;
        continue;
      }
      const body = this.#body ??= new Uint8Array(length);
      const take = Math.min(length - this.#bodyHas, chunk.length - at);
      body.set(chunk.subarray(at, at + take), this.#bodyHas);
      this.#bodyHas += take;
      at += take;
      if (this.#bodyHas === length) yield this.#complete(body);
    }
  }

  /** Where the rest of a frame is to be read to, while one has begun that is not whole; `filled` follows. */
  get space(): Uint8Array<ArrayBuffer> | null {
    return this.#body === null ? null : this.#body.subarray(this.#bodyHas);
  }

  /** Gives the frame that bytes completed which were read into `space`. */
  *filled(bytes: Uint8Array<ArrayBuffer>): Generator<Frame> {
    const body = this.#body = new Uint8Array(bytes.buffer);
    this.#bodyHas = bytes.byteOffset + bytes.length;
    if (this.#bodyHas === body.length) yield this.#complete(body);
  }

  #bodyLength(): number {
    const header = this.#header;
    const length = (header[0]! | (header[1]! << 8) | (header[2]! << 16) | (header[3]! << 24)) >>> 0;
    if (length < AFTER_LENGTH || length > FRAME_MAX_BYTES) {
      throw new ProtocolError(
        `Cannot read frame: length must be ${AFTER_LENGTH} to ${FRAME_MAX_BYTES}: found ${length}`,
      );
    }
    return length - AFTER_LENGTH;
  }

  #complete(body: Uint8Array): Frame {
    const header = this.#header;
    const id = (header[5]! | (header[6]! << 8) | (header[7]! << 16) | (header[8]! << 24)) >>> 0;
    const frame = { type: header[4]!, id, body };
    this.#headerHas = 0;
    this.#body = null;
    this.#bodyHas = 0;
    return frame;
  }
}
