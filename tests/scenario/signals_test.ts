/**
 * How psync ends, and what it tells when it is asked: SIGTERM, SIGINT, SIGUSR1, here and over ssh.
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { childrenOf, commandOf } from "../support/procfs.ts";
import { eventually, gone, Scene, type SceneOptions } from "../support/scene.ts";

/** psync ends within. */
const END_MS = 5000;

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

/** Every process of a running psync, on both hosts. */
function processesOf(scene: Scene, pid: number): number[] {
  return [...childrenOf(pid), ...(scene.sshd?.sessionPids() ?? [])];
}

async function noLocks(scene: Scene): Promise<void> {
  for (const side of ["left", "right"] as const) {
    assert(!await scene.root(side).exists(".psync/lock"), `lock on ${side}`);
  }
  assertEquals(await scene.left.sh("ls -A .psync/stage .psync/basis 2>/dev/null | grep -v : | tr -d '\\n'"), "");
}

for (const [door, options] of Object.entries(DOORS)) {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.test(`${door}: ${signal} ends a live psync with 0 in time, and no process and no lock is left`, async () => {
      await using scene = await Scene.make({ ...options, left: { f: "1" } });
      await using psync = await scene.live();
      const pids = processesOf(scene, psync.pid);
      assert(pids.length >= (scene.sshd === null ? 4 : 6), `${pids.map(commandOf)}`);
      const askedMs = systemClock.nowMs();
      psync.signal(signal);
      const { code, err } = await psync.ended;
      assertLess(systemClock.nowMs() - askedMs, END_MS);
      assertEquals(code, 0, err);
      await gone(pids, END_MS);
      assertEquals(scene.sshd?.sessionPids() ?? [], []);
      await noLocks(scene);
    });
  }

  Deno.test(`${door}: SIGTERM in the middle of a first sync ends it in time, and the next run does the rest`, async () => {
    await using scene = await Scene.make(options);
    await scene.left.sh("mkdir d; for i in $(seq 3000); do echo $i >d/$i; done; head -c 30000000 /dev/urandom >big");
    await using psync = await scene.start();
    await eventually("it is at work", () => scene.right.exists("d/100"));
    const pids = processesOf(scene, psync.pid);
    const askedMs = systemClock.nowMs();
    psync.signal("SIGTERM");
    assertEquals((await psync.ended).code, 0);
    assertLess(systemClock.nowMs() - askedMs, END_MS);
    await gone(pids, END_MS);
    const { code, err } = await scene.run("-s");
    assertEquals(code, 0, err);
    assertEquals(await scene.entries("right"), await scene.entries("left"));
  });

  Deno.test(`${door}: SIGUSR1 tells the state of both sides, conflicts and what is not synchronised`, async () => {
    await using scene = await Scene.make({ ...options, left: { f: "left", d: {} }, right: { f: "right!" } });
    await scene.left.sh("mkfifo pipe");
    await using psync = await scene.live();
    using _writer = await Deno.open(scene.left.at("open"), { create: true, write: true });
    await psync.until(/Not synchronised: open/);
    psync.signal("SIGUSR1");
    await psync.until(/^Not synchronised \(2\):\n.*\n.*\n/m);
    await psync.until(/^State: live, running for \d/m);
    await psync.until(/^ {2}left +\S+:\/\S+: connected/m);
    await psync.until(/^ {2}right +\S+:\/\S+: connected/m);
    const state = psync.text.slice(psync.text.indexOf("State: "));
    assertStringIncludes(state, "1 conflict");
    assertMatch(state, /f: the (left|right) version stays, the (left|right) one \(\d B\) is \/\S+\.psync\/trash\//);
    assertMatch(state, /pipe \(left\): it is a special file/);
    assertMatch(state, /open \(left\): a program has it open for writing/);
    const { code } = await scene.end(psync);
    assertEquals(code, 0);
  });
}

/** Ends a run over so many files; its code, or null where it was done before it could be ended. */
async function endEarly(option: string, files: number): Promise<number | null> {
  await using scene = await Scene.make({ ssh: {} });
  await scene.left.sh(`seq ${files} | xargs touch`);
  await using psync = await scene.start(option);
  await psync.until(/^Connected: /m);
  const pids = processesOf(scene, psync.pid);
  try {
    psync.signal("SIGTERM");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has ended
  }
  const { code, out } = await psync.ended;
  await gone(pids, END_MS);
  const isDone = option === "-s" ? /^First sync done/m.test(out) : out.split("\n").length > files;
  return isDone ? null : code;
}

Deno.test("a signal ends -s and -n early, with the code that a shell shows", async () => {
  for (const option of ["-s", "-n"]) {
    // On a busy machine the signal may come late: the more there is to do, the less likely.
    let code: number | null = null;
    for (let files = 3_000; code === null && files < 100_000; files *= 2) code = await endEarly(option, files);
    assertEquals(code, 143, option);
  }
});

Deno.test("psync ends in time while a reader of its lines does not read", async () => {
  await using scene = await Scene.make({ left: { f: "1" } });
  await scene.tree.sh("mkfifo out");
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      `"$@" 2>"${scene.tree.at("out")}" & echo $!; exec 3<"${scene.tree.at("out")}"; wait $!; echo $?`,
      "sh",
      ...scene.words,
      ...scene.operands,
    ],
    env: { ...scene.env },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let text = "";
  const reading = (async () => {
    for await (const bytes of child.stdout) text += new TextDecoder().decode(bytes);
  })();
  const pid = await eventually("it runs", () => Number(text.split("\n")[0]) || null);
  await eventually("the first sync is done", () => scene.right.exists("f"));
  for (let i = 0; i < 100; i++) Deno.kill(pid, "SIGUSR1");
  await scene.change("left", "echo 2 >f");
  Deno.kill(pid, "SIGTERM");
  const askedMs = systemClock.nowMs();
  await child.status;
  assertLess(systemClock.nowMs() - askedMs, END_MS);
  await reading;
  assertMatch(text, /\n0\n$/);
});
