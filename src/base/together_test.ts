import { assertEquals, assertRejects } from "@std/assert";
import { Together } from "./together.ts";

/** A thing that ends when it is told to. */
function thing(name: string, log: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = () => {
    log.push(`${name} begins`);
    return promise.then(() => void log.push(`${name} is over`));
  };
  return { resolve, reject, [Symbol.asyncDispose]: end };
}

Deno.test("what ends together is waited for together, whatever ends first", async () => {
  const log: string[] = [];
  const [a, b] = [thing("a", log), thing("b", log)];
  await using all = new Together();
  all.use(a);
  all.use(b);
  const ended = all[Symbol.asyncDispose]().then(() => void log.push("all"));
  b.resolve();
  await b[Symbol.asyncDispose]();
  a.resolve();
  await ended;
  assertEquals(log, ["a begins", "b begins", "b begins", "b is over", "b is over", "a is over", "all"]);
});

Deno.test("what cannot end is told once all others have ended", async () => {
  const log: string[] = [];
  const [a, b] = [thing("a", log), thing("b", log)];
  const all = new Together();
  all.use(a);
  all.use(b);
  const ended = all[Symbol.asyncDispose]();
  a.reject(new Error("a cannot end"));
  b.resolve();
  await assertRejects(() => ended, Error, "a cannot end");
  assertEquals(log, ["a begins", "b begins", "b is over"]);
});

Deno.test("what was handed on does not end with its old owner", async () => {
  const log: string[] = [];
  const a = thing("a", log);
  a.resolve();
  let kept: Together;
  {
    await using all = new Together();
    all.use(a);
    kept = all.move();
  }
  assertEquals(log, []);
  await kept[Symbol.asyncDispose]();
  assertEquals(log, ["a begins", "a is over"]);
});
