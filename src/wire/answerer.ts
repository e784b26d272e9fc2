/**
 * The filter's end of a connection: takes requests, gives each to its handler, sends the answers and
 * the events.
 *
 * Has no handler of its own (endpoint/serve.ts). Every request is answered once, by a reply or an
 * error, also when it was cancelled. What a brain can make us hold is bounded: by the number of
 * requests under way and by their bytes; events wait until the brain has read earlier ones.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, PsyncError } from "../base/errors.ts";
import type { EndpointEvent } from "../core/endpoint.ts";
import { EVENT_WINDOW_BYTES, REQUESTS_MAX, URGENT_MAX_BYTES } from "./caller.ts";
import { type ByteStreams, Channel, FILTER_SILENCE_MS } from "./channel.ts";
import { beginFrame, bodyOf, endFrame, type Frame, HEADER_BYTES } from "./frame.ts";
import {
  Assembly,
  encodeParts,
  EVENT_PARTS,
  eventParts,
  FRAME,
  type MethodName,
  METHODS,
  type Parts,
  REPLY_BIT,
  type ReplyOf,
  type RequestOf,
} from "./message.ts";
import type { Lane } from "./send_queue.ts";
import { credit, type ErrorReply, errorReply } from "./values.ts";

/** One request. The brain's end splits larger ones where it may. */
const REQUEST_MAX_BYTES = 32 << 20;

/** All requests under way. */
const REQUESTS_MAX_BYTES = 256 << 20;

/** Twice what a brain sends: it may count a reply before we count it as sent. */
const UNDER_WAY_MAX = 2 * REQUESTS_MAX;

/** So many characters of an error travel; each is at most 4 bytes. */
const ERROR_TEXT_MAX = 4_000;

/** Answers requests of one method; the items are encoded as they are sent. */
export type Handler<M extends MethodName> = (
  request: RequestOf<M>,
  signal: AbortSignal,
) => Promise<{ readonly head: ReplyOf<M>["head"]; readonly items: Iterable<ReplyOf<M>["items"][number]> }>;

/** A handler for each method. */
export type Handlers = { readonly [M in MethodName]: Handler<M> };

type AnyHandler = (
  request: { readonly head: unknown; readonly items: readonly unknown[] },
  signal: AbortSignal,
) => Promise<{ readonly head: unknown; readonly items: Iterable<unknown> }>;

interface UnderWay {
  readonly name: MethodName;
  readonly assembly: Assembly<unknown, unknown>;
  readonly abort: AbortController;
  isWhole: boolean;
}

const NAMES = new Map<number, MethodName>(
  (Object.keys(METHODS) as MethodName[]).map((name) => [METHODS[name].type, name]),
);

/** Answers one brain. */
export class Answerer {
  readonly #channel: Channel;
  readonly #handlers: Handlers;
  readonly #underWay = new Map<number, UnderWay>();
  #requestBytes = 0;
  #unreadBytes = 0;
  #creditWaiter: (() => void) | null = null;

  constructor(
    streams: ByteStreams,
    options: { readonly clock: Clock; readonly handlers: Handlers; readonly silenceLimitMs?: number },
  ) {
    this.#handlers = options.handlers;
    this.#channel = new Channel(streams, {
      clock: options.clock,
      isPinging: false,
      silenceLimitMs: options.silenceLimitMs ?? FILTER_SILENCE_MS,
      onFrame: (frame) => this.#take(frame),
    });
    this.#channel.ended.then((error) => this.#ended(error));
  }

  /** Settles when the connection has ended: null for a clean end. Never rejects. */
  get ended(): Promise<PsyncError | null> {
    return this.#channel.ended;
  }

  /**
   * Sends an event, after the brain has read enough of those before. One call at a time.
   * @throws {EndpointLostError} once the connection has ended.
   */
  async sendEvent(event: EndpointEvent): Promise<void> {
    const message = { type: FRAME.event, id: 0, head: null, items: eventParts(event) };
    for (const { frame } of encodeParts(EVENT_PARTS, message)) {
      const bytes = frame.length - HEADER_BYTES;
      while (this.#unreadBytes > 0 && this.#unreadBytes + bytes > EVENT_WINDOW_BYTES && !this.#channel.isOver) {
        await new Promise<void>((resolve) => this.#creditWaiter = resolve);
      }
      this.#unreadBytes += bytes;
      if (bytes > URGENT_MAX_BYTES) await this.#channel.paced();
      await this.#channel.send(frame, "urgent");
    }
  }

  /** From now on large answers take no more than so many bytes in a second. */
  limit(bytesPerSecond: number): void {
    this.#channel.limit(bytesPerSecond);
  }

  /** Ends the connection cleanly. */
  close(): Promise<void> {
    return this.#channel.close();
  }

  /** Tells the brain why, and ends the connection. */
  fail(error: unknown): void {
    const reply = replyOf(error);
    const cause = error instanceof PsyncError ? error : new EndpointLostError(reply.message, { cause: error });
    this.#channel.fail(cause, errorFrame(0, reply));
  }

  #take(frame: Frame): void {
    try {
      if (frame.type === FRAME.credit) return this.#takeCredit(frame);
      if (frame.type === FRAME.cancel) return this.#takeCancel(frame);
      this.#takeRequest(frame);
    } catch (error) {
      this.fail(error);
    }
  }

  #takeCredit(frame: Frame): void {
    const reader = bodyOf(frame);
    const bytes = credit.read(reader);
    reader.end();
    if (frame.id !== 0 || bytes > this.#unreadBytes) {
      throw new ProtocolError("Cannot read credit: it is for more than was sent");
    }
    this.#unreadBytes -= bytes;
    this.#wake();
  }

  #takeCancel(frame: Frame): void {
    bodyOf(frame).end();
    const underWay = this.#underWay.get(frame.id);
    if (underWay === undefined) return; // it was answered meanwhile
    underWay.abort.abort(new EndpointLostError("Request cancelled by the brain"));
    if (!underWay.isWhole) this.#answerError(frame.id, { code: "cancelled", message: "cancelled" });
  }

  #takeRequest(frame: Frame): void {
    const name = NAMES.get(frame.type);
    if (name === undefined) throw new ProtocolError(`Cannot read frame: no request has type ${frame.type}`);
    const underWay = this.#underWay.get(frame.id) ?? this.#begin(frame.id, name);
    if (underWay.isWhole || underWay.name !== name) {
      throw new ProtocolError(`Cannot read request: id ${frame.id} is in use`);
    }
    const before = underWay.assembly.sizeBytes;
    const message = underWay.assembly.add(frame);
    this.#requestBytes += underWay.assembly.sizeBytes - before;
    if (this.#requestBytes > REQUESTS_MAX_BYTES) throw new ProtocolError("Cannot read request: too much is under way");
    if (message === null) return;
    underWay.isWhole = true;
    this.#answer(frame.id, { underWay, message });
  }

  #begin(id: number, name: MethodName): UnderWay {
    if (id === 0) throw new ProtocolError("Cannot read request: id must not be 0");
    if (this.#underWay.size >= UNDER_WAY_MAX) throw new ProtocolError("Cannot read request: too many are under way");
    const underWay: UnderWay = {
      name,
      assembly: new Assembly(METHODS[name].request as Parts<unknown, unknown>, REQUEST_MAX_BYTES),
      abort: new AbortController(),
      isWhole: false,
    };
    this.#underWay.set(id, underWay);
    return underWay;
  }

  async #answer(
    id: number,
    request: {
      readonly underWay: UnderWay;
      readonly message: { readonly head: unknown; readonly items: readonly unknown[] };
    },
  ): Promise<void> {
    const { name, abort } = request.underWay;
    try {
      const handler = this.#handlers[name] as unknown as AnyHandler;
      const reply = await handler(request.message, abort.signal);
      const parts = METHODS[name].reply as Parts<unknown, unknown>;
      let lane: Lane | null = null;
      for (const { frame, isLast } of encodeParts(parts, { type: METHODS[name].type | REPLY_BIT, id, ...reply })) {
        // Commit results stay in order with the events (I13); so do all small answers.
        lane ??= name === "commit" || (isLast && frame.length <= URGENT_MAX_BYTES) ? "urgent" : "bulk";
        if (isLast) this.#forget(id);
        await this.#channel.send(frame, lane);
      }
    } catch (error) {
      // Where the connection has ended, nobody reads it any more.
      this.#answerError(id, abort.signal.aborted ? { code: "cancelled", message: "cancelled" } : replyOf(error));
    }
  }

  #answerError(id: number, reply: ErrorReply): void {
    this.#forget(id);
    this.#channel.post(errorFrame(id, reply));
  }

  #forget(id: number): void {
    const underWay = this.#underWay.get(id);
    if (underWay === undefined) return;
    this.#underWay.delete(id);
    this.#requestBytes -= underWay.assembly.sizeBytes;
  }

  #wake(): void {
    const wake = this.#creditWaiter;
    this.#creditWaiter = null;
    wake?.();
  }

  #ended(error: PsyncError | null): void {
    const why = error ?? new EndpointLostError("Connection closed by the brain");
    for (const { abort } of this.#underWay.values()) abort.abort(why);
    this.#wake();
  }
}

function errorFrame(id: number, reply: ErrorReply): Uint8Array {
  const writer = beginFrame({ type: FRAME.error, id });
  errorReply.write(writer, reply);
  return endFrame(writer);
}

/** An error as it travels. What is no PsyncError is a fault of ours and says so. */
function replyOf(error: unknown): ErrorReply {
  const code = error instanceof PsyncError ? error.code : "internal";
  const text = error instanceof Error
    ? (code === "internal" ? `${error.name}: ${error.message}` : error.message)
    : `${error}`;
  // U+DC80.. stand for bytes of names; other lone surrogates stand for nothing that can be sent.
  const short = text.slice(0, ERROR_TEXT_MAX).replaceAll("\0", "\\0");
  return {
    code,
    message: short.replace(/\p{Surrogate}/gu, (unit) => unit >= "\udc80" && unit <= "\udcff" ? unit : "?"),
  };
}
