/**
 * Looks of psync-native apply on a real file system: each status, the proof that content belongs to
 * its stamp, and names that are bytes.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { decodeBytes, parseRelPath, type RelPath } from "../../src/core/path.ts";
import { ApplyDriver, helperPath, KIND, putDir, putFile, run, STATUS, withReplica, withRoot } from "./apply_driver.ts";

const EINVAL = 22;
const EACCES = 13;

/** A path that no parser of ours would let through. */
function forged(text: string): RelPath {
  return text as RelPath;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("apply look tells present, absent, orphan, link and special apart", async () => {
  await withReplica(async (root, driver) => {
    await Deno.mkdir(`${root}/dir`);
    await Deno.writeTextFile(`${root}/dir/file`, "text");
    await Deno.symlink("dir/file", `${root}/link`);
    await Deno.symlink("dir", `${root}/dirlink`);
    await run("mkfifo", [`${root}/fifo`]);
    const names = ["dir", "dir/file", "link", "fifo", "none", "none/below", "dir/file/below", "dirlink/file", ""];
    const looked = await driver.looks(names);
    assertEquals(looked.map(({ status }) => status), [
      STATUS.done,
      STATUS.done,
      STATUS.done,
      STATUS.done,
      STATUS.absent,
      STATUS.orphan,
      STATUS.orphan,
      STATUS.orphan,
      STATUS.done,
    ]);
    const kinds = looked.map(({ stat }) => stat?.kind ?? KIND.none);
    assertEquals(kinds, [KIND.dir, KIND.file, KIND.link, KIND.fifo, 0, 0, 0, 0, KIND.dir]);
    assertEquals(looked[2]!.target, "dir/file");
    assertEquals(new TextDecoder().decode(looked[1]!.content!), "text");
    assertEquals(looked[1]!.digest, await sha256(new TextEncoder().encode("text")));
  });
});

Deno.test("apply look gives the stat of the kernel in ns", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "12345", { mode: 0o640 });
    await run("touch", ["-d", "@1500000000.123456789", `${root}/f`]);
    const { stat } = await driver.look("f");
    const printed = (await run("stat", ["-c", "%i %s %a %h %u %g", `${root}/f`])).trim();
    assertEquals(
      printed,
      `${stat!.inode} ${stat!.sizeBytes} ${stat!.mode.toString(8)} ${stat!.nlink} ${stat!.uid} ${stat!.gid}`,
    );
    assertEquals(stat!.mtimeNs, 1_500_000_000_123_456_789n);
    assert(stat!.ctimeNs > stat!.mtimeNs && stat!.birthNs > stat!.mtimeNs);
  });
});

Deno.test("apply look reads content up to the limit and digests what is larger only when asked", async () => {
  await withReplica(async (root, driver) => {
    const large = crypto.getRandomValues(new Uint8Array(60_000));
    await Deno.writeFile(`${root}/large`, large);
    await Deno.writeTextFile(`${root}/empty`, "");
    const plain = await driver.look("large", 1_000);
    assertEquals([plain.status, plain.digest, plain.content], [STATUS.done, null, null]);
    const digested = await driver.look("large", 1_000, true);
    assertEquals([digested.digest, digested.content], [await sha256(large), null]);
    assertEquals((await driver.look("large", 60_000)).content, large);
    assertEquals((await driver.look("empty", 0)).content, null);
    assertEquals((await driver.look("empty", 1)).content, new Uint8Array());
  });
});

Deno.test("apply look leaves content out where a record cannot hold it", async () => {
  await withReplica(async (root, driver) => {
    const names = Array.from({ length: 20 }, (_, i) => `f${i}`);
    for (const name of names) await Deno.writeFile(`${root}/${name}`, new Uint8Array(1 << 20));
    const looked = await driver.looks(names, 1 << 20);
    assertEquals(looked.filter(({ content }) => content !== null).length, 15);
    assertEquals(looked.filter(({ digest }) => digest !== null).length, 20);
  });
});

Deno.test("apply look reports a file that a writer has open as busy until it is closed", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "half");
    const writer = await Deno.open(`${root}/f`, { append: true });
    for (const limit of [0, 100]) {
      const busy = await driver.look("f", limit);
      assertEquals([busy.status, busy.stat?.sizeBytes, busy.content], [STATUS.busy, 4, null]);
    }
    assertEquals((await driver.look("f", 0, true)).status, STATUS.busy);
    writer.close();
    assertEquals((await driver.look("f")).status, STATUS.done);
  });
});

Deno.test("apply look refuses every path form that is not a path below the root", async () => {
  await withReplica(async (_root, driver) => {
    const bad = [
      ".psync",
      ".psync/pair",
      "..",
      "a/..",
      "../a",
      "/a",
      "a/",
      "a//b",
      ".",
      "a/./b",
      "a\0b",
      "x".repeat(256),
    ];
    for (const text of bad) {
      const [looked] = await driver.looksAt([forged(text)]);
      assertEquals([text, looked!.status, looked!.errno], [text, STATUS.refused, EINVAL]);
    }
    assertEquals((await driver.look("a/.psync")).status, STATUS.orphan);
    assertEquals((await driver.look(".psyncx")).status, STATUS.absent);
  });
});

Deno.test("apply look takes names that are any bytes, and paths longer than PATH_MAX", async () => {
  await withReplica(async (_root, driver) => {
    const names = [
      "a\nb",
      "-rf",
      "#x",
      '"',
      "\u{1f600}",
      decodeBytes(Uint8Array.of(0xff, 0xfe, 0x41)),
      "n".repeat(255),
    ];
    const made = await driver.commit(names.map((name) => putFile(name, name.slice(0, 1))));
    assertEquals(made.map(({ status }) => status), names.map(() => STATUS.done));
    assertEquals((await driver.looks(names)).map(({ status }) => status), names.map(() => STATUS.done));
    const deep = Array.from({ length: 40 }, () => "d".repeat(200));
    for (let depth = 1; depth <= deep.length; depth++) {
      const [dir] = await driver.commit([putDir(deep.slice(0, depth).join("/"))]);
      assertEquals(dir!.status, STATUS.done);
    }
    const far = `${deep.join("/")}/${"f".repeat(255)}`;
    const put = await driver.make(putFile(far, "far"));
    assertEquals(put.status, STATUS.done);
    assertEquals(new TextDecoder().decode((await driver.look(far)).content!), "far");
  });
});

Deno.test("apply look cannot tell what it may not read, and says so", async () => {
  if (Deno.uid() !== 0) return;
  await withRoot(async (root) => {
    await Deno.chmod(root, 0o777);
    await Deno.writeTextFile(`${root}/secret`, "x", { mode: 0o600 });
    await Deno.mkdir(`${root}/closed`, { mode: 0o700 });
    await Deno.writeTextFile(`${root}/closed/f`, "x");
    await using driver = await ApplyDriver.start(root, { under: nobody() });
    const [secret, closed, below] = await driver.looks(["secret", "closed", "closed/f"]);
    assertEquals([secret!.status, secret!.errno], [STATUS.failed, EACCES]);
    assertEquals(closed!.status, STATUS.done);
    assertEquals([below!.status, below!.errno], [STATUS.failed, EACCES]);
  });
});

Deno.test("apply look takes a file for busy that it may not lease, until it was left alone for 2 s", async () => {
  if (Deno.uid() !== 0) return;
  await withRoot(async (root) => {
    await Deno.chmod(root, 0o777);
    await Deno.writeTextFile(`${root}/f`, "half");
    await Deno.chmod(`${root}/f`, 0o644);
    await using driver = await ApplyDriver.start(root, { under: nobody() });
    const changedMs = (await Deno.stat(`${root}/f`)).ctime!.getTime();
    for (;;) {
      const [looked] = await driver.looks(["f"]);
      const packed = looked!.stat === null
        ? null
        : await driver.pack([{ path: parseRelPath("f"), stat: looked!.stat }]);
      const ageMs = Date.now() - changedMs;
      if (packed?.files[0]?.status === STATUS.done) assert(ageMs >= 2_000, `it was packed after ${ageMs} ms`);
      if (looked!.status === STATUS.done) {
        assert(ageMs >= 2_000, `it was shown after ${ageMs} ms`);
        break;
      }
      assertEquals(looked!.status, STATUS.busy);
    }
  });
});

/** A command that runs another as nobody. */
function nobody(): string[] {
  return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
}

Deno.test("apply look never reads through a mount and reports the mount point", async () => {
  if (Deno.uid() !== 0) return;
  await withReplica(async (root, driver) => {
    await Deno.mkdir(`${root}/dir/mnt`, { recursive: true });
    await run("mount", ["-t", "tmpfs", "none", `${root}/dir/mnt`]);
    try {
      await Deno.writeTextFile(`${root}/dir/mnt/f`, "foreign");
      const looked = await driver.looks(["dir", "dir/mnt", "dir/mnt/f"]);
      assertEquals(looked.map(({ status }) => status), [STATUS.done, STATUS.mount, STATUS.mount]);
      assertEquals((await driver.make(putFile("dir/mnt/g", "x"))).status, STATUS.mount);
    } finally {
      await run("umount", [`${root}/dir/mnt`]);
    }
  });
});

Deno.test("sha256 gives the same as the reference by both paths, at every border of a block", async () => {
  const helper = await helperPath("sha256_check", ["sha256.c"]);
  for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 1_000, 65_537]) {
    const bytes = crypto.getRandomValues(new Uint8Array(Math.min(length, 65_536)));
    const digest = await sha256(bytes);
    for (const piece of ["1", "63", "64", "4096"]) {
      const [portable, fast] = (await run(helper, [piece], bytes)).split(" ");
      assertEquals([portable, fast], [digest, digest]);
    }
  }
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assertEquals((await run(helper, ["64"], new TextEncoder().encode("abc"))).split(" ")[0], abc);
});

Deno.test("apply look shows a file that is open to append as it is, and no other that is open", async () => {
  await withReplica(async (root, driver) => {
    for (const name of ["log", "other"]) await Deno.writeTextFile(`${root}/${name}`, "one\n");
    using log = await Deno.open(`${root}/log`, { append: true });
    using _other = await Deno.open(`${root}/other`, { write: true });
    await log.write(new TextEncoder().encode("two\n"));
    for (const name of ["log", "other"]) assertEquals((await driver.lookGrowing(name, "closed")).status, STATUS.busy);
    const looked = await driver.lookGrowing("log", "open");
    assertEquals([looked.status, looked.isPrefix, looked.stat!.sizeBytes], [STATUS.done, true, 8]);
    assertEquals(new TextDecoder().decode(looked.content!), "one\ntwo\n");
    const large = await driver.lookGrowing("log", "open", 0);
    assertEquals([large.digest, large.content], [looked.digest, null]);
    assertEquals((await driver.lookGrowing("other", "open")).status, STATUS.busy);
    // Another who may write anywhere.
    using _writer = await Deno.open(`${root}/log`, { write: true });
    assertEquals((await driver.lookGrowing("log", "open")).status, STATUS.busy);
  });
});

Deno.test("apply look without root shows no log that a process may write to which it cannot see", async () => {
  if (Deno.uid() !== 0) return;
  await withRoot(async (root) => {
    await Deno.chmod(root, 0o777);
    const append = 'exec 3>>"$1"; echo line >&3; echo; cat >/dev/null';
    for (const name of ["ours", "everyones"]) {
      await Deno.writeTextFile(`${root}/${name}`, "");
      await Deno.chown(`${root}/${name}`, 65534, 65534);
      await Deno.chmod(`${root}/${name}`, name === "ours" ? 0o644 : 0o666);
    }
    const [command, ...args] = nobody();
    const appenders = ["ours", "everyones"].map((name) =>
      new Deno.Command(command!, {
        args: [...args, "sh", "-c", append, "sh", `${root}/${name}`],
        stdin: "piped",
        stdout: "piped",
      }).spawn()
    );
    await using driver = await ApplyDriver.start(root, { under: nobody() });
    try {
      for (const { stdout } of appenders) await stdout.getReader().read();
      const statuses = [];
      for (const name of ["ours", "everyones"]) statuses.push((await driver.lookGrowing(name, "open")).status);
      assertEquals(statuses, [STATUS.done, STATUS.busy]);
    } finally {
      for (const appender of appenders) await appender.stdin.close();
      for (const appender of appenders) await appender.status;
    }
  });
});

Deno.test("apply look shows a large file that somebody appends to all the time as it was when the look began", async () => {
  await withReplica(async (root, driver) => {
    const path = `${root}/log`;
    await run("sh", ["-c", `head -c 20000000 /dev/zero >"$1"`, "sh", path]);
    const appender = new Deno.Command("sh", { args: ["-c", 'while echo line; do :; done >>"$0"', path] });
    // With an open and a close for each line.
    const churn = new Deno.Command("sh", { args: ["-c", 'while :; do echo line >>"$0"; done', path] });
    for (const [command, growing] of [[churn, "closed"], [appender, "open"]] as const) {
      const child = command.spawn();
      try {
        while ((await Deno.stat(path)).size === 20_000_000) await new Promise((resolve) => setTimeout(resolve, 1));
        let looked = await driver.lookGrowing("log", growing, 0);
        // Its writer may be met in between.
        while (looked.status === STATUS.busy && growing === "closed") {
          looked = await driver.lookGrowing("log", growing, 0);
        }
        const size = looked.stat!.sizeBytes;
        assertEquals([looked.status, looked.isPrefix], [STATUS.done, true]);
        const bytes = (await Deno.readFile(path)).slice(0, size);
        assertEquals(looked.digest, await sha256(bytes));
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
      await Deno.truncate(path, 20_000_000);
    }
  });
});

Deno.test("apply look shows a file that has only grown since both sides held the same, whoever writes to it", async () => {
  await withReplica(async (root, driver) => {
    using file = await Deno.open(`${root}/log`, { write: true, create: true });
    const write = (text: string) => file.write(new TextEncoder().encode(text));
    const agreedOn = async (text: string) => ({
      sizeBytes: text.length,
      digest: await sha256(new TextEncoder().encode(text)),
    });
    await write("one\n");
    const one = await agreedOn("one\n");
    await write("two\n");
    for (const limitBytes of [65_536, 0]) {
      const look = async (agreed: typeof one | null, growing: "closed" | "open" = "open") => {
        const { status, isPrefix, digest } = await driver.lookGrowing("log", growing, limitBytes, agreed);
        return [status, isPrefix === true, digest];
      };
      const whole = (await agreedOn("one\ntwo\n")).digest;
      assertEquals(await look(one), [STATUS.done, true, whole]);
      assertEquals(await look({ sizeBytes: 8, digest: whole }), [STATUS.done, true, whole]);
      const busy = [STATUS.busy, false, null];
      for (const agreed of [null, await agreedOn("One\n"), { ...one, sizeBytes: 5 }, { ...one, sizeBytes: 9 }]) {
        assertEquals(await look(agreed), busy);
      }
      assertEquals(await look({ ...one, sizeBytes: 0 }), busy);
      assertEquals(await look(one, "closed"), busy);
    }
  });
});
