/**
 * Lines from a byte stream, each of a bounded length.
 * @module
 */
import { ProtocolError } from "../base/errors.ts";

const NEWLINE = 10;

/**
 * The lines of a stream, without their breaks; a last one without a break is none.
 * @throws {ProtocolError} for a line of more than `maxBytes`, and for bytes that are no UTF-8.
 */
export async function* linesOf(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, end));
      requireShort(bytes + end - from, maxBytes);
      yield decode(parts);
      [parts, bytes, from] = [[], 0, end + 1];
    }
    parts.push(chunk.slice(from));
    bytes += chunk.length - from;
    requireShort(bytes, maxBytes);
  }
}

function requireShort(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw new ProtocolError(`Cannot read control line: it is longer than ${maxBytes} bytes`);
}

function decode(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
  } catch (cause) {
    throw new ProtocolError("Cannot read control line: it is no UTF-8", { cause });
  }
}
