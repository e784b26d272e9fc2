/** Tests of frames: any cut of the stream gives the same frames, and lengths are held. @module */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { ProtocolError } from "../base/errors.ts";
import { beginFrame, emptyFrame, endFrame, type Frame, FRAME_MAX_BYTES, FrameCutter } from "./frame.ts";

Deno.test("FrameCutter gives the same frames however the stream is cut", () => {
  const frame = fc.record({ type: fc.nat(255), id: fc.nat(), body: fc.uint8Array({ maxLength: 50 }) });
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (frames, cuts) => {
      const stream = new Uint8Array(frames.flatMap((value) => [...encode(value)]));
      const cutter = new FrameCutter();
      const got: Frame[] = [];
      for (let at = 0, i = 0; at < stream.length; at += cuts[i++ % cuts.length]!) {
        const cut = cuts[i % cuts.length]!;
        for (const { type, id, body } of cutter.push(stream.slice(at, at + cut))) {
          got.push({ type, id, body: body.slice() });
        }
      }
      assertEquals(got, frames);
      assert(cutter.isBetween);
    }),
  );
});

Deno.test("FrameCutter refuses lengths that cannot be, as soon as it sees them", () => {
  for (const length of [0, 4, FRAME_MAX_BYTES + 1, 0xffff_ffff]) {
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, length, true);
    assertThrows(() => [...new FrameCutter().push(header)], ProtocolError, "length must be");
  }
});

Deno.test("endFrame refuses a frame that is too large", () => {
  const writer = beginFrame({ type: 1, id: 1 });
  writer.raw(new Uint8Array(FRAME_MAX_BYTES));
  assertThrows(() => endFrame(writer), ProtocolError, "Cannot send frame");
});

Deno.test("FrameCutter tells whether it stands within a frame", () => {
  const cutter = new FrameCutter();
  assertEquals([...cutter.push(emptyFrame(3).subarray(0, 5))], []);
  assert(!cutter.isBetween);
});

function encode(frame: Frame): Uint8Array {
  const writer = beginFrame(frame);
  writer.raw(frame.body);
  return endFrame(writer);
}
