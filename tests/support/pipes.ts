/**
 * Connections in memory for tests: two ends, each a readable and a writer, that can be watched and cut.
 * @module
 */
import type { ByteStreams } from "../../src/wire/channel.ts";

/** Two ends that are connected to each other. Writes wait until the other end has read. */
export function connectedPair(): { readonly left: ByteStreams; readonly right: ByteStreams } {
  const toRight = new TransformStream<Uint8Array, Uint8Array>();
  const toLeft = new TransformStream<Uint8Array, Uint8Array>();
  return {
    left: { readable: toLeft.readable, writer: toRight.writable.getWriter() },
    right: { readable: toRight.readable, writer: toLeft.writable.getWriter() },
  };
}

/** Lets every promise and stream that can go on go on; not a way to wait for anything outside. */
export async function settle(rounds = 300): Promise<void> {
  for (let i = 0; i < rounds; i++) await Promise.resolve();
}
