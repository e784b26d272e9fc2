/**
 * The first sync of two roots, here and over ssh: what becomes of what was there, and what is said.
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { must, REPO } from "../support/binary.ts";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

/** After psync says that it is connected two small roots are equal within. */
const EQUAL_MS = 3000;

/** What a first run may say at most. */
const MAX_LINES = 8;

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

const LEFT = {
  both: "the same",
  one: "1",
  docs: { "readme.md": "left", deep: { er: { leaf: "x".repeat(70_000) } }, empty: {} },
  link: { link: "one" },
  broken: { link: "/nowhere/at/all" },
};
const RIGHT = { both: "the same", two: "22", docs: { "other.md": "right!" }, photos: { "a.jpg": "jjj", none: {} } };

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: a first sync of two filled roots is their union, told in a few lines`, async () => {
    await using scene = await Scene.make({ ...options, left: LEFT, right: RIGHT });
    await scene.left.sh("touch -d 2001-02-03T04:05:06.123456789Z both one; chmod 640 one; chmod 2750 docs");
    await scene.right.sh("touch -d 2001-02-03T04:05:06.123456789Z both");
    await using psync = await scene.start();
    await psync.until(/^Connected: /m);
    const connectedMs = systemClock.nowMs();
    await eventually("both roots are equal", async () => {
      const [left, right] = [await scene.entries("left"), await scene.entries("right")];
      return left.join("\n") === right.join("\n") && left.length > 15;
    });
    assertLess(systemClock.nowMs() - connectedMs, EQUAL_MS);
    await psync.until(/^First sync done in \d+\.\d s: \d+ changes, 70(?:\.\d)? kB copied, \d+ paths? equal before$/m);
    assertLess(psync.text.trimEnd().split("\n").length, MAX_LINES + 1);

    assertEquals(await scene.right.read("docs/deep/er/leaf"), "x".repeat(70_000));
    assertEquals(await scene.left.read("docs/other.md"), "right!");
    assertEquals(await Deno.readLink(scene.right.at("broken")), "/nowhere/at/all");
    assertEquals(
      await scene.right.sh("stat -c '%a %y' one; stat -c %a docs"),
      "640 2001-02-03 04:05:06.123456789 +0000\n2750\n",
    );
    assertEquals(await scene.left.sh("ls -A photos/none docs/empty"), "docs/empty:\n\nphotos/none:\n");
    for (const side of ["left", "right"] as const) {
      assertEquals(await scene.root(side).sh("ls -A .psync/trash 2>/dev/null || true"), "", "nothing was displaced");
    }
    assertEquals((await scene.end(psync)).code, 0);
  });
}

Deno.test("the first sync of roots that differ keeps both versions, and says where", async () => {
  await using scene = await Scene.make({ left: { f: "the older one" }, right: { f: "the newer" } });
  await scene.left.sh("touch -d 2020-01-01 f");
  const { code, err, out } = await scene.run("-s");
  assertEquals(code, 5, err);
  assertStringIncludes(out, "1 conflict (f)");
  assertEquals([await scene.left.read("f"), await scene.right.read("f")], ["the newer", "the newer"]);
  const kept = /^Conflict: f: .* the right version stays, the left one is kept as (\S+)$/m.exec(err)?.[1];
  assertEquals(await Deno.readTextFile(kept!), "the older one");
});

Deno.test("the first sync of a thousand differing files is told in a few lines", async () => {
  await using scene = await Scene.make();
  await scene.left.sh("for i in $(seq 1000); do echo left $i >f$i; done; mkfifo pipe");
  await scene.right.sh("for i in $(seq 1000); do echo right! $i >f$i; done; for i in $(seq 50); do echo >g$i; done");
  await using psync = await scene.live();
  await psync.until(/^ {2}1,000 conflicts \(f\d+, f\d+, f\d+ and 997 more\)/m);
  await psync.until(/^ {2}not synchronised: 1 path/m);
  assertLess(psync.text.trimEnd().split("\n").length, MAX_LINES + 1, psync.text);
  await eventually("both roots are equal but for the FIFO", async () => {
    const [left, right] = [await scene.entries("left"), await scene.entries("right")];
    return left.filter((line) => !line.startsWith("p ")).join("\n") === right.join("\n");
  });
  const kept = await scene.left.sh("find .psync/trash -type f | wc -l");
  const keptRight = await scene.right.sh("find .psync/trash -type f | wc -l");
  assertEquals(Number(kept) + Number(keptRight), 1000);
});

Deno.test("the first sync of equal roots changes nothing and says so", async () => {
  await using scene = await Scene.make({ left: LEFT });
  await must("cp", ["-a", `${scene.left.path}/.`, scene.right.path]);
  const inodes = () => scene.right.sh("find . -path ./.psync -prune -o -printf '%i %p\\n' | sort");
  const before = await inodes();
  const { code, out } = await scene.run("-s");
  assertEquals(code, 0);
  assertMatch(out, /: nothing had to be changed, \d+ paths equal$/m);
  assertEquals(await inodes(), before);
});

Deno.test("what is no file, folder or link is listed as not synchronised, and does not count as left", async () => {
  await using scene = await Scene.make({ left: { f: "1" } });
  await scene.left.sh("mkfifo pipe; mkdir d; mkfifo d/pipe");
  const { code, err, out } = await scene.run("-s");
  assertEquals(code, 0, err);
  assertStringIncludes(out, "not synchronised: 2 paths");
  assertMatch(err, /^Not synchronised: pipe \(left\): it is a special file/m);
  assertMatch(err, /^Not synchronised: d\/pipe \(left\): it is a special file/m);
  assert(!await scene.right.exists("pipe") && !await scene.right.exists("d/pipe"));
});

Deno.test("scripts/psync builds where needed and runs what it built", async () => {
  await using scene = await Scene.make({ left: { f: "1" } });
  await must(`${REPO}/scripts/psync`, ["-s", ...scene.operands], {
    env: { ...scene.env, HOME: Deno.env.get("HOME") ?? "/" },
  });
  assertEquals(await scene.right.read("f"), "1");
});
