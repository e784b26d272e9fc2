import { assertEquals } from "@std/assert";
import { absent, at, news, sighting } from "../../tests/support/brain.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { HeldPaths } from "./held.ts";

Deno.test("HeldPaths covers what is held and what is below, on that side, but no live removal", () => {
  const archive = new MemoryArchive();
  const held = new HeldPaths(archive);
  const gone = (path: string, isLive = false) => news(path, { left: sighting(absent(path), { isLive }) });
  assertEquals(held.covers(gone("d"), "right"), false);
  archive.transact(() => archive.addHold({ run: 1, atMs: 0, side: "right", paths: [at("d")] }));
  assertEquals(held.covers(gone("d"), "right"), false, "read once a round");
  held.refresh();
  const cases: [path: string, isCovered: boolean][] = [["d", true], ["d/x/y", true], ["dd", false], ["", false]];
  for (const [path, isCovered] of cases) assertEquals(held.covers(gone(path), "right"), isCovered, path);
  assertEquals(held.covers(gone("d"), "left"), false);
  assertEquals(held.covers(gone("d", true), "right"), false);
});
