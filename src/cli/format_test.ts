import { assertEquals } from "@std/assert";
import { bytesText, countText, listText, oneLine, sampleText, spanText } from "./format.ts";

Deno.test("spanText() uses the two largest units that say something", () => {
  const rows: readonly (readonly [number, string])[] = [
    [-5, "0.0 s"],
    [449, "0.4 s"],
    [9_940, "9.9 s"],
    [10_000, "10 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [200_000, "3 min 20 s"],
    [3_600_000, "1 h"],
    [18_720_000, "5 h 12 min"],
    [273_600_000, "3 d 4 h"],
  ];
  for (const [ms, text] of rows) assertEquals(spanText(ms), text);
});

Deno.test("bytesText() and countText() read well at any size", () => {
  assertEquals([0, 999, 1234, 5_000_000].map(bytesText), ["0 B", "999 B", "1.2 kB", "5 MB"]);
  assertEquals(countText(1, "file"), "1 file");
  assertEquals(countText(0, "file"), "0 files");
  assertEquals(countText(1203, "entry", "entries"), "1,203 entries");
});

Deno.test("listText() and sampleText() join names and count the rest", () => {
  assertEquals([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(listText), ["", "a", "a and b", "a, b and c"]);
  assertEquals(sampleText(["a\n", "b"], 2), "a\\x0a and b");
  assertEquals(sampleText(["a", "b"], 1002), "a, b and 1,000 more");
  assertEquals(sampleText([], 3), "3 more");
});

Deno.test("oneLine() lets nothing reach a terminal but text", () => {
  assertEquals(oneLine("a\n  b\r\nc"), "a b c");
  assertEquals(oneLine("\x1b]0;x\x07 \\n \u202e \udcff \u009b"), "\\x1b]0;x\\x07 \\n \\u202e \\udcff \\x9b");
  assertEquals(oneLine("ä 𝄞"), "ä 𝄞");
});
