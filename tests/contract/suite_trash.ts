/**
 * Contract: what the trash tells, gives back, releases and purges.
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SafetyHaltError } from "../../src/base/errors.ts";
import type { RelPath } from "../../src/core/path.ts";
import type { Disposal } from "../../src/core/transition.ts";
import { type PlacedItem, type TrashAction, type TrashClass, trashItems } from "../../src/core/trash.ts";
import { contentOf, p, type RegisterTest, World } from "./world.ts";

/** Registers the tests of the trash. */
export function trashSuite(test: RegisterTest): void {
  listSuite(test);
  restoreSuite(test);
  replaceSuite(test);
  endSuite(test);
}

/** Removes a path as the brain does; returns where it is kept. */
async function toTrash(world: World, path: RelPath, disposal: Disposal = "removed", force = false): Promise<string> {
  const expected = await world.expected(path);
  const { kept } = await world.done({ kind: "remove", path, expected, disposal, force });
  if (kept === null) throw new Error(`"${path}" was not kept`);
  return kept;
}

async function items(world: World, only: TrashClass | null = null): Promise<PlacedItem[]> {
  return await Array.fromAsync(trashItems(world.endpoint, only));
}

async function act(world: World, ...actions: TrashAction[]): Promise<string[]> {
  return (await world.endpoint.trashAct(actions)).map(({ kind }) => kind);
}

function restore(kept: string, to: string, replaces = false): TrashAction {
  return { kind: "restore", kept, to: p(to), replaces };
}

function listSuite(test: RegisterTest): void {
  test("the trash of a new root is empty, and its space is known", async (open) => {
    await using world = await World.open(open);
    assertEquals(await items(world), []);
    const { freeBytes, totalBytes } = await world.endpoint.space();
    assert(freeBytes > 0 && totalBytes >= freeBytes);
  });

  test("the trash lists what was removed and what lost, with path, kind and size", async (open) => {
    const script =
      `mkdir -p d/e h/empty; echo 12 >d/e/f; echo 1234 >loser; ln -s x link; echo 1 >"h/$(printf 'b\\377\\nc')"`;
    await using world = await World.open(open, { script });
    const before = Date.now();
    await toTrash(world, p("d/e/f"));
    await toTrash(world, p("loser"), "conflict");
    await toTrash(world, p("link"));
    await toTrash(world, p("h"), "removed", true);
    const found = await items(world);
    const shown = found.map(({ path, trashClass, kind, sizeBytes }) => [path, trashClass, kind, sizeBytes]);
    assertEquals(shown.sort((a, b) => String(a[0]) < String(b[0]) ? -1 : 1), [
      ["d/e/f", "removed", "file", 3],
      ["h/b\udcff\nc", "removed", "file", 2],
      ["h/empty", "removed", "dir", found.find(({ path }) => path === "h/empty")!.sizeBytes],
      ["link", "removed", "link", 1],
      ["loser", "conflict", "file", 5],
    ]);
    for (const { atMs } of found) assert(atMs >= before - 60_000 && atMs <= Date.now() + 60_000);
    assertEquals((await items(world, "conflict")).map(({ path }) => path), ["loser"]);
    assertEquals((await items(world, "removed")).length, 4);
  });

  test("the trash is listed page by page, each item once, and shows nothing that is not psync's", async (open) => {
    const script = "mkdir -p d/a d/b d/b.c; for i in $(seq 1500); do : >d/a/$i; done; : >d/b.c/x; : >d/b/y; : >d/z";
    await using world = await World.open(open, { script });
    await toTrash(world, p("d"), "removed", true);
    await world.tree.sh(
      "cd .psync/trash; echo 1 >mine; mkdir mine.d; echo 2 >mine.d/f; echo 3 >x.removed; mkdir .x.removed; : >.x.removed/y",
    );
    const first = await world.endpoint.trashList({ only: null, after: null });
    assert(first.hasMore && first.items.length < 1503);
    const paths = (await items(world)).map(({ path }) => path);
    assertEquals([paths.length, new Set(paths).size], [1503, 1503]);
    assertEquals(paths.slice(-3), ["d/b/y", "d/b.c/x", "d/z"]);
    const middle = await world.endpoint.trashList({ only: null, after: first.items[10]!.kept });
    assertEquals(middle.items[0], first.items[11]);
  });
}

function restoreSuite(test: RegisterTest): void {
  test("what is given back stands where it stood and is reported like a user's change", async (open) => {
    await using world = await World.open(open, { shape: { d: { f: "precious", g: "stays" } } });
    const kept = await toTrash(world, p("d/f"));
    assertEquals(await act(world, restore(kept, "d/f")), ["done"]);
    await world.log.sawContent(p("d/f"), "precious");
    assertEquals(contentOf(await world.look(p("d/f"))), "precious");
    assertEquals([await items(world), await world.tree.sh("ls -A .psync/trash")], [[], ""]);
    assertEquals(await act(world, restore(kept, "d/f")), ["gone"]);
  });

  test("what is given back gets its parents back, with their modes", async (open) => {
    await using world = await World.open(open, {
      script: "mkdir -p a/b/c; chmod 751 a; chmod 2775 a/b; echo 1 >a/b/c/f",
    });
    const kept = await toTrash(world, p("a/b/c/f"));
    await world.tree.sh("rm -r a");
    assertEquals(await act(world, restore(kept, "a/b/c/f")), ["done"]);
    assertEquals(await world.tree.sh("stat -c %a a a/b a/b/c; cat a/b/c/f"), "751\n2775\n755\n1\n");
    await world.watchAll(); // another directory took the name: the brain is asked to list
    assertEquals(contentOf(await world.look(p("a/b/c/f"))), "1\n");
  });

  test("a directory is given back with all that is in it, and elsewhere with new parents", async (open) => {
    await using world = await World.open(open, { shape: { d: { e: { f: "1" }, g: "2" } } });
    const kept = await toTrash(world, p("d"), "removed", true);
    assertEquals(await act(world, restore(kept, "x/y/d2")), ["done"]);
    assertEquals(await world.tree.sh("find x -type f | sort"), "x/y/d2/e/f\nx/y/d2/g\n");
    await world.log.sawContent(p("x/y/d2/e/f"), "1");
  });

  test("nothing is given back over something, below a file, through a link or into .psync", async (open) => {
    await using outside = await World.open(open);
    await using world = await World.open(open, { shape: { f: "old", g: "x", l: { link: outside.tree.path } } });
    const kept = await toTrash(world, p("f"));
    await world.tree.write("f", "new one");
    assertEquals(await act(world, restore(kept, "f"), restore(kept, "g/f"), restore(kept, "l/f")), [
      "taken",
      "orphan",
      "orphan",
    ]);
    assertEquals([await world.tree.read("f"), await outside.tree.exists("f")], ["new one", false]);
    assertEquals((await items(world)).map((item) => item.kept), [kept]);
  });

  test("only what psync put there is given back, released or purged", async (open) => {
    await using world = await World.open(open, { shape: { f: "x" } });
    const kept = await toTrash(world, p("f"));
    const top = kept.split("/")[0]!;
    await world.tree.sh(
      `cd .psync/trash; echo 1 >mine; mkdir m.d; : >m.d/f; ln -s ../.. ${top}/up; ln -s f ${top}/to-f`,
    );
    const places = ["mine", "m.d/f", top, `${top}/up/g`, `${top}/none`, `${top}/f/x`];
    const kinds = await act(
      world,
      ...places.flatMap((each): TrashAction[] => [restore(each, "out"), {
        kind: "purge",
        kept: each,
      }]),
    );
    assertEquals(kinds.filter((kind) => kind !== "gone" && kind !== "failed"), []);
    assertEquals([await world.tree.exists("out"), await world.tree.read(".psync/trash/mine")], [false, "1\n"]);
    assertEquals(await world.tree.read(`.psync/trash/${kept}`), "x");
  });
}

function replaceSuite(test: RegisterTest): void {
  test("what is given back in another's place sends that one to the trash", async (open) => {
    await using world = await World.open(open, { shape: { f: "loser" } });
    const kept = await toTrash(world, p("f"), "conflict");
    await world.tree.write("f", "the winner");
    const [result] = await world.endpoint.trashAct([restore(kept, "f", true)]);
    assert(result?.kind === "done" && result.kept !== null, Deno.inspect(result));
    assertEquals(await world.tree.read("f"), "loser");
    assertEquals(await world.tree.read(`.psync/trash/${result.kept}`), "the winner");
    assertMatch(result.kept, /\.removed\/f$/);
    assertEquals((await items(world)).map((item) => item.kept), [result.kept]);
    await world.log.sawContent(p("f"), "loser");
  });

  test("a file is given back in the place of a folder, and a folder in that of a file", async (open) => {
    await using world = await World.open(open, { shape: { f: "file", d: { in: "dir" } } });
    const file = await toTrash(world, p("f"), "conflict");
    const dir = await toTrash(world, p("d"), "conflict", true);
    await world.tree.sh("mkdir -p f/g; echo deep >f/g/h; echo file >d");
    assertEquals(await act(world, restore(file, "f", true), restore(dir, "d", true)), ["done", "done"]);
    assertEquals([await world.tree.read("f"), await world.tree.read("d/in")], ["file", "dir"]);
    assertEquals((await items(world)).map(({ path, sizeBytes }) => [path, sizeBytes]), [["d", 5], ["f/g/h", 5]]);
  });

  test("what a program has open for writing is not replaced; where nothing stands nothing is displaced", async (open) => {
    await using world = await World.open(open, { shape: { f: "loser" } });
    const kept = await toTrash(world, p("f"), "conflict");
    await world.tree.write("f", "in use");
    {
      using _writer = await Deno.open(world.tree.at("f"), { write: true });
      assertEquals(await act(world, restore(kept, "f", true)), ["busy"]);
    }
    assertEquals(await world.tree.read("f"), "in use");
    await world.tree.sh("rm f");
    assertEquals(await world.endpoint.trashAct([restore(kept, "f", true)]), [{ kind: "done", kept: null }]);
  });
}

function endSuite(test: RegisterTest): void {
  test("a released loser is a removed item of its own time; what is released twice stays", async (open) => {
    await using world = await World.open(open, { shape: { d: { f: "x" } } });
    const kept = await toTrash(world, p("d/f"), "conflict");
    const [result] = await world.endpoint.trashAct([{ kind: "release", kept }]);
    const released = kept.replace(".conflict/", ".removed/");
    assertEquals(result, { kind: "done", kept: released });
    assertEquals((await items(world)).map((item) => [item.kept, item.trashClass]), [[released, "removed"]]);
    assertEquals(await act(world, { kind: "release", kept }, { kind: "release", kept: released }), ["gone", "done"]);
    assertEquals(await world.tree.read(`.psync/trash/${released}`), "x");
  });

  test("what is purged is gone with the directories above it, and nothing else is", async (open) => {
    await using world = await World.open(open, { shape: { d: { f: "1", e: {} }, other: "2" } });
    const whole = await toTrash(world, p("d"), "removed", true);
    const other = await toTrash(world, p("other"));
    assertEquals(await act(world, { kind: "purge", kept: whole }), ["not-empty"]);
    const kinds = await act(world, ...[`${whole}/f`, `${whole}/e`].map((kept) => ({ kind: "purge" as const, kept })));
    assertEquals(kinds, ["done", "done"]);
    assertEquals((await items(world)).map(({ kept }) => kept), [other]);
    assertEquals((await world.tree.sh("ls .psync/trash")).split("\n").length, 2);
    assertEquals(await act(world, { kind: "purge", kept: other }, { kind: "purge", kept: other }), ["done", "gone"]);
    assertEquals(await world.tree.sh("ls -A .psync/trash"), "");
  });

  test("the trash of a root that was given up is not touched", async (open) => {
    await using world = await World.open(open, { shape: { f: "x" } });
    const kept = await toTrash(world, p("f"));
    await world.tree.write(".psync/lock", "somebody else's");
    await assertRejects(() => world.endpoint.trashAct([restore(kept, "f")]), SafetyHaltError);
    assertEquals((await items(world)).length, 1);
  });
}
