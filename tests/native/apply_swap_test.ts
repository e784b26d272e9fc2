/**
 * What a user does at the worst instant of a swap: between the compare and the rename, and between
 * two renames. strace stops the process there until the user is done. Each find is given back, or kept (I2).
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  ApplyDriver,
  DISPOSE,
  expected,
  LABEL,
  move,
  putFile,
  remove,
  setMeta,
  staged,
  STATUS,
  trash,
  tree,
} from "./apply_driver.ts";
import { canInject, Injection, stopsAfter, until, withTraced } from "./apply_inject.ts";
import type { RawOp } from "../../src/replica/native_format.ts";
import { isLeaseBroken } from "../support/procfs.ts";

const REMOVED = `${LABEL}.removed`;
const CONFLICT = `${LABEL}.conflict`;
const ENOSPC = 28;
const ignore = !(await canInject());

/** An atomic save. */
function save(root: string, name: string, content: string): void {
  Deno.writeTextFileSync(`${root}/.saved`, content);
  Deno.renameSync(`${root}/.saved`, `${root}/${name}`);
}

interface Moment {
  readonly prepare: (root: string, driver: ApplyDriver) => Promise<RawOp>;
  /** The call before which the user acts. */
  readonly rename: string;
  /** What the user does there. */
  readonly act: (root: string) => Promise<void> | void;
  /** What the user does before the call that takes back what was found, if anything. */
  readonly again?: { readonly rename: string; readonly act: (root: string) => Promise<void> | void };
  readonly check: (
    root: string,
    driver: ApplyDriver,
    result: Awaited<ReturnType<ApplyDriver["make"]>>,
  ) => Promise<void> | void;
}

/**
 * Stops the process after its last look before the rename, lets the user act, and lets it go on; the same
 * before the rename that follows. Which looks those are is found by runs before.
 */
async function atTheLastInstant({ prepare, rename, act, again, check }: Moment): Promise<void> {
  const run = async (stops: readonly Stop[], isLast: boolean): Promise<string[]> => {
    let calls: string[] = [];
    await withTraced(async (root, driver) => {
      const op = await prepare(root, driver);
      await using injection = await Injection.attach(driver, stopsAfter("statx", stops.map(({ look }) => look)));
      const making = driver.make(op);
      for (const [i, stop] of stops.entries()) {
        await injection.stopped(i + 1);
        await stop.act(root);
        injection.goOn();
      }
      const result = await making;
      calls = injection.calls();
      if (isLast) await check(root, driver, result);
    });
    return calls;
  };
  const first = { look: lastLook(await run([], false), rename, 1), act };
  if (again === undefined) return void await run([first], true);
  const calls = await run([first], false);
  const second = { look: lastLook(calls, again.rename, again.rename === rename ? 2 : 1), act: again.act };
  await run([first, second], true);
}

/** An instant: after which statx, and what the user does then. */
interface Stop {
  readonly look: number;
  readonly act: (root: string) => Promise<void> | void;
}

/** Which statx is the last one before the nth call of a name. */
function lastLook(calls: readonly string[], name: string, nth: number): number {
  let at = -1;
  for (let i = 0; i < nth; i++) at = calls.indexOf(name, at + 1);
  if (at < 0) throw new Error(`Cannot stop before ${name} ${nth}: it is not called`);
  return calls.slice(0, at).filter((call) => call === "statx").length;
}

async function putOver(root: string, driver: ApplyDriver): Promise<RawOp> {
  await Deno.writeTextFile(`${root}/f`, "old");
  return putFile("f", "from psync", { expected: expected(await driver.look("f")) });
}

async function removeOld(root: string, driver: ApplyDriver): Promise<RawOp> {
  await Deno.writeTextFile(`${root}/f`, "old");
  return remove("f", await driver.look("f"));
}

async function moveOld(root: string, driver: ApplyDriver): Promise<RawOp> {
  await Deno.writeTextFile(`${root}/f`, "old");
  return move("f", "g", await driver.look("f"));
}

async function moveOver(root: string, driver: ApplyDriver): Promise<RawOp> {
  await Deno.writeTextFile(`${root}/f`, "moved");
  await Deno.writeTextFile(`${root}/g`, "displaced");
  const [f, g] = await driver.looks(["f", "g"]);
  return move("f", "g", f!, { expectedTo: expected(g!), disposal: DISPOSE.conflict });
}

/** Appends as a program does that opens the file in the window: it waits for the lease to end. */
function appender(name: string): { act: (root: string) => void; ended: () => Promise<Deno.CommandOutput> } {
  let output: Promise<Deno.CommandOutput> | null = null;
  return {
    act: (root) => {
      output = new Deno.Command("sh", { args: ["-c", 'printf " and more" >> "$0"', `${root}/${name}`] }).output();
    },
    ended: () => output!,
  };
}

Deno.test({ name: "apply gives back what a user saved just before the exchange", ignore }, async () => {
  await atTheLastInstant({
    prepare: putOver,
    rename: "renameat2",
    act: (root) => save(root, "f", "user's save"),
    check: async (root, driver, result) => {
      assertEquals([result.status, result.kept, tree(root)], [STATUS.stale, "", { f: "user's save" }]);
      assertEquals(staged(root).map((name) => name[0]), ["~"]);
      await driver.sync();
      assertEquals([staged(root), trash(root)], [[], {}]);
    },
  });
});

Deno.test({ name: "apply keeps what a user saved between its two exchanges", ignore }, async () => {
  await atTheLastInstant({
    prepare: putOver,
    rename: "renameat2",
    act: (root) => save(root, "f", "first save"),
    again: {
      rename: "renameat2",
      act: (root) => {
        assertEquals(tree(root), { f: "from psync" });
        save(root, "f", "second save");
      },
    },
    check: (root, _driver, result) => {
      assertEquals([result.status, result.kept, tree(root)], [STATUS.staleKept, `${CONFLICT}/f`, { f: "first save" }]);
      assertEquals(trash(root)[`${CONFLICT}/f`], "second save");
      assertEquals(staged(root), []);
    },
  });
});

Deno.test({ name: "apply keeps what was written to its own file while that was live", ignore }, async () => {
  await atTheLastInstant({
    prepare: putOver,
    rename: "renameat2",
    act: (root) => save(root, "f", "first save"),
    again: {
      rename: "renameat2",
      act: (root) => {
        assertEquals(tree(root), { f: "from psync" });
        Deno.writeTextFileSync(`${root}/f`, " and more", { append: true });
      },
    },
    check: (root, _driver, result) => {
      assertEquals([result.status, tree(root)], [STATUS.staleKept, { f: "first save" }]);
      assertEquals(trash(root)[`${CONFLICT}/f`], "from psync and more");
    },
  });
});

Deno.test({ name: "apply lets a writer who comes before the exchange write to the live file", ignore }, async () => {
  const { act, ended } = appender("f");
  await atTheLastInstant({
    prepare: putOver,
    rename: "renameat2",
    act: async (root) => {
      act(root);
      await until(() => isLeaseBroken(`${root}/f`));
    },
    check: async (root, driver, result) => {
      await ended();
      assertEquals([result.status, tree(root)], [STATUS.busy, { f: "old and more" }]);
      await driver.sync();
      assertEquals([staged(root), trash(root)], [[], {}]);
    },
  });
});

Deno.test({ name: "apply reports stale where the name vanishes before the exchange", ignore }, async () => {
  await atTheLastInstant({
    prepare: putOver,
    rename: "renameat2",
    act: (root) => Deno.removeSync(`${root}/f`),
    check: (root, _driver, result) => {
      assertEquals([result.status, tree(root), staged(root)], [STATUS.stale, {}, []]);
    },
  });
});

Deno.test({ name: "apply gives back what a user saved just before the removal", ignore }, async () => {
  await atTheLastInstant({
    prepare: removeOld,
    rename: "renameat",
    act: (root) => save(root, "f", "user's save"),
    check: (root, _driver, result) => {
      assertEquals([result.status, tree(root)], [STATUS.stale, { f: "user's save" }]);
      assertEquals([staged(root), trash(root)], [[], {}]);
    },
  });
});

Deno.test({ name: "apply gives back what it removed where the trash does not take it", ignore }, async () => {
  await withTraced(async (root, driver) => {
    const op = await removeOld(root, driver);
    {
      await using _full = await Injection.attach(driver, ["mkdirat:error=ENOSPC"]);
      const [result] = await driver.commit([op]);
      assertEquals([result!.status, result!.errno], [STATUS.failed, ENOSPC]);
      assertEquals([tree(root), staged(root), trash(root)], [{ f: "old" }, [], {}]);
    }
    const [result] = await driver.commit([remove("f", await driver.look("f"))]);
    assertEquals([result!.status, tree(root)], [STATUS.done, {}]);
  });
});

Deno.test({ name: "apply removes into a directory of the trash that goes meanwhile", ignore }, async () => {
  await withTraced(async (root, driver) => {
    await Deno.mkdir(`${root}/d`);
    const names = ["d/f", "d/g", "d/h"];
    for (const name of names) await Deno.writeTextFile(`${root}/${name}`, name);
    const looked = await driver.looks(names);
    await using _gone = await Injection.attach(driver, ["renameat2:error=ENOENT:when=2"]);
    const results = await driver.commit(names.map((name, i) => remove(name, looked[i]!)));
    assertEquals(
      results.map(({ status, kept }) => [status, kept]),
      names.map((name) => [STATUS.done, `${REMOVED}/${name}`]),
    );
    for (const name of names) assertEquals(trash(root)[`${REMOVED}/${name}`], name);
    assertEquals([tree(root), staged(root)], [{ d: "/" }, []]);
  });
});

Deno.test({ name: "apply keeps what it removed where a user has taken the name again", ignore }, async () => {
  await atTheLastInstant({
    prepare: removeOld,
    rename: "renameat",
    act: (root) => save(root, "f", "first save"),
    again: {
      rename: "renameat2",
      act: (root) => {
        assertEquals(tree(root), {});
        save(root, "f", "second save");
      },
    },
    check: (root, _driver, result) => {
      assertEquals([result.status, tree(root)], [STATUS.staleKept, { f: "second save" }]);
      assertEquals(trash(root)[`${CONFLICT}/f`], "first save");
    },
  });
});

Deno.test({ name: "apply lets a writer who comes before the removal write to the live file", ignore }, async () => {
  const { act, ended } = appender("f");
  await atTheLastInstant({
    prepare: removeOld,
    rename: "renameat",
    act: async (root) => {
      act(root);
      await until(() => isLeaseBroken(`${root}/f`));
    },
    check: async (root, _driver, result) => {
      await ended();
      assertEquals([result.status, tree(root)], [STATUS.busy, { f: "old and more" }]);
    },
  });
});

Deno.test({ name: "apply moves back what a user saved just before the move", ignore }, async () => {
  await atTheLastInstant({
    prepare: moveOld,
    rename: "renameat2",
    act: (root) => save(root, "f", "user's save"),
    check: (root, _driver, result) => {
      assertEquals([result.status, tree(root)], [STATUS.stale, { f: "user's save" }]);
    },
  });
});

Deno.test({ name: "apply exchanges back where a user saved at the target of a move", ignore }, async () => {
  await atTheLastInstant({
    prepare: moveOver,
    rename: "renameat2",
    act: (root) => save(root, "g", "user's save"),
    check: (root, _driver, result) => {
      assertEquals([result.status, tree(root)], [STATUS.stale, { f: "moved", g: "user's save" }]);
      assertEquals(staged(root), []);
    },
  });
});

Deno.test({ name: "apply calls a metadata change dirty that a writer came into", ignore }, async () => {
  const { act, ended } = appender("f");
  await atTheLastInstant({
    prepare: async (root, driver) => {
      await Deno.writeTextFile(`${root}/f`, "old");
      return setMeta("f", await driver.look("f"), { mode: 0o600 });
    },
    rename: "fchmod",
    act: async (root) => {
      act(root);
      await until(() => isLeaseBroken(`${root}/f`));
    },
    check: async (root, driver, result) => {
      await ended();
      assertEquals([result.status, tree(root)], [STATUS.dirty, { f: "old and more" }]);
      assertEquals((await driver.look("f")).stat!.mode, 0o600);
    },
  });
});
