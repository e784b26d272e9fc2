/**
 * The link to the other host: how its loss is noticed and told, how psync catches up, and what is
 * left on the other host when psync is gone.
 *
 * The long waits run side by side, each in a scene of its own.
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { childrenOf, commandOf, isAlive } from "../support/procfs.ts";
import type { PsyncProcess } from "../support/psync_process.ts";
import { signalIfThere } from "../support/signal.ts";
import { eventually, gone, Scene, type SceneOptions } from "../support/scene.ts";

/** A dead or half-open link is noticed within, and a little for a busy machine. */
const NOTICE_MS = 15_000 + 3_000;

/** A filter whose brain is silent ends within, and a little for a busy machine. */
const FILTER_MS = 30_000 + 5_000;

/** `-s` waits for a lost link so long. */
const SYNC_ONLY_MS = 60_000;

/** The ssh processes of a psync: that of the frames, and that of bulk where one runs. */
function sshPids(psync: PsyncProcess): number[] {
  return childrenOf(psync.pid).filter((pid) => /(^|\/)ssh$/.test(commandOf(pid)[0] ?? ""));
}

/** The number of times that psync said something. */
function times(psync: PsyncProcess, pattern: RegExp): number {
  return psync.text.match(new RegExp(pattern, "mg"))?.length ?? 0;
}

const LOST = /^Link lost: /;
const BACK = /^Link is back after /;

/** A scene whose ssh can be switched off by a file of the name `down`. */
async function withSwitch(options: SceneOptions = {}): Promise<{ scene: Scene; args: readonly string[] }> {
  const scene = await Scene.make({ ssh: {}, ...options });
  const wrapper = `#!/bin/sh\n[ -e "${scene.tree.at("down")}" ] && exit 255\nexec ${scene.sshd!.sshCommand} "$@"\n`;
  await scene.tree.fill({ bin: { ssh: wrapper } });
  await scene.tree.sh("chmod 755 bin/ssh");
  return {
    scene,
    args: ["--ssh", scene.tree.at("bin/ssh"), scene.left.path, `${scene.sshd!.host}:${scene.right.path}`],
  };
}

Deno.test("a link that is cut is told, made again, and what happened meanwhile is caught up with", async () => {
  const { scene, args } = await withSwitch({ left: { f: "1", d: { x: "2" }, gone: "3", mine: "4" } });
  await using _scene = scene;
  await using psync = await scene.startWith(args);
  await psync.until(/^First sync done/m);
  await scene.follows("left");

  await scene.tree.write("down", "");
  for (const pid of sshPids(psync)) signalIfThere(pid, "SIGKILL"); // psync ends its other connections with the first
  await eventually("the loss is told", () => times(psync, LOST) === 1);
  await scene.left.sh("echo edited on the left >f; rm gone; mv d d2; head -c 2000000 /dev/urandom >big");
  await scene.right.sh("echo edited on the right! >mine; mkdir new; echo n >new/n");
  psync.signal("SIGUSR1");
  await psync.until(/^State: link lost/m);
  await Deno.remove(scene.tree.at("down"));
  await eventually("it is back", () => times(psync, BACK) === 1);
  await eventually("both roots are equal", async () => {
    const [left, right] = [await scene.entries("left"), await scene.entries("right")];
    return left.join("\n") === right.join("\n") && left.some((line) => line.includes(" new/n "));
  });
  assertEquals(
    await scene.right.sh("ls; cat f mine"),
    "big\nd2\nf\nmine\nnew\nedited on the left\nedited on the right!\n",
  );

  // And again, from the other end, in the middle of work.
  await scene.left.sh("mkdir many; for i in $(seq 2000); do echo $i >many/$i; done");
  await eventually("some of it is over", () => scene.right.exists("many/50"));
  scene.sshd!.dropSessions();
  await eventually("the loss is told again", () => times(psync, LOST) === 2);
  await eventually("it is back again", () => times(psync, BACK) === 2);
  await scene.follows("left");
  assert(!/Conflict|Internal/.test(psync.text), psync.text);
  assertEquals(times(psync, /^Connected: /), 1);
  assertEquals((await scene.end(psync)).code, 0);
});

Deno.test("a psync that is killed leaves no process on either host, and the next one starts at once", async () => {
  await using scene = await Scene.make({ ssh: {}, left: { f: "1" } });
  for (const text of ["2", "33"]) {
    await using psync = await scene.live();
    await scene.change("left", "head -c 1500000 /dev/urandom >big");
    const pids = [...childrenOf(psync.pid), ...scene.sshd!.sessionPids()];
    assert(pids.some((pid) => commandOf(pid).includes("filter")), "the filter runs below sshd");
    psync.signal("SIGKILL");
    await psync.ended;
    await gone(pids, 30_000);
    await scene.right.write("f", text);
    const startMs = systemClock.nowMs();
    assertEquals((await scene.run("-s")).code, 0);
    assertLess(systemClock.nowMs() - startMs, 10_000);
    assertEquals(await scene.left.read("f"), text);
  }
});

Deno.test("a psync that is killed can be started again in the same instant", async () => {
  await using scene = await Scene.make({ ssh: {}, left: { f: "1" } });
  await using psync = await scene.live();
  psync.signal("SIGKILL");
  await using second = await scene.live();
  await scene.change("left", "echo 22 >f");
  assertEquals((await scene.end(second)).code, 0);
});

/** A link on which nothing moves any more, though nobody closed it. */
async function halfOpen(): Promise<void> {
  await using scene = await Scene.make({ ssh: {}, left: { f: "1" } });
  await using psync = await scene.live();
  await scene.follows("left");
  const [ssh] = sshPids(psync);
  const startMs = systemClock.nowMs();
  Deno.kill(ssh!, "SIGSTOP");
  try {
    await eventually("the loss is noticed", () => times(psync, LOST) === 1, { deadlineMs: NOTICE_MS });
  } finally {
    // One that psync did not end would stay, stopped.
    if (isAlive(ssh!)) signalIfThere(ssh!, "SIGKILL");
  }
  assert(systemClock.nowMs() - startMs > 2_000, "a short silence is no loss");
  await eventually("it is back", () => times(psync, BACK) === 1, { deadlineMs: NOTICE_MS });
  await scene.change("right", "echo 22 >f");
  assertEquals((await scene.end(psync)).code, 0);
}

/** A brain that says nothing any more, though its ssh lives. */
async function silentBrain(): Promise<void> {
  await using scene = await Scene.make({ ssh: {}, left: { f: "1" } });
  await using psync = await scene.live();
  const filters = scene.sshd!.sessionPids().filter((pid) => commandOf(pid).includes("filter"));
  const all = filters.flatMap((pid) => [pid, ...childrenOf(pid)]);
  assert(all.length >= 3, "the filter and its psync-natives");
  psync.signal("SIGSTOP");
  await gone(all, FILTER_MS);
  psync.signal("SIGCONT");
  await scene.left.write("f", "written meanwhile");
  await eventually("it is back", () => times(psync, BACK) === 1, { tell: () => psync.text, deadlineMs: NOTICE_MS });
  await scene.follows("left");
}

/** `-s` whose link does not come back. */
async function syncOnly(): Promise<void> {
  const { scene, args } = await withSwitch();
  await using _scene = scene;
  await scene.left.sh("for i in $(seq 4000); do echo $i >$i; done");
  await using psync = await scene.startWith(["-s", ...args]);
  await eventually("it is at work", () => scene.right.exists("1"));
  await scene.tree.write("down", "");
  const startMs = systemClock.nowMs();
  scene.sshd!.dropSessions();
  const { code, err } = await psync.ended;
  const tookMs = systemClock.nowMs() - startMs;
  assertEquals(code, 3, err);
  assertMatch(err, /^psync: Cannot reach the other side for 60 s: /m);
  assert(tookMs >= SYNC_ONLY_MS && tookMs < SYNC_ONLY_MS + 30_000, `after ${tookMs} ms`);
  await Deno.remove(scene.tree.at("down"));
  const again = await scene.run("-s");
  assertEquals(again.code, 0, again.err);
  assertEquals(await scene.entries("right"), await scene.entries("left"));
}

Deno.test("a half-open link is noticed in 15 s, a filter without its brain ends in 30 s, -s waits 60 s", async () => {
  const results = await Promise.allSettled([halfOpen(), silentBrain(), syncOnly()]);
  const failures = results.flatMap((result) => result.status === "rejected" ? [result.reason] : []);
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n"));
});
