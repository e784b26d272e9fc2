/**
 * Contract: what `commit` makes, what it refuses, and what it keeps (I2).
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { SafetyHaltError } from "../../src/base/errors.ts";
import {
  ABSENT,
  contentOf,
  dirEntry,
  fileEntry,
  linkEntry,
  MTIME_NS,
  p,
  putFile,
  type RegisterTest,
  World,
} from "./world.ts";

/** Registers the tests of transitions. */
export function commitSuite(test: RegisterTest): void {
  putSuite(test);
  refusalSuite(test);
  sizeSuite(test);
  removeSuite(test);
  moveSuite(test);
  metaSuite(test);
  guardSuite(test);
}

function putSuite(test: RegisterTest): void {
  test("commit puts a file with its content, mode and time", async (open) => {
    await using world = await World.open(open);
    const result = await world.done(putFile(p("f"), "hello"));
    assertEquals([result.kept, result.masked], [null, false]);
    const found = await world.present(p("f"));
    assertEquals([contentOf(found), found.entry.mode, found.entry.mtimeNs], ["hello", 0o640, MTIME_NS]);
    assertEquals(found.stamp, result.stamp);
    assert(found.began >= result.ended);
  });

  test("commit puts directories, links and what is in them, in order", async (open) => {
    await using world = await World.open(open);
    const results = await world.commit(
      { kind: "put", path: p("d"), expected: ABSENT, entry: dirEntry(0o2750), content: null, disposal: "drop" },
      {
        kind: "put",
        path: p("d/l"),
        expected: ABSENT,
        entry: linkEntry("../x\udcff"),
        content: null,
        disposal: "drop",
      },
      putFile(p("d/f\udcfe"), "in"),
    );
    assertEquals(results.map(({ kind }) => kind), ["done", "done", "done"]);
    const [dir, link, file] = await world.endpoint.look(["d", "d/l", "d/f\udcfe"].map(p), {
      contentLimitBytes: 10,
      digests: false,
    });
    assertEquals(dir?.kind === "present" && dir.entry.mode, 0o2750);
    assertEquals(link?.kind === "present" && [link.entry.kind === "link" && link.entry.target, link.entry.mtimeNs], [
      "../x\udcff",
      MTIME_NS,
    ]);
    assertEquals(contentOf(file!), "in");
  });

  test("commit replaces what is as expected, and keeps it where asked", async (open) => {
    for (const [disposal, isKept] of [["drop", false], ["removed", true], ["conflict", true]] as const) {
      await using world = await World.open(open, { shape: { f: "old one" } });
      const result = await world.done(putFile(p("f"), "new", { expected: await world.expected(p("f")), disposal }));
      assertEquals(await world.tree.read("f"), "new");
      assertEquals(result.kept !== null, isKept);
      if (result.kept !== null) assertEquals(await world.tree.read(`.psync/trash/${result.kept}`), "old one");
    }
  });

  test("commit changes nothing where something else is there", async (open) => {
    await using world = await World.open(open, { shape: { f: "old", other: "o", dir: { in: "x" } } });
    const expected = await world.expected(p("f"));
    await world.tree.write("f", "edited by a user");
    const results = await world.commit(
      putFile(p("f"), "new", { expected }),
      putFile(p("other"), "new"),
      putFile(p("none"), "new", { expected }),
      putFile(p("dir"), "new", { expected }),
    );
    assertEquals(results.map(({ kind }) => kind), ["stale", "stale", "stale", "stale"]);
    assertEquals([await world.tree.read("f"), await world.tree.read("other")], ["edited by a user", "o"]);
    assertEquals([await world.tree.exists("none"), await world.tree.read("dir/in")], [false, "x"]);
  });
}

function refusalSuite(test: RegisterTest): void {
  test("commit replaces a file by a link and a link by a file", async (open) => {
    await using world = await World.open(open, { shape: { f: "file", l: { link: "f" } } });
    const results = await world.commit(
      {
        kind: "put",
        path: p("f"),
        expected: await world.expected(p("f")),
        entry: linkEntry("l"),
        content: null,
        disposal: "removed",
      },
      putFile(p("l"), "now a file", { expected: await world.expected(p("l")), disposal: "removed" }),
    );
    assertEquals(results.map(({ kind }) => kind), ["done", "done"]);
    assertEquals([await Deno.readLink(world.tree.at("f")), await world.tree.read("l")], ["l", "now a file"]);
  });

  test("commit says that a parent is missing, and follows no link", async (open) => {
    await using world = await World.open(open, { shape: { f: "x", away: { link: "/tmp" } } });
    const results = await world.commit(
      putFile(p("none/f"), "1"),
      putFile(p("f/f"), "2"),
      putFile(p("away/psync-f"), "3"),
    );
    assertEquals(results.map(({ kind }) => kind), ["orphan", "orphan", "orphan"]);
  });

  test("commit does not displace a file that somebody has open for writing", async (open) => {
    await using world = await World.open(open, { shape: { f: "old" } });
    const expected = await world.expected(p("f"));
    using _writer = await Deno.open(world.tree.at("f"), { write: true });
    assertEquals((await world.commitOne(putFile(p("f"), "new", { expected }))).kind, "busy");
    assertEquals(await world.tree.read("f"), "old");
  });

  test("commit goes on after a transition that failed", async (open) => {
    await using world = await World.open(open, { shape: { f: "x" } });
    const tooLong = p(`${"n".repeat(250)}/${"m".repeat(250)}`);
    const results = await world.commit(putFile(p("f"), "no"), putFile(tooLong, "no"), putFile(p("g"), "yes"));
    assertEquals(results.map(({ kind }) => kind), ["stale", "orphan", "done"]);
  });
}

function sizeSuite(test: RegisterTest): void {
  test("commit makes more than one record holds", async (open) => {
    await using world = await World.open(open);
    const text = "x".repeat(1 << 20);
    const results = await world.commit(...Array.from({ length: 24 }, (_, i) => putFile(p(`f${i}`), text)));
    assertEquals(results.map(({ kind }) => kind), results.map(() => "done"));
    assertEquals((await world.tree.sh("cat f* | wc -c")).trim(), String(24 << 20));
  });

  test("commit makes thousands of small files", async (open) => {
    await using world = await World.open(open);
    const results = await world.commit(...Array.from({ length: 3_000 }, (_, i) => putFile(p(`f${i}`), `content ${i}`)));
    assert(results.every(({ kind }) => kind === "done"));
    assertEquals(await world.tree.read("f2999"), "content 2999");
  });
}

function removeSuite(test: RegisterTest): void {
  test("commit removes files, links and empty directories to the trash", async (open) => {
    await using world = await World.open(open, { shape: { f: "text", l: { link: "f" }, d: {} } });
    for (const name of ["f", "l", "d"]) {
      const expected = await world.expected(p(name));
      const done = await world.done({ kind: "remove", path: p(name), expected, disposal: "removed", force: false });
      assertEquals([done.stamp, await world.tree.exists(name)], [null, false]);
      if (name === "f") assertEquals(await world.tree.read(`.psync/trash/${done.kept}`), "text");
    }
  });

  test("commit does not remove what changed", async (open) => {
    await using world = await World.open(open, { shape: { f: "text" } });
    const expected = await world.expected(p("f"));
    await world.tree.write("f", "text, edited");
    const result = await world.commitOne({ kind: "remove", path: p("f"), expected, disposal: "removed", force: false });
    assertEquals([result.kind, await world.tree.read("f")], ["stale", "text, edited"]);
  });

  test("commit does not remove a file that somebody has open for writing", async (open) => {
    await using world = await World.open(open, { shape: { f: "text" } });
    const expected = await world.expected(p("f"));
    using _writer = await Deno.open(world.tree.at("f"), { append: true });
    const result = await world.commitOne({ kind: "remove", path: p("f"), expected, disposal: "removed", force: false });
    assertEquals([result.kind, await world.tree.read("f")], ["busy", "text"]);
  });

  test("commit leaves a directory that holds something, unless forced", async (open) => {
    await using world = await World.open(open, { shape: { d: { sub: { f: "text" } } } });
    const base = { kind: "remove", path: p("d"), expected: await world.expected(p("d")), disposal: "removed" } as const;
    assertEquals((await world.commitOne({ ...base, force: false })).kind, "not-empty");
    assertEquals(await world.tree.read("d/sub/f"), "text");
    const done = await world.done({ ...base, force: true });
    assertEquals([await world.tree.exists("d"), await world.tree.read(`.psync/trash/${done.kept}/sub/f`)], [
      false,
      "text",
    ]);
  });
}

function moveSuite(test: RegisterTest): void {
  test("commit renames a file", async (open) => {
    await using world = await World.open(open, { shape: { a: "text", d: {} } });
    const expectedFrom = await world.expected(p("a"));
    const done = await world.done({
      kind: "move",
      from: p("a"),
      to: p("d/b"),
      expectedFrom,
      expectedTo: ABSENT,
      disposal: "drop",
    });
    assertEquals([await world.tree.exists("a"), await world.tree.read("d/b")], [false, "text"]);
    assertEquals((await world.present(p("d/b"))).stamp, done.stamp);
  });

  test("commit renames a directory with all that is in it", async (open) => {
    await using world = await World.open(open, { shape: { a: { b: { f: "deep" } } } });
    const expectedFrom = await world.expected(p("a"));
    await world.done({ kind: "move", from: p("a"), to: p("z"), expectedFrom, expectedTo: ABSENT, disposal: "drop" });
    assertEquals([await world.tree.exists("a"), await world.tree.read("z/b/f")], [false, "deep"]);
  });

  test("commit displaces what was expected at the new name", async (open) => {
    await using world = await World.open(open, { shape: { a: "from", b: "displaced" } });
    const done = await world.done({
      kind: "move",
      from: p("a"),
      to: p("b"),
      expectedFrom: await world.expected(p("a")),
      expectedTo: await world.expected(p("b")),
      disposal: "removed",
    });
    assertEquals([await world.tree.exists("a"), await world.tree.read("b")], [false, "from"]);
    assertEquals(await world.tree.read(`.psync/trash/${done.kept}`), "displaced");
  });

  test("commit does not rename what changed, nor onto what is in the way", async (open) => {
    await using world = await World.open(open, { shape: { a: "from", b: "in the way" } });
    const expectedFrom = await world.expected(p("a"));
    const move = { kind: "move", from: p("a"), expectedFrom, expectedTo: ABSENT, disposal: "removed" } as const;
    assertEquals((await world.commitOne({ ...move, to: p("b") })).kind, "stale");
    await world.tree.write("a", "from, edited");
    assertEquals((await world.commitOne({ ...move, to: p("c") })).kind, "stale");
    assertEquals([await world.tree.read("a"), await world.tree.read("b")], ["from, edited", "in the way"]);
    assertEquals(await world.tree.exists("c"), false);
  });

  test("commit says that the new parent is missing", async (open) => {
    await using world = await World.open(open, { shape: { a: "from" } });
    const expectedFrom = await world.expected(p("a"));
    const result = await world.commitOne({
      kind: "move",
      from: p("a"),
      to: p("none/b"),
      expectedFrom,
      expectedTo: ABSENT,
      disposal: "drop",
    });
    assertEquals([result.kind, await world.tree.read("a")], ["orphan", "from"]);
  });
}

function metaSuite(test: RegisterTest): void {
  test("commit sets mode and time of a file, and touches nothing else", async (open) => {
    await using world = await World.open(open, { shape: { f: "text" } });
    const before = await world.present(p("f"));
    const expected = await world.expected(p("f"));
    const entry = fileEntry("text", { mode: 0o604 });
    const done = await world.done({ kind: "meta", path: p("f"), expected, entry });
    const after = await world.present(p("f"));
    assertEquals([after.entry.mode, after.entry.mtimeNs, contentOf(after)], [0o604, MTIME_NS, "text"]);
    assertEquals([after.stamp, after.stamp.inode], [done.stamp, before.stamp.inode]);
  });

  test("commit sets the mode of a directory and leaves its time", async (open) => {
    await using world = await World.open(open, { shape: { d: { f: "x" } } });
    const expected = await world.expected(p("d"));
    const before = await world.present(p("d"));
    await world.done({ kind: "meta", path: p("d"), expected, entry: dirEntry(0o711) });
    const after = await world.present(p("d"));
    assertEquals([after.entry.mode, after.entry.mtimeNs], [0o711, before.entry.mtimeNs]);
  });

  test("commit sets no metadata of what changed or is being written", async (open) => {
    await using world = await World.open(open, { shape: { f: "text", g: "open" } });
    const [f, g] = [await world.expected(p("f")), await world.expected(p("g"))];
    await world.tree.write("f", "text, edited");
    using _writer = await Deno.open(world.tree.at("g"), { write: true });
    const results = await world.commit(
      { kind: "meta", path: p("f"), expected: f, entry: fileEntry("text") },
      { kind: "meta", path: p("g"), expected: g, entry: fileEntry("open") },
    );
    assertEquals(results.map(({ kind }) => kind), ["stale", "busy"]);
  });
}

function guardSuite(test: RegisterTest): void {
  test("commit halts where the root is another directory", async (open) => {
    await using world = await World.open(open, { shape: { f: "text" } });
    await world.tree.sh(`mv "$PWD" "$PWD-away"; mkdir "$PWD"`);
    try {
      await assertRejects(() => world.commit(putFile(p("new"), "x")), SafetyHaltError);
      assertEquals(await world.tree.exists("new"), false);
    } finally {
      await world.tree.sh(`rm -r "$PWD-away"`);
    }
  });

  test("commit halts where the marks are not what was adopted", async (open) => {
    await using world = await World.open(open);
    await world.tree.write(".psync/pair", "another pair");
    await assertRejects(() => world.commit(putFile(p("new"), "x")), SafetyHaltError);
    assertEquals(await world.tree.exists("new"), false);
  });
}
