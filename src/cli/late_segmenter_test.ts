import { assertEquals } from "@std/assert";
import "./late_segmenter.ts";

Deno.test("A late segmenter cuts as Intl.Segmenter does", () => {
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  const cut = () => [...segmenter.segment("ae\u0301\u{1F1E9}\u{1F1EA}")].map(({ segment }) => segment);
  assertEquals(cut(), ["a", "e\u0301", "\u{1F1E9}\u{1F1EA}"]);
  assertEquals(cut(), ["a", "e\u0301", "\u{1F1E9}\u{1F1EA}"]);
  assertEquals(segmenter.resolvedOptions().granularity, "grapheme");
  assertEquals(Intl.Segmenter.supportedLocalesOf("en"), ["en"]);
});
