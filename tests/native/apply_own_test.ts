/**
 * A_OPEN, A_ADOPT, the guard, batches for rsync, moves, and hostile records of psync-native apply.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  ApplyDriver,
  DISPOSE,
  expected,
  LABEL,
  move,
  nativePath,
  path,
  putDir,
  putFile,
  remove,
  run,
  staged,
  STATUS,
  trash,
  tree,
  withReplica,
  withRoot,
} from "./apply_driver.ts";
import { CAP, type RawFile, type RawLooked, type RawOp } from "../../src/replica/native_format.ts";
import { testSeed } from "../support/seed.ts";
import { seeded } from "./watch_support.ts";

const ENOENT = 2;
const ENOTDIR = 20;

function file(id: number, name: string, looked: RawLooked): RawFile {
  return { id, path: path(name), stat: looked.stat! };
}

Deno.test("apply open tells the facts of a root and changes nothing in it", async () => {
  await withRoot(async (root) => {
    await Deno.mkdir(`${root}/a/b`, { recursive: true });
    await Deno.symlink(`${root}/a`, `${root}/way`);
    await using driver = await ApplyDriver.spawn({ cwd: root });
    for (const given of ["a/b", `${root}/way/b/`, "way/../a/./b"]) {
      const ready = await driver.open(given);
      assertEquals([ready.errno, ready.root, ready.isEmpty], [0, `${root}/a/b`, true]);
      assertEquals([ready.pair, ready.lock, ready.lockStartTicks], [null, null, 0n]);
      const info = await Deno.stat(`${root}/a/b`);
      assertEquals([ready.stat.inode, ready.device], [BigInt(info.ino!), BigInt(info.dev)]);
      const above = await Promise.all([`${root}/a`, root].map((dir) => Deno.stat(dir)));
      assertEquals(ready.ancestors.slice(0, 2).map(({ inode }) => inode), above.map(({ ino }) => BigInt(ino!)));
      assertEquals(ready.caps & CAP.write, CAP.write);
      assertEquals(ready.bootId, (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim());
      assertEquals(ready.hostName, Deno.hostname());
    }
    assertEquals((await driver.open("none")).errno, ENOENT);
    await Deno.writeTextFile(`${root}/file`, "");
    assertEquals((await driver.open("file")).errno, ENOTDIR);
    assertEquals((await driver.open(`${root}`)).isEmpty, false);
    assertEquals((await driver.look("a")).status, STATUS.done);
    assertEquals([...Deno.readDirSync(root)].map(({ name }) => name).sort(), ["a", "file", "way"]);
  });
});

Deno.test("apply adopt makes .psync for its owner alone and swaps the lock", async () => {
  await withRoot(async (root) => {
    await using driver = await ApplyDriver.spawn();
    await driver.open(root);
    assertEquals((await driver.make(putFile("f", "x"))).status, STATUS.guard);
    assertEquals((await driver.adopt("p", "l1", "other")).status, STATUS.stale);
    assertEquals((await driver.adopt("p", "l1", null)).status, STATUS.done);
    assertEquals((await driver.adopt("p", "l2", null)).status, STATUS.stale);
    const lock = `pid ${Deno.pid}\nterm 2\n`;
    assertEquals((await driver.adopt("p", lock, "l1")).status, STATUS.done);
    assertEquals(await Deno.readTextFile(`${root}/.psync/.gitignore`), "*\n");
    assertEquals((await Deno.stat(`${root}/.psync`)).mode! & 0o7777, 0o700);
    await using second = await ApplyDriver.spawn();
    const ready = await second.open(root);
    assertEquals([ready.pair, ready.lock, ready.isEmpty], ["p", lock, true]);
    assert(ready.lockStartTicks > 0n);
    assertEquals((await driver.unlock()).status, STATUS.done);
    assertEquals((await driver.unlock()).status, STATUS.guard);
    assertEquals((await second.open(root)).lock, null);
  });
});

Deno.test("apply adopt refuses a .psync that leads elsewhere or is another user's", async () => {
  await withRoot(async (root) => {
    const elsewhere = await Deno.makeTempDir();
    await Deno.symlink(elsewhere, `${root}/.psync`);
    await using driver = await ApplyDriver.spawn();
    assertEquals((await driver.open(root)).caps & CAP.write, 0);
    assertEquals((await driver.adopt("p", "l", null)).status, STATUS.failed);
    assertEquals([...Deno.readDirSync(elsewhere)], []);
    await Deno.remove(`${root}/.psync`);
    await Deno.remove(elsewhere);
    if (Deno.uid() !== 0) return;
    await Deno.mkdir(`${root}/.psync`);
    await Deno.chown(`${root}/.psync`, 1, 1);
    assertEquals((await driver.adopt("p", "l", null)).status, STATUS.failed);
  });
});

Deno.test("apply refuses everything once a mark is not as adopted, or the root is another one", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "text");
    const looked = await driver.look("f");
    for (const mark of ["pair", "lock"]) {
      const before = await Deno.readTextFile(`${root}/.psync/${mark}`);
      await Deno.writeTextFile(`${root}/.psync/${mark}`, `${before} `);
      const ops: RawOp[] = [putFile("g", "x"), remove("f", looked)];
      assertEquals((await driver.commit(ops)).map(({ status }) => status), [STATUS.guard, STATUS.guard]);
      assertEquals((await driver.supply("b", [file(1, "f", looked)]))[0]!.status, STATUS.guard);
      assertEquals((await driver.prepare("b", [file(1, "f", looked)]))[0]!.status, STATUS.guard);
      assertEquals((await driver.sync()).status, STATUS.guard);
      await Deno.writeTextFile(`${root}/.psync/${mark}`, before);
    }
    assertEquals((await driver.make(putFile("g", "x"))).status, STATUS.done);
    await Deno.rename(root, `${root}.away`);
    await Deno.mkdir(root);
    assertEquals((await driver.look("f")).status, STATUS.guard);
    assertEquals((await driver.make(putFile("h", "x"))).status, STATUS.guard);
    assertEquals([...Deno.readDirSync(root)], []);
    await Deno.remove(root);
    await Deno.rename(`${root}.away`, root);
    assertEquals(tree(root), { f: "text", g: "x" });
  });
});

Deno.test("apply keeps no file system busy while it is idle", async () => {
  if (Deno.uid() !== 0) return;
  await withRoot(async (mount) => {
    await run("mount", ["-t", "tmpfs", "none", mount]);
    await using driver = await ApplyDriver.start(mount);
    assertEquals((await driver.make(putFile("f", "x"))).status, STATUS.done);
    await run("umount", [mount]);
    assertEquals((await driver.look("f")).status, STATUS.guard);
    assertEquals((await driver.make(putFile("f", "x"))).status, STATUS.guard);
  });
});

Deno.test("apply supply holds files for rsync and tells whether they stayed as they were", async () => {
  await withReplica(async (root, driver) => {
    for (const name of ["same", "edited", "open"]) await Deno.writeTextFile(`${root}/${name}`, name);
    const looked = await driver.looks(["same", "edited", "open"]);
    const files = ["same", "edited", "open"].map((name, i) => file(i + 1, name, looked[i]!));
    const stale = { ...file(4, "same", looked[0]!), stat: { ...looked[0]!.stat!, ctimeNs: 1n } };
    const supplied = await driver.supply("b1", [...files, stale]);
    assertEquals(supplied.map(({ status }) => status), [STATUS.done, STATUS.done, STATUS.done, STATUS.stale]);
    assertEquals(await Deno.readTextFile(`${root}/.psync/supply/b1/1`), "same");
    await Deno.writeTextFile(`${root}/edited`, "edited since");
    const writer = await Deno.open(`${root}/open`, { append: true });
    assertEquals((await driver.release("b1")).map(({ id, status }) => [id, status]), [
      [1, STATUS.done],
      [2, STATUS.stale],
      [3, STATUS.busy],
    ]);
    writer.close();
    assertEquals([...Deno.readDirSync(`${root}/.psync/supply`)], []);
    assertEquals(await driver.release("b1"), []);
  });
});

Deno.test("apply prepare links what is live as basis, and its stamps stay true through the release", async () => {
  await withReplica(async (root, driver) => {
    for (const name of ["a", "b", "c"]) await Deno.writeTextFile(`${root}/${name}`, `old ${name}`);
    const looked = await driver.looks(["a", "b", "c"]);
    const prepared = await driver.prepare("b1", ["a", "b", "c"].map((name, i) => file(i + 1, name, looked[i]!)));
    assertEquals(prepared.map(({ status }) => status), [STATUS.done, STATUS.done, STATUS.done]);
    assertEquals((await driver.look("a")).stat, prepared[0]!.stat);
    assertEquals(await Deno.readTextFile(`${root}/.psync/basis/b1/1`), "old a");
    await Deno.writeTextFile(`${root}/.psync/stage/b1/1`, "from rsync");
    await Deno.writeTextFile(`${root}/.psync/stage/b1/2`, "left over");
    await Deno.writeTextFile(`${root}/c`, "edited");
    const source = { kind: "staged" as const, batch: "b1", id: 1 };
    const stat = prepared[0]!.stat;
    const put = { ...putFile("a", ""), source, expected: { stat, target: "" }, disposal: DISPOSE.conflict } as RawOp;
    const gone = { ...putFile("n", ""), source: { ...source, id: 9 } } as RawOp;
    const results = await driver.commit([put, gone]);
    assertEquals(results.map(({ status }) => status), [STATUS.done, STATUS.gone]);
    assertEquals(trash(root)[`${LABEL}.conflict/a`], "old a");
    const released = await driver.release("b1");
    assertEquals(released.map(({ status }) => status), [STATUS.stale, STATUS.done, STATUS.stale]);
    assertEquals((await driver.look("b")).stat, released[1]!.stat);
    assertEquals([staged(root), [...Deno.readDirSync(`${root}/.psync/basis`)]], [[], []]);
    assertEquals(tree(root), { a: "from rsync", b: "old b", c: "edited" });
  });
});

Deno.test("apply takes a staged file of a batch with the longest name, and ends at a longer one", async () => {
  await withReplica(async (root, driver) => {
    const batch = "b".repeat(100);
    await driver.prepare(batch, []);
    await Deno.writeTextFile(`${root}/.psync/stage/${batch}/4294967295`, "staged");
    const put = { ...putFile("f", ""), source: { kind: "staged", batch, id: 0xffff_ffff } } as RawOp;
    assertEquals((await driver.make(put)).status, STATUS.done);
    await driver.release(batch);
    assertEquals([tree(root), staged(root)], [{ f: "staged" }, []]);
    await driver.release(`${batch}b`).catch(() => {});
    assertEquals(await driver.end(), 2);
  });
});

Deno.test("apply takes nothing from a stage that is a link, a directory or has another name", async () => {
  await withReplica(async (root, driver) => {
    await driver.prepare("b1", []);
    const stage = `${root}/.psync/stage/b1`;
    await Deno.symlink("/etc/passwd", `${stage}/1`);
    await Deno.mkdir(`${stage}/2`);
    await Deno.writeTextFile(`${stage}/3`, "two names");
    await Deno.link(`${stage}/3`, `${root}/other`);
    await run("mkfifo", [`${stage}/4`]);
    const ops = [1, 2, 3, 4].map((id) =>
      ({ ...putFile(`f${id}`, ""), source: { kind: "staged", batch: "b1", id } }) as RawOp
    );
    assertEquals((await driver.commit(ops)).map(({ status }) => status), ops.map(() => STATUS.gone));
    await driver.release("b1");
    assertEquals(tree(root), { other: "two names" });
  });
});

Deno.test("apply move renames to a free name, over what was expected, and nothing else", async () => {
  await withReplica(async (root, driver) => {
    await driver.commit([putDir("d"), putFile("d/f", "below"), putFile("a", "a"), putFile("b", "b"), putDir("e")]);
    const [d, a, b, e] = await driver.looks(["d", "a", "b", "e"]);
    assertEquals((await driver.make(move("a", "b", a!))).status, STATUS.stale);
    assertEquals((await driver.make(move("a", "none/b", a!))).status, STATUS.orphan);
    assertEquals((await driver.make(move("d", "d/x", d!))).status, STATUS.refused);
    assertEquals((await driver.make(move("b", "z", a!))).status, STATUS.stale);
    const over = await driver.make(move("a", "b", a!, { expectedTo: expected(b!), disposal: DISPOSE.removed }));
    assertEquals([over.status, over.kept], [STATUS.done, `${LABEL}.removed/b`]);
    assertEquals(over.stat, (await driver.look("b")).stat);
    assertEquals((await driver.make(move("d", "e", d!, { expectedTo: expected(e!) }))).status, STATUS.done);
    assertEquals(tree(root), { "b": "a", "e": "/", "e/f": "below" });
    const [moved, target] = await driver.looks(["e", "b"]);
    const writer = await Deno.open(`${root}/b`, { append: true });
    assertEquals((await driver.make(move("b", "c", target!))).status, STATUS.busy);
    writer.close();
    await Deno.mkdir(`${root}/g`);
    await Deno.writeTextFile(`${root}/g/unknown`, "");
    const full = move("e", "g", moved!, { expectedTo: expected(await driver.look("g")) });
    assertEquals((await driver.make(full)).status, STATUS.notEmpty);
    assertEquals(tree(root)["e/f"], "below");
    assertEquals(staged(root), []);
  });
});

Deno.test("apply answers looks while a batch is being flushed, and every request once", async () => {
  await withReplica(async (root, driver) => {
    const batches = Array.from({ length: 20 }, (_, b) => {
      return driver.commit(Array.from({ length: 20 }, (_, i) => putFile(`b${b}-${i}`, "x".repeat(5_000))));
    });
    const looks = Array.from({ length: 200 }, () => driver.look("none"));
    assertEquals((await Promise.all(looks)).filter(({ status }) => status !== STATUS.absent), []);
    const all = (await Promise.all(batches)).flat();
    assertEquals(all.filter(({ status }) => status !== STATUS.done), []);
    assertEquals(Object.keys(tree(root)).length, 400);
  });
});

/** A record with this type and body. */
function record(type: number, body: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(9 + body.length);
  new DataView(bytes.buffer).setUint32(0, 5 + body.length, true);
  bytes[4] = type;
  bytes.set(body, 9);
  return bytes;
}

Deno.test("apply ends with R_FATAL and status 2 for each malformed record", async () => {
  const many = [0xff, 0xff, 0xff, 0x7f];
  const malformed = {
    "unknown type": record(0x55, []),
    "too short a body": record(0x13, [1]),
    "too long a body": record(0x18, [0, 0]),
    "a flag that is none": record(0x18, [2]),
    "a count without its paths": record(0x13, [0, 0, 0, 0, 0, ...many]),
    "a commit with more ops than bytes": record(0x14, [1, 0, 97, ...many]),
    "a label that is a path": record(0x14, [4, 0, 97, 47, 46, 46, 0, 0, 0, 0]),
    "a batch that is a path": record(0x17, [2, 0, 46, 46]),
    "a length over the limit": Uint8Array.of(0, 0, 0, 2, 0x13, 0, 0, 0, 0),
    "a record cut short": Uint8Array.of(9, 0, 0, 0, 0x13, 0, 0),
  };
  for (const [name, bytes] of Object.entries(malformed)) {
    await withReplica(async (_root, driver) => {
      await driver.sendRaw(bytes);
      const code = await driver.end();
      assertEquals([name, code, (await driver.fatal).kind], [name, 2, "fatal"]);
    });
  }
});

Deno.test("apply survives random records: it answers or ends, and changes nothing outside", async () => {
  const seed = testSeed(1_906);
  const next = seeded(seed);
  await withRoot(async (root) => {
    for (let round = 0; round < 40; round++) {
      await using driver = await ApplyDriver.start(root);
      for (let i = 0; i < 20; i++) {
        // Small numbers where counts and lengths are, so that parsing goes on.
        const body = Array.from({ length: next(200) }, () => next(10) < 6 ? next(4) : next(256));
        await driver.sendRaw(record(0x12 + next(9), body));
      }
      const code = await driver.end();
      assert([0, 2].includes(code), `seed ${seed} round ${round}: ${code}`);
    }
    assertEquals(tree(root), {});
  });
});

Deno.test("apply ends with status 0 when its input ends, and 4 when nobody reads its answers", async () => {
  await withReplica(async (_root, driver) => {
    assertEquals(await driver.end(), 0);
  });
  const child = new Deno.Command(await nativePath(), { args: ["apply"], stdin: "piped", stdout: "piped" }).spawn();
  await child.stdout.cancel();
  const stdin = child.stdin.getWriter();
  await stdin.write(record(0x10, [1, 0, 47]));
  assertEquals((await child.status).code, 4);
  await stdin.close().catch(() => {});
});
