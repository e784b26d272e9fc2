/** Tests of the two lanes. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { settle } from "../../tests/support/pipes.ts";
import { EndpointLostError } from "../base/errors.ts";
import { SendQueue } from "./send_queue.ts";

Deno.test("SendQueue lets urgent frames overtake bulk, and keeps order within each", async () => {
  const queue = new SendQueue();
  for (let i = 0; i < 3; i++) await queue.push(Uint8Array.of(100 + i), "bulk");
  for (let i = 0; i < 3; i++) await queue.push(Uint8Array.of(i), "urgent");
  queue.close();
  const got: number[] = [];
  for (let chunk = await queue.take(); chunk !== null; chunk = await queue.take()) got.push(...chunk);
  assertEquals(got, [0, 1, 2, 100, 101, 102]);
});

Deno.test("SendQueue does not starve bulk", async () => {
  const queue = new SendQueue();
  queue.post(Uint8Array.of(9), "bulk");
  for (let i = 0; i < 40; i++) queue.post(new Uint8Array(64 * 1024), "urgent");
  let before = 0;
  while ((await queue.take())!.length > 1) before++;
  assertEquals(before, 16);
});

Deno.test("SendQueue makes a writer wait while a lane is full, and control frames never", async () => {
  const queue = new SendQueue();
  for (let i = 0; i < 2; i++) await queue.push(new Uint8Array(1 << 20), "bulk");
  let isPushed = false;
  const pushing = queue.push(new Uint8Array(10), "bulk").then(() => isPushed = true);
  queue.post(Uint8Array.of(1));
  await settle();
  assert(!isPushed);
  assertEquals((await queue.take())!.length, 1);
  await settle();
  assert(!isPushed);
  assertEquals((await queue.take())!.length, 1 << 20);
  await pushing;
});

Deno.test("SendQueue rejects who waits when it fails", async () => {
  const queue = new SendQueue();
  await queue.push(new Uint8Array(3 << 20), "urgent");
  const pushing = queue.push(new Uint8Array(1), "urgent");
  queue.fail(new EndpointLostError("gone"));
  await assertRejects(() => pushing, EndpointLostError, "gone");
  assertEquals(await queue.take(), null);
});

Deno.test("SendQueue holds bulk back to its limit, and urgent frames never", async () => {
  const clock = new FakeClock();
  const queue = new SendQueue();
  queue.limit(1_000, clock);
  for (let i = 0; i < 3; i++) queue.post(new Uint8Array(500).fill(100 + i), "bulk");
  const got: { readonly first: number; readonly atMs: number }[] = [];
  (async () => {
    for (let chunk = await queue.take(); chunk !== null; chunk = await queue.take()) {
      got.push({ first: chunk[0]!, atMs: clock.nowMs() });
    }
  })();
  await clock.advance(250);
  queue.post(Uint8Array.of(1));
  await clock.advance(2_000);
  assertEquals(got, [
    { first: 100, atMs: 0 },
    { first: 1, atMs: 250 },
    { first: 101, atMs: 501 },
    { first: 102, atMs: 1_001 },
  ]);
  // Whoever ends waits for no limit.
  queue.post(new Uint8Array(10_000).fill(7), "bulk");
  queue.post(new Uint8Array(1).fill(8), "bulk");
  await clock.advance(1);
  queue.close();
  await clock.advance(0);
  assertEquals(got.slice(4).map(({ first }) => first), [7, 8]);
  assertEquals(clock.pending, 0);
});
