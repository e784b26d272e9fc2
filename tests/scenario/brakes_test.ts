/**
 * The brakes: a root that is missing, emptied or replaced halts psync, and too many removals wait.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

/** More paths than an empty root may have had. */
const FILES = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`f${i}`, "x".repeat(i)]));

/** What befalls a root while psync is down or runs; the root is $1, a place beside it $2. */
const MISHAPS: readonly (readonly [string, string, RegExp])[] = [
  ["missing", 'mv "$1" "$2"', /Cannot (go on|open)[^\n]*root[^\n]*/],
  ["emptied", 'mkdir "$2"; mv "$1"/f* "$2"', /is empty, and \d+ paths are known in it/],
  ["replaced", 'mv "$1" "$2"; mkdir "$1"; echo other >"$1/other"', /is another directory than before/],
  ["replaced by a file", 'mv "$1" "$2"; echo file >"$1"', /is a file/],
];

/** Takes a mishap back. */
const REPAIR = 'if [ -d "$2/.psync" ]; then rm -rf "$1"; mv "$2" "$1"; else mv "$2"/* "$1"; rmdir "$2"; fi';

async function shell(script: string, root: string, aside: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("sh", { args: ["-ec", script, "sh", root, aside] }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
}

for (const [door, options] of Object.entries(DOORS)) {
  for (const [what, script, words] of MISHAPS) {
    Deno.test(`${door}: a right root that is ${what} at the start halts psync, which heals when it is back`, async () => {
      await using scene = await Scene.make({ ...options, left: FILES });
      const aside = scene.tree.at("aside");
      assertEquals((await scene.run("-s")).code, 0);
      const before = await scene.entries("left");
      await shell(script, scene.right.path, aside);
      const once = await scene.run("-s");
      assertMatch(once.err, words);
      assertEquals([once.code, once.err.includes("    at ")], [4, false], once.err);
      await using psync = await scene.start();
      await psync.until(/^Halted: /m);
      assertMatch(psync.text, words);
      assertEquals(await scene.entries("left"), before, "nothing is removed on the other side");
      await shell(REPAIR, scene.right.path, aside);
      await psync.until(/^Going on: |^Connected: /m);
      await scene.change("left", "echo new >new; rm f1");
      assertEquals((await scene.end(psync)).code, 0);
    });
  }

  Deno.test(`${door}: a root that vanishes from under a live psync halts it, and nothing is removed on the other side`, async () => {
    await using scene = await Scene.make({ ...options, left: FILES });
    await using psync = await scene.live();
    for (const side of ["right", "left"] as const) {
      const other = side === "left" ? "right" : "left";
      const before = await scene.entries(other);
      await shell('mv "$1" "$2"', scene.root(side).path, scene.tree.at("aside"));
      const count = (text: string, word: RegExp) => text.match(word)?.length ?? 0;
      const [halted, healed] = [count(psync.text, /^Halted: /mg), count(psync.text, /^Going on: /mg)];
      await eventually("it halts", () => count(psync.text, /^Halted: /mg) > halted, { tell: () => psync.text });
      assertEquals(await scene.entries(other), before);
      await scene.root(other).sh(`echo meanwhile >made-on-${other}`);
      await shell('mv "$2" "$1"', scene.root(side).path, scene.tree.at("aside"));
      await eventually("it goes on", () => count(psync.text, /^Going on: /mg) > healed, { tell: () => psync.text });
      await scene.follows(other);
    }
    assert(!/Conflict|Internal/.test(psync.text), psync.text);
  });
}

Deno.test("a marker that was lost from the same full root is made again, and said", async () => {
  await using scene = await Scene.make({ left: FILES });
  await scene.run("-s");
  await scene.right.sh("rm -r .psync; rm f1");
  const { code, err } = await scene.run("-s");
  assertEquals(code, 0, err);
  assertStringIncludes(err, "The pair's marker had vanished on the right and was made again");
  assert(await scene.right.exists(".psync/pair") && !await scene.left.exists("f1"));
});

/** A scene of 300 files that were synced, 150 of which are then removed on the left. */
async function withRemovals(): Promise<Scene> {
  const scene = await Scene.make();
  await scene.left.sh("for i in $(seq 300); do echo $i >f$i; done");
  assertEquals((await scene.run("-s")).code, 0);
  await scene.left.sh("rm f1??; echo new >new; echo edited >f1");
  return scene;
}

Deno.test("too many removals at a start are held, while creations and edits flow; -f of a later run releases them", async () => {
  await using scene = await withRemovals();
  await scene.left.sh("for i in $(seq 200 260); do rm f$i; done");
  const held = await scene.run("-s", "-f");
  assertEquals(held.code, 4, held.err);
  assertMatch(
    held.err,
    /^Held back: 161 removals on the right \(hold \d+\): f\S+, .* and 156 more; .*-f to carry them out/m,
  );
  assertEquals(
    await scene.right.sh("ls f* | wc -l; cat new f1"),
    "300\nnew\nedited\n",
    "-f does not release its own hold",
  );
  const again = await scene.run("-s");
  assertEquals(again.code, 4, again.err);
  assertEquals(await scene.right.sh("ls f* | wc -l"), "300\n");
  assert(!await scene.left.exists("f150"), "what is held does not come back");
  const released = await scene.run("-s", "-f");
  assertEquals(released.code, 0, released.err);
  assertMatch(released.err, /^Hold \d+ is released: 161 removals$/m);
  assertEquals(await scene.entries("left"), await scene.entries("right"));
  assertEquals(await scene.right.sh("find .psync/trash -name 'f*' | wc -l"), "161\n");
});

Deno.test("a hold that is live shows in the state, and is void when the paths are back", async () => {
  await using scene = await withRemovals();
  await using psync = await scene.start();
  await psync.until(/^Held back: 100 removals|^First sync done/m);
  assert(!psync.text.includes("Held back"), "100 removals are not too many");
  await scene.follows("left");
  await scene.end(psync);
  await scene.left.sh(
    "mkdir aside; mv f2* f3* aside; for i in $(seq 4 99); do mv f$i aside 2>/dev/null || true; done; mv aside /tmp/$(basename $PWD).aside",
  );
  await using second = await scene.start();
  await second.until(/^Held back: \d+ removals on the right/m);
  await second.until(/^First sync done/m);
  second.signal("SIGUSR1");
  await second.until(/^Held removals \(1\):/m);
  await scene.end(second);
  await scene.left.sh("mv /tmp/$(basename $PWD).aside/* .; rmdir /tmp/$(basename $PWD).aside");
  const { code, err } = await scene.run("-s");
  assertEquals(code, 0, err);
  assertEquals(await scene.entries("left"), await scene.entries("right"));
});

Deno.test("removals while psync runs are never braked: they lie in the trash", async () => {
  await using scene = await Scene.make();
  await scene.left.sh("for i in $(seq 400); do echo $i >f$i; done");
  await using psync = await scene.live();
  await scene.follows("left");
  await scene.change("left", "rm f*");
  assertEquals(await scene.right.sh("find .psync/trash -name 'f*' | wc -l"), "400\n");
  assert(!psync.text.includes("Held"), psync.text);
});
