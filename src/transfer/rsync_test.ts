import { assert, assertEquals } from "@std/assert";
import { nativePath } from "../../tests/support/native_build.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { isAlive } from "../../tests/support/procfs.ts";
import { systemClock } from "../base/clock.ts";
import { decodeBytes, encodeBytes } from "../core/path.ts";
import { rsyncArguments, type RsyncRun, runRsync, type RunRsyncOptions } from "./rsync.ts";

async function options(): Promise<RunRsyncOptions> {
  const signal = new AbortController().signal;
  return { nativePath: await nativePath(), clock: systemClock, signal, patienceMs: null };
}

const LOCAL: RsyncRun = {
  source: { root: "/l", host: null },
  target: { root: "/r", host: null },
  batch: "b1-1",
  shell: null,
  extra: [],
};

const operands = (run: RsyncRun) => {
  const args = rsyncArguments(run);
  return args.slice(args.indexOf("--") + 1);
};

Deno.test("rsyncArguments() names the two areas of psync and nothing of a user's tree (I5)", () => {
  assertEquals(operands(LOCAL), ["/l/.psync/supply/b1-1/", "/r/.psync/stage/b1-1/"]);
  assert(rsyncArguments(LOCAL).includes("--copy-dest=../../basis/b1-1"));
  assert(rsyncArguments(LOCAL).includes("--whole-file"));
});

Deno.test("rsyncArguments() reaches the other host by the shell given, in both directions, with deltas", () => {
  const cases: [host: string, operand: string][] = [
    ["hub", "hub:/r/.psync/stage/b1-1/"],
    ["me@hub", "me@hub:/r/.psync/stage/b1-1/"],
    ["::1", "[::1]:/r/.psync/stage/b1-1/"],
    ["me@fe80::1", "me@[fe80::1]:/r/.psync/stage/b1-1/"],
    ["me@[fe80::1]", "me@[fe80::1]:/r/.psync/stage/b1-1/"],
  ];
  for (const [host, operand] of cases) {
    const run = { ...LOCAL, target: { root: "/r", host }, shell: "ssh -S x" };
    assertEquals(operands(run), ["/l/.psync/supply/b1-1/", operand]);
    const args = rsyncArguments(run);
    assertEquals(args[args.indexOf("-e") + 1], "ssh -S x");
    assert(args.includes("--no-whole-file") && !args.includes("--whole-file") && args.includes("-s"));
  }
  const back = { ...LOCAL, source: { root: "/r", host: "hub" }, shell: "ssh" };
  assertEquals(operands(back), ["hub:/r/.psync/supply/b1-1/", "/r/.psync/stage/b1-1/"]);
});

/** Two roots whose names are no text, one batch; the source's files are links, as a supply is. */
async function withRoots(test: (run: RsyncRun, roots: { left: string; right: string }) => Promise<void>) {
  const dir = await Deno.makeTempDir({ prefix: "psync-rsync-" });
  const shell = (script: string) => execute(["sh", "-c", script, "sh", dir]);
  try {
    // Deno cannot name such a directory itself.
    const make = ["l", "r"].map((side) => `mkdir -p "$1/$(printf '${side}\\377 x')/.psync"`).join(" && ");
    await shell(`${make} && cd "$1"/l* && ln -s "$PWD" "$1/left" && cd "$1"/r* && ln -s "$PWD" "$1/right"`);
    const left = `${dir}/left/.psync`;
    const right = `${dir}/right/.psync`;
    await Deno.mkdir(`${left}/supply/b1-1`, { recursive: true });
    for (const area of ["stage", "basis"]) await Deno.mkdir(`${right}/${area}/b1-1`, { recursive: true });
    const root = (side: string) => decodeBytes(new Uint8Array([...encodeBytes(`${dir}/${side}`), 0xff, 0x20, 0x78]));
    const run = { ...LOCAL, source: { root: root("l"), host: null }, target: { root: root("r"), host: null } };
    await test(run, { left, right });
  } finally {
    await shell('rm -rf "$1"');
  }
}

async function execute(words: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(words[0]!, { args: words.slice(1) }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

Deno.test("runRsync() stages what a supply links to, between roots whose names are no text", async () => {
  await withRoots(async (run, { left, right }) => {
    await Deno.writeTextFile(`${left}/held`, "content");
    await Deno.chmod(`${left}/held`, 0o4755);
    await Deno.symlink("../../held", `${left}/supply/b1-1/0`);
    await Deno.writeTextFile(`${right}/basis/b1-1/0`, "content of old");
    const outcome = await runRsync(run, await options());
    assertEquals([outcome.exitCode, outcome.stderr], [0, ""]);
    assertEquals(await Deno.readTextFile(`${right}/stage/b1-1/0`), "content");
    assert((await Deno.lstat(`${right}/stage/b1-1/0`)).isFile);
    assertEquals(await Deno.readTextFile(`${right}/basis/b1-1/0`), "content of old");
  });
});

Deno.test("runRsync() does not take the basis for the content, though size and time are equal", async () => {
  await withRoots(async (run, { left, right }) => {
    await Deno.writeTextFile(`${left}/held`, "new!");
    await Deno.symlink("../../held", `${left}/supply/b1-1/0`);
    await Deno.writeTextFile(`${right}/basis/b1-1/0`, "old.");
    for (const path of [`${left}/held`, `${right}/basis/b1-1/0`]) await Deno.utime(path, 1_000_000, 1_000_000);
    const outcome = await runRsync(run, await options());
    assertEquals(outcome.exitCode, 0);
    assertEquals(await Deno.readTextFile(`${right}/stage/b1-1/0`), "new!");
  });
});

Deno.test("runRsync() stages the rest where one link leads nowhere, and says that it is partial", async () => {
  await withRoots(async (run, { left, right }) => {
    await Deno.writeTextFile(`${left}/held`, "content");
    await Deno.symlink("../../held", `${left}/supply/b1-1/0`);
    await Deno.symlink("../../not-there", `${left}/supply/b1-1/1`);
    const outcome = await runRsync(run, await options());
    assertEquals(outcome.exitCode, 23);
    assertEquals((await Array.fromAsync(Deno.readDir(`${right}/stage/b1-1`))).map(({ name }) => name), ["0"]);
  });
});

Deno.test("runRsync() ends when its signal is aborted, or was before it began", async () => {
  await withRoots(async (run) => {
    // A shell that never answers.
    const remote = { ...run, target: { ...run.target, host: "nowhere" }, shell: "sh -c 'exec sleep 60' --" };
    const stop = new AbortController();
    const ended = runRsync(remote, { ...await options(), signal: stop.signal });
    stop.abort();
    assert((await ended).exitCode !== 0);
    assert((await runRsync(remote, { ...await options(), signal: stop.signal })).exitCode !== 0);
  });
});

Deno.test("runRsync() gives up a connection on which bytes trickle, and what it started with it", async () => {
  await withRoots(async (run, { left }) => {
    await Deno.writeTextFile(`${left}/held`, "content");
    await Deno.symlink("../../held", `${left}/supply/b1-1/0`);
    // rsync's own limit is for silence, and these words never cease.
    const shell = `${left}/trickle`;
    const trickle = 'shift; "$@" | while head -c 1; do sleep 0.02; done';
    await Deno.writeTextFile(shell, `#!/bin/sh\necho $$ >${left}/pid\n${trickle}\n`, { mode: 0o755 });
    const remote = { ...run, target: { ...run.target, host: "far" }, shell };
    const clock = new FakeClock();
    const running = runRsync(remote, { ...await options(), clock, patienceMs: 1_200 });
    let isOver = false;
    void running.then(() => isOver = true);
    const pid = async () => Number(await Deno.readTextFile(`${left}/pid`).catch(() => ""));
    while (await pid() === 0) await systemClock.sleep(5);
    while (!isOver) {
      await clock.advance(20);
      await systemClock.sleep(5);
    }
    assertEquals((await running).stalledMs, 1_200);
    assert(!isAlive(await pid()));
  });
});
