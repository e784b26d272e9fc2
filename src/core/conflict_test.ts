import { assertEquals } from "@std/assert";
import { file, link } from "../../tests/support/entries.ts";
import { type ChangeTime, conflictRow, laterOf } from "./conflict.ts";
import { parseRelPath } from "./path.ts";
import type { Later } from "./reconcile.ts";

function change(order: number | null, mtimeNs: bigint | null): ChangeTime {
  return { order, mtimeNs };
}

const ROWS: readonly (readonly [string, ChangeTime, ChangeTime, bigint, Later])[] = [
  ["both live: order decides, whatever the times", change(2, 10n), change(1, 99n), 0n, "left"],
  ["both live: order decides", change(1, 99n), change(2, 10n), 0n, "right"],
  ["both live, a removal", change(3, null), change(2, 10n), 0n, "left"],
  ["one scanned: times decide", change(7, 10n), change(null, 11n), 0n, "right"],
  ["both scanned", change(null, 12n), change(null, 11n), 0n, "left"],
  ["the right's clock is behind by 5", change(null, 12n), change(null, 11n), 5n, "right"],
  ["the right's clock is ahead by 5", change(null, 12n), change(null, 14n), -5n, "left"],
  ["same time", change(null, 12n), change(null, 12n), 0n, "unknown"],
  ["same order, as in one batch: times decide", change(4, 12n), change(4, 13n), 0n, "right"],
  ["a scanned removal has no time", change(null, null), change(null, 12n), 0n, "unknown"],
];

Deno.test("laterOf() answers for each row of the table", () => {
  for (const [name, left, right, rightOffsetNs, later] of ROWS) {
    assertEquals(laterOf({ left, right, rightOffsetNs }), later, name);
  }
});

Deno.test("conflictRow() tells winner from loser on either side", () => {
  const at = { path: parseRelPath("p"), kept: "t/p", atMs: 5, left: file("a"), right: link("x") };
  const { mtimeNs } = file("a");
  assertEquals(conflictRow({ ...at, loser: "right" }), {
    path: at.path,
    loser: "right",
    kept: "t/p",
    atMs: 5,
    winnerSizeBytes: 1,
    loserSizeBytes: null,
    winnerMtimeNs: mtimeNs,
    loserMtimeNs: link("x").mtimeNs,
  });
  const { winnerSizeBytes, loserSizeBytes } = conflictRow({ ...at, loser: "left" });
  assertEquals([winnerSizeBytes, loserSizeBytes], [null, 1]);
  assertEquals(conflictRow({ ...at, loser: "left", left: null }).loserMtimeNs, null);
});
