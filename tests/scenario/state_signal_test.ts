/**
 * SIGUSR1 and dist/psync: it never reaches the runtime, which would open its debugger at it, and
 * still makes psync tell its state. What the handler prints is tested elsewhere (cli_test.ts).
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { MAGIC_LINE } from "../../src/wire/hello.ts";
import { DIST, makeImage, must, run, testDir } from "../support/binary.ts";
import { childrenOf, commandOf, isAlive, statOf } from "../support/procfs.ts";
import { PsyncProcess } from "../support/psync_process.ts";
import { startSshd } from "../support/sshd.ts";

/** SIGUSR1 in a signal mask of /proc. */
const USR1_BIT = 1n << 9n;

/** The kind that `deno compile` makes has no launcher that could keep the signal away. */
const hasLauncher = (await must("tail", ["-c", "256", DIST])).startsWith("psync trailer");

function launcherTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: !hasLauncher });
}

/** Whether every thread of a process blocks SIGUSR1, or none does; fails where they differ. */
function isBlocked(pid: number): boolean {
  const masks = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`);
    return (BigInt("0x" + /^SigBlk:\t(\S+)$/m.exec(status)![1]) & USR1_BIT) !== 0n;
  });
  assert(masks.every((mask) => mask === masks[0]), "all threads have one mask");
  return masks[0]!;
}

/** The lines of /proc for TCP sockets of one process on which it listens. */
function listeners(pid: number): string[] {
  const sockets = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      sockets.add(/^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? "");
    } catch {
      // It was closed in between.
    }
  }
  const rows = ["tcp", "tcp6"].flatMap((kind) => Deno.readTextFileSync(`/proc/${pid}/net/${kind}`).split("\n"));
  return rows.filter((row) => {
    const words = row.trim().split(/\s+/);
    return words[3] === "0A" && sockets.has(words[9] ?? "none");
  });
}

interface Place extends AsyncDisposable {
  readonly dir: string;
  start(...args: string[]): Promise<PsyncProcess>;
}

/** Two roots, and a psync that uses them. */
async function makePlace(): Promise<Place> {
  const test = await testDir();
  const dir = test.path;
  for (const name of ["left", "right", "state", "cache"]) await Deno.mkdir(`${dir}/${name}`);
  const env = { XDG_CACHE_HOME: `${dir}/cache` };
  return {
    dir,
    start: (...args) => PsyncProcess.start({ args, command: [DIST], stateDir: `${dir}/state`, cwd: dir, env }),
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

/** Waits until a condition holds; fails after half a minute. */
async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; !await condition(); attempt++) {
    assert(attempt < 1500, what);
    await systemClock.sleep(20);
  }
}

function countOf(text: string, word: string): number {
  return text.split(word).length - 1;
}

launcherTest("SIGUSR1 tells the state, once or fifty times over, and no thread of psync can get it", async () => {
  await using place = await makePlace();
  await using psync = await place.start("left", "right");
  await psync.until(/^First sync done/m);
  assert(isBlocked(psync.pid));
  psync.signal("SIGUSR1");
  await psync.until(/^ {2}since the start: /m);
  for (let i = 0; i < 50; i++) psync.signal("SIGUSR1");
  await eventually("the last one is answered, too", () => countOf(psync.text, "since the start") >= 2);
  assert(isBlocked(psync.pid), "nor can a thread that came later");
  assertEquals(listeners(psync.pid), []);
  assert(!/debugger/i.test(psync.text), psync.text);
  psync.signal("SIGTERM");
  assertEquals((await psync.ended).code, 0);
});

launcherTest("SIGUSR1 does no harm while psync unpacks and starts, and is answered", async () => {
  await using place = await makePlace();
  for (const start of ["cold", "warm"]) {
    await using psync = await place.start("left", "right");
    // What comes before the launcher's first step is out of its hands.
    await eventually("the launcher runs", () => isBlocked(psync.pid));
    await eventually("it is live", () => {
      psync.signal("SIGUSR1");
      return psync.text.includes("State: live");
    });
    assertEquals([start, listeners(psync.pid)], [start, []]);
    psync.signal("SIGTERM");
    const { code, err } = await psync.ended;
    assertEquals([start, code], [start, 0], err);
  }
});

launcherTest("SIGUSR1 to the children of psync does not end them", async () => {
  await using place = await makePlace();
  await using psync = await place.start("left", "right");
  await psync.until(/^First sync done/m);
  // Those that live as long as psync does; others come and go.
  const children = childrenOf(psync.pid).filter((pid) => /^(watch|apply)$/.test(commandOf(pid).at(-1) ?? ""));
  assertEquals(children.length, 4, `${childrenOf(psync.pid).map(commandOf)}`);
  for (const child of children) Deno.kill(child, "SIGUSR1");
  await Deno.writeTextFile(`${place.dir}/left/later`, "later");
  await eventually("it is synchronised", async () => {
    return await Deno.readTextFile(`${place.dir}/right/later`).catch(() => "") === "later";
  });
  assert(children.every(isAlive), psync.text);
});

launcherTest("a filter cannot get SIGUSR1, and ssh gets it as ever", async () => {
  await using place = await makePlace();
  await using sshd = await startSshd();
  await using psync = await place.start("--ssh", sshd.sshCommand, "left", `${sshd.host}:${place.dir}/right`);
  await psync.until(/^First sync done/m);
  // That of the frames, which lives as long as psync does; the others come and go.
  const ssh = childrenOf(psync.pid).filter((pid) => commandOf(pid)[0] === "ssh" && /filter/.test(`${commandOf(pid)}`));
  assertEquals(ssh.map(isBlocked), [false]);
  const filters = sshd.sessionPids().filter((pid) => commandOf(pid).includes("filter"));
  assertEquals(filters.filter((pid) => statOf(pid)?.name === "psync").map(isBlocked), [true]);
});

launcherTest("a filter keeps its stdin and ignores SIGUSR1", async () => {
  await using place = await makePlace();
  const env = { XDG_CACHE_HOME: `${place.dir}/cache` };
  const filter = new Deno.Command(DIST, { args: ["filter"], env, stdin: "piped", stdout: "piped", stderr: "inherit" })
    .spawn();
  const reader = filter.stdout.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value).slice(0, MAGIC_LINE.length), MAGIC_LINE);
  assert(isBlocked(filter.pid));
  assertMatch(await Deno.readLink(`/proc/${filter.pid}/fd/0`), /^(pipe|socket):/);
  filter.kill("SIGUSR1");
  reader.releaseLock();
  await filter.stdin.close();
  await filter.stdout.cancel();
  assertEquals((await filter.status).code, 0);
});

/** Prints what a program sees of its stdin. */
const TELL =
  `console.log(Deno.env.get("PSYNC_STDIN"), Deno.readLinkSync("/proc/self/fd/0").replace(/:\\[\\d+\\]/, ""));`;

launcherTest("the launcher tells what stdin was, and needs none", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  const env = { XDG_CACHE_HOME: `${dir.path}/cache`, PSYNC_STDIN: "terminal" };
  const seen = async (command: string, args: string[]) => (await run(command, args, { env })).stdout.trim();
  assertEquals(await seen(image, ["left", "right"]), "other anon_inode:[signalfd]");
  assertEquals(await seen("sh", ["-c", 'exec "$0" left right <&-', image]), "other anon_inode:[signalfd]");
  assertEquals(await seen("script", ["-qec", `${image} left right`, "/dev/null"]), "terminal anon_inode:[signalfd]");
  assertEquals(await seen(image, ["filter"]), "undefined /dev/null");
});
