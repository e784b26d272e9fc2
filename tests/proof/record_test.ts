import { assertEquals } from "@std/assert";
import { TempTree } from "../support/temp_tree.ts";
import { addToRecord, nextSeed, readRecord, type RecordLine, summary } from "./record.ts";

function line(course: string, seed: number, faults: readonly string[] = []): RecordLine {
  const rest = { at: "2026-01-01T00:00:00Z", seconds: 36, build: "abc", counts: { kills: 2 } };
  return { course, seed, ...rest, faults, again: `./scripts/torture ${course} --seed ${seed}` };
}

Deno.test("a record goes on where it stopped, also after a line that was cut off", async () => {
  await using tree = await TempTree.make();
  const path = tree.at("deep/record.jsonl");
  assertEquals(nextSeed(readRecord(path), "links"), 1);
  addToRecord(path, line("links", 1));
  addToRecord(path, line("links", 2, ["lost: x"]));
  addToRecord(path, line("two-users --ssh", 7));
  await Deno.writeTextFile(path, '\n{"course":"links","se', { append: true });
  addToRecord(path, line("links", 3));
  const lines = readRecord(path);
  assertEquals(lines.map(({ seed }) => seed), [1, 2, 7, 3]);
  assertEquals([nextSeed(lines, "links"), nextSeed(lines, "two-users --ssh"), nextSeed(lines, "box")], [4, 8, 1]);
  assertEquals(summary(lines), [
    "links, build abc: 3 seeds (1 to 3), 6 kills, 0.03 h: 1 failed",
    "two-users --ssh, build abc: 1 seeds (7 to 7), 2 kills, 0.01 h: 0 failed",
    "FAILED links, seed 2, build abc, 2026-01-01T00:00:00Z: lost: x",
    "  again: ./scripts/torture links --seed 2",
  ]);
});
