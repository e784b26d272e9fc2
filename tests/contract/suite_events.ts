/**
 * Contract: what an endpoint reports by itself, and what it is silent about.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { isBelow, rebase, type RelPath, ROOT } from "../../src/core/path.ts";
import { ABSENT, contentOf, dirEntry, p, putFile, type RegisterTest, World } from "./world.ts";

/** Registers the tests of events. */
export function eventsSuite(test: RegisterTest): void {
  barrierSuite(test);
  userSuite(test);
  writerSuite(test);
  treeSuite(test);
  silenceSuite(test);
  rootSuite(test);
}

function barrierSuite(test: RegisterTest): void {
  test("events report a barrier behind all that happened before it", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh(
      "for d in a b c; do mkdir -p $d/e/f; for i in 1 2 3 4 5; do echo $i >$d/e/f/$i; done; done; mv a g",
    );
    await world.endpoint.barrier(7);
    await world.endpoint.barrier(0xffff_ffff);
    await world.log.sawEvent("barrier", ({ id }) => id === 0xffff_ffff);
    const end = world.log.events.findIndex((each) => each.kind === "barrier");
    assertEquals(world.log.events[end], { kind: "barrier", id: 7 });
    let seen: RelPath[] = [];
    // Where a directory is to be listed, all that is in it counts as told.
    const listed: RelPath[] = [];
    for (const each of world.log.events.slice(0, end)) {
      if (each.kind === "rescan" || each.kind === "crowd") listed.push(each.path);
      if (each.kind !== "observed") continue;
      // What was told under its old name follows the rename.
      for (const move of each.moves) seen = seen.map((path) => isBelow(path, move.from) ? rebase(path, move) : path);
      seen.push(...each.observations.filter(({ kind }) => kind === "present").map(({ path }) => path));
    }
    for (const dir of ["b", "c", "g"]) {
      for (const path of [1, 2, 3, 4, 5].map((i) => p(`${dir}/e/f/${i}`))) {
        assert(seen.includes(path) || listed.some((each) => isBelow(path, each)), path);
      }
    }
  });

  test("events report a barrier while a program has a file open for writing", async (open) => {
    await using world = await World.open(open);
    using file = await Deno.open(`${world.tree.path}/open`, { write: true, create: true });
    await file.write(Uint8Array.of(65));
    await world.endpoint.barrier(1);
    await world.log.sawEvent("barrier");
  });
}

function userSuite(test: RegisterTest): void {
  test("events report a file that is created, changed and deleted", async (open) => {
    await using world = await World.open(open);
    await world.tree.write("f", "one");
    await world.log.sawContent(p("f"), "one");
    await world.tree.write("f", "two two");
    await world.log.sawContent(p("f"), "two two");
    await world.tree.sh("rm f");
    await world.log.sawKind(p("f"), "absent");
  });

  test("events report names that are not UTF-8", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh(`mkdir "$(printf 'd\\377')"; printf in > "$(printf 'd\\377/\\376f')"`);
    await world.log.sawContent(p("d\udcff/\udcfef"), "in");
  });

  test("events report a rename with both names and the move", async (open) => {
    await using world = await World.open(open, { shape: { a: "text" } });
    await world.tree.sh("mv a b");
    await world.log.sawContent(p("b"), "text");
    await world.log.sawKind(p("a"), "absent");
    assertEquals(world.log.moves, [{ from: p("a"), to: p("b") }]);
  });

  test("events report an atomic save", async (open) => {
    await using world = await World.open(open, { shape: { f: "old" } });
    await world.tree.sh("printf newer > .f.tmp; mv .f.tmp f");
    await world.log.sawContent(p("f"), "newer");
    await world.quiet();
    assertEquals((await world.look(p(".f.tmp"))).kind, "absent");
  });

  test("events report metadata, of files and directories", async (open) => {
    await using world = await World.open(open, { shape: { f: "text", d: {} } });
    await world.tree.sh("chmod 600 f; chmod 700 d");
    await world.log.saw(p("f"), (each) => each.kind === "present" && each.entry.mode === 0o600);
    await world.log.saw(p("d"), (each) => each.kind === "present" && each.entry.mode === 0o700);
  });

  test("events report a hard link, a symlink and a FIFO", async (open) => {
    await using world = await World.open(open, { shape: { f: "text" } });
    await world.tree.sh("ln f hard; ln -s f soft; mkfifo pipe");
    await world.log.sawContent(p("hard"), "text");
    await world.log.saw(p("soft"), (each) => each.kind === "present" && each.entry.kind === "link");
    await world.log.saw(p("pipe"), (each) => each.kind === "blocked" && each.reason === "special");
  });
}

function writerSuite(test: RegisterTest): void {
  test("events report truncate(2), which closes nothing", async (open) => {
    await using world = await World.open(open, { shape: { f: "a long text" } });
    await Deno.truncate(world.tree.at("f"), 6);
    await world.log.sawContent(p("f"), "a long");
  });

  test("events do not show a file before its writer closes it", async (open) => {
    await using world = await World.open(open);
    const writer = await Deno.open(world.tree.at("f"), { write: true, create: true });
    await writer.write(new TextEncoder().encode("half"));
    await world.quiet();
    assert(world.log.of(p("f")).every(({ kind }) => kind === "busy"));
    await writer.write(new TextEncoder().encode(" and half"));
    writer.close();
    const shown = await world.log.sawKind(p("f"), "present");
    assertEquals(contentOf(shown), "half and half");
  });

  test("events report a path that keeps changing, and its last state", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh("for i in $(seq 300); do echo $i >> log; done; echo end >> log");
    await world.log.saw(p("log"), (each) => contentOf(each)?.endsWith("300\nend\n") ?? false);
    assert(world.log.of(p("log")).length < 150, "reports are bundled");
  });

  test("events report many files at once, none missing", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh("for i in $(seq 2000); do echo $i > f$i; done");
    const seen = new Set<RelPath>();
    // A busy machine makes a storm of it: the directory is crowded, and what is in it is listed.
    for (let crowds = 0; seen.size < 2000;) {
      const dirs = await world.log.until("2000 files", () => {
        for (const each of world.log.observations) if (contentOf(each) !== undefined) seen.add(each.path);
        const told = world.log.events.filter((each) => each.kind === "crowd").map(({ path }) => path);
        return seen.size === 2000 || told.length > crowds ? told : undefined;
      });
      if (dirs.length > crowds) { for (const path of await listedIn(world, dirs.slice(crowds))) seen.add(path); }
      crowds = dirs.length;
    }
  });
}

/** What directories show that an event has listed. */
async function listedIn(world: World, dirs: readonly RelPath[]): Promise<RelPath[]> {
  const listings = await world.endpoint.list([...new Set(dirs)]);
  return listings.flatMap((each) => each.kind === "listed" ? each.entries.map(({ path }) => path) : []);
}

function treeSuite(test: RegisterTest): void {
  test("events report a new tree, directories before what is in them", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh("mkdir -p a/b/c/d; for i in 1 2 3; do echo $i > a/b/c/d/f$i; echo $i > a/f$i; done");
    for (const path of ["a/b/c/d/f1", "a/b/c/d/f2", "a/b/c/d/f3", "a/f1", "a/f3"]) {
      await world.log.sawKind(p(path), "present");
    }
    const order = world.log.observations.map(({ path }) => path as string);
    for (const dir of ["a", "a/b", "a/b/c", "a/b/c/d"]) {
      const first = order.findIndex((path) => path.startsWith(`${dir}/`));
      assert(order.indexOf(dir) >= 0 && order.indexOf(dir) < first, `${dir} comes first`);
    }
  });

  test("events report a tree that is moved in, and changes in it", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh(`mkdir -p "$PWD.out/x/y"; echo in > "$PWD.out/x/y/f"; mv "$PWD.out/x" x; rmdir "$PWD.out"`);
    await world.log.sawContent(p("x/y/f"), "in\n");
    await world.tree.write("x/y/f", "changed");
    await world.log.sawContent(p("x/y/f"), "changed");
  });

  test("events report the rename of a directory, then what changes in it under its new name", async (open) => {
    await using world = await World.open(open, { shape: { a: { sub: { f: "text" } } } });
    await world.tree.sh("mv a z; printf changed > z/sub/f");
    await world.log.sawContent(p("z/sub/f"), "changed");
    await world.log.sawKind(p("a"), "absent");
    assertEquals(world.log.moves, [{ from: p("a"), to: p("z") }]);
  });

  test("events lose nothing that happened right before a directory was renamed", async (open) => {
    await using world = await World.open(open, { shape: { a: {} } });
    await world.tree.sh("for i in $(seq 50); do printf $i > a/f$i; done; mv a b; mv b c; printf more > c/f1");
    await world.log.until("both renames, and a listing or all that is in c", () => isAllOfC(world) ? true : undefined);
  });

  test("events report a tree that is deleted", async (open) => {
    await using world = await World.open(open, { shape: { a: { b: { f: "text" } } } });
    await world.tree.sh("rm -r a");
    await world.log.sawKind(p("a"), "absent");
  });

  test("events ask for a listing where another directory took a name", async (open) => {
    await using world = await World.open(open, { shape: { a: { old: "text" } } });
    await world.tree.sh(`mv a "$PWD.gone"; mkdir a; rm -r "$PWD.gone"`);
    await world.log.until("a rescan or the absence of a", () => {
      const isAsked = world.log.events.some((each) =>
        each.kind === "rescan" && (each.path === p("a") || each.path === ROOT)
      );
      return isAsked || world.log.of(p("a")).some(({ kind }) => kind === "absent") ? true : undefined;
    });
  });

  test("events are silent about what is excluded, however deep", async (open) => {
    await using world = await World.open(open, { excludes: ["\\.tmp$", "^/cache$"], shape: { cache: {} } });
    await world.tree.sh("echo 1 > a.tmp; echo 2 > cache/f; mkdir -p new/cache.tmp/deep; echo 3 > new/cache.tmp/deep/f");
    await world.tree.write("new/f", "seen");
    await world.log.sawContent(p("new/f"), "seen");
    await world.quiet();
    const shown = new Set(world.log.observations.map(({ path }) => path as string));
    assertEquals([...shown].sort(), ["cookie-1", "new", "new/f"]);
  });

  test("events report what leaves and enters the excluded names by rename", async (open) => {
    await using world = await World.open(open, {
      excludes: ["\\.tmp$"],
      shape: { d: { f: "1" }, "e.tmp": { g: "2" } },
    });
    await world.tree.sh("mv d d.tmp; mv e.tmp e");
    await world.log.sawKind(p("d"), "absent");
    await world.log.sawContent(p("e/g"), "2");
    await world.tree.write("e/g", "changed");
    await world.log.sawContent(p("e/g"), "changed");
    assertEquals(world.log.moves, []);
  });
}

function silenceSuite(test: RegisterTest): void {
  test("events are silent about what psync itself made", async (open) => {
    await using world = await World.open(open, { shape: { old: "o", gone: "g", from: "m", meta: "t" } });
    const [old, gone, from, meta] = await Promise.all(
      ["old", "gone", "from", "meta"].map((name) => world.expected(p(name))),
    );
    const results = await world.commit(
      { kind: "put", path: p("d"), expected: ABSENT, entry: dirEntry(), content: null, disposal: "drop" },
      putFile(p("d/new"), "new"),
      putFile(p("old"), "newer", { expected: old! }),
      { kind: "remove", path: p("gone"), expected: gone!, disposal: "removed", force: false },
      { kind: "move", from: p("from"), to: p("d/to"), expectedFrom: from!, expectedTo: ABSENT, disposal: "drop" },
      { kind: "meta", path: p("meta"), expected: meta!, entry: { ...putFile(p("x"), "t").entry, mode: 0o600 } },
    );
    assertEquals(results.map(({ kind }) => kind), results.map(() => "done"));
    // A stamp that is too young to be trusted is looked at again after 20 ms: that must be silent as well.
    const start = performance.now();
    while (performance.now() < start + 100) await world.quiet();
    const shown = world.log.observations.map(({ path }) => path as string);
    assertEquals(shown.filter((path) => !path.startsWith("cookie-")), []);
    assertEquals(world.log.moves, []);
    assertEquals(world.log.events.filter(({ kind }) => kind === "rescan"), []);
  });

  test("events report a user's edit of what psync made", async (open) => {
    await using world = await World.open(open);
    await world.done(putFile(p("f"), "psync"));
    await world.tree.write("f", "user!");
    await world.log.sawContent(p("f"), "user!");
  });

  test("events report an edit that comes while psync commits", async (open) => {
    const names = Array.from({ length: 30 }, (_, i) => `f${i}`);
    await using world = await World.open(open, { shape: Object.fromEntries(names.map((name) => [name, "start"])) });
    for (const name of names) {
      const expected = await world.expected(p(name));
      const [result] = await Promise.all([
        world.commitOne(putFile(p(name), "psync was here", { expected })),
        world.tree.write(name, `user of ${name}`),
      ]);
      assert(result.kind !== "failed");
      // Whoever was later stands there; if it is the user, it is reported, or the commit says so: a look
      // from before its end is outdated by it, and whoever asked for the commit looks again.
      const now = await world.tree.read(name);
      if (now === `user of ${name}`) {
        if (result.kind !== "stale") await world.log.sawContent(p(name), now);
      } else assertEquals([now, result.kind], ["psync was here", "done"]);
    }
  });

  test("events report a path again that went away and came back the same", async (open) => {
    await using world = await World.open(open, { shape: { d: { f: "text" } } });
    await world.tree.sh(`mv d "$PWD.away"`);
    await world.log.sawKind(p("d"), "absent");
    await world.tree.sh(`mv "$PWD.away" d`);
    await world.log.sawContent(p("d/f"), "text");
  });
}

function rootSuite(test: RegisterTest): void {
  test("events tell that the root was moved away", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh(`mv "$PWD" "$PWD-away"`);
    await world.log.sawEvent("root-lost");
    await Deno.rename(`${world.tree.path}-away`, world.tree.path);
  });

  test("events tell that the root was removed", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh(`rm -r "$PWD"`);
    await world.log.sawEvent("root-lost");
  });

  test("events end when the endpoint is disposed of", async (open) => {
    await using world = await World.open(open);
    await world.endpoint[Symbol.asyncDispose]();
    await world.log.end();
    assertEquals(world.log.ended, null);
  });
}

/** Whether `a` was told to have become `c`, and what is in it was told under any of its names or is to be listed. */
function isAllOfC({ log }: World): boolean {
  if (!log.moves.some(({ to }) => to === p("c")) || log.of(p("c")).length === 0) return false;
  if (log.events.some((each) => each.kind === "rescan" && [p("c"), ROOT].includes(each.path))) return true;
  const hasText = (path: string, text: string) => log.of(p(path)).some((seen) => contentOf(seen) === text);
  const isTold = (i: number) => ["a", "b", "c"].some((dir) => hasText(`${dir}/f${i}`, `${i}`));
  return hasText("c/f1", "more") && Array.from({ length: 49 }, (_, i) => i + 2).every(isTold);
}
