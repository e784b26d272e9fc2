/**
 * Puts, removals and metadata of psync-native apply: each with its expectation met, not met, and a
 * writer in the way; what becomes of what is displaced (I2, I9, I14).
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { RelPath } from "../../src/core/path.ts";
import type { RawLooked } from "../../src/replica/native_format.ts";
import { pass } from "./apply_inject.ts";
import {
  ApplyDriver,
  DISPOSE,
  expected,
  LABEL,
  move,
  MTIME_NS,
  path,
  putDir,
  putFile,
  putLink,
  remove,
  run,
  setMeta,
  staged,
  STATUS,
  trash,
  tree,
  withReplica,
  withRoot,
} from "./apply_driver.ts";

const REMOVED = `${LABEL}.removed`;
const CONFLICT = `${LABEL}.conflict`;
const NOBODY = 65_534;

/** A command that runs another as nobody. */
const AS_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "--"];

async function statusOf(name: string): Promise<string> {
  return (await run("stat", ["-c", "%a %u %g", name])).trim();
}

Deno.test("apply put makes files, directories and links with their metadata, and returns their stamps", async () => {
  await withReplica(async (root, driver) => {
    const results = await driver.commit([
      putDir("d", { meta: { mode: 0o2751, uid: 1, gid: 2, mtimeNs: MTIME_NS } }),
      putFile("d/f", "content", { meta: { mode: 0o4640, uid: 3, gid: 4, mtimeNs: MTIME_NS } }),
      putLink("d/l", "no/where", { meta: { mode: 0o777, uid: 5, gid: 6, mtimeNs: MTIME_NS } }),
      putFile("d/empty", ""),
    ]);
    assertEquals(results.map(({ status, masked }) => [status, masked]), results.map(() => [STATUS.done, false]));
    assertEquals(tree(root), { "d": "/", "d/empty": "", "d/f": "content", "d/l": "-> no/where" });
    const looked = await driver.looks(["d", "d/f", "d/l", "d/empty"]);
    assertEquals(looked.slice(1).map(({ stat }) => stat), results.slice(1).map(({ stat }) => stat));
    assertEquals(results.map(({ stat }) => stat.mtimeNs), results.map(() => MTIME_NS));
    if (Deno.uid() === 0) {
      assertEquals(await statusOf(`${root}/d`), "2751 1 2");
      assertEquals(await statusOf(`${root}/d/f`), "4640 3 4");
      assertEquals(await statusOf(`${root}/d/l`), "777 5 6");
    }
    assertEquals(staged(root), []);
  });
});

Deno.test("apply put makes holes of the blocks of zeros in a file, wherever they are", async () => {
  await withReplica(async (root, driver) => {
    for (
      const [name, data] of Object.entries({
        begin: [1, 1_000],
        middle: [0, 40, 200_001, 3],
        end: [0, 90_000],
        none: [],
      })
    ) {
      const content = "\0".repeat(300_001).split("");
      for (let i = 0; i < data.length; i += 2) content.fill("x", data[i]!, data[i]! + data[i + 1]!);
      const text = content.join("");
      const [result] = await driver.commit([putFile(name, text)]);
      assertEquals([result!.status, result!.stat.sizeBytes], [STATUS.done, text.length]);
      assertEquals(await Deno.readTextFile(`${root}/${name}`), text);
      const blocks = Math.ceil(content.filter((each) => each === "x").length / 4_096) + 1;
      const taken = Number(await run("stat", ["-c", "%b", `${root}/${name}`])) / 8;
      assert(taken <= blocks, `${name} takes ${taken} blocks, not ${blocks}`);
    }
  });
});

Deno.test("apply put changes nothing where something stands that was not expected", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "user's");
    await Deno.mkdir(`${root}/d`);
    const ops = [putFile("f", "ours"), putDir("f"), putLink("f", "x"), putFile("d", "ours"), putDir("d")];
    const results = await driver.commit(ops);
    assertEquals(results.map(({ status }) => status), ops.map(() => STATUS.stale));
    const gone = await driver.look("f");
    await Deno.writeTextFile(`${root}/f`, "user's second");
    const stale = await driver.make(putFile("f", "ours", { expected: expected(gone) }));
    assertEquals([stale.status, stale.kept], [STATUS.stale, ""]);
    await Deno.remove(`${root}/f`);
    assertEquals((await driver.make(putFile("f", "ours", { expected: expected(gone) }))).status, STATUS.stale);
    assertEquals(tree(root), { d: "/" });
    assertEquals([staged(root), trash(root)], [[], {}]);
  });
});

Deno.test("apply put says orphan where the parent is not there, is a file, or is a link to outside", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/file`, "");
    const outside = await Deno.makeTempDir();
    await Deno.symlink(outside, `${root}/out`);
    for (const name of ["none/f", "file/f", "out/f"]) {
      assertEquals([name, (await driver.make(putFile(name, "x"))).status], [name, STATUS.orphan]);
    }
    assertEquals([...Deno.readDirSync(outside)], []);
    await Deno.remove(outside);
    assertEquals(staged(root), []);
  });
});

Deno.test("apply put replaces what was expected, for each pair of kinds", async () => {
  const makers = {
    file: (n: string) => putFile(n, "new"),
    dir: (n: string) => putDir(n),
    link: (n: string) => putLink(n, "t"),
  };
  await withReplica(async (root, driver) => {
    for (const [from, makeFrom] of Object.entries(makers)) {
      for (const [to, makeTo] of Object.entries(makers)) {
        const name = `${from}-${to}`;
        assertEquals((await driver.make(makeFrom(name))).status, STATUS.done);
        const before = await driver.look(name);
        const result = await driver.make({ ...makeTo(name), expected: expected(before), disposal: DISPOSE.conflict });
        assertEquals([name, result.status], [name, STATUS.done]);
        assertEquals(result.kept, from === "dir" ? "" : `${CONFLICT}/${name}`);
        const after = await driver.look(name);
        assertEquals([after.stat!.inode, after.stat!.kind], [result.stat.inode, result.stat.kind]);
      }
    }
    assertEquals(staged(root), []);
    assertEquals(trash(root)[`${CONFLICT}/file-link`], "new");
    assertEquals(trash(root)[`${CONFLICT}/link-dir`], "-> t");
  });
});

Deno.test("apply put does not displace a file that a writer has open", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "old");
    const looked = await driver.look("f");
    const writer = await Deno.open(`${root}/f`, { append: true });
    for (const op of [putFile("f", "new", { expected: expected(looked) }), remove("f", looked)]) {
      assertEquals((await driver.make(op)).status, STATUS.busy);
    }
    assertEquals((await driver.make(setMeta("f", looked, { mode: 0o600 }))).status, STATUS.busy);
    writer.close();
    assertEquals(tree(root), { f: "old" });
    assertEquals((await driver.make(putFile("f", "new", { expected: expected(looked) }))).status, STATUS.done);
    assertEquals(tree(root), { f: "new" });
  });
});

Deno.test("apply put does not replace a directory that holds something", async () => {
  await withReplica(async (root, driver) => {
    await Deno.mkdir(`${root}/d`);
    const looked = await driver.look("d");
    await Deno.writeTextFile(`${root}/d/f`, "user's");
    const result = await driver.make(putFile("d", "new", { expected: expected(looked) }));
    assertEquals(result.status, STATUS.notEmpty);
    assertEquals(tree(root), { "d": "/", "d/f": "user's" });
  });
});

Deno.test("apply put leaves owner and mode of a replaced file where they are not given", async () => {
  if (Deno.uid() !== 0) return;
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "old", { mode: 0o640 });
    await Deno.chown(`${root}/f`, 11, 12);
    const meta = { mode: 0xffff, uid: 0xffff_ffff, gid: 0xffff_ffff, mtimeNs: -(1n << 63n) };
    const op = putFile("f", "new", { expected: expected(await driver.look("f")), meta });
    assertEquals((await driver.make(op)).status, STATUS.done);
    assertEquals(await statusOf(`${root}/f`), "640 11 12");
  });
});

Deno.test("apply drops a displaced version at the end of the epoch, and keeps it where it was written to since", async () => {
  await withReplica(async (root, driver) => {
    for (const name of ["a", "b"]) {
      await Deno.writeTextFile(`${root}/${name}`, `old ${name}`);
      const result = await driver.make(putFile(name, "new", { expected: expected(await driver.look(name)) }));
      assertEquals([result.status, result.kept], [STATUS.done, ""]);
    }
    const waiting = staged(root);
    assertEquals(waiting.length, 2);
    const late = waiting.find((name) => Deno.readTextFileSync(`${root}/.psync/stage/${name}`) === "old b")!;
    const writer = await Deno.open(`${root}/.psync/stage/${late}`, { append: true });
    assertEquals((await driver.sync()).status, STATUS.done);
    assertEquals(staged(root), [late]);
    await writer.write(new TextEncoder().encode(" and more"));
    writer.close();
    assertEquals((await driver.sync()).status, STATUS.done);
    assertEquals(staged(root), []);
    assertEquals(trash(root), { [CONFLICT]: "/", [`${CONFLICT}/b`]: "old b and more" });
  });
});

Deno.test("apply remove takes what was expected to the trash, under its path, each under a name of its own", async () => {
  await withReplica(async (root, driver) => {
    for (let i = 1; i <= 3; i++) {
      await Deno.mkdir(`${root}/d/e`, { recursive: true });
      await Deno.writeTextFile(`${root}/d/e/f`, `version ${i}`);
      const result = await driver.make(remove("d/e/f", await driver.look("d/e/f")));
      assertEquals(result.status, STATUS.done);
      assertEquals(result.kept, i === 1 ? `${REMOVED}/d/e/f` : `${REMOVED}/d/e/f~${i}`);
    }
    const [inner, outer] = await driver.looks(["d/e", "d"]);
    const results = await driver.commit([remove("d/e", inner!), remove("d", outer!)]);
    assertEquals(results.map(({ status, kept }) => [status, kept]), [[STATUS.done, ""], [STATUS.done, ""]]);
    await Deno.writeTextFile(`${root}/d`, "now a file");
    const asFile = await driver.make(remove("d", await driver.look("d")));
    assertEquals(asFile.kept, `${REMOVED}/d~2`);
    await Deno.mkdir(`${root}/d~2`);
    await Deno.writeTextFile(`${root}/d~2/g`, "below a taken name");
    assertEquals((await driver.make(remove("d~2/g", await driver.look("d~2/g")))).kept, `${REMOVED}/d~2~2/g`);
    assertEquals(trash(root)[`${REMOVED}/d/e/f~3`], "version 3");
    assertEquals(trash(root)[`${REMOVED}/d~2`], "now a file");
    assertEquals(staged(root), []);
  });
});

Deno.test("apply remove puts each of many into its own directory of the trash, in whatever order they come", async () => {
  await withReplica(async (root, driver) => {
    const names = Array.from(
      { length: 60 },
      (_, i) => `${["a", "a/b", "ab", "c~2", "."][i % 5]}/f${i % 4 === 0 ? i : i % 8}`,
    );
    const unique = [...new Set(names)].map((name) => name.replace("./", "")).sort((x, y) => x.length - y.length);
    for (const dir of ["a/b", "ab", "c~2"]) await Deno.mkdir(`${root}/${dir}`, { recursive: true });
    for (const [i, disposal] of [DISPOSE.removed, DISPOSE.conflict].entries()) {
      for (const name of unique) await Deno.writeTextFile(`${root}/${name}`, `${name} ${i}`);
      const looked = await driver.looks(unique);
      const results = await driver.commit(unique.map((name, k) => remove(name, looked[k]!, { disposal })));
      const top = i === 0 ? REMOVED : CONFLICT;
      assertEquals(
        results.map(({ status, kept }) => [status, kept]),
        unique.map((name) => [STATUS.done, `${top}/${name}`]),
      );
      for (const name of unique) assertEquals(trash(root)[`${top}/${name}`], `${name} ${i}`);
    }
    assertEquals([tree(root), staged(root)], [{ "a": "/", "a/b": "/", "ab": "/", "c~2": "/" }, []]);
  });
});

Deno.test("apply remove leaves what is not expected", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "old");
    await Deno.symlink("a", `${root}/l`);
    await Deno.mkdir(`${root}/d`);
    const [f, l, d] = await driver.looks(["f", "l", "d"]);
    await Deno.writeTextFile(`${root}/f`, "edited");
    await Deno.remove(`${root}/l`);
    await Deno.symlink("b", `${root}/l`);
    await Deno.writeTextFile(`${root}/d/new`, "new");
    const results = await driver.commit([remove("f", f!), remove("l", l!), remove("d", d!), remove("none", f!)]);
    assertEquals(results.map(({ status }) => status), [STATUS.stale, STATUS.stale, STATUS.notEmpty, STATUS.stale]);
    assertEquals(tree(root), { "d": "/", "d/new": "new", "f": "edited", "l": "-> b" });
    assertEquals([staged(root), trash(root)], [[], {}]);
  });
});

Deno.test("apply remove with force takes a directory whole to the trash, but never with a mount in it", async () => {
  await withReplica(async (root, driver) => {
    await Deno.mkdir(`${root}/d/e f`, { recursive: true });
    await Deno.writeTextFile(`${root}/d/e f/g`, "unknown");
    if (Deno.uid() === 0) {
      await run("mount", ["-t", "tmpfs", "none", `${root}/d/e f`]);
      const blocked = await driver.make(remove("d", await driver.look("d"), { force: true }));
      await run("umount", [`${root}/d/e f`]);
      assertEquals(blocked.status, STATUS.mount);
    }
    const result = await driver.make(remove("d", await driver.look("d"), { force: true }));
    assertEquals([result.status, result.kept], [STATUS.done, `${REMOVED}/d`]);
    assertEquals(tree(root), {});
    assertEquals(trash(root)[`${REMOVED}/d/e f/g`], "unknown");
  });
});

Deno.test("apply meta sets mode, owner and mtime of what was expected", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "text");
    await Deno.mkdir(`${root}/d`);
    await Deno.symlink("x", `${root}/l`);
    const [f, d, l] = await driver.looks(["f", "d", "l"]);
    const to = { mode: 0o604, uid: 7, gid: 8 };
    const results = await driver.commit([setMeta("f", f!, to), setMeta("d", d!, to), setMeta("l", l!, to)]);
    assertEquals(results.map(({ status }) => status), results.map(() => STATUS.done));
    assertEquals((await driver.looks(["f", "d", "l"])).map(({ stat }) => stat), results.map(({ stat }) => stat));
    assertEquals(results.map(({ stat }) => stat.mtimeNs), results.map(() => MTIME_NS));
    if (Deno.uid() === 0) assertEquals(await statusOf(`${root}/f`), "604 7 8");
    assertEquals((await driver.make(setMeta("f", f!, { mode: 0o600 }))).status, STATUS.stale);
  });
});

Deno.test("apply gives 1,000 files of one batch their names after one flush", async () => {
  await withReplica(async (root, driver) => {
    const ops = [putDir("d"), ...Array.from({ length: 1_000 }, (_, i) => putFile(`d/f${i}`, `content ${i}`))];
    const results = await driver.commit(ops);
    assertEquals(results.map(({ status }) => status), ops.map(() => STATUS.done));
    assertEquals(tree(root)["d/f999"], "content 999");
    const looked = await driver.looks(ops.slice(1).map((op) => op.path));
    assertEquals(looked.map(({ stat }) => stat), results.slice(1).map(({ stat }) => stat));
    const again = ops.slice(1).map((op, i) => putFile(op.path, `second ${i}`, { expected: expected(looked[i]!) }));
    assertEquals((await driver.commit(again)).map(({ status }) => status), again.map(() => STATUS.done));
    assertEquals((await driver.sync()).status, STATUS.done);
    assertEquals(staged(root), []);
  });
});

Deno.test("apply goes on with a batch after an op that fails, and counts children of what failed as orphans", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/d`, "in the way");
    const forged = putFile("x", "x", { path: ".psync/x" as RelPath });
    const results = await driver.commit([putDir("d"), putFile("d/f", "child"), forged, putFile("last", "fine")]);
    assertEquals(results.map(({ status }) => status), [STATUS.stale, STATUS.orphan, STATUS.refused, STATUS.done]);
    assertEquals(tree(root), { "d": "in the way", "last": "fine" });
    assertEquals(staged(root), []);
  });
});

Deno.test("apply refuses paths into .psync and out of the root in every op", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "f");
    const f = await driver.look("f");
    for (const bad of [".psync", ".psync/pair", "..", "../x", "a/../../x", "", "/etc/x"] as RelPath[]) {
      const ops = [
        putFile("f", "x", { path: bad }),
        putDir("f", { path: bad }),
        putLink("f", "x", { path: bad }),
        remove("f", f, { path: bad }),
        { op: "move" as const, path: bad, to: path("g"), expected: expected(f), expectedTo: expected(f), disposal: 0 },
        { op: "move" as const, path: path("f"), to: bad, expected: expected(f), expectedTo: expected(f), disposal: 0 },
      ];
      assertEquals((await driver.commit(ops)).map(({ status }) => status), ops.map(() => STATUS.refused));
    }
    assertEquals(tree(root), { f: "f" });
  });
});

Deno.test("apply reports a full disk, and works again when there is room", async () => {
  if (Deno.uid() !== 0) return;
  await withRoot(async (mount) => {
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "none", mount]);
    try {
      await using driver = await ApplyDriver.start(mount);
      const large = new Uint8Array(900 << 10).fill(1);
      assertEquals((await driver.make(putFile("a", large))).status, STATUS.done);
      const [failed, small] = await driver.commit([putFile("b", large), putDir("c")]);
      assertEquals([failed!.status, failed!.errno, failed!.step], [STATUS.failed, 28, "stage"]);
      assertEquals([small!.status, staged(mount)], [STATUS.done, []]);
      await Deno.remove(`${mount}/a`);
      assertEquals((await driver.make(putFile("b", large))).status, STATUS.done);
    } finally {
      await run("umount", [mount]);
    }
  });
});

Deno.test("apply works for a user without privileges, and says which bits it had to mask", async () => {
  if (Deno.uid() !== 0) return;
  await withRoot(async (root) => {
    await Deno.chown(root, NOBODY, NOBODY);
    await using driver = await ApplyDriver.start(root, { under: AS_NOBODY });
    const owned = { uid: 0, gid: 0, mtimeNs: MTIME_NS };
    const results = await driver.commit([
      putFile("suid", "x", { meta: { mode: 0o4755, ...owned } }),
      putFile("closed", "x", { meta: { mode: 0o000, ...owned } }),
      putDir("readonly", { meta: { mode: 0o555, ...owned } }),
      putFile("plain", "x"),
    ]);
    assertEquals(results.map(({ status }) => status), results.map(() => STATUS.done));
    assertEquals(results.map(({ masked }) => masked), [true, false, false, false]);
    assertEquals(await statusOf(`${root}/suid`), `755 ${NOBODY} ${NOBODY}`);
    assertEquals(await statusOf(`${root}/readonly`), `555 ${NOBODY} ${NOBODY}`);
    const closed = { ...await driver.look("closed"), stat: results[1]!.stat };
    assertEquals((await driver.make(putFile("closed", "new", { expected: expected(closed) }))).status, STATUS.done);
    const [suid, readonly] = await driver.looks(["suid", "readonly"]);
    assertEquals((await driver.make(setMeta("suid", suid!, { mode: 0o700 }))).status, STATUS.done);
    assertEquals((await driver.make(remove("readonly", readonly!))).status, STATUS.done);
    assertEquals((await driver.sync()).status, STATUS.done);
    assertEquals(staged(root), []);
    // Without a lease a file counts as written to until it has been left alone for some seconds; on a busy
    // machine those may be over before the look.
    let others: RawLooked | null = null;
    for (let i = 0; others?.status !== STATUS.busy && i < 50; i++) {
      await Deno.writeTextFile(`${root}/roots`, "another user's");
      await Deno.chmod(`${root}/roots`, 0o644);
      others = await driver.look("roots");
    }
    assert(others?.status === STATUS.busy);
    for (let i = 0; others.status === STATUS.busy && i < 200; i++) {
      await pass(50);
      others = await driver.look("roots");
    }
    assert(others.status === STATUS.done && others.content !== null);
    assertEquals((await driver.make(putFile("roots", "new", { expected: expected(others) }))).status, STATUS.done);
  });
});

Deno.test("apply makes changes in directories that their owner may not write to, and leaves them as they are", async () => {
  if (Deno.uid() !== 0) return;
  await withRoot(async (root) => {
    await Deno.chown(root, NOBODY, NOBODY);
    await using driver = await ApplyDriver.start(root, { under: AS_NOBODY });
    const readonly = { meta: { mode: 0o555, uid: 0, gid: 0, mtimeNs: MTIME_NS } };
    const made = await driver.commit([
      putDir("ro", readonly),
      putFile("ro/f", "old"),
      putFile("ro/g", "gone"),
      putDir("ro/sub", readonly),
      putFile("ro/sub/x", "x"),
      putDir("other", readonly),
    ]);
    assertEquals(made.map(({ status }) => status), made.map(() => STATUS.done));
    const [f, g, x, sub] = await driver.looks(["ro/f", "ro/g", "ro/sub/x", "ro/sub"]);
    const changed = await driver.commit([
      putFile("ro/f", "new", { expected: expected(f!) }),
      remove("ro/g", g!),
      move("ro/sub/x", "other/y", x!),
      move("ro/sub", "other/sub", sub!),
    ]);
    assertEquals(changed.map(({ status }) => status), changed.map(() => STATUS.done));
    for (const dir of ["ro", "other", "other/sub"]) {
      assertEquals(await statusOf(`${root}/${dir}`), `555 ${NOBODY} ${NOBODY}`, dir);
    }
    assertEquals([await Deno.readTextFile(`${root}/ro/f`), await Deno.readTextFile(`${root}/other/y`)], ["new", "x"]);
    assertEquals((await driver.sync()).status, STATUS.done);
    assertEquals(staged(root), []);
    // What is not ours to change stays as it is, and says so.
    await Deno.mkdir(`${root}/roots`, { mode: 0o755 });
    const denied = await driver.make(putFile("roots/f", "x"));
    assertEquals([denied.status, denied.errno], [STATUS.failed, 13]);
    assertEquals(staged(root), []);
  });
});

Deno.test("apply takes back the permission that a kill left, where nobody has set another one since", async () => {
  await withReplica(async (root, driver) => {
    for (const name of ["ro", "user's"]) {
      await Deno.mkdir(`${root}/${name}`);
      const inode = (await Deno.stat(`${root}/${name}`)).ino!;
      await Deno.symlink(name, `${root}/.psync/stage/%555-${inode.toString(16)}-1${name.length}`);
    }
    await Deno.chmod(`${root}/ro`, 0o755);
    await Deno.chmod(`${root}/user's`, 0o700);
    await Deno.symlink("../outside", `${root}/.psync/stage/%555-1-3`);
    assertEquals(await driver.sweep(), []);
    const modes = await Promise.all(
      ["ro", "user's"].map(async (name) => (await statusOf(`${root}/${name}`)).split(" ")[0]),
    );
    assertEquals([...modes, ...staged(root)], ["555", "700"]);
  });
});
