import { assertEquals } from "@std/assert";
import { figure, median, percentile, table } from "./figures.ts";

Deno.test("median() is the middle sample, or the mean of the middle two", () => {
  assertEquals([median([5, 1, 3]), median([4, 1, 3, 2]), median([])], [3, 2.5, NaN]);
});

Deno.test("percentile() is the nearest rank", () => {
  const samples = Array.from({ length: 200 }, (_, i) => 200 - i);
  assertEquals([percentile(samples, 0.95), percentile(samples, 1), percentile([7], 0.95)], [190, 200, 7]);
});

Deno.test("figure() keeps three figures that count", () => {
  assertEquals([1234.5, 12.34, 1.234, 0.1234, NaN].map((value) => figure(value, "ms")), [
    "1235 ms",
    "12.3 ms",
    "1.23 ms",
    "0.123 ms",
    "-",
  ]);
});

Deno.test("table() aligns its columns", () => {
  assertEquals(
    table(["what", "median"], [["a", "1 ms"], ["longer", "10 ms"]]),
    "| what   | median |\n|--------|-------:|\n| a      |   1 ms |\n| longer |  10 ms |",
  );
});
