/** Tests of the first bytes of a connection. @module */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { EndpointLostError, ProtocolError } from "../base/errors.ts";
import { GreetingReader, MAGIC_LINE, requireProtocol } from "./hello.ts";
import { PROTOCOL_HASH } from "./message.ts";

const utf8 = new TextEncoder();

function stream(...chunks: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks.map((chunk) => typeof chunk === "string" ? utf8.encode(chunk) : chunk));
}

Deno.test("GreetingReader finds the magic line behind noise and hands on what follows", async () => {
  const rest = Uint8Array.of(1, 0, 255, 254);
  const all = new Uint8Array([
    ...utf8.encode(`Welcome! \u00e9\nlast login: never`),
    ...utf8.encode(MAGIC_LINE),
    ...rest,
  ]);
  for (const size of [1, 3, 7, 1000]) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += size) chunks.push(all.slice(at, at + size));
    const reader = new GreetingReader(stream(...chunks));
    assertEquals(await reader.next(), { kind: "filter", protocol: PROTOCOL_HASH });
    const got = (await Array.fromAsync(reader.rest())).flatMap((chunk) => [...chunk]);
    assertEquals(got, [...rest]);
  }
});

Deno.test("GreetingReader gives the lines of the start script in order", async () => {
  const reader = new GreetingReader(stream("hi\nPSYNC-DEPLOY need;a;b\r\n", MAGIC_LINE));
  assertEquals(await reader.next(), { kind: "deploy", words: "need;a;b" });
  assertEquals(await reader.next(), { kind: "filter", protocol: PROTOCOL_HASH });
});

Deno.test("GreetingReader gives up after 64 KB of something else, a half line included", async () => {
  const noise = "y\n".repeat(40_000);
  await assertRejects(() => new GreetingReader(stream(noise)).next(), ProtocolError, "65536 bytes");
  const endless = "\0PSYNC-FILTER " + "a".repeat(70_000);
  await assertRejects(() => new GreetingReader(stream(endless)).next(), ProtocolError, "65536 bytes");
});

Deno.test("GreetingReader says what was said instead when the stream ends", async () => {
  const reader = new GreetingReader(stream("This account\x1b[31m is\nnot available.\n\n"));
  await assertRejects(() => reader.next(), EndpointLostError);
  assertEquals(reader.noise, "not available.");
});

Deno.test("requireProtocol refuses another protocol", () => {
  requireProtocol(PROTOCOL_HASH);
  assertThrows(() => requireProtocol("0123456789abcdef"), ProtocolError, "found 0123456789abcdef");
  assertThrows(() => requireProtocol("\x1b[2J"), ProtocolError, "found something else");
});
