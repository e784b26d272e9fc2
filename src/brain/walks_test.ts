/**
 * Tests of who waits for a walk, and which walk is not waited for.
 * @module
 */
import { assertEquals } from "@std/assert";
import { Walks } from "./walks.ts";

/** What a walk does, step by step. */
function steps(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  return Promise.withResolvers<void>();
}

/** Notes when a promise resolves. */
function noted(order: string[], what: string, promise: Promise<void>): Promise<void> {
  return promise.then(() => void order.push(what));
}

Deno.test("Walks are waited for to their end", async () => {
  const walks = new Walks();
  await walks.walked();
  const [end, order] = [steps(), [] as string[]];
  const walk = noted(order, "walk", walks.run(() => noted(order, "last step", end.promise)));
  const walked = noted(order, "walked", walks.walked());
  end.resolve();
  await Promise.all([walk, walked]);
  assertEquals(order[0], "last step");
});

Deno.test("Walks that wait for the very work that waits for them hold up nobody, whoever came first", async () => {
  for (const comesFirst of [true, false]) {
    const walks = new Walks();
    const [begin, work] = [steps(), steps()];
    const walk = walks.run(async () => {
      await begin.promise;
      await walks.wait(work.promise);
    });
    const early = comesFirst ? walks.walked() : null;
    begin.resolve();
    if (!comesFirst) await new Promise<void>((resolve) => queueMicrotask(() => queueMicrotask(resolve)));
    await (early ?? walks.walked());
    work.resolve();
    await walk;
  }
});

Deno.test("Walks that go on after they waited are waited for again", async () => {
  const walks = new Walks();
  const [work, end, order] = [steps(), steps(), [] as string[]];
  const walk = walks.run(async () => {
    await walks.wait(work.promise);
    order.push("goes on");
    await noted(order, "last step", end.promise);
  });
  await walks.walked();
  work.resolve();
  while (order.length === 0) await Promise.resolve();
  const walked = noted(order, "walked", walks.walked());
  end.resolve();
  await Promise.all([walk, walked]);
  assertEquals(order, ["goes on", "last step", "walked"]);
});
