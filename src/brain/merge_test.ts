import { assertEquals } from "@std/assert";
import { file, row } from "../../tests/support/entries.ts";
import { present } from "../../tests/support/brain.ts";
import type { Name, RelPath } from "../core/path.ts";
import { mergeDirectory } from "./merge.ts";

const DIR = "d" as RelPath;

function merged(rows: string[], left: string[] | undefined, right: string[] | undefined): string[] {
  const seen = (names: string[] | undefined) => names?.map((name) => present(`d/${name}`, file("a")));
  const of = (one: unknown) => one === undefined ? "?" : one === null ? "-" : "x";
  const lists = {
    dir: DIR,
    rows: rows.map((name) => ({ name: name as Name, ...row(file("a")) })),
    left: seen(left),
    right: seen(right),
  };
  return [...mergeDirectory(lists)].map((one) => `${one.path} ${of(one.row)}${of(one.left)}${of(one.right)}`);
}

Deno.test("mergeDirectory() names each name once, in the order of bytes, and tells who has it", () => {
  assertEquals(merged(["a", "c"], ["a", "b"], ["b", "c"]), ["d/a xx-", "d/b -xx", "d/c x-x"]);
});

Deno.test("mergeDirectory() never calls missing what was not listed", () => {
  assertEquals(merged(["a"], undefined, ["b"]), ["d/a x?-", "d/b -?x"]);
  assertEquals(merged(["a"], undefined, undefined), ["d/a x??"]);
  assertEquals(merged([], [], []), []);
});

Deno.test("mergeDirectory() sorts as bytes do, beyond the first plane and where names are no text", () => {
  // UTF-8: ff (no text) > f0.. (U+1F600) > ef.. (U+FF5E); UTF-16 has it otherwise.
  const names = ["z", "\uff5e", "\u{1f600}", "\udcff"];
  assertEquals(merged(names, names, names), names.map((name) => `d/${name} xxx`));
});
