/** Tests of the lines on the control socket: round trips, and what is refused. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { ProtocolError, SafetyHaltError, SetupError } from "../base/errors.ts";
import type { ControlAnswer, ControlRequest } from "../brain/control_requests.ts";
import { parseRelPath } from "../core/path.ts";
import { linesOf } from "./lines.ts";
import { ITEMS_MAX, parseAnswer, parseRequest, printAnswer, printError, printRequest } from "./protocol.ts";

const HOSTILE = parseRelPath("d/\udcff\n\"'\\ \u2028\u{1f600}");

const REQUESTS: readonly ControlRequest[] = [
  { kind: "status" },
  { kind: "stop" },
  { kind: "full-sync" },
  { kind: "flush" },
  { kind: "pause" },
  { kind: "resume" },
  { kind: "conflicts.list" },
  { kind: "conflicts.resolve", ids: [1, 99], keep: "both" },
  { kind: "trash.list", side: "left", only: null, after: null },
  { kind: "trash.list", side: "right", only: "conflict", after: `x.removed/${HOSTILE}` },
  { kind: "trash.restore", side: "right", items: [{ kept: `x.removed/${HOSTILE}`, to: HOSTILE }] },
  { kind: "trash.empty", side: "left", kept: [`x.removed/${HOSTILE}`] },
];

Deno.test("every request survives its journey, in one line", () => {
  for (const request of REQUESTS) {
    const line = printRequest(request);
    assert(!line.includes("\n"));
    assertEquals(parseRequest(new TextDecoder().decode(new TextEncoder().encode(line))), request);
  }
});

const WRONG: readonly unknown[] = [
  null,
  [],
  "conflicts.list",
  {},
  { kind: "frobnicate" },
  { kind: "conflicts.resolve", ids: [1] },
  { kind: "conflicts.resolve", ids: [1.5], keep: "left" },
  { kind: "conflicts.resolve", ids: ["1"], keep: "left" },
  { kind: "conflicts.resolve", ids: 1, keep: "left" },
  { kind: "conflicts.resolve", ids: Array(ITEMS_MAX + 1).fill(1), keep: "left" },
  { kind: "conflicts.resolve", ids: [1], keep: "neither" },
  { kind: "trash.list", side: "up", only: null, after: null },
  { kind: "trash.list", side: "left", after: null },
  { kind: "trash.list", side: "left", only: null, after: "../x" },
  { kind: "trash.restore", side: "left", items: [{ kept: "x/y", to: "/etc/passwd" }] },
  { kind: "trash.restore", side: "left", items: [{ kept: "x/../y", to: "a" }] },
  { kind: "trash.restore", side: "left", items: ["x"] },
  { kind: "trash.restore", side: "left", items: [{ kept: "x/y", to: ".psync/lock" }] },
  { kind: "trash.restore", side: "left", items: [{ kept: "x/y", to: "" }] },
  { kind: "trash.empty", side: "left", kept: [7] },
];

Deno.test("a request that is none is refused", () => {
  for (const wrong of WRONG) assertThrows(() => parseRequest(JSON.stringify(wrong)), ProtocolError);
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
    try {
      assert(REQUESTS.some(({ kind }) => kind === parseRequest(line).kind));
    } catch (error) {
      assert(error instanceof ProtocolError);
    }
  }));
});

Deno.test("an answer survives its journey, 64-bit integers and names like numbers included", () => {
  const answer: ControlAnswer = {
    kind: "page",
    items: [{
      kept: "20260101T000000Z-1.removed/123",
      path: parseRelPath("123"),
      kind: "file",
      sizeBytes: 5,
      mtimeNs: 1_800_000_000_123_456_789n,
      trashClass: "removed",
      atMs: 7,
    }],
    after: "123",
  };
  assertEquals(parseAnswer(printAnswer(answer)), answer);
});

Deno.test("an error arrives as its class", () => {
  for (const error of [new SafetyHaltError("a"), new ProtocolError("b"), new SetupError("c")]) {
    assertThrows(() => parseAnswer(printError(error)), error.constructor as typeof SetupError, error.message);
  }
  assertThrows(() => parseAnswer(printError(new TypeError("d"))), SetupError, "d");
  for (const wrong of ["", "{}", `{"ok":1}`, `{"ok":{}}`]) assertThrows(() => parseAnswer(wrong), ProtocolError);
});

async function lines(chunks: readonly string[], maxBytes = 100): Promise<string[]> {
  const stream = ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk)));
  return await Array.fromAsync(linesOf(stream, maxBytes));
}

Deno.test("lines are cut wherever the chunks end, and only whole ones count", async () => {
  assertEquals(await lines(["a", "b\nc\n\n", "d"]), ["ab", "c", ""]);
  const bytes = new TextEncoder().encode("é\u{1f600}\nx\n");
  const each = ReadableStream.from([...bytes].map((byte) => Uint8Array.of(byte)));
  assertEquals(await Array.fromAsync(linesOf(each, 100)), ["é\u{1f600}", "x"]);
});

Deno.test("a line that is too long or no text is refused before it is whole", async () => {
  for (const chunks of [["x".repeat(101)], ["x".repeat(60), "x".repeat(60), "\n"]]) {
    try {
      await lines(chunks);
      throw new Error("nothing was thrown");
    } catch (error) {
      assert(error instanceof ProtocolError, String(error));
    }
  }
  try {
    await Array.fromAsync(linesOf(ReadableStream.from([Uint8Array.of(0xff, 10)]), 10));
    throw new Error("nothing was thrown");
  } catch (error) {
    assert(error instanceof ProtocolError, String(error));
  }
});
