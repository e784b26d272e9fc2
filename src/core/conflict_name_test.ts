/** Tests of the names of losers. @module */
import { assertEquals } from "@std/assert";
import { conflictName } from "./conflict_name.ts";
import { encodeBytes, type Name } from "./path.ts";

const AT_MS = Date.UTC(2026, 0, 31, 23, 59, 59, 999);
const MARK = ".psync-conflict-20260131T235959Z-left";

const ROWS: readonly (readonly [string, number, string])[] = [
  ["notes.txt", 1, `notes${MARK}.txt`],
  ["notes.txt", 2, `notes${MARK}-2.txt`],
  ["Makefile", 1, `Makefile${MARK}`],
  [".bashrc", 1, `.bashrc${MARK}`],
  ["a.tar.gz", 1, `a.tar${MARK}.gz`],
  ["end.", 1, `end${MARK}.`],
  ["a.no extension at all", 1, `a.no extension at all${MARK}`],
  ["\udcff.x", 1, `\udcff${MARK}.x`],
];

Deno.test("conflictName() puts time and side before the extension", () => {
  for (const [name, nth, expected] of ROWS) {
    assertEquals(conflictName(name as Name, { atMs: AT_MS, loser: "left", nth }), expected);
  }
});

Deno.test("conflictName() never takes more than 255 bytes, and cuts between characters", () => {
  for (const name of ["x".repeat(255), "é".repeat(127) + "x", "\u{1f600}".repeat(60) + ".jpeg", "\udcff".repeat(255)]) {
    const made = conflictName(name as Name, { atMs: AT_MS, loser: "right", nth: 17 });
    const bytes = encodeBytes(made).length;
    assertEquals(
      [bytes <= 255, bytes > 250, /[\ud800-\udbff](?![\udc00-\udfff])/.test(made)],
      [true, true, false],
      made,
    );
  }
});
