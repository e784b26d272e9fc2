/** Tests of the bounded queue. @module */
import { assertEquals, assertRejects } from "@std/assert";
import { BoundedQueue, Fifo } from "./queue.ts";

Deno.test("Fifo gives items in order, also where it never runs empty", () => {
  const queue = new Fifo<number>();
  queue.push(0);
  for (let n = 1; n <= 5000; n++) {
    queue.push(n);
    if (n > 1) assertEquals(queue.take(), n - 2);
  }
  assertEquals([queue.size, queue.peek()], [2, 4999]);
  assertEquals([queue.take(), queue.take(), queue.take(), queue.peek()], [4999, 5000, undefined, undefined]);
});

Deno.test("BoundedQueue hands items on in order and ends when closed", async () => {
  const queue = new BoundedQueue<number>(10);
  for (let i = 0; i < 5; i++) await queue.push(i);
  queue.close();
  assertEquals(await Array.fromAsync(queue), [0, 1, 2, 3, 4]);
});

Deno.test("BoundedQueue makes a writer wait while it is full", async () => {
  const queue = new BoundedQueue<number>(2);
  const written: number[] = [];
  const writer = (async () => {
    for (let i = 0; i < 5; i++) {
      await queue.push(i);
      written.push(i);
    }
    queue.close();
  })();
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(queue.size, 2);
  assertEquals(queue.tryPush(99), false);
  assertEquals(await Array.fromAsync(queue), [0, 1, 2, 3, 4]);
  await writer;
  assertEquals(written.length, 5);
});

Deno.test("BoundedQueue throws its error after what was in it, to reader and waiting writer", async () => {
  const queue = new BoundedQueue<number>(1);
  await queue.push(1);
  const waiting = assertRejects(() => queue.push(2), Error, "over");
  queue.close(new Error("over"));
  await waiting;
  const seen: number[] = [];
  await assertRejects(
    async () => {
      for await (const item of queue) seen.push(item);
    },
    Error,
    "over",
  );
  assertEquals(seen, [1]);
});

Deno.test("BoundedQueue keeps order over many items", async () => {
  const queue = new BoundedQueue<number>(5000);
  const all = Array.from({ length: 4000 }, (_, i) => i);
  for (const i of all) queue.tryPush(i);
  queue.close();
  assertEquals(await Array.fromAsync(queue), all);
});
