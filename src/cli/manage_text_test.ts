/** Tests of the words about conflicts and trash. @module */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ConflictRow } from "../core/archive.ts";
import { parseRelPath } from "../core/path.ts";
import { conflictDetails, conflictLines, itemText, keepText, rootText, troubleText } from "./manage_text.ts";

const PAIR = { id: "0", leftRoot: "/l\n", rightHost: "nas", rightRoot: "/r" };
const ROW: ConflictRow = {
  id: 3,
  path: parseRelPath("a\x1b[31m"),
  loser: "right",
  kept: "20260101T000000Z-1.conflict/a\x1b[31m",
  atMs: 1,
  winnerSizeBytes: 1200,
  loserSizeBytes: null,
  winnerMtimeNs: null,
  loserMtimeNs: 1_000_000n,
};

Deno.test("a conflict is told in three lines: which stays, which lost, and where that lies", () => {
  const [head, winner, loser] = conflictLines(ROW, PAIR);
  assertMatch(head!, /^#3 a\\x1b\[31m, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  assertEquals(winner, "   left  stays: 1.2 kB");
  assertMatch(loser!, /^ {3}right lost: {2}size unknown, changed 19.*, in nas:\/r\/\.psync\/trash\/2026.*a\\x1b\[31m$/);
  assertEquals([rootText(PAIR, "left"), rootText(PAIR, "right")], ["/l\\x0a", "nas:/r"]);
});

Deno.test("each decision says exactly what it does", () => {
  assertStringIncludes(keepText(ROW, "left"), "leaves a\\x1b[31m as it is; the right version stays in the trash");
  assertStringIncludes(
    keepText(ROW, "right"),
    "puts the right version back at a\\x1b[31m; what stands there on the right",
  );
  assertStringIncludes(keepText(ROW, "both"), "beside");
  const details = conflictDetails(ROW, PAIR).join("\n");
  for (const keep of ["left", "right", "both"] as const) assertStringIncludes(details, keepText(ROW, keep));
});

Deno.test("an item is one line that can be given back to restore", () => {
  const item = {
    kept: "20260101T000000Z-1.removed/d/f",
    path: parseRelPath("d/f"),
    kind: "file" as const,
    sizeBytes: 1,
    mtimeNs: 0n,
    trashClass: "removed" as const,
    atMs: 0,
  };
  assertMatch(itemText(item, "left"), /^left {3}19[67]\d-.* {8}1 B {2}20260101T000000Z-1\.removed\/d\/f$/);
  assertStringIncludes(itemText({ ...item, kind: "link" }, "right"), "     link  ");
});

Deno.test("what did not work is said in a clear word", () => {
  const outcomes = ["done", "unknown", "gone", "taken", "busy", "orphan", "not-empty", "failed"] as const;
  const texts = outcomes.map((outcome) => troubleText({ outcome, detail: "EIO\n", to: null, kept: null }));
  assertEquals(new Set(texts).size, outcomes.length);
  assertStringIncludes(texts.at(-1)!, "failed: EIO");
});
