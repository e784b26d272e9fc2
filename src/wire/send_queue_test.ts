/** Tests of the two lanes. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
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
