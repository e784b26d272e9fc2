import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { type RawStream, streamOf } from "./streams.ts";

/** A stream that takes as many bytes at each call as it is told to, or throws. */
function rawStream(steps: readonly (number | Error)[]): RawStream & { readonly taken: string[] } {
  const taken: string[] = [];
  let call = 0;
  return {
    taken,
    isTerminal: () => true,
    write(bytes) {
      const step = steps[call++]!;
      if (step instanceof Error) return Promise.reject(step);
      taken.push(new TextDecoder().decode(bytes.subarray(0, step)));
      return Promise.resolve(step);
    },
  };
}

const TEXT = new TextEncoder().encode("abcdef");

Deno.test("streamOf() goes on where a write was short", async () => {
  const raw = rawStream([2, 1, 3]);
  await streamOf(raw, new FakeClock()).write(TEXT);
  assertEquals(raw.taken, ["ab", "c", "def"]);
});

Deno.test("streamOf() waits for a full non-blocking pipe", async () => {
  const clock = new FakeClock();
  const raw = rawStream([4, new Deno.errors.WouldBlock(), new Deno.errors.WouldBlock(), 2]);
  const written = streamOf(raw, clock).write(TEXT);
  await clock.advance(19);
  assertEquals(raw.taken, ["abcd"]);
  await clock.advance(1);
  await written;
  assertEquals(raw.taken, ["abcd", "ef"]);
});

Deno.test("streamOf() passes every other error on", async () => {
  const raw = rawStream([new Deno.errors.BrokenPipe()]);
  await assertRejects(() => streamOf(raw, new FakeClock()).write(TEXT), Deno.errors.BrokenPipe);
});
