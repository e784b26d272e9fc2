/**
 * Each option of the command line, as what it does to two roots.
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { must } from "../support/binary.ts";
import { childrenOf, commandOf } from "../support/procfs.ts";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = {
  "two folders": {},
  "ssh": { ssh: { env: { XDG_CACHE_HOME: "" } } },
};

/** How many directories a running psync watches, counted in the kernel's own words. */
function watchCount(pid: number): number {
  let count = 0;
  for (const child of childrenOf(pid).filter((each) => commandOf(each).includes("watch"))) {
    for (const { name } of Deno.readDirSync(`/proc/${child}/fdinfo`)) {
      count += Deno.readTextFileSync(`/proc/${child}/fdinfo/${name}`).match(/^inotify wd:/mg)?.length ?? 0;
    }
  }
  return count;
}

Deno.test("-e leaves alone what matches, in any case, anywhere in the path, on both sides; it is not watched", async () => {
  await using scene = await Scene.make({
    left: { a: { Node_Modules: { deep: { x: "1" } } }, "b.LOG": "l", keep: "k", other: { tmp: "t" } },
    right: { node_modules: { y: "2" }, "c.log": "r" },
  });
  await scene.left.sh("for i in $(seq 50); do mkdir -p a/Node_Modules/$i; done");
  await using psync = await scene.live("-e", "/node_modules$", "-e", String.raw`\.log$`, "--excludes=^/other/tmp");
  assertLess(watchCount(psync.pid), 12);
  await scene.left.sh(
    "echo 3 >a/Node_Modules/deep/z; echo 4 >new.log; echo 5 >>b.LOG; mkdir node_modules; echo 6 >marker",
  );
  await scene.right.sh("rm c.log; echo 7 >node_modules/new; echo 8 >other-marker");
  await eventually(
    "the markers are over",
    async () => await scene.right.exists("marker") && await scene.left.exists("other-marker"),
  );
  assertEquals(
    await scene.right.sh("ls -A . a other"),
    ".:\n.psync\na\nkeep\nmarker\nnode_modules\nother\nother-marker\n\na:\n\nother:\n",
  );
  assertEquals(
    await scene.left.sh("ls . node_modules"),
    ".:\na\nb.LOG\nkeep\nmarker\nnew.log\nnode_modules\nother\nother-marker\n\nnode_modules:\n",
  );
  assert(!/Conflict|Not sync/.test(psync.text), psync.text);
});

Deno.test("without -e and -t nothing is left alone but scratch and what is psync's own", async () => {
  await using scene = await Scene.make({
    left: { ".git": { x: "1" }, "f~": "2", ".#lock": "3", "a.tmp": "4", "b.psync.ignore": "5" },
  });
  assertEquals((await scene.run("-s")).code, 0);
  assertEquals(await scene.right.sh("ls -A"), ".git\n.psync\na.tmp\nf~\n");
});

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: -n prints the plan of the first sync and leaves no trace`, async () => {
    await using scene = await Scene.make({
      ...options,
      left: { l: "1", d: { e: {} }, both: "left" },
      right: { r: "22", both: "right!" },
    });
    await scene.left.sh("touch -d 2001-01-01 . d both");
    await scene.right.sh("touch -d 2001-01-02 . both");
    const trace = async () => [
      await scene.tree.sh("find home state -printf '%p %T@\\n'"),
      ...await Promise.all(
        (["left", "right"] as const).map((side) => scene.root(side).sh("find . -printf '%p %m %T@ %C@\\n' | sort")),
      ),
    ];
    const before = await trace();
    const { code, out, err } = await scene.run("-n");
    assertEquals(code, 0, err);
    assertEquals(out.split("\n").filter(Boolean).sort(), [
      "-> create   d/",
      "-> create   d/e/",
      "-> create   l",
      "<- conflict both: both sides have it, and differ; the left version goes to the trash",
      "<- create   r",
    ]);
    assertStringIncludes(err, "nothing was changed");
    assertEquals(await trace(), before);
    if (scene.sshd === null) return;
    const there = await must("find", [scene.sshd.home, "-type", "f", "-printf", "%P\n"]);
    for (const path of there.split("\n").filter(Boolean)) {
      assertMatch(path, /^\.cache\/psync\//, "the only trace is the binary in the other host's cache");
    }
    assertMatch(there, /^\.cache\/psync\/[0-9a-f]{64}\/psync$/m);
  });
}

Deno.test("-n of a pair that is known plans renames, removals and conflicts, and changes neither archive nor roots", async () => {
  await using scene = await Scene.make({ left: { a: "1", b: "22", c: "333", d: { x: "4444" } } });
  await scene.run("-s");
  await scene.left.sh("mv a a2; rm b; echo l >c; touch -d 2001-01-01 c");
  await scene.right.sh("echo right >c; mv d d2; touch -d 2001-01-02 c");
  const state = () => scene.tree.sh("cd state; find . -type f -exec sha256sum {} + | sort");
  const before = [await state(), await scene.entries("left"), await scene.entries("right")];
  const { code, out } = await scene.run("-n");
  assertEquals(code, 0);
  assertEquals(out.split("\n").filter(Boolean).sort(), [
    "-> remove   b",
    "-> rename   a => a2",
    "<- conflict c: both sides changed it; the left version goes to the trash",
    "<- rename   d => d2",
  ]);
  assertEquals([await state(), await scene.entries("left"), await scene.entries("right")], before);
});

Deno.test("-s tells by its exit code: 0 equal, 1 paths left, 5 new conflicts; and 1 before 5", async () => {
  await using scene = await Scene.make({ left: { f: "1" } });
  assertEquals((await scene.run("-s")).code, 0);
  {
    using writer = await Deno.open(scene.left.at("open"), { create: true, write: true });
    await writer.write(new TextEncoder().encode("half of"));
    const { code, err } = await scene.run("--sync-only");
    assertEquals(code, 1, err);
    assertMatch(err, /^Not synchronised: open \(left\): a program has it open/m);
    await scene.left.write("f", "left");
    await scene.right.write("f", "right!");
    const both = await scene.run("-s");
    assertEquals(both.code, 1, both.err);
    assertMatch(both.err, /^Conflict: f: /m);
  }
  assertEquals((await scene.run("-s")).code, 0);
  await scene.left.write("f", "left edit");
  await scene.right.write("f", "right edit!");
  assertEquals((await scene.run("-s")).code, 5);
  assertEquals((await scene.run("-s")).code, 0, "the same conflict is not new a second time");
});

Deno.test("-k takes what is equal by size and time as agreed, and leaves what differs until one side changes it", async () => {
  await using scene = await Scene.make({
    left: { same: "ab", differs: "left", "only-l": "1", d: { x: "left" } },
    right: { same: "xy", differs: "right!", "only-r": "2", d: { x: "right!" } },
  });
  await scene.left.sh("touch -d 2001-01-01 same");
  await scene.right.sh("touch -d 2001-01-01 same");
  const before = [await scene.entries("left"), await scene.entries("right")];
  await using psync = await scene.start("-k");
  await psync.until(/^First sync done/m);
  await psync.until(/4 paths left as they differ/m);
  assertEquals([await scene.entries("left"), await scene.entries("right")], before);
  psync.signal("SIGUSR1");
  await psync.until(/^ +(differs|d\/x).*left alone until one side changes it/m);

  await scene.left.sh("echo edited >differs; echo more >>only-l");
  await scene.right.sh("echo edited too >d/x");
  await eventually(
    "what was changed is on both sides",
    async () =>
      await scene.right.read("differs") === "edited\n" && await scene.right.exists("only-l") &&
      await scene.left.read("d/x") === "edited too\n",
  );
  assert(!await scene.left.exists("only-r"), "what nobody changed is left alone");
  assertEquals([await scene.left.read("same"), await scene.right.read("same")], ["ab", "xy"]);
  await scene.end(psync);
});

Deno.test("-f removes a folder in which the other side has something unknown; without it the folder stays, listed", async () => {
  await using scene = await Scene.make({ left: { d: { f: "1" }, g: "2" } });
  const exclude = ["-e", String.raw`\.o$`];
  await scene.run("-s", ...exclude);
  await scene.right.sh("echo object >d/x.o");
  await scene.left.sh("rm -r d");
  const kept = await scene.run("-s", ...exclude);
  assertEquals(kept.code, 1, kept.err);
  assertMatch(
    kept.err,
    /^Not synchronised: d \(right\): it was removed on the other side and holds something unknown there; -f removes it/m,
  );
  assertEquals(await scene.right.read("d/x.o"), "object\n");
  const forced = await scene.run("-s", "-f", ...exclude);
  assertEquals(forced.code, 0, forced.err);
  assert(!await scene.right.exists("d"));
  assertEquals(await scene.right.sh("find .psync/trash -name x.o -exec cat {} +"), "object\n");
});

Deno.test("trailing slashes mean nothing, dots neither, and a root that is a symlink is resolved at the start", async () => {
  await using scene = await Scene.make({ left: { a: "1", b: "2", c: "3" } });
  const { left, right, tree } = scene;
  await tree.sh(`ln -s "${left.path}" link; ln -s link link2`);
  await scene.run("-s");
  const forms = [[`${left.path}///`, `${right.path}/.`], ["link", `${right.path}/`], [
    `${tree.path}/./link2/`,
    right.path,
  ]];
  for (const [i, [l, r]] of forms.entries()) {
    await left.sh(`rm ${"abc"[i]}`);
    const { code, err } = await scene.runWith(["-s", l!, r!]);
    assertEquals(code, 0, err);
    assert(!await right.exists("abc"[i]!), "it is the same pair, so a removal is one");
  }
});

Deno.test("a symlinked root goes on to be the folder that it was at the start", async () => {
  await using scene = await Scene.make({ left: { a: "1" } });
  await scene.tree.sh(`ln -s "${scene.left.path}" link; mkdir elsewhere; echo wrong >elsewhere/wrong`);
  await using psync = await scene.startWith(["link", scene.right.path]);
  await psync.until(/^First sync done/m);
  await scene.tree.sh("ln -sfn elsewhere link");
  await scene.change("left", "echo 2 >b");
  await scene.change("right", "echo 3 >c");
  assertEquals(await scene.tree.sh("ls elsewhere"), "wrong\n");
});

Deno.test("-d logs decisions to stderr; without it there are none", async () => {
  await using scene = await Scene.make({ left: { f: "1" } });
  const quiet = await scene.run("-s");
  await scene.left.sh("echo 22 >f");
  const loud = await scene.run("-s", "-d3");
  assertEquals(quiet.code + loud.code, 0);
  assertLess(quiet.err.split("\n").length, 4);
  assertMatch(loud.err, /^\d\d:\d\d:\d\d\.\d+ debug brain\.\S+: .*path="f"/m);
});
