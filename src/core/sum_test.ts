import { assertEquals, assertNotEquals } from "@std/assert";
import type { Name } from "./path.ts";
import { Sum, SumHash, type Summand } from "./sum.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";

const FILE: Summand = {
  name: "a" as Name,
  kind: "file",
  stamp: { inode: 1n, birthNs: 2n, sizeBytes: 3, mtimeNs: -4n, ctimeNs: 5n },
};

function hashOf(summand: Summand, key = KEY): string {
  return `${new SumHash(key).of(summand)}`;
}

/** @see https://github.com/veorq/SipHash/blob/master/vectors.h (vectors_sip128) */
Deno.test("SumHash is SipHash-2-4 with 128 bits", () => {
  const hash = new SumHash(KEY);
  assertEquals(`${hash.ofBytes(new Uint8Array(0))}`, "a3817f04ba25a8e66df67214c7550293");
  assertEquals(`${hash.ofBytes(new Uint8Array([0]))}`, "da87c1d86b99af44347659119b22fc45");
});

Deno.test("SumHash tells apart all that a stamp of a file or link holds", () => {
  const other = { inode: 9n, birthNs: 9n, sizeBytes: 9, mtimeNs: 9n, ctimeNs: 9n };
  for (const kind of ["file", "link"] as const) {
    const changed = Object.entries(other).map(([field, value]) => ({
      ...FILE,
      kind,
      stamp: { ...FILE.stamp, [field]: value },
    }));
    const all = [{ ...FILE, kind }, { ...FILE, kind, name: "b" as Name }, ...changed].map((each) => hashOf(each));
    assertEquals(new Set(all).size, all.length);
  }
  assertNotEquals(hashOf(FILE), hashOf({ ...FILE, kind: "link" }));
});

Deno.test("SumHash takes inode and birth of a directory, and not its times", () => {
  const dir: Summand = { ...FILE, kind: "dir" };
  assertEquals(hashOf(dir), hashOf({ ...dir, stamp: { ...dir.stamp, sizeBytes: 9, mtimeNs: 9n, ctimeNs: 9n } }));
  assertNotEquals(hashOf(dir), hashOf({ ...dir, stamp: { ...dir.stamp, inode: 9n } }));
  assertNotEquals(hashOf(dir), hashOf({ ...dir, stamp: { ...dir.stamp, birthNs: 9n } }));
});

Deno.test("SumHash depends on its key, and on nothing that was hashed before", () => {
  assertNotEquals(hashOf(FILE), hashOf(FILE, KEY.replace("0f", "1f")));
  const hash = new SumHash(KEY);
  for (let length = 0; length <= 255; length++) {
    const summand = { ...FILE, name: "x".repeat(length) as Name };
    assertEquals(`${hash.of(summand)}`, hashOf(summand), `a name of ${length} bytes`);
  }
});

Deno.test("SumHash takes names as their bytes", () => {
  assertNotEquals(hashOf({ ...FILE, name: "\udcff" as Name }), hashOf({ ...FILE, name: "\u00ff" as Name }));
});

Deno.test("a Sum adds and subtracts modulo 2^128, in any order", () => {
  const sum = Sum.parse("ff".repeat(16));
  sum.add(Sum.parse("02" + "00".repeat(15)));
  assertEquals(`${sum}`, "01" + "00".repeat(15));
  sum.subtract(Sum.parse("03" + "00".repeat(15)));
  assertEquals(`${sum}`, "fe" + "ff".repeat(15));
  assertEquals(`${Sum.ofBytes(sum.bytes())}`, `${sum}`);
});
