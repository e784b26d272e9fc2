/**
 * Tests of what is reported and what is not, over a file system that is a map and a clock that stands.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Scene } from "../../tests/support/reporter_scene.ts";
import { parseRelPath } from "../core/path.ts";
import { DIRTY, KIND } from "./native_format.ts";

const p = parseRelPath;

Deno.test("Reporter tells a state once", async () => {
  const scene = new Scene();
  scene.write("f");
  await scene.dirty("f", DIRTY.closed);
  await scene.clock.advance(100);
  await scene.dirty("f", DIRTY.closed);
  assertEquals(scene.said(), ["present f"]);
  scene.disk.delete(p("f"));
  await scene.dirty("f", DIRTY.gone);
  await scene.clock.advance(100);
  await scene.dirty("f", DIRTY.gone);
  assertEquals(scene.said(), ["absent f"]);
});

Deno.test("Reporter is silent about what psync made, and looks without content first", async () => {
  const scene = new Scene();
  scene.reporter.hold([p("f")]);
  const stat = scene.write("f");
  await scene.dirty("f", DIRTY.moved);
  assertEquals(scene.looks.length, 0);
  scene.reporter.rememberOwn(p("f"), stat, 0);
  scene.reporter.release([p("f")]);
  await scene.settle();
  assertEquals([scene.said(), scene.looks.map(({ options }) => options.contentLimitBytes)], [[], [0]]);
  scene.write("f");
  await scene.dirty("f", DIRTY.closed);
  assertEquals([scene.said(), scene.looks.map(({ options }) => options.contentLimitBytes)], [["present f"], [
    0,
    0,
    65_536,
  ]]);
});

Deno.test("Reporter does not trust a young stamp after a write: it looks deeply and tells", async () => {
  const scene = new Scene();
  scene.write("f", { ctimeNs: BigInt(scene.clock.wallMs()) * 1_000_000n });
  await scene.dirty("f", DIRTY.closed);
  assertEquals(scene.said(), ["present f"]);
  await scene.clock.advance(21);
  scene.looks.length = 0;
  await scene.dirty("f", DIRTY.modified | DIRTY.closed);
  assertEquals(scene.said(), []);
  await scene.clock.advance(25);
  assertEquals(scene.said(), ["present f"]);
  assertEquals(scene.looks.map(({ options }) => options.digests), [false, true]);
  await scene.dirty("f", DIRTY.closed);
  await scene.clock.advance(2_000);
  assertEquals(scene.said(), []);
});

Deno.test("Reporter tells busy once, and what became of it even if it is the same", async () => {
  const scene = new Scene();
  scene.write("f");
  await scene.dirty("f", DIRTY.closed);
  scene.busy.add(p("f"));
  await scene.clock.advance(100);
  await scene.dirty("f", DIRTY.attrib);
  await scene.clock.advance(5_000);
  assertEquals(scene.said(), ["present f", "busy f"]);
  scene.busy.clear();
  await scene.dirty("f", DIRTY.closed);
  assertEquals(scene.said(), ["present f"]);
});

Deno.test("Reporter tells that what was there instead of a listed directory is gone", async () => {
  const scene = new Scene();
  scene.known.remember(p("l"), null, { began: 0, isOwn: false, isRacy: false });
  scene.began = 1;
  const stat = scene.write("l", { kind: KIND.link });
  const { inode, birthNs, sizeBytes, mtimeNs, ctimeNs } = stat;
  const stamp = { inode, birthNs, sizeBytes, mtimeNs, ctimeNs };
  const entry = { kind: "link", mode: 0o777, owner: null, mtimeNs, target: "f" } as const;
  const self = { kind: "present", path: p("l"), began: 1, entry, stamp, content: null } as const;
  scene.reporter.listed({ listing: { kind: "unlisted", path: p("l"), self }, stat, stats: [] });
  await scene.dirty("l", DIRTY.created);
  await scene.clock.advance(100);
  assertEquals(scene.said(), []);
  scene.disk.delete(p("l"));
  await scene.dirty("l", DIRTY.gone);
  assertEquals(scene.said(), ["absent l"]);
});

Deno.test("Reporter tells a rename with both names, and not its own", async () => {
  const scene = new Scene();
  scene.write("b");
  scene.reporter.take({ kind: "move", isDir: false, from: p("a"), to: p("b") });
  await scene.settle();
  assertEquals(scene.said(), ["absent a, present b, a->b"]);
  scene.reporter.hold([p("b"), p("c")]);
  const stat = scene.disk.get(p("b"))!;
  scene.disk.delete(p("b"));
  scene.disk.set(p("c"), stat);
  scene.reporter.take({ kind: "move", isDir: false, from: p("b"), to: p("c") });
  await scene.settle();
  scene.reporter.rememberOwn(p("b"), null, 0);
  scene.reporter.rememberOwn(p("c"), stat, 0);
  scene.reporter.release([p("b"), p("c")]);
  await scene.clock.advance(100);
  assertEquals(scene.said(), []);
});

Deno.test("Reporter walks a new directory, and leaves ignored names alone", async () => {
  const scene = new Scene();
  scene.write("d", { kind: KIND.dir });
  scene.write("d/sub", { kind: KIND.dir });
  scene.write("d/sub/f");
  scene.write("d/x.tmp");
  await scene.dirty("d", DIRTY.created | DIRTY.dir | DIRTY.newDir);
  await scene.clock.advance(1);
  assertEquals(scene.said(), ["present d", "present d/sub", "present d/sub/f"]);
  assertEquals(scene.listed.map(String), ["d", "d/sub"]);
  await scene.dirty("d/y.tmp", DIRTY.closed);
  assertEquals(scene.looks.some(({ path }) => path.endsWith(".tmp")), false);
});

Deno.test("Reporter tells what was taken out of a directory that psync made, before it was watched", async () => {
  const scene = new Scene();
  scene.reporter.hold([p("d")]);
  scene.reporter.madeDir(p("d"));
  scene.reporter.rememberOwn(p("d"), scene.write("d", { kind: KIND.dir }), 0);
  for (const path of ["d/gone", "d/stays"]) scene.reporter.rememberOwn(p(path), scene.write(path), 0);
  scene.disk.delete(p("d/gone"));
  scene.reporter.release([p("d")]);
  await scene.dirty("d", DIRTY.created | DIRTY.dir | DIRTY.newDir);
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["absent d/gone"]);
});

Deno.test("Reporter asks for a listing where a directory may have held something else", async () => {
  for (const bits of [DIRTY.gone | DIRTY.created | DIRTY.dir | DIRTY.newDir, DIRTY.moved | DIRTY.dir]) {
    const scene = new Scene();
    const old = scene.write("d", { kind: KIND.dir });
    scene.known.remember(p("d"), old, { began: 0, isOwn: false, isRacy: false });
    scene.write("d", { kind: KIND.dir });
    await scene.dirty("d", bits);
    assertEquals([scene.said(), scene.listed], [["present d", "rescan d"], []]);
  }
});

Deno.test("Reporter looks at the parent of an orphan, and finds the orphan again after a rename", async () => {
  const scene = new Scene();
  scene.write("new", { kind: KIND.dir });
  scene.write("new/f");
  await scene.dirty("old/f", DIRTY.closed);
  assertEquals(scene.said(), ["absent old"]);
  await scene.clock.advance(30_000);
  scene.reporter.take({ kind: "move", isDir: true, from: p("old"), to: p("new") });
  await scene.settle();
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["present new, present new/f, absent old, old->new"]);
});

Deno.test("Reporter forgets its hints when events were lost", async () => {
  const scene = new Scene();
  scene.write("f");
  scene.reporter.take({ kind: "dirty", names: [{ path: p("f"), bits: DIRTY.created }] });
  scene.reporter.take({ kind: "overflow" });
  await scene.settle();
  await scene.clock.advance(100);
  assertEquals([scene.said(), scene.looks.length], [["rescan"], 0]);
});

Deno.test("Reporter does not tell what was seen before something that was told since", async () => {
  const scene = new Scene();
  scene.write("f");
  scene.known.remember(p("f"), scene.write("f"), { began: 1, isOwn: false, isRacy: false });
  scene.disk.delete(p("f"));
  await scene.dirty("f", DIRTY.gone);
  assertEquals(scene.said(), []);
});

Deno.test("Reporter tells the rename of a directory though both names were told before its event came", async () => {
  const scene = new Scene();
  scene.write("to", { kind: KIND.dir });
  await scene.dirty("to", DIRTY.closed);
  await scene.dirty("from", DIRTY.closed);
  assertEquals(scene.said(), ["present to", "absent from"]);
  await scene.clock.advance(100);
  scene.reporter.take({ kind: "move", isDir: true, from: p("from"), to: p("to") });
  await scene.settle();
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["absent from, present to, from->to"]);
});

Deno.test("Reporter tells a renamed directory once, and nothing of what is in it and was told", async () => {
  const scene = new Scene();
  scene.write("a", { kind: KIND.dir });
  scene.write("a/f");
  scene.write("a/g");
  await scene.dirty("a", DIRTY.created | DIRTY.dir);
  for (const path of ["a/f", "a/g"]) await scene.dirty(path, DIRTY.closed);
  assertEquals(scene.said(), ["present a", "present a/f", "present a/g"]);
  const looks = scene.looks.length;
  scene.rename("a", "b");
  scene.write("b/g");
  await scene.settle();
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["present b, present b/g, absent a, a->b"]);
  const ofF = scene.looks.slice(looks).filter(({ path }) => path === "b/f");
  assertEquals(ofF.map(({ options }) => options.contentLimitBytes), [0]);
  scene.rename("b", "c");
  await scene.settle();
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["present c, absent b, b->c"]);
  assertEquals(scene.looks.filter(({ path }) => path === "c/f").length, 0);
});

Deno.test("Reporter tells a directory that was renamed into one that was renamed then, where it is now", async () => {
  const scene = new Scene();
  for (const path of ["x", "d"]) {
    scene.write(path, { kind: KIND.dir });
    await scene.dirty(path, DIRTY.created | DIRTY.dir);
  }
  scene.said();
  scene.rename("x", "d/y");
  scene.rename("d", "e");
  await scene.settle();
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["absent x, present e, present e/y, absent d, x->d/y, d->e"]);
});

Deno.test("Reporter finds what is in a new directory that was renamed before it was listed", async () => {
  const scene = new Scene();
  scene.write("a", { kind: KIND.dir });
  await scene.dirty("a", DIRTY.created | DIRTY.dir);
  scene.write("a/n", { kind: KIND.dir });
  scene.write("a/n/f");
  scene.beforeList = () => {
    if (scene.disk.has(p("a"))) scene.renameUntold("a", "b");
  };
  await scene.dirty("a/n", DIRTY.created | DIRTY.dir | DIRTY.newDir);
  await scene.clock.advance(100);
  scene.said();
  scene.reporter.take({ kind: "move", isDir: true, from: p("a"), to: p("b") });
  await scene.settle();
  await scene.clock.advance(100);
  assert(scene.said().some((line) => line.includes("present b/n/f")));
});

Deno.test("Reporter finds what is in a new directory that was renamed before it was looked at", async () => {
  for (const isReplaced of [false, true]) {
    const scene = new Scene();
    scene.write("b", { kind: KIND.dir });
    scene.write("b/n", { kind: KIND.dir });
    scene.write("b/n/f");
    if (isReplaced) scene.write("a", { kind: KIND.dir });
    await scene.dirty("a/n", DIRTY.moved | DIRTY.dir | DIRTY.newDir);
    await scene.clock.advance(100);
    assertEquals(scene.said(), [isReplaced ? "absent a/n" : "absent a"]);
    scene.reporter.take({ kind: "move", isDir: true, from: p("a"), to: p("b") });
    await scene.settle();
    await scene.clock.advance(100);
    assert(scene.said().some((line) => line.includes("present b/n/f")));
  }
});

Deno.test("Reporter tells a barrier behind what was dirty before it, and was renamed since", async () => {
  const scene = new Scene();
  scene.write("a", { kind: KIND.dir });
  scene.write("a/f");
  scene.reporter.take({ kind: "dirty", names: [{ path: p("a/f"), bits: DIRTY.created }] });
  scene.reporter.barrier(1);
  scene.rename("a", "b");
  scene.reporter.pump();
  scene.rename("b", "slow");
  await scene.settle();
  await scene.clock.advance(100);
  assert(!scene.said().includes("barrier"));
  scene.slow.resolve();
  await scene.clock.advance(100);
  const said = scene.said().join("; ");
  assert(/present slow\/f.*; barrier$/.test(said), said);
});

Deno.test("Reporter looks again, before a barrier, at what was open for writing", async () => {
  const scene = new Scene();
  scene.busy.add(p("f"));
  scene.write("f");
  await scene.dirty("f", DIRTY.closed);
  assertEquals(scene.said(), ["busy f"]);
  scene.busy.clear();
  scene.reporter.barrier(1);
  await scene.settle();
  assertEquals(scene.said(), ["present f", "barrier"]);
});

const NAMES = Array.from({ length: 300 }, (_, i) => p(`a/${i}`));

Deno.test("Reporter tells what it saw under a new name after the rename that gave it", async () => {
  const scene = new Scene();
  scene.write("a", { kind: KIND.dir });
  for (const path of NAMES) scene.write(path);
  await scene.dirty("a", DIRTY.created | DIRTY.dir);
  scene.said();
  await scene.dirty("a/1", DIRTY.closed);
  scene.reporter.take({
    kind: "dirty",
    names: ["slow", ...NAMES].map((path) => ({ path: p(path), bits: DIRTY.closed })),
  });
  scene.rename("a", "slow");
  await scene.settle();
  assertEquals(scene.said(), ["present a/1"]);
  scene.slow.resolve();
  await scene.clock.advance(100);
  const said = scene.said();
  assertEquals(said.length, 3);
  assert(said[0]!.endsWith("a->slow"), said.map((line) => line.slice(-40)).join("\n"));
});

Deno.test("Reporter looks into a new directory though a later look at it was told before", async () => {
  const scene = new Scene();
  const stat = scene.write("d", { kind: KIND.dir });
  scene.write("d/f");
  scene.known.remember(p("d"), stat, { began: 1, isOwn: false, isRacy: false });
  await scene.dirty("d", DIRTY.dir | DIRTY.newDir);
  assertEquals(scene.said(), []);
  scene.began = 2;
  await scene.clock.advance(1_000);
  assertEquals(scene.said(), ["rescan d"]);
});

Deno.test("Reporter shows a file that is appended to for ever now and then, and only where it has grown", async () => {
  const scene = new Scene();
  scene.busy.add(p("log"));
  scene.write("log", { inode: 7n, sizeBytes: 1 });
  await scene.dirty("log", DIRTY.modified);
  await scene.clock.advance(2);
  assertEquals(scene.said(), ["busy log"]);
  const grow = async (sizeBytes: number) => {
    scene.write("log", { inode: 7n, sizeBytes });
    await scene.dirty("log", DIRTY.modified);
  };
  for (let i = 0; i < 9; i++) {
    await grow(2 + i);
    await scene.clock.advance(1_000);
  }
  assertEquals(scene.said(), []);
  await scene.clock.advance(1_000);
  assertEquals(scene.said(), ["present log"]);
  // Every 10 s from then on, however often it is written to, and whoever else closes it.
  const said: string[] = [];
  for (let i = 0; i < 41; i++) {
    await grow(100 + i);
    await scene.dirty("log", DIRTY.closed);
    await scene.clock.advance(1_000);
    said.push(...scene.said());
  }
  assertEquals(said, ["present log", "present log", "present log", "present log"]);
  // At rest it is looked at, not read.
  await scene.clock.advance(10_000);
  scene.looks.splice(0);
  await scene.clock.advance(60_000);
  assertEquals([scene.said(), scene.looks.some(({ options }) => options.growing === "open")], [[], false]);
  scene.busy.clear();
  await grow(300);
  await scene.dirty("log", DIRTY.closed);
  assertEquals(scene.said(), ["present log"]);
});
