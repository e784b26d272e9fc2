/**
 * Tests of what an endpoint may be silent about.
 * @module
 */
import { assertEquals } from "@std/assert";
import { parseRelPath } from "../core/path.ts";
import { KnownStamps } from "./known_stamps.ts";
import { KIND, NO_STAT, type RawStat } from "./native_format.ts";

const p = parseRelPath;
const USER = { began: 1, isOwn: false, isRacy: false };

function file(inode: bigint, changes: Partial<RawStat> = {}): RawStat {
  const times = { mtimeNs: 5n, ctimeNs: 6n, birthNs: 4n };
  return { ...NO_STAT, ...times, kind: KIND.file, inode, sizeBytes: 7, mode: 0o644, ...changes };
}

function dir(inode: bigint, changes: Partial<RawStat> = {}): RawStat {
  return file(inode, { kind: KIND.dir, mode: 0o755, ...changes });
}

Deno.test("KnownStamps knows what it was told, and nothing else", () => {
  const known = new KnownStamps();
  assertEquals(known.match(p("f"), file(1n)), "different");
  known.remember(p("f"), file(1n), USER);
  assertEquals(known.match(p("f"), file(1n)), "same");
  const others: Partial<RawStat>[] = [
    { inode: 2n },
    { sizeBytes: 8 },
    { mtimeNs: 9n },
    { ctimeNs: 9n },
    { birthNs: 9n },
    { kind: KIND.link },
  ];
  for (const other of others) assertEquals(known.match(p("f"), file(1n, other)), "different");
  assertEquals(known.match(p("f"), null), "different");
});

Deno.test("KnownStamps knows absence", () => {
  const known = new KnownStamps();
  known.remember(p("f"), null, USER);
  assertEquals(known.match(p("f"), null), "same");
  assertEquals(known.match(p("f"), file(1n)), "different");
  known.forget(p("f"), 1);
  assertEquals(known.match(p("f"), null), "different");
});

Deno.test("KnownStamps tells a racy stamp, and psync's own work", () => {
  const known = new KnownStamps();
  known.remember(p("f"), file(1n), { began: 1, isOwn: true, isRacy: true });
  assertEquals([known.match(p("f"), file(1n)), known.isOwn(p("f"))], ["racy", true]);
  known.remember(p("f"), file(1n), USER);
  assertEquals([known.match(p("f"), file(1n)), known.isOwn(p("f"))], ["same", false]);
});

Deno.test("KnownStamps knows a directory by its object and metadata, not by its times", () => {
  const known = new KnownStamps();
  known.remember(p("d"), dir(1n), USER);
  assertEquals(known.match(p("d"), dir(1n, { mtimeNs: 99n, ctimeNs: 99n, sizeBytes: 0 })), "same");
  assertEquals(known.match(p("d"), dir(1n, { mode: 0o700 })), "different");
  assertEquals(known.match(p("d"), dir(1n, { uid: 3 })), "different");
  assertEquals(known.match(p("d"), dir(2n)), "different");
  assertEquals([known.isSameDir(p("d"), dir(1n, { mode: 0o700 })), known.isSameDir(p("d"), dir(2n))], [true, false]);
});

Deno.test("KnownStamps forgets what was in a directory that went away and came back", () => {
  const known = new KnownStamps();
  known.remember(p("d"), dir(1n), USER);
  known.remember(p("d/f"), file(2n), USER);
  known.remember(p("d"), dir(1n, { mode: 0o700 }), USER);
  assertEquals(known.match(p("d/f"), file(2n)), "same");
  known.remember(p("d"), null, USER);
  known.remember(p("d"), dir(1n), USER);
  assertEquals(known.match(p("d/f"), file(2n)), "different");
  known.remember(p("d/f"), file(2n), USER);
  assertEquals(known.match(p("d/f"), file(2n)), "same");
});

Deno.test("KnownStamps forgets what is deep below a directory that was replaced, level by level", () => {
  const known = new KnownStamps();
  for (const [path, stat] of [["a", dir(1n)], ["a/b", dir(2n)], ["a/b/f", file(3n)]] as const) {
    known.remember(p(path), stat, USER);
  }
  known.remember(p("a"), dir(9n), USER);
  assertEquals(known.match(p("a/b"), dir(2n)), "different");
});

Deno.test("KnownStamps says nothing of what is in a directory that it does not know", () => {
  const known = new KnownStamps();
  known.remember(p("d/f"), file(2n), USER);
  assertEquals(known.match(p("d/f"), file(2n)), "different");
});

Deno.test("KnownStamps keeps its bound, and what was used last", () => {
  const known = new KnownStamps(100);
  for (let i = 0; i < 1_000; i++) known.remember(p(`f${i}`), file(BigInt(i)), USER);
  assertEquals(known.size, 100);
  assertEquals(known.match(p("f999"), file(999n)), "same");
  assertEquals(known.match(p("f900"), file(900n)), "same");
  assertEquals(known.match(p("f899"), file(899n)), "different");
});

Deno.test("KnownStamps keeps a directory as long as its files are used", () => {
  const known = new KnownStamps(10);
  known.remember(p("d"), dir(1n), USER);
  for (let i = 0; i < 50; i++) known.remember(p(`d/f${i}`), file(BigInt(i)), USER);
  assertEquals(known.match(p("d/f49"), file(49n)), "same");
});

Deno.test("KnownStamps takes inodes of 64 bits", () => {
  const known = new KnownStamps();
  const inode = 0xffff_ffff_ffff_ff00n;
  known.remember(p("f"), file(inode), USER);
  assertEquals(known.match(p("f"), file(inode)), "same");
  known.remember(p("d"), dir(inode), USER);
  assertEquals(known.isSameDir(p("d"), dir(inode)), true);
});

Deno.test("KnownStamps keeps what was said last, not what came late", () => {
  const known = new KnownStamps();
  known.remember(p("f"), file(1n), { ...USER, began: 5 });
  assertEquals([known.isOutdated(p("f"), 4), known.isOutdated(p("f"), 5)], [true, false]);
  known.remember(p("f"), null, { ...USER, began: 4 });
  assertEquals(known.match(p("f"), file(1n)), "same");
  known.forget(p("f"), 4);
  assertEquals(known.match(p("f"), file(1n)), "same");
  known.forget(p("f"), 6);
  assertEquals(known.match(p("f"), file(1n)), "different");
  known.remember(p("f"), file(1n), { ...USER, began: 5 });
  assertEquals(known.match(p("f"), file(1n)), "different");
});

Deno.test("KnownStamps.move() takes along what is known of a directory, level by level", () => {
  const known = new KnownStamps();
  for (const [path, stat] of [["a", dir(1n)], ["a/b", dir(2n)], ["a/b/f", file(3n)], ["ab", file(4n)]] as const) {
    known.remember(p(path), stat, { ...USER, isOwn: true });
  }
  known.remember(p("c"), dir(8n), USER);
  known.remember(p("c/f"), file(9n), USER);
  known.move({ from: p("a"), to: p("c") });
  assertEquals(known.match(p("c"), dir(1n)), "different");
  known.remember(p("c"), dir(1n), USER);
  assertEquals(known.match(p("c"), dir(1n)), "same");
  assertEquals(known.match(p("c/b"), dir(2n)), "same");
  assertEquals(known.match(p("c/b/f"), file(3n)), "same");
  assertEquals(known.match(p("ab"), file(4n)), "same");
  assertEquals([known.isOwn(p("c")), known.isOwn(p("c/b/f"))], [false, true]);
  assertEquals(known.match(p("c/f"), file(9n)), "different");
  for (const path of ["a", "a/b", "a/b/f"]) assertEquals(known.match(p(path), null), "different");
  assertEquals(known.size, 4);
});

Deno.test("KnownStamps.move() takes nothing along where the directory itself is not known", () => {
  const known = new KnownStamps();
  known.remember(p("a/f"), file(3n), USER);
  known.move({ from: p("a"), to: p("c") });
  assertEquals(known.match(p("c/f"), file(3n)), "different");
  known.remember(p("d"), dir(1n), USER);
  known.remember(p("d/f"), file(2n), USER);
  known.move({ from: p("d"), to: p("unknown/d") });
  assertEquals(known.match(p("unknown/d"), dir(1n)), "different");
  assertEquals(known.match(p("unknown/d/f"), file(2n)), "same");
});
