/**
 * One running psync-native: requests out, answers in by id, events to a callback.
 *
 * Knows records as frames only; what is in them is told by the codecs of native_format.ts that
 * callers hand in. Its owner (applier.ts, watcher.ts) disposes of it, which ends the process.
 * @module
 */
import { joinBytes } from "../base/bytes.ts";
import { ByteSource } from "../base/byte_source.ts";
import type { Clock } from "../base/clock.ts";
import { Child } from "../base/process.ts";
import { EndpointLostError, ProtocolError, type PsyncError, WatchError } from "../base/errors.ts";
import { type NativeRecord, R_FATAL, readBody, readFatal, RecordSplitter } from "./native_format.ts";
import { errnoName } from "./errno.ts";

/** A part of a record from this size on is written by itself: a copy would cost more than a write. */
const ALONE_BYTES = 64 << 10;

/** How long a process may take to end by itself once its input has ended. */
const END_GRACE_MS = 2_000;

/** What a psync-native is started for. */
export type NativeMode = "watch" | "apply";

/** How a psync-native is started. */
export interface NativeProcessOptions {
  /** The executable. */
  readonly nativePath: string;
  readonly mode: NativeMode;
  readonly clock: Clock;
  /** Takes each record that answers no request; called in order, must not throw but `ProtocolError`. */
  readonly onEvent: (record: NativeRecord) => void;
  /** Called once all records of one read have been handed out. */
  readonly onIdle?: () => void;
  /** Called once, when the process cannot be used any more for another reason than its disposal. */
  readonly onLost: (error: PsyncError) => void;
}

interface Waiting {
  /** Takes a record; true: the request is answered in full. */
  readonly take: (record: NativeRecord) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A psync-native that runs. */
export class NativeProcess implements AsyncDisposable {
  readonly #options: NativeProcessOptions;
  readonly #child: Child;
  readonly #waiting = new Map<number, Waiting>();
  readonly #reading: Promise<void>;
  #outbox: Uint8Array[] = [];
  #isWriting = false;
  #lastId = 0;
  #end: PsyncError | null = null;
  #isDisposed = false;

  private constructor(options: NativeProcessOptions) {
    this.#options = options;
    this.#child = Child.spawn({ command: options.nativePath, args: [options.mode] });
    this.#reading = this.#readAll();
  }

  /**
   * Starts a psync-native.
   * @throws {SetupError} where it cannot be executed.
   */
  static start(options: NativeProcessOptions): NativeProcess {
    return new NativeProcess(options);
  }

  /** The process id; the processes of a replica are killed by it in tests. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Sends a request and hands every record with its id to `take`, until that says that the answer
   * is complete. Records are borrowed for the call.
   * @throws {EndpointLostError | WatchError} where the process ended.
   */
  request(
    encode: (id: number) => Uint8Array | readonly Uint8Array[],
    take: (record: NativeRecord) => boolean,
  ): Promise<void> {
    if (this.#end !== null) return Promise.reject(this.#end);
    const id = this.#nextId();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    try {
      const record = encode(id);
      if (record instanceof Uint8Array) this.#post(record);
      else record.forEach((part) => this.#post(part));
      this.#waiting.set(id, { take, resolve, reject });
    } catch (error) {
      reject(error);
    }
    return promise;
  }

  /** Sends a request that has no answer. */
  send(bytes: Uint8Array): void {
    if (this.#end === null) this.#post(bytes);
  }

  /** Ends the process: by the end of its input, and by force where that does not suffice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#fail(this.#lost("it was disposed of"));
    this.#child.stdin.close().catch(() => {}); // a broken pipe says that it has ended already
    const { promise: patience, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(END_GRACE_MS, resolve);
    await Promise.race([this.#child.status, patience]);
    timer.cancel();
    await this.#child[Symbol.asyncDispose]();
    await this.#reading;
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % 0xffff_ffff) + 1; while (this.#waiting.has(this.#lastId));
    return this.#lastId;
  }

  /** Many requests of one turn become one write. */
  #post(bytes: Uint8Array): void {
    this.#outbox.push(bytes);
    if (this.#isWriting) return;
    this.#isWriting = true;
    queueMicrotask(() => void this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#outbox.length > 0) {
        await this.#child.stdin.write(this.#takeParts());
      }
    } catch {
      // A broken pipe: the reader sees the end of the process and has more to say about it.
    } finally {
      this.#isWriting = false;
    }
  }

  /** The next bytes to be written: one large part as it is, or small ones together. */
  #takeParts(): Uint8Array {
    const firstLarge = this.#outbox.findIndex(({ length }) => length >= ALONE_BYTES);
    return joinBytes(this.#outbox.splice(0, firstLarge < 0 ? this.#outbox.length : Math.max(1, firstLarge)));
  }

  async #readAll(): Promise<void> {
    const splitter = new RecordSplitter();
    const source = new ByteSource(this.#child.stdout);
    try {
      for (;;) {
        const space = splitter.space;
        const bytes = await source.read(space);
        if (bytes === null) break;
        for (const record of space === null ? splitter.push(bytes) : splitter.filled(bytes)) this.#dispatch(record);
        this.#options.onIdle?.();
      }
      await this.#ended(splitter.isMidRecord);
    } catch (error) {
      // After a ProtocolError nothing that this process says is believed.
      this.#child.kill("SIGKILL");
      this.#fail(error instanceof ProtocolError ? error : this.#lost(String(error), error));
    }
  }

  async #ended(isMidRecord: boolean): Promise<void> {
    const { code, signal } = await this.#child.status;
    const how = signal === null ? `it ended with status ${code}` : `it was killed by ${signal}`;
    const tail = this.#child.stderrTail();
    this.#fail(this.#lost(`${how}${isMidRecord ? " within a record" : ""}${tail === "" ? "" : `: "${tail}"`}`));
  }

  #dispatch(record: NativeRecord): void {
    if (record.type === R_FATAL) {
      const { errno, text } = readBody("R_FATAL", record.body, readFatal);
      return this.#fail(this.#lost(`it found ${errnoName(errno)}: "${text}"`));
    }
    if (record.id === 0) return this.#options.onEvent(record);
    const waiting = this.#waiting.get(record.id);
    if (waiting === undefined) {
      throw new ProtocolError(`Cannot read record ${record.type} of psync-native: nobody asked for ${record.id}`);
    }
    if (!waiting.take(record)) return;
    this.#waiting.delete(record.id);
    waiting.resolve();
  }

  #lost(why: string, cause?: unknown): PsyncError {
    const Lost = this.#options.mode === "watch" ? WatchError : EndpointLostError;
    return new Lost(
      `Cannot go on with psync-native ${this.#options.mode}: ${why}`,
      cause === undefined ? {} : { cause },
    );
  }

  #fail(error: PsyncError): void {
    if (this.#end !== null) return;
    this.#end = error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) each.reject(error);
    if (!this.#isDisposed) this.#options.onLost(error);
  }
}
