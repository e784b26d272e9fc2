/**
 * A stream of bytes that is read by one reader, where wanted straight to the place where the bytes
 * are to be: large records then cost one buffer each, and no copy.
 * @module
 */

/** What is read at once where nobody has a place for it. */
const CHUNK_BYTES = 64 << 10;

/** Reads one stream to its end. */
export class ByteSource {
  readonly #chunks: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #bytes: ReadableStreamBYOBReader | null;
  /** What a stream that cannot read into a place gave too much. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#bytes = placingReader(stream);
    this.#chunks = this.#bytes === null ? stream.getReader() : null;
  }

  /**
   * Reads some bytes, into `space` where it is given: then what comes back begins where `space` did, and
   * its buffer takes the place of that of `space`, which must not be used any more. null: the end.
   */
  async read(space: Uint8Array<ArrayBuffer> | null): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#bytes !== null) {
      const { value, done } = await this.#bytes.read(space ?? new Uint8Array(CHUNK_BYTES));
      return done || value === undefined ? null : value as Uint8Array<ArrayBuffer>;
    }
    if (this.#rest.length === 0) {
      const { value, done } = await this.#chunks!.read();
      if (done) return null;
      this.#rest = value;
    }
    const chunk = this.#rest;
    const count = Math.min(chunk.length, space?.length ?? chunk.length);
    this.#rest = chunk.subarray(count);
    if (space === null) return chunk as Uint8Array<ArrayBuffer>;
    space.set(chunk.subarray(0, count));
    return space.subarray(0, count);
  }

  /** Stops reading. */
  async cancel(): Promise<void> {
    await (this.#bytes ?? this.#chunks!).cancel();
  }
}

/** A reader that takes places; null where the stream has none. */
function placingReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: "byob" });
  } catch (error) {
    if (error instanceof TypeError && !stream.locked) return null;
    throw error;
  }
}
