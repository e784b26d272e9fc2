/**
 * `psync status`, `flush`, `pause`, `resume` and `reset` as a user meets them, over folders and over ssh.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: psync flush returns when what was written before is on the other side`, async () => {
    await using scene = await Scene.make(options);
    await using _psync = await scene.live();
    for (let round = 0; round < 5; round++) {
      await scene.left.sh(`mkdir -p d${round}/e; for i in $(seq 50); do echo ${round} $i >d${round}/e/f$i; done`);
      await scene.right.write(`back${round}`, `${round}`);
      const { code, out, err } = await scene.runWith(["flush"]);
      assertEquals([code, err], [0, ""], out);
      assertEquals(await scene.right.read(`d${round}/e/f50`), `${round} 50\n`);
      assertEquals(await scene.left.read(`back${round}`), `${round}`);
    }
    await scene.left.sh("mv d1 moved; rm -r d2");
    assertEquals((await scene.runWith(["flush", "--timeout", "20"])).code, 0);
    assertEquals(await scene.entries("right"), await scene.entries("left"));
  });

  Deno.test(`${door}: psync status tells how many folders are watched, and which build runs, on both sides`, async () => {
    await using scene = await Scene.make(options);
    await scene.left.sh("mkdir -p a/b c");
    await using _psync = await scene.live();
    await scene.follows("left");
    assertEquals((await scene.runWith(["flush"])).code, 0);
    const counted = async (watches: number) => {
      const state = JSON.parse((await scene.runWith(["status", "--json"])).out);
      return state.left.watches === watches && state.right.watches === watches && state;
    };
    // psync does not wait long for an endpoint that is slow to tell, and says what it knew before.
    const { left, right } = await eventually("the watches are told", () => counted(4));
    assertEquals(left.watchLimit, Number(await Deno.readTextFile("/proc/sys/fs/inotify/max_user_watches")));
    const version = (await scene.runWith(["--version"])).out;
    assertEquals([left.build, right.build].map((build) => version.includes(build.slice(0, 12))), [true, true]);
    await scene.right.sh("mkdir d; rm -r a");
    await scene.follows("right");
    await eventually("the watches follow", () => counted(3));
    assertMatch(
      (await scene.runWith(["status"])).out,
      /^ {2}right .*: connected, 3 folders watched of at most [\d,]+, build \w{12}$/m,
    );
  });

  Deno.test(`${door}: psync pause changes nothing until psync resume, which merges what happened`, async () => {
    await using scene = await Scene.make(options);
    await scene.left.write("kept", "1");
    await using psync = await scene.live();
    assertEquals((await scene.runWith(["pause"])).out, "psync is paused now\n");
    await psync.until(/^Paused: /m);
    assertEquals((await scene.runWith(["pause"])).out, "psync was paused already\n");
    await scene.left.sh("echo new >new; mv kept renamed");
    await scene.right.write("other", "side");
    assertMatch((await scene.runWith(["status"])).out, /^State: paused; go on with: psync resume/);
    const flush = await scene.runWith(["flush"]);
    assertEquals(flush.code, 3, flush.err);
    assertStringIncludes(flush.err, "Cannot flush now");
    assertEquals((await scene.entries("right")).filter((line) => /new|renamed/.test(line)), []);
    assertEquals((await scene.runWith(["resume"])).code, 0);
    await eventually("both roots are the same", async () => {
      const names = (await scene.entries("right")).join("\n");
      return /new/.test(names) && /renamed/.test(names) && names === (await scene.entries("left")).join("\n");
    });
  });
}

Deno.test("psync status tells the state as text, as JSON, and to a monitor", async () => {
  await using scene = await Scene.make();
  const none = await scene.runWith(["status"]);
  assertEquals([none.code, none.out], [2, ""], "psync was never started here");
  {
    await using psync = await scene.live();
    await scene.left.write("a", "1");
    assertEquals((await scene.runWith(["flush"])).code, 0);
    const text = await scene.runWith(["status"]);
    assertEquals([text.code, text.err], [0, ""]);
    assertMatch(text.out, /^State: live, running for /);
    assertMatch(text.out, /^ {2}last hour: -> half of 1 change within [\d.]+ m?s, 99 % [\d.]+ m?s$/m);
    const json = JSON.parse((await scene.runWith(["status", "--json"])).out);
    assertEquals([json.version, json.running, json.state, json.agreedPaths], [1, true, "live", 1]);
    assertEquals(json.lagLastHour.toRight.changes, 1);
    const fine = await scene.runWith(["status", "--max-lag", "60:300"]);
    assertEquals(fine.code, 0, fine.err);
    assertMatch(fine.out, /^PSYNC OK - lag [\d.]+ s, 0 conflicts, 0 holds, 0 problems\|lag=[\d.]+s;60;300 /);
    await scene.runWith(["pause"]);
    assertEquals((await scene.runWith(["status", "--max-lag", "60"])).code, 2);
    await scene.end(psync);
  }
  const down = await scene.runWith(["status"]);
  assertEquals(down.code, 3);
  assertMatch(down.out, /^No psync runs on \S+ \S+$/m);
  assertEquals((await scene.runWith(["status", "--max-lag", "60"])).code, 2);
  assertEquals(JSON.parse((await scene.runWith(["status", "-j"])).out).state, "not-running");
  assertEquals((await scene.runWith(["flush"])).code, 3);
});

Deno.test("psync flush does not count what is never synchronised", async () => {
  await using scene = await Scene.make();
  await using _psync = await scene.live();
  await scene.left.sh("mkfifo pipe; mkdir sub; echo x >sub/f");
  const { code, err } = await scene.runWith(["flush"]);
  assertEquals([code, err], [0, ""]);
  assertEquals(await scene.right.read("sub/f"), "x\n");
});

Deno.test("psync reset forgets what was agreed, touches no file, and is refused while psync runs", async () => {
  await using scene = await Scene.make();
  await scene.left.sh("echo 1 >a; echo 2 >b");
  {
    await using psync = await scene.live();
    const refused = await scene.runWith(["reset", "-y"]);
    assertEquals(refused.code, 3);
    assertStringIncludes(refused.err, "psync stop");
    await scene.end(psync);
  }
  const unasked = await scene.runWith(["reset"]);
  assertEquals(unasked.code, 2, unasked.err);
  await scene.left.sh("rm a");
  const done = await scene.runWith(["reset", "-y"]);
  assertEquals([done.code, done.out], [0, "Forgotten: 2 paths\n"], done.err);
  const again = await scene.run("-s");
  assertEquals(again.code, 0, again.err);
  assert((await scene.entries("left")).some((line) => / a\b|^a/.test(line)), "what was removed is back");
  assertEquals(await scene.entries("right"), await scene.entries("left"));
});
