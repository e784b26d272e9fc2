/** Tests of command lines as words. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { joinForRsync, splitWords } from "./words.ts";

const ROWS: readonly [string, readonly string[]][] = [
  ["ssh", ["ssh"]],
  ["  ssh   -p 22\t-v ", ["ssh", "-p", "22", "-v"]],
  [`ssh -i '/a b/key' -o "User=x y"`, ["ssh", "-i", "/a b/key", "-o", "User=x y"]],
  [`a'b'"c"d`, ["abcd"]],
  [`a\\ b "c\\"d\\\\e\\f" 'g\\h'`, ["a b", `c"d\\e\\f`, "g\\h"]],
  [`ssh '' ""`, ["ssh", "", ""]],
  ["$HOME `x` $(y) *;|&", ["$HOME", "`x`", "$(y)", "*;|&"]],
];

for (const [line, words] of ROWS) {
  Deno.test(`splitWords() splits ${JSON.stringify(line)}`, () => assertEquals(splitWords(line), words));
}

Deno.test("splitWords() refuses nothing and open quotes", () => {
  for (const line of ["", "  ", "''", "ssh 'a", 'ssh "a\\"']) assertThrows(() => splitWords(line), UsageError);
});

Deno.test("joinForRsync() doubles quotes within quotes", () => {
  assertEquals(joinForRsync(["ssh", "-o", "A=b c", "it's"]), "ssh -o 'A=b c' 'it''s'");
});
