/**
 * The brain's end of a connection: requests with answers, cancellation, and the stream of events.
 *
 * Gives frames no meaning beyond request, reply, event and error; endpoint/remote.ts does. What the
 * peer can make us hold is bounded: by the requests that we made, and by the window of events.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import {
  ArchiveError,
  BannedError,
  ConfigError,
  EndpointLostError,
  ProtocolError,
  type PsyncError,
  SafetyHaltError,
  SetupError,
  UsageError,
  WatchError,
} from "../base/errors.ts";
import { BoundedQueue } from "../base/queue.ts";
import type { EndpointEvent } from "../core/endpoint.ts";
import { BRAIN_SILENCE_MS, type ByteStreams, Channel } from "./channel.ts";
import { beginFrame, bodyOf, emptyFrame, endFrame, type Frame } from "./frame.ts";
import {
  Assembly,
  encodeParts,
  EVENT_PARTS,
  FRAME,
  joinEvent,
  type MethodName,
  METHODS,
  type Parts,
  REPLY_BIT,
  type ReplyOf,
  type RequestOf,
} from "./message.ts";
import { type ErrorReply, errorReply, type EventPart } from "./values.ts";
import type { Lane } from "./send_queue.ts";

/** So many bytes of events may be under way or unread; the filter waits beyond. */
export const EVENT_WINDOW_BYTES = 4 << 20;

/** Taken events are acknowledged in steps of this size. */
const CREDIT_STEP_BYTES = EVENT_WINDOW_BYTES >> 2;

/** One event, however many parts it has. */
const EVENT_MAX_BYTES = 256 << 20;

/** One reply. */
const REPLY_MAX_BYTES = 256 << 20;

/** Only listings are as large as the tree wants them: one of some million names fits. */
const LISTING_MAX_BYTES = 1 << 30;

/** So many requests are under way at once; further ones wait. */
export const REQUESTS_MAX = 64;

/** A message whose first frame is larger than this travels in the bulk lane. */
export const URGENT_MAX_BYTES = 32 * 1024;

/** More events than fit the window cannot be: each takes bytes. */
const EVENTS_MAX = EVENT_WINDOW_BYTES;

interface Pending {
  readonly replyType: number;
  readonly assembly: Assembly<unknown, unknown>;
  readonly settle: PromiseWithResolvers<unknown>;
}

/** Speaks to one filter. */
export class Caller {
  readonly #channel: Channel;
  readonly #pending = new Map<number, Pending>();
  readonly #events = new BoundedQueue<{ readonly event: EndpointEvent; readonly bytes: number }>(EVENTS_MAX);
  #event: Assembly<null, EventPart> | null = null;
  #lastPartBytes = 0;
  #eventBytes = 0;
  #owedBytes = 0;
  #lastId = 0;
  #places = REQUESTS_MAX;
  readonly #waiting: (() => void)[] = [];
  #why: PsyncError = new EndpointLostError("Cannot ask the filter: the connection was closed");
  #isClosing = false;

  constructor(streams: ByteStreams, options: { readonly clock: Clock; readonly silenceLimitMs?: number }) {
    this.#channel = new Channel(streams, {
      clock: options.clock,
      isPinging: true,
      silenceLimitMs: options.silenceLimitMs ?? BRAIN_SILENCE_MS,
      onFrame: (frame) => this.#take(frame),
    });
    this.#channel.ended.then((error) => this.#ended(error));
  }

  /** Settles when the connection has ended: null for a clean end. Never rejects. */
  get ended(): Promise<PsyncError | null> {
    return this.#channel.ended;
  }

  /**
   * Asks the filter; many calls may be under way.
   *
   * Cancelled by the signal: rejects with its reason at once, and the filter is told.
   * @throws the error that the filter answered, as the same class; what ended the connection.
   */
  async call<M extends MethodName>(
    name: M,
    request: RequestOf<M>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ReplyOf<M>> {
    for (;;) {
      options.signal?.throwIfAborted();
      if (this.#channel.isOver) throw this.#why;
      if (this.#places > 0) break;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const method = METHODS[name];
    const pending: Pending = {
      replyType: method.type | REPLY_BIT,
      assembly: new Assembly(
        method.reply as Parts<unknown, unknown>,
        name === "list" ? LISTING_MAX_BYTES : REPLY_MAX_BYTES,
      ),
      settle: Promise.withResolvers<unknown>(),
    };
    const id = this.#newId();
    this.#places--;
    this.#pending.set(id, pending);
    const frames = encodeParts(method.request as Parts<unknown, unknown>, { type: method.type, id, ...request });
    // Not awaited: it never rejects, and a cancelled call must not wait for it.
    this.#sendRequest(frames, { id, pending, signal: options.signal });
    return await pending.settle.promise as ReplyOf<M>;
  }

  /** What the filter reports by itself; for one reader. Ends with the connection, by an error unless it was clean. */
  async *events(): AsyncGenerator<EndpointEvent> {
    for await (const { event, bytes } of this.#events) {
      this.#acknowledge(bytes);
      yield event;
    }
  }

  /** From now on large requests take no more than so many bytes in a second. */
  limit(bytesPerSecond: number): void {
    this.#channel.limit(bytesPerSecond);
  }

  /** Ends the connection cleanly. */
  close(): Promise<void> {
    this.#isClosing = true;
    return this.#channel.close();
  }

  /** Ends the connection for a reason. */
  fail(error: PsyncError): void {
    this.#channel.fail(error);
  }

  #newId(): number {
    do this.#lastId = (this.#lastId % 0xffff_ffff) + 1; while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  async #sendRequest(
    frames: Iterable<{ readonly frame: Uint8Array; readonly isLast: boolean }>,
    request: { readonly id: number; readonly pending: Pending; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const { id, pending, signal } = request;
    let lane: Lane = "bulk";
    let state: "unsent" | "begun" | "sent" = "unsent";
    // In the request's own lane: it must not come before what it cancels.
    const cancel = () => this.#channel.post(emptyFrame(FRAME.cancel, id), lane);
    const onAbort = () => {
      pending.settle.reject(signal?.reason);
      if (state === "sent") cancel();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      for (const { frame, isLast } of frames) {
        if (state === "unsent") lane = isLast && frame.length <= URGENT_MAX_BYTES ? "urgent" : "bulk";
        state = "begun";
        await this.#channel.send(frame, lane);
        if (signal?.aborted) return cancel();
      }
      state = "sent";
      await pending.settle.promise;
    } catch (error) {
      // What we may not send: the filter must not wait for the rest. Else it was told to the caller before.
      pending.settle.reject(error);
      if (state === "begun") cancel();
      if (state === "unsent") this.#release(id);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #release(id: number): void {
    if (!this.#pending.delete(id)) return;
    this.#places++;
    this.#waiting.shift()?.();
  }

  #take(frame: Frame): void {
    if (frame.type === FRAME.event) return this.#takeEvent(frame);
    if (frame.type === FRAME.error) return this.#takeError(frame);
    const pending = this.#pending.get(frame.id);
    if (pending === undefined || pending.replyType !== frame.type) {
      throw new ProtocolError(`Cannot read frame: nothing was asked that type ${frame.type} answers`);
    }
    const message = pending.assembly.add(frame);
    if (message === null) return;
    this.#release(frame.id);
    pending.settle.resolve(message);
  }

  #takeError(frame: Frame): void {
    const reader = bodyOf(frame);
    const error = errorFrom(errorReply.read(reader));
    reader.end();
    if (frame.id === 0) throw error;
    const pending = this.#pending.get(frame.id);
    if (pending === undefined) throw new ProtocolError("Cannot read frame: an error answers nothing that was asked");
    this.#release(frame.id);
    pending.settle.reject(error);
  }

  #takeEvent(frame: Frame): void {
    this.#eventBytes += frame.body.length;
    if (this.#eventBytes > EVENT_WINDOW_BYTES) throw new ProtocolError("Cannot read event: the window was overrun");
    this.#event ??= new Assembly(EVENT_PARTS, EVENT_MAX_BYTES);
    const message = this.#event.add(frame);
    // The parts before the last are paid back at once: an event larger than the window must get through.
    if (message === null) return this.#acknowledge(frame.body.length);
    this.#event = null;
    this.#events.tryPush({ event: joinEvent(message.items), bytes: frame.body.length });
  }

  #acknowledge(bytes: number): void {
    this.#owedBytes += bytes;
    if (this.#owedBytes < CREDIT_STEP_BYTES) return;
    const writer = beginFrame({ type: FRAME.credit, id: 0 });
    writer.u32(this.#owedBytes);
    this.#eventBytes -= this.#owedBytes;
    this.#owedBytes = 0;
    this.#channel.post(endFrame(writer));
  }

  #ended(error: PsyncError | null): void {
    const cause = error ?? (this.#isClosing ? null : new EndpointLostError("Connection lost: the filter ended"));
    if (cause !== null) this.#why = cause;
    for (const { settle } of this.#pending.values()) settle.reject(this.#why);
    this.#pending.clear();
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#events.close(cause);
  }
}

/** The far error as an error of the same class. */
function errorFrom({ code, message }: ErrorReply): PsyncError {
  switch (code) {
    case "usage":
      return new UsageError(message);
    case "config":
      return new ConfigError(message);
    case "setup":
      return new SetupError(message);
    case "halt":
      return new SafetyHaltError(message);
    case "protocol":
      return new ProtocolError(message);
    case "watch":
      return new WatchError(message);
    case "archive":
      return new ArchiveError(message);
    case "banned":
      return new BannedError(message);
    case "endpoint-lost":
    case "cancelled":
      return new EndpointLostError(message);
    case "internal":
      return new EndpointLostError(`Filter failed: ${message}`);
  }
}
