/**
 * `psync-native watch` against a real file system: what each kind of change is reported as.
 *
 * Every wait ends at a barrier (W_SYNC), which the watcher answers after all that the kernel had
 * queued before; no test sleeps. Limits, mounts and bad input are in watch_limits_test.ts,
 * soundness under load in watch_storm_test.ts.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { encodeBytes, type RelPath } from "../../src/core/path.ts";
import { bitNames, type Events, nativePath, WatchDriver } from "./watch_driver.ts";
import { stopProcess } from "../support/signal.ts";
import { exchange, hex, withRoot } from "./watch_support.ts";

/** The pairs that were reported. */
function movesOf({ records }: Events): [string, string, boolean][] {
  return records.flatMap((r) => r.kind === "move" ? [[r.from, r.to, r.isDir] as [string, string, boolean]] : []);
}

Deno.test("watch reports files that are created, written, changed and removed", () =>
  withRoot(async (root) => {
    await Deno.writeTextFile(`${root}/old`, "1");
    await using driver = await WatchDriver.start(root);
    assertEquals((await driver.sync()).records, []);
    await Deno.writeTextFile(`${root}/new`, "12");
    await Deno.chmod(`${root}/old`, 0o600);
    const first = await driver.sync();
    assertEquals(bitNames(first.dirty.get("new")), ["created", "modified", "closed"]);
    assertEquals(bitNames(first.dirty.get("old")), ["attrib"]);
    await Deno.remove(`${root}/old`);
    await Deno.truncate(`${root}/new`, 1);
    const second = await driver.sync();
    assertEquals(bitNames(second.dirty.get("old")), ["gone"]);
    assertEquals(bitNames(second.dirty.get("new")), ["modified", "closed"]);
    assertEquals(second.dirty.size, 2);
  }));

/** Within this it has done what was to be done; generous, as machines are busy. */
const ASLEEP_MS = 30_000;

/** What each thread waits in: the number of the system call and its arguments. */
function syscallsOf(pid: number): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)]
    .map((task) => Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/syscall`).trim());
}

Deno.test({
  name: "watch sleeps without a timeout while nothing happens",
  ignore: Deno.build.arch !== "x86_64", // the numbers of system calls
  fn: () =>
    withRoot(async (root) => {
      await using driver = await WatchDriver.start(root);
      await driver.sync();
      // From here on nothing happens: once asleep, it stays so.
      const asleep = [/^7 0x\w+ 0x4 0xffffffff\b/, /^271 0x\w+ 0x2 0x0 /]; // poll(fds, 4, -1), ppoll(fds, 2, NULL)
      let seen: string[] = [];
      for (const endMs = systemClock.nowMs() + ASLEEP_MS; systemClock.nowMs() < endMs;) {
        seen = syscallsOf(driver.pid);
        if (asleep.every((call) => seen.some((line) => call.test(line)))) return;
        await systemClock.sleep(10);
      }
      throw new Error(`Found ${seen.join("; ")}`);
    }),
});

Deno.test("watch reports an event without being asked", () =>
  withRoot(async (root) => {
    await using driver = await WatchDriver.start(root);
    await Deno.mkdir(`${root}/d`);
    await driver.take((r): r is typeof r => r.kind === "dirty" && r.names.some((n) => n.path === "d"));
  }));

Deno.test("watch tells how many directories it watches, as the kernel does", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/a/b`, { recursive: true });
    await Deno.mkdir(`${root}/c`);
    await using driver = await WatchDriver.start(root);
    const ofKernel = () => {
      const fds = [...Deno.readDirSync(`/proc/${driver.pid}/fd`)].map(({ name }) => name);
      const texts = fds.map((fd) => {
        try {
          return Deno.readTextFileSync(`/proc/${driver.pid}/fdinfo/${fd}`);
        } catch {
          return ""; // it was closed meanwhile
        }
      });
      return texts.join("").match(/^inotify wd:/gm)?.length ?? 0;
    };
    const before = await driver.count();
    await driver.list("", "a", "a/b", "c");
    assertEquals([await driver.count(), ofKernel()], [4, 4]);
    assertEquals(before <= 4, true);
    await Deno.remove(`${root}/a`, { recursive: true });
    await driver.sync();
    await driver.drop("c");
    for (let tries = 0; (await driver.count()) !== 1 && tries < 1_000; tries++) await driver.sync();
    assertEquals([await driver.count(), ofKernel()], [1, 1]);
  }));

Deno.test("watch follows a renamed directory in one step", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/a/x/y`, { recursive: true });
    await Deno.mkdir(`${root}/b`);
    await using driver = await WatchDriver.start(root);
    await Deno.rename(`${root}/a`, `${root}/b/c`);
    await Deno.writeTextFile(`${root}/b/c/x/y/f`, "1");
    const events = await driver.sync();
    assertEquals(movesOf(events), [["a", "b/c", true]]);
    assertEquals(bitNames(events.dirty.get("a")), ["gone", "dir"]);
    assertEquals(bitNames(events.dirty.get("b/c")), ["moved", "dir"]);
    assertEquals(bitNames(events.dirty.get("b/c/x/y/f")), ["created", "modified", "closed"]);
    assertEquals(events.dirty.size, 3);
  }));

Deno.test("watch writes pairs before the names that waited with them, each with the paths of its time", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/d`);
    await using driver = await WatchDriver.start(root);
    await stopProcess(driver.pid); // so that all of it waits together
    await Deno.writeTextFile(`${root}/before`, "1");
    await Deno.writeTextFile(`${root}/d/f`, "1");
    await Deno.rename(`${root}/d/f`, `${root}/d/g`);
    await Deno.rename(`${root}/d`, `${root}/e`);
    Deno.kill(driver.pid, "SIGCONT");
    const events = await driver.sync();
    assertEquals(movesOf(events), [["d/f", "d/g", false], ["d", "e", true]]);
    const before = events.records.findIndex((r) => r.kind === "dirty" && r.names.some((n) => n.path === "before"));
    const move = events.records.findIndex((r) => r.kind === "move");
    assert(move < before, `${move} < ${before}`);
    assertEquals(bitNames(events.dirty.get("e/f")), ["created", "modified", "closed", "gone"]);
    for (const path of ["d", "e", "before"]) assert(events.dirty.has(path), path);
  }));

Deno.test("watch lets go of a subtree that left, and takes one that comes as new", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/in/a/b`, { recursive: true });
    await withRoot(async (outside) => {
      await using driver = await WatchDriver.start(root);
      await Deno.rename(`${root}/in/a`, `${outside}/a`);
      const left = await driver.sync();
      assertEquals([...left.dirty].map(([path, bits]) => [path, ...bitNames(bits)]), [["in/a", "gone", "dir"]]);
      await Deno.writeTextFile(`${outside}/a/b/silent`, "1");
      assertEquals((await driver.sync()).records, []);
      await Deno.rename(`${outside}/a`, `${root}/back`);
      const back = await driver.sync();
      assertEquals([...back.dirty].map(([path, bits]) => [path, ...bitNames(bits)]), [[
        "back",
        "moved",
        "dir",
        "newDir",
      ]]);
      const walked = await driver.walk("back" as RelPath);
      assertEquals([...walked.keys()], ["back", "back/b"]);
      assertEquals(walked.get("back/b")!.entries.map((e) => e.name as string), ["silent"]);
      await Deno.writeTextFile(`${root}/back/b/heard`, "1");
      assertEquals([...(await driver.sync()).dirty.keys()], ["back/b/heard"]);
    });
  }));

Deno.test("watch reports a new directory once to be listed; a listed one is known", () =>
  withRoot(async (root) => {
    await using driver = await WatchDriver.start(root);
    await Deno.mkdir(`${root}/n`);
    assertEquals(bitNames((await driver.sync()).dirty.get("n")), ["created", "dir", "newDir"]);
    await Deno.writeTextFile(`${root}/n/unseen`, "1");
    assertEquals((await driver.sync()).records, []);
    assertEquals((await driver.list("n"))[0]!.entries.map((e) => e.name as string), ["unseen"]);
    await Deno.remove(`${root}/n`, { recursive: true });
    await Deno.mkdir(`${root}/n`);
    const events = await driver.sync();
    assert(bitNames(events.dirty.get("n")).includes("newDir"));
  }));

Deno.test("watch reports an exchange of two directories so that nothing below goes unheard", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/a/one`, { recursive: true });
    await Deno.mkdir(`${root}/b/two/three`, { recursive: true });
    await using driver = await WatchDriver.start(root);
    await exchange(`${root}/a`, `${root}/b`);
    const events = await driver.sync();
    assertEquals(movesOf(events), [["a", "b", true], ["b", "a", true]]);
    for (const path of ["a", "b"] as RelPath[]) {
      assert(bitNames(events.dirty.get(path)).includes("newDir"), path);
      await driver.walk(path);
    }
    await Deno.writeTextFile(`${root}/a/two/three/f`, "1");
    await Deno.writeTextFile(`${root}/b/one/f`, "1");
    assertEquals([...(await driver.sync()).dirty.keys()].sort(), ["a/two/three/f", "b/one/f"]);
  }));

Deno.test("watch follows a directory that is renamed twice, and needs no listing", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/a/one`, { recursive: true });
    await using driver = await WatchDriver.start(root);
    await Deno.rename(`${root}/a`, `${root}/b`);
    await Deno.rename(`${root}/b`, `${root}/c`);
    const events = await driver.sync();
    assertEquals(movesOf(events), [["a", "b", true], ["b", "c", true]]);
    for (const bits of events.dirty.values()) assert(!bitNames(bits).includes("newDir"));
    await Deno.writeTextFile(`${root}/c/one/f`, "1");
    assertEquals([...(await driver.sync()).dirty.keys()], ["c/one/f"]);
  }));

Deno.test("watch asks for a listing of a directory that went and came back, as of an exchange", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/a/one`, { recursive: true });
    await using driver = await WatchDriver.start(root);
    await Deno.rename(`${root}/a`, `${root}/b`);
    await Deno.rename(`${root}/b`, `${root}/a`);
    assert(bitNames((await driver.sync()).dirty.get("a")).includes("newDir"));
    await driver.walk("a" as RelPath);
    await Deno.writeTextFile(`${root}/a/one/f`, "1");
    assertEquals([...(await driver.sync()).dirty.keys()], ["a/one/f"]);
  }));

Deno.test("watch hears the directory that psync itself exchanged in", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/.psync/stage/1/inside`, { recursive: true });
    await Deno.mkdir(`${root}/live/old`, { recursive: true });
    await using driver = await WatchDriver.start(root);
    await exchange(`${root}/.psync/stage/1`, `${root}/live`);
    const events = await driver.sync();
    assertEquals([...events.dirty.keys()], ["live"]);
    assert(bitNames(events.dirty.get("live")).includes("newDir"));
    await driver.walk("live" as RelPath);
    await Deno.writeTextFile(`${root}/.psync/stage/1/old/silent`, "1");
    await Deno.writeTextFile(`${root}/live/inside/heard`, "1");
    assertEquals([...(await driver.sync()).dirty.keys()], ["live/inside/heard"]);
  }));

Deno.test("watch keeps its place where a listing ran ahead of the events", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/x/sub`, { recursive: true });
    await using driver = await WatchDriver.start(root);
    for (let round = 0; round < 50; round++) {
      await Deno.rename(`${root}/x`, `${root}/y`);
      await Deno.mkdir(`${root}/x/sub`, { recursive: true });
      await driver.list("x", "x/sub", "y");
      let pending: string[] = ["x", "y"];
      while (pending.length > 0) {
        for (const path of pending) await driver.walk(path as RelPath);
        pending = [...(await driver.sync()).dirty].filter(([, bits]) => bitNames(bits).includes("newDir")).map(([p]) =>
          p
        );
      }
      await Deno.writeTextFile(`${root}/x/sub/1`, "1");
      await Deno.writeTextFile(`${root}/y/sub/1`, "1");
      assertEquals([...(await driver.sync()).dirty.keys()].sort(), ["x/sub/1", "y/sub/1"], `round ${round}`);
      await Deno.remove(`${root}/y`, { recursive: true });
      await driver.sync();
    }
  }));

Deno.test("watch neither watches, lists nor reports .psync in the root, but does so below", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/.psync/stage`, { recursive: true });
    await Deno.mkdir(`${root}/d/.psync`, { recursive: true });
    await using driver = await WatchDriver.start(root);
    const [top, own, below] = await driver.list("", ".psync/stage", "d/.psync");
    assertEquals(top!.entries.map((e) => e.name as string), ["d"]);
    assertEquals(own!.errno, 22);
    assertEquals(below!.errno, 0);
    await Deno.chmod(`${root}/.psync`, 0o700);
    await Deno.writeTextFile(`${root}/.psync/x`, "1");
    await Deno.rename(`${root}/.psync`, `${root}/gone`);
    await Deno.rename(`${root}/gone`, `${root}/.psync`);
    await Deno.writeTextFile(`${root}/d/.psync/f`, "1");
    const { dirty } = await driver.sync();
    assertEquals([...dirty.keys()].sort(), ["d/.psync/f", "gone"]);
  }));

Deno.test("watch keeps names that are no text, in listings, events and arguments", () =>
  withRoot(async (root) => {
    const odd = "new\nline\x07\udcff\udc80";
    await using driver = await WatchDriver.start(root);
    const run = async (...words: string[]) => {
      const args = ["exec", ...words.map((word) => hex(encodeBytes(word)))];
      return (await new Deno.Command(await nativePath(), { args, stderr: "piped" }).output()).code;
    };
    assertEquals(await run("mkdir", `${root}/${odd}`), 0);
    assertEquals([...(await driver.sync()).dirty.keys()], [odd]);
    assertEquals(await run("ln", "-s", odd, `${root}/${odd}/${odd}`), 0);
    const walked = await driver.walk();
    assertEquals(walked.get(odd)!.entries.map((e) => [e.name as string, e.target]), [[odd, odd]]);
    assertEquals(await run("touch", `${root}/${odd}/\udcfe`), 0);
    assertEquals([...(await driver.sync()).dirty.keys()], [`${odd}/\udcfe`]);
    assertEquals(await run("/nowhere/at/all"), 127);
    assertEquals(await run(root), 126);
    assertEquals(
      (await new Deno.Command(await nativePath(), { args: ["exec", "0"], stderr: "null" }).output()).code,
      2,
    );
  }));

Deno.test("watch lists sorted by bytes across parts, with kinds, targets and exact times", () =>
  withRoot(async (root) => {
    const names = Array.from({ length: 5000 }, (_, i) => `${"n".repeat(i % 60)}-${(i * 7919) % 5000}`);
    for (const name of names) Deno.writeFileSync(`${root}/${name}`, new Uint8Array(3));
    await Deno.symlink("target", `${root}/link`);
    await Deno.mkdir(`${root}/dir`);
    await using driver = await WatchDriver.spawn(root);
    await driver.open();
    const [listing] = await driver.list("");
    assert(listing!.parts > 1, `${listing!.parts} parts`);
    const found = listing!.entries.map((e) => e.name as string);
    assertEquals(found, [...names, "link", "dir"].sort());
    const link = listing!.entries.find((e) => (e.name as string) === "link")!;
    assertEquals([link.stat.kind, link.target], [3, "target"]);
    const stat = listing!.entries.find((e) => (e.name as string) === names[0])!.stat;
    assertEquals(stat.sizeBytes, 3);
    assertEquals(stat.mtimeNs / 1_000_000n, BigInt((await Deno.lstat(`${root}/${names[0]}`)).mtime!.getTime()));
  }));
