/** Tests of the messages: round trips of all of them, and what malformed frames do. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { event, listingOf, messages, treePath } from "../../tests/support/wire_values.ts";
import { ProtocolError } from "../base/errors.ts";
import { encodeBytes, parseRelPath } from "../core/path.ts";
import { beginFrame, endFrame, type Frame, FrameCutter, HEADER_BYTES } from "./frame.ts";
import {
  Assembly,
  encodeParts,
  EVENT_PARTS,
  eventParts,
  joinEvent,
  joinListings,
  listingParts,
  type Message,
  METHODS,
  PART_TARGET_BYTES,
  type Parts,
} from "./message.ts";

const LIMIT = 1 << 30;

function frames<H, I>(parts: Parts<H, I>, message: { readonly head: H; readonly items: Iterable<I> }): Uint8Array[] {
  return [...encodeParts(parts, { type: 0x20, id: 7, ...message })].map(({ frame }) => frame);
}

function decode<H, I>(parts: Parts<H, I>, bytes: readonly Uint8Array[]): Message<H, I> | null {
  const cutter = new FrameCutter();
  const assembly = new Assembly(parts, LIMIT);
  let whole: Message<H, I> | null = null;
  for (const chunk of bytes) {
    for (const frame of cutter.push(chunk)) {
      assertEquals([frame.type, frame.id, whole], [0x20, 7, null]);
      whole = assembly.add(frame);
    }
  }
  return whole;
}

for (const [name, kinds] of Object.entries(messages)) {
  for (const side of ["request", "reply"] as const) {
    Deno.test(`message "${name}" ${side} survives its journey`, () => {
      const parts = METHODS[name as keyof typeof messages][side] as Parts<unknown, unknown>;
      const { head, items } = kinds[side] as { head: fc.Arbitrary<unknown>; items: fc.Arbitrary<unknown[]> };
      fc.assert(fc.property(fc.record({ head, items }), (message) => {
        assertEquals(decode(parts, frames(parts, message)), message);
      }));
    });
  }
}

Deno.test("listings survive their journey", () => {
  const listings = fc.array(treePath, { maxLength: 6 }).chain((paths) => fc.tuple(...paths.map(listingOf)));
  fc.assert(fc.property(listings, (values) => {
    const message = decode(METHODS.list.reply, frames(METHODS.list.reply, { head: null, items: listingParts(values) }));
    assertEquals(joinListings(message!.items), values);
  }));
});

Deno.test("events survive their journey", () => {
  fc.assert(fc.property(event, (value) => {
    const message = decode(EVENT_PARTS, frames(EVENT_PARTS, { head: null, items: eventParts(value) }));
    assertEquals(joinEvent(message!.items), value);
  }));
});

Deno.test("a large message travels in parts of bounded size, and a directory across them", () => {
  const dir = parseRelPath("some/directory");
  const entries = Array.from({ length: 20_000 }, (_, i) => ({
    kind: "blocked" as const,
    path: parseRelPath(`some/directory/${String(i).padStart(30, "0")}`),
    began: i,
    reason: "io" as const,
    detail: "EIO",
  }));
  const self = { kind: "busy" as const, path: dir, began: 0 };
  const listing = { kind: "listed" as const, path: dir, self, entries, began: 1, isWatched: true, hasIgnored: false };
  const made = frames(METHODS.list.reply, { head: null, items: listingParts([listing]) });
  assert(made.length > 3);
  for (const frame of made) assert(frame.length < PART_TARGET_BYTES + 1000);
  assertEquals(joinListings(decode(METHODS.list.reply, made)!.items), [listing]);
});

Deno.test("contents are views of the frame", () => {
  const bytes = new Uint8Array(50_000).fill(7);
  const put = {
    kind: "put" as const,
    path: parseRelPath("a"),
    expected: { kind: "absent" as const },
    entry: { kind: "file" as const, mode: 0o644, owner: null, sizeBytes: 50_000, mtimeNs: 1n, digest: null },
    content: { kind: "inline" as const, bytes },
    disposal: "drop" as const,
  };
  const [frame] = frames(METHODS.commit.request, { head: { carried: null }, items: [put] });
  const message = decode(METHODS.commit.request, [frame!]);
  const got = message!.items[0]!;
  assert(got.kind === "put" && got.content?.kind === "inline");
  assertEquals(got.content.bytes.buffer, frame!.buffer);
});

/** A look request for one path given as raw bytes. */
function lookFor(path: Uint8Array): Frame {
  const writer = beginFrame({ type: 0x12, id: 1 });
  writer.u8(0);
  writer.varint(0);
  writer.u8(0);
  writer.u32(path.length);
  writer.raw(path);
  return { type: 0x12, id: 1, body: endFrame(writer).subarray(HEADER_BYTES) };
}

const HOSTILE = [
  "..",
  "a/../b",
  "/etc/passwd",
  "a//b",
  "a/",
  ".",
  "./a",
  "a\0b",
  ".psync",
  ".psync/pair",
  ".psync/stage/x",
];

for (const path of [...HOSTILE, "x".repeat(256), `${"y/".repeat(40_000)}z`]) {
  Deno.test(`a frame that names ${JSON.stringify(path.slice(0, 20))} is refused by either end`, () => {
    const frame = lookFor(encodeBytes(path));
    assertThrows(() => new Assembly(METHODS.look.request, LIMIT).add(frame), ProtocolError);
    const reply = { head: null, items: [{ kind: "absent" as const, path: path as never, began: 1 }] };
    assertThrows(() => frames(METHODS.look.reply, reply), ProtocolError);
  });
}

Deno.test("batches cannot hide or climb", () => {
  for (const batch of ["", ".", "..", "a/b", ".x", "-x", "a b", "x".repeat(101)]) {
    assertThrows(() => frames(METHODS.release.request, { head: { batch }, items: [] }), ProtocolError);
  }
});

Deno.test("random bodies, cut bodies and flipped bits are refused or read, and never more", () => {
  const all = [...Object.values(METHODS).flatMap(({ request, reply }) => [request, reply]), EVENT_PARTS] as Parts<
    unknown,
    unknown
  >[];
  const tryBody = (parts: Parts<unknown, unknown>, body: Uint8Array) => {
    try {
      const message = new Assembly(parts, LIMIT).add({ type: 1, id: 1, body });
      // Whatever was read can be sent: nothing slips in that the writer would refuse.
      if (message !== null) frames(parts, message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  };
  fc.assert(
    fc.property(fc.constantFrom(...all), fc.uint8Array({ maxLength: 300 }), (parts, body) => tryBody(parts, body)),
    { numRuns: 3_000 },
  );
  const real = fc.record({ head: messages.commit.request.head, items: messages.commit.request.items });
  fc.assert(
    fc.property(real, fc.nat(), fc.nat(7), (message, at, bit) => {
      const body = frames(METHODS.commit.request, message)[0]!.slice(HEADER_BYTES);
      tryBody(METHODS.commit.request as Parts<unknown, unknown>, body.subarray(0, at % body.length));
      body[at % body.length]! ^= 1 << bit;
      tryBody(METHODS.commit.request as Parts<unknown, unknown>, body);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a count that cannot fit is refused before anything is made of it", () => {
  const writer = beginFrame({ type: 0x10, id: 1 });
  writer.u8(0);
  writer.text("0123456789abcdef");
  writer.text("/srv");
  writer.u32(9_999); // excludes that are not there
  const body = endFrame(writer).subarray(HEADER_BYTES);
  const add = () => new Assembly(METHODS.open.request, LIMIT).add({ type: 0x10, id: 1, body });
  assertThrows(add, ProtocolError, "9999 items cannot fit");
});

Deno.test("a message that grows beyond its limit is refused", () => {
  const assembly = new Assembly(METHODS.look.request, 340);
  const writer = beginFrame({ type: 0x12, id: 1 });
  writer.u8(1);
  writer.varint(0);
  writer.u8(0);
  writer.u8(0);
  writer.u32(0);
  for (let i = 0; i < 4; i++) writer.text("abc");
  const body = endFrame(writer).subarray(HEADER_BYTES);
  assertEquals(assembly.add({ type: 0x12, id: 1, body }), null);
  assertThrows(() => assembly.add({ type: 0x12, id: 1, body }), ProtocolError, "more than 340");
});

Deno.test("no two methods have the same number", () => {
  const types = Object.values(METHODS).map(({ type }) => type);
  assertEquals(new Set(types).size, types.length);
});
