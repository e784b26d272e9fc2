/**
 * `psync-native watch` at its limits: lost events, watch limits, mounts, a root that goes, depth,
 * permissions, and requests that are no requests.
 *
 * What needs root (mounts, sysctl) is skipped without it. Every wait ends at a record.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { RelPath } from "../../src/core/path.ts";
import {
  encodeWatchList,
  encodeWatchOpen,
  encodeWatchSync,
  FORMAT_VERSION,
  type WatchRecord,
} from "../../src/replica/native_format.ts";
import { bitNames, nativePath, WatchDriver } from "./watch_driver.ts";
import { testSeed } from "../support/seed.ts";
import { stopProcess } from "../support/signal.ts";
import { seeded, withRoot } from "./watch_support.ts";

const ENOENT = 2;
const EXDEV = 18;
const ENOTDIR = 20;
const EINVAL = 22;
const ELOOP = 40;
const ESTALE = 116;
const isRoot = Deno.uid() === 0;

async function run(command: string, ...args: string[]): Promise<number> {
  return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).code;
}

const canMount = isRoot && await run("unshare", "--mount", "true") === 0;

/** Runs `use` with a tmpfs mounted at `point`, unless `use` has unmounted it. */
async function withMount(point: string, use: () => Promise<void>): Promise<void> {
  assertEquals(await run("mount", "-t", "tmpfs", "psync-test", point), 0);
  try {
    await use();
  } finally {
    await run("umount", "-l", point);
  }
}

function isRootLost(record: WatchRecord): record is WatchRecord & { kind: "root" } {
  return record.kind === "root";
}

function isMountOf(path: string) {
  return (r: WatchRecord): r is WatchRecord & { kind: "mount" } => r.kind === "mount" && r.path === path;
}

Deno.test({
  name: "watch says when the kernel lost events, and is true again once all is listed",
  ignore: !isRoot,
  fn: () =>
    withRoot(async (root) => {
      await Deno.mkdir(`${root}/moved/sub`, { recursive: true });
      await Deno.mkdir(`${root}/removed/sub`, { recursive: true });
      const driver = await WatchDriver.openWithShortQueue(root);
      if (driver === null) return;
      await using _ = driver;
      await driver.walk();
      await stopProcess(driver.pid); // so that the queue fills for sure
      for (let i = 0; i < 40; i++) await Deno.writeTextFile(`${root}/f${i}`, "1");
      await Deno.rename(`${root}/moved`, `${root}/to`);
      await Deno.remove(`${root}/removed`, { recursive: true });
      await Deno.mkdir(`${root}/moved/other`, { recursive: true });
      Deno.kill(driver.pid, "SIGCONT");
      const { records } = await driver.sync();
      assert(records.some((r) => r.kind === "overflow"));
      await driver.walk();
      await driver.sync();
      // A name whose old node was never heard of again counts as new.
      await Deno.mkdir(`${root}/removed`);
      const { dirty } = await driver.sync();
      assert(bitNames(dirty.get("removed")).includes("newDir"));
      await driver.list("removed");
      for (const path of ["to/sub", "moved/other", "removed"]) {
        await Deno.writeTextFile(`${root}/${path}/f`, "1");
        assertEquals([...(await driver.sync()).dirty.keys()], [`${path}/f`]);
      }
    }),
});

Deno.test("watch lists completely without a watch where the limit is reached, and again with one when it can", () =>
  withRoot(async (root) => {
    for (const dir of ["a", "b", "c"]) {
      await Deno.mkdir(`${root}/${dir}`);
      await Deno.writeTextFile(`${root}/${dir}/f`, "1");
    }
    await using driver = await WatchDriver.spawn(root);
    await driver.open({ maxWatches: 3 });
    const listings = await driver.list("", "a", "b", "c");
    assertEquals(listings.map((l) => l.isUnwatched), [false, false, false, true]);
    assertEquals(listings.map((l) => [l.errno, l.entries.length]), [[0, 3], [0, 1], [0, 1], [0, 1]]);
    assertEquals((await driver.list("a"))[0]!.isUnwatched, false);
    await Deno.writeTextFile(`${root}/c/g`, "1");
    assertEquals((await driver.sync()).records, []);
    await driver.drop("a");
    await Deno.writeTextFile(`${root}/a/g`, "1");
    assertEquals((await driver.sync()).records, []);
    assertEquals((await driver.list("c"))[0]!.isUnwatched, false);
    await Deno.writeTextFile(`${root}/c/h`, "1");
    assertEquals([...(await driver.sync()).dirty.keys()], ["c/h"]);
  }));

Deno.test("watch hears of a directory below an unwatched one that it is moved or removed", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/p/c1`, { recursive: true });
    await Deno.mkdir(`${root}/p/c2`);
    await using driver = await WatchDriver.spawn(root);
    await driver.open();
    await driver.list("", "p/c1", "p/c2"); // p itself is not watched
    await Deno.rename(`${root}/p/c1`, `${root}/p/d1`);
    await Deno.remove(`${root}/p/c2`);
    assertEquals([...(await driver.sync()).dirty].map(([p, bits]) => [p, ...bitNames(bits)]), [
      ["p/c1", "gone", "dir"],
      ["p/c2", "gone", "dir"],
    ]);
    await Deno.writeTextFile(`${root}/p/d1/f`, "1");
    assertEquals((await driver.sync()).records, []);
  }));

Deno.test("watch says what a directory is that it cannot list", () =>
  withRoot(async (root) => {
    await Deno.mkdir(`${root}/d/e`, { recursive: true });
    await Deno.symlink("d", `${root}/link`);
    await Deno.writeTextFile(`${root}/file`, "1");
    await using driver = await WatchDriver.spawn(root);
    await driver.open();
    const listings = await driver.list("nothing", "link", "link/e", "file", "d");
    assertEquals(listings.map((l) => l.errno), [ENOENT, ENOTDIR, ELOOP, ENOTDIR, 0]);
    assertEquals(listings.map((l) => l.entries.length), [0, 0, 0, 0, 1]);
  }));

Deno.test("watch walks and hears far below PATH_MAX", () =>
  withRoot(async (root) => {
    const name = "n".repeat(200);
    const depth = 60; // 12,000 bytes
    await using driver = await WatchDriver.spawn(root);
    await driver.open();
    const [shell, inside] = [`cd "$0"; for i in $(seq ${depth}); do mkdir ${name}; cd ${name}; done`, "; touch f"];
    assertEquals(await run("bash", "-c", shell + inside, root), 0);
    const walked = await driver.walk();
    assertEquals(walked.size, depth + 1);
    const deepest = Array(depth).fill(name).join("/") as RelPath;
    assertEquals(walked.get(deepest)!.entries.map((e) => e.name as string), ["f"]);
    await driver.sync();
    await run("bash", "-c", `cd "$0"; for i in $(seq ${depth}); do cd ${name}; done; touch g`, root);
    assertEquals([...(await driver.sync()).dirty.keys()], [`${deepest}/g`]);
    assertEquals(await run("bash", "-c", `rm -rf "$0/${name}"`, root), 0);
  }));

Deno.test("watch reports the root moved or removed, and lists nothing of another one", () =>
  withRoot(async (parent) => {
    const root = `${parent}/root`;
    await Deno.mkdir(root);
    {
      await using driver = await WatchDriver.start(root);
      await Deno.rename(root, `${parent}/elsewhere`);
      assertEquals((await driver.take(isRootLost)).reason, "moved");
      await Deno.mkdir(root);
      await Deno.writeTextFile(`${root}/foreign`, "1");
      const [listing] = await driver.list("");
      assertEquals([listing!.errno, listing!.entries.length], [ESTALE, 0]);
    }
    {
      await using driver = await WatchDriver.start(root);
      await Deno.remove(root, { recursive: true });
      assertEquals((await driver.take(isRootLost)).reason, "removed");
      assertEquals((await driver.list(""))[0]!.errno, ESTALE);
    }
  }));

Deno.test("watch answers W_OPEN with the errno where there is no root, and may be asked again", () =>
  withRoot(async (parent) => {
    await using driver = await WatchDriver.spawn(`${parent}/root`);
    assertEquals((await driver.open()).errno, ENOENT);
    await Deno.mkdir(`${parent}/root`);
    const ready = await driver.open();
    assertEquals([ready.errno, ready.stat.kind, ready.version], [0, 2, FORMAT_VERSION]);
    assert(ready.device > 0n && ready.fsType > 0n);
    await driver.list("");
  }));

Deno.test({
  name: "watch reports mounts below the root, lists nothing in them, and keeps no file system busy",
  ignore: !canMount,
  fn: () =>
    withRoot(async (root) => {
      await Deno.mkdir(`${root}/with space/m`, { recursive: true });
      await Deno.writeTextFile(`${root}/with space/m/hidden`, "1");
      const point = "with space/m" as RelPath;
      await using driver = await WatchDriver.start(root);
      await withMount(`${root}/${point}`, async () => {
        await driver.take(isMountOf(point));
        const [above, at, below] = await driver.list("with space", point, `${point}/x`);
        assertEquals(above!.entries.map((e) => [e.name as string, e.stat.flags]), [["m", 1]]);
        assertEquals([at!.errno, below!.errno], [EXDEV, EXDEV]);
        await Deno.writeTextFile(`${root}/${point}/foreign`, "1");
        assertEquals((await driver.sync()).dirty.size, 0);
        assertEquals(await run("umount", `${root}/${point}`), 0);
        await driver.take(isMountOf(point));
        assertEquals((await driver.list(point))[0]!.entries.map((e) => e.name as string), ["hidden"]);
      });
      await Deno.writeTextFile(`${root}/${point}/heard`, "1");
      assertEquals([...(await driver.sync()).dirty.keys()], [`${point}/heard`]);
    }),
});

Deno.test({
  name: "watch reports a root that is mounted over, and one whose file system is unmounted",
  ignore: !canMount,
  fn: () =>
    withRoot(async (root) => {
      {
        await using driver = await WatchDriver.start(root);
        await withMount(root, async () => {
          assertEquals((await driver.take(isRootLost)).reason, "covered");
          assertEquals((await driver.list(""))[0]!.errno, ESTALE);
        });
      }
      await withMount(root, async () => {
        await Deno.mkdir(`${root}/d`);
        await using driver = await WatchDriver.start(root);
        assertEquals(await run("umount", root), 0, "the watcher keeps no file system busy");
        assertEquals((await driver.take(isRootLost)).reason, "unmounted");
      });
    }),
});

Deno.test({
  name: "watch names the sysctl where there is no inotify instance to be had",
  ignore: await run("unshare", "--user", "--map-root-user", "true") !== 0,
  fn: () =>
    withRoot(async (root) => {
      // A user namespace has a limit of its own, which its root may lower to nothing.
      const text = `echo 0 > /proc/sys/user/max_inotify_instances && exec "$0" watch`;
      const args = ["--user", "--map-root-user", "sh", "-c", text, await nativePath()];
      const child = new Deno.Command("unshare", { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(encodeWatchOpen(1, { root, maxWatches: 0 }));
      await writer.close();
      const { code, stdout } = await child.output();
      assertEquals(code, 3);
      assert(new TextDecoder().decode(stdout).includes("fs.inotify.max_user_instances"));
    }),
});

/** Sends bytes to a fresh watcher, ends its stdin and returns how it ended. */
async function endOf(root: string, bytes: Uint8Array, isOpened: boolean): Promise<number> {
  await using driver = await WatchDriver.spawn(root);
  if (isOpened) await driver.open();
  await driver.send(bytes).catch(() => {}); // it may have ended before it read all
  return (await driver.end()).code;
}

Deno.test("watch ends with status 2 for what is no request, whatever the bytes", () =>
  withRoot(async (root) => {
    const seed = testSeed(4_711);
    const next = seeded(seed);
    const open = (bytes: number[]) => endOf(root, Uint8Array.from(bytes), true);
    assertEquals(await open([]), 0);
    assertEquals(await open([5, 0, 0]), 2); // cut short
    assertEquals(await open([4, 0, 0, 0, 4, 0, 0, 0]), 2); // no id
    assertEquals(await open([255, 255, 255, 255, 4]), 2); // longer than any record
    assertEquals(await open([5, 0, 0, 0, 99, 0, 0, 0, 0]), 2); // an unknown type
    assertEquals(await open([9, 0, 0, 0, 2, 1, 0, 0, 0, 255, 255, 255, 255]), 2); // more paths than bytes
    assertEquals(await open([6, 0, 0, 0, 4, 0, 0, 0, 0, 0]), 2); // a body that should not be
    assertEquals(await endOf(root, encodeWatchSync(1), false), 2); // nothing is open
    for (let round = 0; round < 30; round++) {
      const bytes = Uint8Array.from({ length: 5 + next(60) }, () => next(256));
      if (next(2)) bytes.set([bytes.length - 4, 0, 0, 0, 1 + next(4)]);
      const code = await endOf(root, bytes, next(4) > 0);
      assert(code === 0 || code === 2, `seed ${seed} round ${round}: ${code}`);
    }
  }));

Deno.test("watch refuses paths that are no paths", () =>
  withRoot(async (root) => {
    await using driver = await WatchDriver.spawn(root);
    await driver.open();
    const good = encodeWatchList(7, ["aaaa" as RelPath]);
    for (const bad of ["a//a", "/aaa", "aaa/", "..//", "a/..", "./aa", "aa/.", "a\0aa"]) {
      const bytes = good.slice();
      bytes.set(new TextEncoder().encode(bad), bytes.length - 4);
      const coming = driver.raw(0x82);
      await driver.send(bytes);
      const answer = await coming;
      const errno = new DataView(answer.buffer, answer.byteOffset).getInt32(2 + 4, true);
      assertEquals(errno, EINVAL, bad);
    }
  }));
