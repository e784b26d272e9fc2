/**
 * One end of a connection: frames in, frames out, heartbeat, and one clear end.
 *
 * Knows frames, not what they ask for. The end that pings (the brain's) holds the link for lost after
 * 15 s of silence; the other one only answers, and ends so that it is gone after 30 s. Silence ends with
 * a whole frame, or with so many bytes of one that even a slow link brings them in that time: a frame
 * that trickles in for ever is silence. A connection ends cleanly with a BYE frame; everything else is
 * an error that every waiting call gets.
 * Used by caller.ts and answerer.ts.
 * @module
 */
import { ByteSource } from "../base/byte_source.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, PsyncError } from "../base/errors.ts";
import { emptyFrame, type Frame, FrameCutter } from "./frame.ts";
import { Heartbeat } from "./heartbeat.ts";
import { FRAME } from "./message.ts";
import { type Lane, SendQueue } from "./send_queue.ts";

/** A pair of byte streams. Whoever makes a channel of it must not use it any more. */
export interface ByteStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
}

/** The brain's end: nothing received for so long means that the link is lost. */
export const BRAIN_SILENCE_MS = 15_000;

/** The filter end: */
export const FILTER_SILENCE_MS = 25_000;

/** A whole frame ends a silence where it came within so long: pings byte by byte would keep a link that is of no use. */
const FRAME_MAX_MS = 2_000;

/** So many bytes within that time end one as well, of a frame that is not whole yet: 260 bytes a second keep a link. */
const PROGRESS_BYTES = 512;

/** How long a clean end waits for what is still to be written. */
const FLUSH_MS = 1_000;

/** What a channel needs to know of its end. */
export interface ChannelOptions {
  readonly clock: Clock;
  /** Whether this end pings when it is quiet. */
  readonly isPinging: boolean;
  readonly silenceLimitMs: number;
  /** Takes each frame that is not the channel's own, in order. A PsyncError that it throws ends the channel. */
  readonly onFrame: (frame: Frame) => void;
}

/** A running connection. */
export class Channel {
  /** Settles once: null after a clean end, else why it ended. Never rejects. */
  readonly ended: Promise<PsyncError | null>;
  readonly #streams: ByteStreams;
  readonly #source: ByteSource;
  readonly #options: ChannelOptions;
  readonly #queue = new SendQueue();
  readonly #end = Promise.withResolvers<PsyncError | null>();
  readonly #writing: Promise<void>;
  #isOver = false;
  #isClosing = false;
  readonly #heartbeat: Heartbeat;
  #late: Timer | null = null;
  #heardBytes = 0;
  /** Since when they are counted. */
  #heardSinceMs = 0;

  constructor(streams: ByteStreams, options: ChannelOptions) {
    this.#streams = streams;
    this.#options = options;
    this.#source = new ByteSource(streams.readable);
    this.ended = this.#end.promise;
    const { clock, silenceLimitMs } = options;
    const ping = options.isPinging ? () => this.post(emptyFrame(FRAME.ping)) : null;
    this.#heartbeat = new Heartbeat({ clock, silenceLimitMs, ping, lost: () => this.#lost() });
    this.#writing = this.#write();
    this.#read();
  }

  /** Whether the connection has ended, or is being ended. */
  get isOver(): boolean {
    return this.#isOver || this.#isClosing;
  }

  /** Sends a frame; waits while too much is waiting. @throws the error that ended the connection. */
  send(frame: Uint8Array, lane: Lane): Promise<void> {
    return this.#queue.push(frame, lane);
  }

  /** From now on what is sent in bulk takes no more than so many bytes in a second. */
  limit(bytesPerSecond: number): void {
    this.#queue.limit(bytesPerSecond, this.#options.clock);
  }

  /** Resolves when the limit would let more go. */
  paced(): Promise<void> {
    return this.#queue.paced();
  }

  /** Sends a control frame without waiting. */
  post(frame: Uint8Array, lane: Lane = "urgent"): void {
    this.#queue.post(frame, lane);
  }

  /** Ends cleanly: what waits is sent, then BYE. Settles when the streams are done with. */
  async close(): Promise<void> {
    if (!this.isOver) {
      this.#isClosing = true;
      this.#queue.close();
      this.#late = this.#options.clock.after(FLUSH_MS, () => this.#finish(null));
      await Promise.race([this.#writing, this.ended]);
      if (!this.#isOver) this.#streams.writer.write(emptyFrame(FRAME.bye)).catch(() => {});
      this.#finish(null);
    }
    await this.ended;
  }

  /** Ends at once, for a reason: what waits is dropped, but for `last`, which is tried. */
  fail(error: PsyncError, last?: Uint8Array): void {
    if (this.#isOver) return;
    // RACE: the peer may not read it; it ends by itself then, on EOF.
    if (last !== undefined) this.#streams.writer.write(last).catch(() => {});
    this.#finish(error);
  }

  #finish(error: PsyncError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#heartbeat.end();
    this.#late?.cancel();
    this.#queue.fail(error ?? new EndpointLostError("Cannot send: the connection was closed"));
    this.#source.cancel().catch(() => {}); // it may have failed itself
    if (error === null) this.#streams.writer.close().catch(() => {});
    else this.#streams.writer.close().catch(() => this.#streams.writer.abort(error).catch(() => {}));
    this.#end.resolve(error);
  }

  #lost(): void {
    const what = this.#heardBytes === 0 ? "nothing was received" : "no whole frame came";
    this.#finish(new EndpointLostError(`Connection lost: ${what} for ${this.#options.silenceLimitMs / 1000} s`));
  }

  async #write(): Promise<void> {
    try {
      for (;;) {
        const chunk = await this.#queue.take();
        if (chunk === null) return;
        await this.#streams.writer.write(chunk);
        this.#heartbeat.sent();
      }
    } catch (cause) {
      // What the peer still said, such as why it ended, is read before this end gives up: EOF follows.
      if (!this.#isOver) this.#writeFailed(cause);
    }
  }

  #writeFailed(cause: unknown): void {
    const error = new EndpointLostError("Connection lost: the other end does not read any more", { cause });
    this.#queue.fail(error);
    this.#late = this.#options.clock.after(FLUSH_MS, () => this.#finish(error));
  }

  async #read(): Promise<void> {
    const cutter = new FrameCutter();
    const { clock } = this.#options;
    let beganAtMs = clock.nowMs();
    try {
      for (;;) {
        const { space, isBetween } = cutter;
        const bytes = await this.#source.read(space);
        if (bytes === null || this.#isOver) break;
        const nowMs = clock.nowMs();
        if (isBetween) beganAtMs = nowMs;
        this.#heard(bytes.length, nowMs);
        for (const frame of space === null ? cutter.push(bytes) : cutter.filled(bytes)) {
          if (nowMs - beganAtMs <= FRAME_MAX_MS) this.#heard(PROGRESS_BYTES, nowMs);
          beganAtMs = nowMs;
          this.#take(frame);
          if (this.#isOver) return;
        }
      }
      const what = cutter.isBetween ? "the other end closed it" : "it was cut within a frame";
      this.#finish(this.#isClosing ? null : new EndpointLostError(`Connection lost: ${what}`));
    } catch (cause) {
      this.#readFailed(cause);
    }
  }

  /** Counts what came since the last progress. */
  #heard(bytes: number, nowMs: number): void {
    if (nowMs - this.#heardSinceMs > FRAME_MAX_MS) [this.#heardSinceMs, this.#heardBytes] = [nowMs, 0];
    this.#heardBytes += bytes;
    if (this.#heardBytes < PROGRESS_BYTES) return;
    this.#heardBytes = 0;
    this.#heartbeat.heard();
  }

  #readFailed(cause: unknown): void {
    if (cause instanceof PsyncError) return this.fail(cause);
    const what = cause instanceof Error ? cause.message : String(cause);
    this.#finish(this.#isClosing ? null : new EndpointLostError(`Connection lost: ${what}`, { cause }));
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case FRAME.ping:
        requireEmpty(frame);
        return this.post(emptyFrame(FRAME.pong));
      case FRAME.pong:
        return requireEmpty(frame);
      case FRAME.bye:
        requireEmpty(frame);
        return this.#finish(null);
      default:
        return this.#options.onFrame(frame);
    }
  }
}

function requireEmpty(frame: Frame): void {
  if (frame.body.length > 0 || frame.id !== 0) {
    throw new ProtocolError(`Cannot read frame of type ${frame.type}: it must be empty`);
  }
}
