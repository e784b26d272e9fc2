/**
 * Tests of the ordered way out.
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { WatchError } from "../base/errors.ts";
import type { EndpointEvent } from "../core/endpoint.ts";
import { parseRelPath, ROOT } from "../core/path.ts";
import { Outbox } from "./outbox.ts";

const p = parseRelPath;

async function readAll(outbox: Outbox): Promise<EndpointEvent[]> {
  const out: EndpointEvent[] = [];
  for await (const event of outbox.events) out.push(event);
  return out;
}

async function flushed(outbox: Outbox): Promise<void> {
  await outbox.post(() => null);
  await outbox.post(() => null);
}

Deno.test("Outbox merges rescans that nobody has read into the one that covers them", async () => {
  const outbox = new Outbox();
  for (const path of ["a/b", "a", "a/c", "d"]) outbox.rescan(p(path), "why");
  outbox.rescan(ROOT, "all");
  outbox.rescan(p("e"), "why");
  await flushed(outbox);
  outbox.close(null);
  assertEquals(await readAll(outbox), [{ kind: "rescan", path: ROOT, why: "all" }]);
});

Deno.test("Outbox says each of several rescans, and later ones again", async () => {
  const outbox = new Outbox();
  outbox.rescan(p("a"), "1");
  outbox.rescan(p("b"), "2");
  await flushed(outbox);
  outbox.rescan(p("a"), "3");
  await flushed(outbox);
  outbox.close(null);
  assertEquals((await readAll(outbox)).map((event) => event.kind === "rescan" && event.why), ["1", "2", "3"]);
});

Deno.test("Outbox makes whoever posts wait for the reader", async () => {
  const outbox = new Outbox();
  let said = 0;
  const posts = Array.from({ length: 50 }, () =>
    outbox.post(() => {
      said++;
      return { kind: "unwatched", path: ROOT };
    }));
  await posts[10];
  assertEquals(said < 50, true);
  const reading = readAll(outbox);
  await Promise.all(posts);
  outbox.close(null);
  assertEquals((await reading).length, 50);
});

Deno.test("Outbox hands its error to the reader, and whoever waits goes on", async () => {
  const outbox = new Outbox();
  const posts = Array.from({ length: 50 }, () => outbox.post(() => ({ kind: "unwatched", path: ROOT })));
  outbox.close(new WatchError("gone"));
  await Promise.all(posts);
  await assertRejects(() => readAll(outbox), WatchError, "gone");
});

Deno.test("Outbox says once that a directory is crowded, as long as nobody has read it, and later again", async () => {
  const outbox = new Outbox();
  for (let i = 0; i < 1_000; i++) for (const path of ["a", "b"]) outbox.crowd(p(path));
  await flushed(outbox);
  outbox.crowd(p("a"));
  await flushed(outbox);
  outbox.close(null);
  assertEquals((await readAll(outbox)).map((event) => event.kind === "crowd" && event.path), ["a", "b", "a"].map(p));
});
