/**
 * Links that suffer, while both users work: the loss is noticed, psync comes back, and nothing is lost.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { testSeed } from "../support/seed.ts";
import { canMakeHosts, FarHost } from "./far_host.ts";
import { PsyncProcess } from "../support/psync_process.ts";
import { eventually, Scene } from "../support/scene.ts";
import { FaultyLink, type LinkFault, runOverFaults } from "./faulty_link.ts";

const SEED = testSeed(340959);

/** A dead link is noticed within, and a little for a busy machine. */
const NOTICE_MS = 15_000 + 4_000;

/** From the loss to work again: the first try after a second, or what the far end takes to let go of its root. */
const BACK_MS = 30_000;

function times(psync: PsyncProcess, pattern: RegExp): number {
  return psync.text.match(new RegExp(pattern, "mg"))?.length ?? 0;
}

/** Waits until both roots are equal. */
async function equal(scene: Scene, psync: PsyncProcess): Promise<void> {
  await eventually("both roots are equal", async () => {
    const [left, right] = [await scene.entries("left"), await scene.entries("right")];
    return left.join("\n") === right.join("\n");
  }, { deadlineMs: BACK_MS, tell: () => psync.text });
}

/** One kind strikes in the middle of work. */
async function suffer(kind: LinkFault): Promise<void> {
  await using link = await FaultyLink.make();
  await using scene = await Scene.make({ left: { f: "1", d: { x: "2" } }, right: { g: "3" } });
  await using psync = await scene.startWith([
    "--ssh",
    link.sshCommand,
    scene.left.path,
    `${link.host}:${scene.right.path}`,
  ]);
  await psync.until(/^First sync done/m);
  await link.plan(1, [kind]);
  await scene.left.sh("mkdir l; for i in $(seq 400); do echo left $i >l/$i; done");
  link.strike(psync.pid);
  await eventually(`${kind} strikes`, async () => (await link.faults()).length >= 1);
  await scene.right.sh("mkdir r; for i in $(seq 400); do echo right! $i >r/$i; done; echo edited >g");
  await scene.left.sh("mv d d2; echo edited! >f");
  await eventually(`the ${kind} is noticed`, () => times(psync, /^Link lost: /) >= 1, {
    deadlineMs: NOTICE_MS,
    tell: () => psync.text,
  });
  await link.plan(0, []);
  await eventually("it is back", () => times(psync, /^Link is back after /) >= 1, {
    deadlineMs: BACK_MS,
    tell: () => psync.text,
  });
  await equal(scene, psync);
  assertEquals(await scene.left.read("g"), "edited\n");
  assertEquals(await scene.right.read("f"), "edited!\n");
  assertEquals(await scene.left.sh("ls r | wc -l; ls d2"), "400\nx\n");
  assertEquals(await scene.left.sh("find .psync/trash -name '*.conflict'"), "");
  assertEquals((await scene.end(psync)).code, 0);
}

Deno.test("links that are cut, cut within a frame, stalled, deaf, mute or trickling are noticed and made again", async () => {
  const kinds: readonly LinkFault[] = ["cut", "truncate", "stall", "deaf", "mute", "trickle"];
  const results = await Promise.allSettled(kinds.map(suffer));
  const failures = results.flatMap((result, i) => {
    return result.status === "rejected" ? [new Error(`${kinds[i]}: ${Deno.inspect(result.reason)}`)] : [];
  });
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n"));
});

/** How large a file is that is cut off, and how much of it is there when that happens. */
const LARGE_BYTES = 24_000_000;
const CUT_BYTES = 12_000_000;

/** What rsync has written of a file that is not there yet. */
async function stagedBytes(scene: Scene): Promise<number> {
  const sizes = await scene.right.sh("find .psync/stage -type f -name '.*' -printf '%s\\n' 2>/dev/null || true");
  return Math.max(0, ...sizes.split("\n").map(Number));
}

/** Cuts the transfer of a large file that `change` makes or edits; how many bytes rsync carried before and after. */
async function cutOff(change: string, before = "true"): Promise<{ readonly first: number; readonly again: number }> {
  await using link = await FaultyLink.make();
  await using scene = await Scene.make({ left: { f: "1" } });
  await scene.left.sh(before);
  const operands = ["--ssh", link.sshCommand, scene.left.path, `${link.host}:${scene.right.path}`];
  await using psync = await scene.startWith(["--extra=--bwlimit=8M", ...operands]);
  await psync.until(/^First sync done/m);
  const earlier = (await link.carriedByRsync()).length;
  await scene.left.sh(change);
  await eventually("half of it is there", async () => await stagedBytes(scene) > CUT_BYTES);
  await link.plan(1, ["cut"]);
  link.strike(psync.pid);
  await eventually("the cut is noticed", () => times(psync, /^Link lost: /) >= 1, { tell: () => psync.text });
  await link.plan(0, []);
  await eventually("it is back", () => times(psync, /^Link is back after /) >= 1, { tell: () => psync.text });
  await equal(scene, psync);
  assertEquals(await scene.right.sh("ls .psync/partial 2>/dev/null || true"), "");
  assertEquals(times(psync, /^Conflict: /), 0);
  const [first, ...later] = (await link.carriedByRsync()).slice(earlier);
  assert(first! > CUT_BYTES, `${first} were carried before the cut`);
  return { first: first!, again: later.reduce((sum, bytes) => sum + bytes, 0) };
}

Deno.test("a large file that is cut off goes on from there, though the link is made anew", async () => {
  const { first, again } = await cutOff(`head -c ${LARGE_BYTES} /dev/urandom >large`);
  assert(again < LARGE_BYTES - CUT_BYTES / 2, `${again} bytes were carried after ${first} of ${LARGE_BYTES}`);
});

Deno.test("the edit of a large file that is cut off goes on from there, and sends nothing that was there before", async () => {
  const edited = LARGE_BYTES * 3 / 4;
  const { first, again } = await cutOff(
    `head -c ${edited} /dev/urandom | dd of=large bs=1M iflag=fullblock conv=notrunc status=none`,
    `head -c ${LARGE_BYTES} /dev/urandom >large`,
  );
  assert(again < edited - CUT_BYTES / 2 - 2_000_000, `${again} bytes were carried after ${first} of ${edited}`);
});

Deno.test(
  { name: "a cable that is pulled is noticed, and psync comes back", ignore: !(await canMakeHosts()) },
  async () => {
    await using far = await FarHost.make();
    await using scene = await Scene.make({ left: { f: "1" }, right: { g: "2" } });
    const operands = ["--ssh", far.sshCommand, scene.left.path, `${far.host}:${scene.right.path}`];
    await using psync = await PsyncProcess.start({
      command: [...far.near, ...scene.words],
      args: operands,
      stateDir: scene.stateDir,
      env: scene.env,
    });
    await psync.until(/^First sync done/m);
    await far.cable("out");
    await scene.left.sh("mkdir l; for i in $(seq 300); do echo left $i >l/$i; done; head -c 3000000 /dev/urandom >big");
    await scene.right.sh("mkdir r; for i in $(seq 300); do echo right! $i >r/$i; done; echo edited >g");
    await eventually("the loss is noticed", () => times(psync, /^Link lost: /) === 1, { deadlineMs: NOTICE_MS });
    await far.cable("in");
    await eventually("it is back", () => times(psync, /^Link is back after /) === 1, {
      deadlineMs: 2 * BACK_MS,
      tell: () => psync.text,
    });
    await equal(scene, psync);
    assertEquals(await scene.left.read("g"), "edited\n");
    assertEquals(await scene.right.sh("ls l r | wc -l"), "603\n");
    psync.signal("SIGTERM");
    assertEquals((await psync.ended).code, 0);
  },
);

Deno.test(`two users lose nothing over a link that suffers, seed ${SEED}`, async () => {
  let struck = 0;
  // Which connection suffers what hangs on how fast both ends are: a run without a fault does not count.
  for (let i = 0; i < 4 && struck === 0; i++) {
    const result = await runOverFaults({ seed: SEED + i, operations: 160, isKilling: false, debugLevel: 3 });
    assertEquals(result.faults, [], `seed ${SEED + i}, what is left of it: ${result.dir}`);
    struck = result.struck.length;
  }
  assert(struck > 0, "a link that suffers nothing proves nothing");
});
