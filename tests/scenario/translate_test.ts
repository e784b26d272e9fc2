/**
 * `-T A:B`: names that are others on the right.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };
/** Each small file of a root with its first line, sorted. */
const files = (scene: Scene, side: "left" | "right") =>
  scene.root(side).sh(
    `find . -path ./.psync -prune -o -type f -size -9 -print | LC_ALL=C sort | while read -r f; do echo "$f $(cat "$f")"; done`,
  );

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: -T gives a part of a path another name on the right, and back, live and by a scan`, async () => {
    await using scene = await Scene.make({
      ...options,
      left: { Daten: { a: "1\n", d: { Daten: "2\n" } }, other: "3\n" },
    });
    await using psync = await scene.live("-T", "Daten:data", "-e", "/Daten/cache");
    assertEquals(await files(scene, "right"), "./data/a 1\n./data/d/data 2\n./other 3\n");
    await scene.left.sh("echo 4 >Daten/b; mv Daten/a Daten/a2; mkdir Daten/cache; echo 5 >Daten/cache/x; mkdir new");
    await scene.right.sh(
      "echo 6 >data/c; mkdir data/cache; echo 7 >data/cache/y; head -c 2000000 /dev/zero >data/d/big",
    );
    const wanted = "./data/a2 1\n./data/b 4\n./data/c 6\n";
    await eventually(
      "both are there",
      async () =>
        (await files(scene, "right")).includes(wanted.slice(0, 15)) && await scene.left.exists("Daten/c") &&
        await scene.right.exists("data/b") && await scene.left.exists("Daten/d/big") && await scene.right.exists("new"),
    );
    await scene.left.sh("mv new Daten/new; echo 8 >Daten/new/f; rm Daten/b");
    await eventually("the folder is over", () => scene.right.exists("data/new/f"));
    await eventually("the removal is over", async () => !await scene.right.exists("data/b"));
    assert(!await scene.right.exists("data/cache/x") && !await scene.left.exists("Daten/cache/y"));
    assert(!await scene.left.exists("data") && !await scene.right.exists("Daten"));
    assertEquals((await scene.end(psync)).code, 0);
    assert(!/Conflict|Not sync/.test(psync.text), psync.text);
    const again = ["-T", "Daten:data", "-e", "/Daten/cache"];
    await scene.right.sh("mv data/c data/c2; rm -r data/d");
    assertEquals((await scene.run("-s", ...again)).code, 0);
    assert(await scene.left.exists("Daten/c2") && !await scene.left.exists("Daten/d"));
    assertEquals((await scene.runWith(["check", ...again, ...scene.operands])).code, 0);
    const trash = await scene.runWith(["trash", "list", "--side", "right"]);
    assertMatch(trash.out, /Daten\/b/);
    assertEquals((await scene.runWith(["trash", "restore", "-y", "--side", "right", "Daten/b"])).code, 0);
    assert(await scene.right.exists("data/b"), "what is kept has the left's names, too");
  });
}

Deno.test("-T lists what would meet another path, and leaves it alone", async () => {
  await using scene = await Scene.make({
    left: { A: "1", B: "left B", d: { B: { x: "2" } } },
    right: { A: "right A", c: "3" },
  });
  const { code, err } = await scene.run("-s", "-T", "A:B");
  assertEquals(code, 1, err);
  assertMatch(err, /^Not synchronised: B \((left|right)\): -T gives this name to another path$/m);
  assertMatch(err, /^Not synchronised: d\/B \(left\): -T gives this name to another path$/m);
  assertEquals(await scene.left.sh("cat A B d/B/x c"), "1left B23");
  assertEquals(await scene.right.sh("cat A B c; ls d"), "right A13");
});

Deno.test("changing -T never deletes anything on either side", async () => {
  await using scene = await Scene.make({ left: { A: { f: "1" }, c: "2" } });
  assertEquals((await scene.run("-s", "-T", "A:B")).code, 0);
  assert(await scene.right.exists("B/f"));
  assertEquals((await scene.run("-s")).code, 0);
  for (const root of [scene.left, scene.right]) assertEquals(await root.sh("ls A B c"), "c\n\nA:\nf\n\nB:\nf\n");
  const { code, err } = await scene.run("-s", "-T", "A:Z");
  assertEquals(code, 1, err);
  assertMatch(err, /^Not synchronised: Z \(right\): -T gives this name to another path$/m);
  assertEquals(await scene.right.sh("ls -d ?"), "A\nB\nZ\nc\n");
});
