/**
 * The commands about a pair: check, runcheck, start and stop, as a user sees them.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { statOf } from "../support/procfs.ts";
import { eventually, gone, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

const about = (scene: Scene, verb: string, ...options: string[]) =>
  scene.runWith([verb, ...options, ...scene.operands]);

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: check says 0 for equal trees and 1 with the list for others, without a running psync`, async () => {
    await using scene = await Scene.make({
      ...options,
      left: { same: "1", d: { f: "2" }, size: "33", mode: "4", kind: "5", target: "6" },
    });
    await scene.left.sh("ln -s a link");
    assertEquals((await scene.run("-s")).code, 0);
    const equal = await about(scene, "check");
    assertEquals([equal.code, equal.out], [0, ""]);
    assertMatch(equal.err, /^Equal: 8 paths$/m);
    await scene.left.sh("echo only >new; mkdir dir; echo 1 >dir/in; chmod 640 mode; ln -sfn b link");
    await scene.right.sh("rm -r d; echo 4444 >size; chmod 600 mode; rm kind; mkdir kind; touch -d 2001-01-01 target");
    await scene.left.sh("chmod 751 same");
    const { code, out } = await about(scene, "check");
    assertEquals(code, 1);
    assertEquals(out.split("\n").filter(Boolean), [
      "only left  d/",
      "only left  dir/",
      "kind       kind: a file on the left, a folder on the right",
      "target     link",
      "mode       mode: 640 on the left, 600 on the right",
      "only left  new",
      "mode       same: 751 on the left, 644 on the right",
      "content    size: 2 bytes on the left, 5 on the right",
      "time       target",
    ]);
    assertEquals((await about(scene, "check", "-e", "/")).code, 0, "what is excluded is not compared");
    const before = await scene.entries("right");
    await about(scene, "check");
    assertEquals(await scene.entries("right"), before);
  });
}

Deno.test("check --checksum finds what size and time hide", async () => {
  await using scene = await Scene.make({ left: { f: "left", g: "same" } });
  assertEquals((await scene.run("-s")).code, 0);
  await scene.right.sh("touch -r f stamp; printf RIGH >f; touch -r stamp f; rm stamp");
  assertEquals((await about(scene, "check")).code, 0);
  const { code, out } = await about(scene, "check", "--checksum");
  assertEquals([code, out], [1, "content    f\n"]);
});

Deno.test("check beside a running psync tells only what stays different", async () => {
  await using scene = await Scene.make({ left: { a: "1" } });
  await using psync = await scene.live();
  await using writer = await Deno.open(scene.left.at("open"), { create: true, write: true });
  await writer.write(new TextEncoder().encode("half"));
  for (let i = 0; i < 5; i++) {
    await scene.left.sh(`for i in $(seq 200); do echo $i >f$i-${i}; done`);
    const { code, out } = await about(scene, "check");
    assertEquals([code, out], [1, "open       open: a program writes to it\n"]);
  }
  writer.close();
  await eventually("the file is over", () => scene.right.exists("open"));
  assertEquals((await about(scene, "check", "-c")).code, 0);
  await scene.end(psync);
});

Deno.test("check cannot compare what is not there: exit 3", async () => {
  await using scene = await Scene.make();
  const { code, err } = await scene.runWith(["check", scene.left.path, `${scene.right.path}/none`]);
  assertEquals(code, 3);
  assertStringIncludes(err, "Cannot open root");
});

Deno.test("runcheck repairs what differs, without a running psync and by the one that runs", async () => {
  await using scene = await Scene.make({ left: { a: "1", b: "2" } });
  assertEquals((await scene.run("-s")).code, 0);
  assertEquals((await about(scene, "runcheck")).code, 0);
  await scene.left.sh("echo new >c; rm b");
  const alone = await about(scene, "runcheck");
  assertEquals([alone.code, alone.out.split("\n").slice(0, 2)], [0, ["only right b", "only left  c"]]);
  assertMatch(alone.err, /^Different: 2 paths of 3\nRepairing\n[^]*^Equal: 2 paths$/m);
  assert(await scene.right.exists("c") && !await scene.right.exists("b"));

  await using psync = await scene.live();
  await using writer = await Deno.open(scene.left.at("open"), { create: true, write: true });
  await writer.write(new TextEncoder().encode("half"));
  const running = await about(scene, "runcheck");
  assertEquals(running.code, 1, "a file that is being written stays different");
  await psync.until(/^Full comparison done: nothing had to be repaired$/m);
  await scene.end(psync);
});

Deno.test("start runs psync in the background with a log, a second start does nothing, stop ends it", async () => {
  await using scene = await Scene.make({ left: { a: "1" }, ssh: {} });
  const log = scene.tree.at("psync.log");
  const started = await about(scene, "start", "--log-file", "psync.log");
  assertEquals(started.code, 0, started.err);
  const pid = Number(/process (\d+)/.exec(started.out)?.[1]);
  try {
    assertStringIncludes(started.out, `it writes to ${scene.tree.path}/psync.log`);
    await eventually("it syncs", () => scene.right.exists("a"));
    await scene.change("right", "echo 2 >b");
    const again = await about(scene, "start");
    assertEquals([again.code, again.out], [0, "psync runs already\n"]);
    assertEquals(statOf(pid)?.pid, pid);
    assertStringIncludes(await Deno.readTextFile(log), "First sync done");
  } finally {
    const stopped = await scene.runWith(["stop"]);
    assertEquals([stopped.code, stopped.out], [0, "psync has ended\n"], stopped.err);
  }
  await gone([pid]);
  assert(!await scene.right.exists(".psync/lock"));
  const nothing = await about(scene, "stop");
  assertEquals([nothing.code, nothing.out], [0, "No psync runs on this pair\n"]);
});

Deno.test("start tells why psync did not come up, with its exit code", async () => {
  await using scene = await Scene.make();
  const { code, err } = await scene.runWith(["start", scene.left.path, `${scene.right.path}/none`]);
  assertEquals(code, 3);
  assertStringIncludes(err, "psync: Cannot open root");
  assertEquals((await about(scene, "start", "-s")).code, 2);
});
