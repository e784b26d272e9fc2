/**
 * kill -9 at every system call of each kind of commit, then a new life with its sweep: every path
 * has its old or its new content, and no version is gone that was to be kept (I2, I12). And what
 * poorer file systems and failing disks answer, by injected errors.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  ApplyDriver,
  DISPOSE,
  expected,
  LABEL,
  move,
  putDir,
  putFile,
  putLink,
  remove,
  setMeta,
  staged,
  STATUS,
  trash,
  tree,
  withRoot,
} from "./apply_driver.ts";
import { canInject, Injection, withTraced } from "./apply_inject.ts";
import type { RawOp } from "../../src/replica/native_format.ts";

const ignore = !(await canInject());
/** What changes something, and what lies between: after each of them the state is another one. */
const CALLS = ["renameat2", "renameat", "linkat", "unlinkat", "fcntl", "fdatasync", "fchownat", "mkdirat", "openat"];
const CALLS_MAX = 40;

interface Scenario {
  readonly name: string;
  readonly prepare: (root: string, driver: ApplyDriver) => Promise<RawOp[]>;
  /** The trees that a kill may leave. */
  readonly allowed: readonly Record<string, string>[];
  /** What must be somewhere in the root, its own directory included, unless the tree is the first one allowed. */
  readonly kept: readonly string[];
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "put over a file, its old version to be kept",
    prepare: async (root, driver) => {
      await Deno.writeTextFile(`${root}/f`, "old version");
      return [putFile("f", "new", { expected: expected(await driver.look("f")), disposal: DISPOSE.conflict })];
    },
    allowed: [{ f: "old version" }, { f: "new" }],
    kept: ["old version"],
  },
  {
    name: "put over a file, its old version to be dropped",
    prepare: async (root, driver) => {
      await Deno.writeTextFile(`${root}/f`, "old version");
      return [putFile("f", "new", { expected: expected(await driver.look("f")) })];
    },
    allowed: [{ f: "old version" }, { f: "new" }],
    kept: [],
  },
  {
    name: "put new things",
    prepare: () => Promise.resolve([putDir("d"), putFile("d/f", "new"), putLink("l", "d")]),
    allowed: [{}, { d: "/" }, { "d": "/", "d/f": "new" }, { "d": "/", "d/f": "new", "l": "-> d" }],
    kept: [],
  },
  {
    name: "remove a file",
    prepare: async (root, driver) => {
      await Deno.writeTextFile(`${root}/f`, "old version");
      return [remove("f", await driver.look("f"))];
    },
    allowed: [{ f: "old version" }, {}],
    kept: ["old version"],
  },
  {
    name: "move over a file that is to be kept",
    prepare: async (root, driver) => {
      await Deno.writeTextFile(`${root}/f`, "moved");
      await Deno.writeTextFile(`${root}/g`, "displaced");
      const [f, g] = await driver.looks(["f", "g"]);
      return [move("f", "g", f!, { expectedTo: expected(g!), disposal: DISPOSE.conflict })];
    },
    allowed: [{ f: "moved", g: "displaced" }, { f: "displaced", g: "moved" }, { g: "moved" }],
    kept: ["displaced"],
  },
];

/** Kills at the k-th `call` of a commit; returns false where there is no k-th. */
async function killAt(scenario: Scenario, call: string, k: number): Promise<boolean> {
  let killed = false;
  await withRoot(async (root) => {
    const victim = await ApplyDriver.start(root, { isPlain: true });
    const ops = await scenario.prepare(root, victim);
    {
      await using _ = await Injection.attach(victim, [`${call}:signal=KILL:when=${k}`]);
      killed = await victim.commit(ops).then(() => false, () => true);
      await victim.end();
    }
    const where = `${scenario.name}, ${call} ${k}`;
    const now = tree(root);
    assert(
      scenario.allowed.some((one) => JSON.stringify(one) === JSON.stringify(now)),
      `${where}: ${JSON.stringify(now)}`,
    );
    await using next = await ApplyDriver.start(root, { isPlain: true });
    await next.sweep();
    assertEquals([where, ...staged(root)], [where]);
    assertEquals(tree(root), now);
    const all = JSON.stringify([now, trash(root)]);
    const isUntouched = JSON.stringify(now) === JSON.stringify(scenario.allowed[0]);
    for (const version of scenario.kept) assert(isUntouched || all.includes(version), `${where}: ${all}`);
    assertEquals(await next.sweep(), []);
  });
  return killed;
}

for (const scenario of SCENARIOS) {
  Deno.test({ name: `apply survives kill -9 at every call: ${scenario.name}`, ignore }, async () => {
    let kills = 0;
    for (const call of CALLS) {
      let k = 1;
      while (k <= CALLS_MAX && await killAt(scenario, call, k)) k++;
      kills += k - 1;
    }
    console.log(scenario.name, "kills:", kills);
    assert(kills > 4);
  });
}

Deno.test({ name: "apply sweep keeps the user's version that a kill left between two exchanges", ignore }, async () => {
  await withRoot(async (root) => {
    const victim = await ApplyDriver.start(root, { isPlain: true });
    // As after the exchange: our object is live, the user's lies in the stage under our name.
    const put = await victim.make(putFile("f", "ours"));
    await victim.kill();
    await victim.end();
    const { inode, sizeBytes, mtimeNs } = put.stat;
    const name = `=${inode.toString(16)}-${sizeBytes.toString(16)}-${mtimeNs.toString(16)}-0`;
    await Deno.writeTextFile(`${root}/.psync/stage/${name}`, "user's");
    await Deno.writeTextFile(`${root}/.psync/stage/!0-0`, "taken out");
    await Deno.writeTextFile(`${root}/.psync/stage/+0-0`, "half made");
    await Deno.mkdir(`${root}/.psync/stage/b1`);
    await Deno.writeTextFile(`${root}/.psync/stage/b1/7`, "half sent");
    await Deno.link(`${root}/f`, `${root}/.psync/basis/7`);
    await Deno.symlink("/proc/1/fd/1", `${root}/.psync/supply/7`);
    await using next = await ApplyDriver.start(root, { isPlain: true });
    assertEquals((await next.sweep()).length, 2);
    assertEquals(Object.values(trash(root)).filter((text) => text !== "/").sort(), ["taken out", "user's"]);
    assertEquals([staged(root), [...Deno.readDirSync(`${root}/.psync/basis`)]], [[], []]);
    assertEquals([...Deno.readDirSync(`${root}/.psync/supply`)], []);
    assertEquals(tree(root), { f: "ours" });
  });
});

Deno.test(
  { name: "apply discards what could not be flushed, and commits it when it is sent again", ignore },
  async () => {
    await withTraced(async (root, driver) => {
      {
        await using _ = await Injection.attach(driver, ["fdatasync:error=EIO"]);
        const result = await driver.make(putFile("f", "text"));
        assertEquals([result.status, result.errno, result.step], [STATUS.failed, 5, "flush"]);
        assertEquals([staged(root), tree(root)], [[], {}]);
      }
      assertEquals((await driver.make(putFile("f", "text"))).status, STATUS.done);
    });
    await withTraced(async (root, driver) => {
      await using _ = await Injection.attach(driver, ["syncfs:error=EIO"]);
      const results = await driver.commit(Array.from({ length: 40 }, (_, i) => putFile(`f${i}`, "text")));
      assertEquals(results.map(({ status }) => status), results.map(() => STATUS.failed));
      assertEquals([staged(root), tree(root)], [[], {}]);
    });
  },
);

/** What stands for a file system that has neither EXCHANGE nor NOREPLACE, or no O_TMPFILE, or no leases. */
const POOR: Readonly<Record<string, readonly string[]>> = {
  "without renameat2": ["renameat2:error=EINVAL"],
  "without leases": ["fcntl:error=EACCES"],
  "without both": ["renameat2:error=EINVAL", "fcntl:error=EINVAL"],
};

for (const [name, injects] of Object.entries(POOR)) {
  Deno.test({ name: `apply makes every transition ${name}`, ignore }, async () => {
    await withTraced(async (root, driver) => {
      await using _ = await Injection.attach(driver, injects);
      await driver.commit([putDir("d"), putFile("f", "f1"), putFile("g", "g1"), putLink("l", "t"), putFile("r", "r1")]);
      assertEquals(tree(root), { d: "/", f: "f1", g: "g1", l: "-> t", r: "r1" });
      assertEquals((await driver.make(putFile("f", "no"))).status, STATUS.stale);
      const [f, g, l, r, d] = await driver.looks(["f", "g", "l", "r", "d"]);
      const results = await driver.commit([
        putFile("f", "f2", { expected: expected(f!), disposal: DISPOSE.conflict }),
        putFile("l", "l2", { expected: expected(l!), disposal: DISPOSE.conflict }),
        move("r", "g", r!, { expectedTo: expected(g!), disposal: DISPOSE.conflict }),
      ]);
      assertEquals(results.map(({ status }) => status), results.map(() => STATUS.done));
      assertEquals(tree(root), { d: "/", f: "f2", g: "r1", l: "l2" });
      const kept = Object.values(trash(root)).filter((text) => text !== "/").sort();
      assertEquals(kept, ["-> t", "f1", "g1"]);
      const [f2, g2] = await driver.looks(["f", "g"]);
      // fdopendir asks by fcntl, too: what it may not list counts as not empty.
      const over = await driver.make(putLink("d", "t", { expected: expected(d!) }));
      assertEquals(over.status, name === "without renameat2" ? STATUS.done : STATUS.notEmpty);
      const last = await driver.commit([move("f", "h", f2!), remove("g", g2!), setMeta("h", f2!, { mode: 0o600 })]);
      assertEquals(last.slice(0, 2).map(({ status }) => status), [STATUS.done, STATUS.done]);
      assertEquals(tree(root), { d: over.status === STATUS.done ? "-> t" : "/", h: "f2", l: "l2" });
      const meta = await driver.make(setMeta("h", await driver.look("h"), { mode: 0o600 }));
      assertEquals(meta.status, name === "without renameat2" ? STATUS.done : STATUS.dirty);
      assertEquals(staged(root), []);
      assertEquals(Object.keys(trash(root)).filter((path) => path === `${LABEL}.removed/g`).length, 1);
    });
  });
}
