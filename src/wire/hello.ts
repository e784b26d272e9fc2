/**
 * The first bytes of a connection: a magic line that can be found behind whatever a login shell says.
 *
 *     NUL PSYNC-FILTER <protocol hash> LF       the filter is there; frames follow
 *     PSYNC-DEPLOY <words> LF                   the start script has something to say (endpoint/deploy.ts)
 *
 * Gives the words no meaning and starts nothing. The brain's end trusts none of these bytes.
 * @module
 */
import { EndpointLostError, ProtocolError } from "../base/errors.ts";
import { PROTOCOL_HASH } from "./message.ts";

/** What a filter writes before its first frame. */
export const MAGIC_LINE = `\0PSYNC-FILTER ${PROTOCOL_HASH}\n`;

/** What the start script's lines begin with. */
export const DEPLOY_MARK = "PSYNC-DEPLOY ";

const MAGIC_MARK = "\0PSYNC-FILTER ";

/** So much may come before the magic line, and so long may a line be. */
export const NOISE_MAX_BYTES = 64 * 1024;

/** What was found. */
export type Greeting =
  | { readonly kind: "filter"; readonly protocol: string }
  | { readonly kind: "deploy"; readonly words: string };

/** Reads greetings from the start of a stream, then hands the stream over. */
export class GreetingReader {
  readonly #stream: ReadableStream<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  // One character a byte, so that places in it are places in the stream.
  #seen = "";
  #dropped = 0;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#stream = stream;
    this.#reader = stream.getReader();
  }

  /**
   * The next greeting.
   * @throws {ProtocolError} where nothing like one is found in 64 KB.
   * @throws {EndpointLostError} where the stream ends before.
   */
  async next(): Promise<Greeting> {
    for (;;) {
      const greeting = this.#find();
      if (greeting !== null) return greeting;
      if (this.#dropped + this.#seen.length > NOISE_MAX_BYTES) {
        throw new ProtocolError(`Cannot find a filter: the other host said ${NOISE_MAX_BYTES} bytes of something else`);
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new EndpointLostError("Cannot start the filter: the connection ended before it answered");
      this.#seen += latin1(value);
    }
  }

  /** The last line of what was said instead, for people; "" where there is none. */
  get noise(): string {
    const lines = this.#seen.replace(/[^\n\x20-\x7e]/g, " ").split("\n").map((line) => line.trim());
    return lines.findLast((line) => line !== "")?.slice(0, 200) ?? "";
  }

  /** The rest of the stream; the greeting reader must not be used afterwards. */
  rest(): ReadableStream<Uint8Array> {
    const first = Uint8Array.from(this.#seen, (char) => char.charCodeAt(0));
    if (first.length === 0) {
      this.#reader.releaseLock();
      return this.#stream;
    }
    const reader = this.#reader;
    return new ReadableStream({
      start: (controller) => controller.enqueue(first),
      async pull(controller) {
        const { value, done } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (why) => reader.cancel(why),
    });
  }

  /** Stops reading: nobody wants the rest. */
  async cancel(): Promise<void> {
    await this.#reader.cancel().catch(() => {}); // it may have failed already: that is the end as well
  }

  #find(): Greeting | null {
    const filterAt = this.#seen.indexOf(MAGIC_MARK);
    const deployAt = this.#seen.indexOf(DEPLOY_MARK);
    const isFilter = filterAt >= 0 && (deployAt < 0 || filterAt < deployAt);
    const at = isFilter ? filterAt : deployAt;
    if (at < 0) return null;
    const end = this.#seen.indexOf("\n", at);
    if (end < 0) return null;
    const words = this.#seen.slice(at + (isFilter ? MAGIC_MARK : DEPLOY_MARK).length, end).trimEnd();
    this.#dropped += end + 1;
    this.#seen = this.#seen.slice(end + 1);
    return isFilter ? { kind: "filter", protocol: words } : { kind: "deploy", words };
  }
}

/** @throws {ProtocolError} where the filter speaks another protocol than we do. */
export function requireProtocol(protocol: string): void {
  if (protocol === PROTOCOL_HASH) return;
  const shown = /^[0-9a-f]{1,64}$/.test(protocol) ? protocol : "something else";
  throw new ProtocolError(
    `Cannot speak to the filter as its protocol must be ${PROTOCOL_HASH}: found ${shown}; ` +
      "put the same build of psync on both hosts",
  );
}

function latin1(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += String.fromCharCode(byte);
  return out;
}
