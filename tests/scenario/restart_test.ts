/**
 * psync that is started again: what changed on both sides while it was down is merged from the
 * archive. Nothing that was deleted comes back; nothing that was edited is lost.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

const BEFORE = {
  keep: "kept as it is",
  "edit-l": "before",
  "edit-r": "before",
  "rm-l": "removed on the left",
  "rm-r": "removed on the right",
  "rm-both": "removed on both",
  "mode-l": "1",
  "ren-l": "renamed on the left",
  "ren-r": "renamed on the right",
  tree: { a: "1", b: { c: "22" } },
  "dir-l": { x: "x", deep: { y: "yy" } },
  "dir-r": { x: "x", deep: { y: "yy" } },
  "gone-l": { x: "x", deep: { y: "yy" } },
  "gone-r": { x: "x", deep: { y: "yy" } },
  cross: { "from-l": "l", "from-r": "rr" },
  link: { link: "keep" },
};

const LEFT = [
  "echo edited on the left >edit-l; rm rm-l rm-both; chmod 600 mode-l; mv ren-l ren-l2; mv dir-l dir-l2",
  "echo more >>dir-l2/deep/y; rm -r gone-l; mkdir -p new-l/empty; echo n >new-l/n; mv cross/from-l cross/to-l; echo t >tree/new-l",
  "ln -sfn nowhere link",
];
const RIGHT = [
  "echo edited on the right! >edit-r; rm rm-r rm-both; mv ren-r ren-r2; mv dir-r dir-r2; rm -r gone-r; mkdir -p new-r/empty",
  'echo n >"$(printf "new-r/\\377")"; mv cross/from-r cross/to-r; mv tree tree2; echo 333 >>tree2/b/c',
];

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: what changed on either side while psync was down is merged`, async () => {
    await using scene = await Scene.make({ ...options, left: BEFORE });
    assertEquals((await scene.run("-s")).code, 0);
    const inodes = async (side: "left" | "right", path: string) =>
      (await scene.root(side).sh(`stat -c %i ${path}`)).trim();
    const before = { left: await inodes("left", "dir-r"), right: await inodes("right", "dir-l") };
    await scene.left.sh(LEFT.join("\n"));
    await scene.right.sh(RIGHT.join("\n"));

    const { code, err, out } = await scene.run("-s");
    assertEquals([code, /Conflict|Not sync/.test(err)], [0, false], err + out);
    assertEquals(await scene.entries("left"), await scene.entries("right"));
    const text = (path: string) => scene.right.read(path);
    assertEquals([await text("edit-l"), await text("edit-r")], ["edited on the left\n", "edited on the right!\n"]);
    assertEquals(await scene.right.sh("ls -d rm-* gone-* ren-* dir-* tree* new-* 2>/dev/null || true"), NAMES);
    assertEquals(await text("dir-l2/deep/y"), "yymore\n");
    assertEquals(await text("tree2/new-l"), "t\n", "what was made in a renamed folder is in it");
    assertEquals(await text("tree2/b/c"), "22333\n");
    assertEquals(await scene.right.sh("ls cross; stat -c %a mode-l; readlink link"), "to-l\nto-r\n600\nnowhere\n");
    assertEquals(
      [await inodes("left", "dir-r2"), await inodes("right", "dir-l2")],
      [before.left, before.right],
      "a rename is one on the other side, too",
    );
    const again = await scene.run("-s");
    assertMatch(again.out, /: nothing had to be changed,/);
  });
}

const NAMES = ["dir-l2", "dir-r2", "new-l", "new-r", "ren-l2", "ren-r2", "tree2", ""].join("\n");

Deno.test("an edit on one side wins over a removal on the other, while psync was down", async () => {
  await using scene = await Scene.make({ left: { f: "1", g: "2", d: { x: "3", y: "4" } } });
  await scene.run("-s");
  await scene.left.sh("rm f; echo edited >g; rm -r d");
  await scene.right.sh("echo edited too >f; rm g; echo edited >d/x");
  const { code, err } = await scene.run("-s");
  assertEquals(await scene.entries("left"), await scene.entries("right"), err);
  assertEquals(await scene.left.sh("cat f g d/x; ls d"), "edited too\nedited\nedited\nx\n");
  assert(code === 0 || code === 5, err);
});

Deno.test("two edits of one file while psync was down are a conflict of which both survive", async () => {
  await using scene = await Scene.make({ left: { f: "before" } });
  await scene.run("-s");
  await scene.left.sh("echo the left edit >f; touch -d 2001-01-01 f");
  await scene.right.sh("echo an edit on the right >f; touch -d 2002-01-01 f");
  const { code, err } = await scene.run("-s");
  assertEquals(code, 5, err);
  const kept = /^Conflict: f: both sides changed it; the right version stays, the left one is kept as (\S+)$/m.exec(
    err,
  );
  assertEquals(await Deno.readTextFile(kept?.[1] ?? "/nowhere"), "the left edit\n");
  for (const side of ["left", "right"] as const) {
    assertEquals(await scene.root(side).read("f"), "an edit on the right\n");
  }
});

Deno.test("the same change on both sides while psync was down is no conflict", async () => {
  await using scene = await Scene.make({ left: { f: "before", g: "gone", d: {} } });
  await scene.run("-s");
  for (const side of ["left", "right"] as const) {
    await scene.root(side).sh("echo same >f; rm g; rmdir d; mkdir e; chmod 640 f");
  }
  const { code, err } = await scene.run("-s");
  assertEquals(code, 0, err);
  assertEquals(await scene.entries("left"), await scene.entries("right"));
});

Deno.test("a psync that was killed is started again at once, and goes on where it was", async () => {
  await using scene = await Scene.make({ left: { d: { f: "1" }, gone: "2" } });
  {
    await using psync = await scene.live();
    psync.signal("SIGKILL");
    await psync.ended;
  }
  await scene.left.sh("rm gone; echo new >d/n");
  await scene.right.sh("mv d d2");
  const { code, err } = await scene.run("-s");
  assertEquals(code, 0, err);
  assertEquals(await scene.left.sh("ls . d2"), ".:\nd2\n\nd2:\nf\nn\n");
  assertEquals(await scene.entries("left"), await scene.entries("right"));
});

Deno.test("psync that is killed again and again in the middle of work loses nothing", async () => {
  await using scene = await Scene.make();
  await scene.left.sh(
    "mkdir l; for i in $(seq 600); do head -c $((i * 37)) /dev/zero | tr '\\\\0' l >l/$i; done; head -c 3000000 /dev/urandom >l/big",
  );
  await scene.right.sh("mkdir r; for i in $(seq 600); do head -c $((i * 31)) /dev/zero | tr '\\\\0' r >r/$i; done");
  const wanted = [await scene.entries("left"), await scene.entries("right")].flat().filter((line) =>
    !line.startsWith("d ")
  );
  for (const done of [1, 150, 500]) {
    await using psync = await scene.start();
    const count = async () => Number(await scene.right.sh("ls l 2>/dev/null | wc -l"));
    await eventually("some of it is done", async () => await count() >= done);
    psync.signal("SIGKILL");
    await psync.ended;
  }
  const { code, err } = await scene.run("-s");
  assertEquals(code, 0, err);
  for (const side of ["left", "right"] as const) {
    const found = await scene.entries(side);
    assertEquals(found.filter((line) => !line.startsWith("d ")).sort(), wanted.toSorted());
    assertEquals(await scene.root(side).sh("ls -A .psync/stage 2>/dev/null || true"), "");
  }
});

Deno.test("without its archive psync merges, and removes nothing", async () => {
  await using scene = await Scene.make({ left: { f: "1", g: "2" } });
  await scene.run("-s");
  await scene.left.sh("rm f");
  await scene.right.sh("rm g");
  await Deno.remove(scene.stateDir, { recursive: true });
  await Deno.mkdir(scene.stateDir);
  const { code, err } = await scene.run("-s");
  assertEquals(code, 0, err);
  assertStringIncludes(err, "both sides are merged, nothing is removed");
  assertEquals(await scene.left.sh("ls"), "f\ng\n");
  assertEquals(await scene.entries("left"), await scene.entries("right"));
});

Deno.test("an archive that was put back from a backup removes nothing", async () => {
  await using scene = await Scene.make({ left: { keep: "k", d: { f: "1" }, late: "2" } });
  await scene.run("-s");
  await scene.left.sh(`cp -a "${scene.stateDir}" "$PWD.backup"; mv d "$PWD.away"; echo 3 >new; rm late`);
  assertEquals((await scene.run("-s")).code, 0);
  assertEquals(await scene.right.sh("ls"), "keep\nnew\n");
  // To the old archive d is as it was on the left, and was removed on the right.
  await scene.left.sh(`mv "$PWD.away" d; rm -r "${scene.stateDir}"; mv "$PWD.backup" "${scene.stateDir}"`);
  const { code, err } = await scene.run("-s");
  assertMatch(err, /^The record of the last sync cannot be used \(it is older than the roots: .*nothing is removed$/m);
  assertEquals([code, await scene.left.sh("ls . d"), await scene.right.sh("ls . d")], [
    0,
    ".:\nd\nkeep\nnew\n\nd:\nf\n",
    ".:\nd\nkeep\nnew\n\nd:\nf\n",
  ]);
  assertMatch((await scene.run("-s")).out, /: nothing had to be changed,/);
});
