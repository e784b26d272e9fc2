/**
 * psync-native apply against users who write at the same instant: no token of theirs may vanish
 * (I2), nothing outside the root may change (I11).
 *
 * PSYNC_TEST_COMMITS sets how many commits each race makes.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  ApplyDriver,
  DISPOSE,
  expected,
  helperPath,
  putDir,
  putFile,
  remove,
  STATUS,
  tree,
  withReplica,
} from "./apply_driver.ts";
import type { RawCommitted, RawLooked, RawOp } from "../../src/replica/native_format.ts";

const COMMITS = Number(Deno.env.get("PSYNC_TEST_COMMITS") ?? 3_000);
/** A file system without a disk, so that the races are in the swaps and not in the flushes. */
const FAST_DIR = "/dev/shm";

const NAMES = Object.fromEntries(Object.entries(STATUS).map(([name, value]) => [value, name]));

/** A user's program that runs until `end`, which returns what it printed. */
async function startUser(...args: string[]): Promise<{ end: () => Promise<string> }> {
  const child = new Deno.Command(await helperPath("apply_user"), {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  const output = child.output();
  const stdin = child.stdin.getWriter();
  return {
    end: async () => {
      await stdin.close();
      const { code, stdout, stderr } = await output;
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      return new TextDecoder().decode(stdout);
    },
  };
}

function tokensIn(text: string): string[] {
  return text.match(/[AS][0-9]+;/g) ?? [];
}

/** Everything that a root holds, its trash and stage included. */
function allOf(root: string): string {
  return [...Object.values(tree(root)), ...Object.values(tree(`${root}/.psync`))].join("\n");
}

/** Counts outcomes by name. */
class Tally {
  readonly counts: Record<string, number> = {};

  add({ status }: RawCommitted | RawLooked): void {
    const name = NAMES[status]!;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}

/** Runs one race: `COMMITS` times look, then the op that `make` makes of the look. */
async function race(
  driver: ApplyDriver,
  make: (looked: RawLooked, i: number) => RawOp,
): Promise<{ readonly known: string; readonly tally: Tally }> {
  const tally = new Tally();
  let known = "";
  for (let i = 0; i < COMMITS; i++) {
    const looked = await driver.look("f");
    if (looked.content !== null) known += `${new TextDecoder().decode(looked.content)}\n`;
    if (looked.status !== STATUS.done && looked.status !== STATUS.absent) continue;
    tally.add(await driver.make(make(looked, i)));
    // What was displaced as expected was looked at, so its tokens are known.
    if (i % 500 === 499) await driver.sync();
  }
  return { known, tally };
}

for (const mode of ["append", "save"]) {
  for (const disposal of ["drop", "conflict"] as const) {
    Deno.test(`apply loses no token of a user who runs "${mode}" while files are put (${disposal})`, async () => {
      await withReplica(
        async (root, driver) => {
          await Deno.writeTextFile(`${root}/f`, "start");
          const user = await startUser(mode, `${root}/f`);
          const { known, tally } = await race(driver, (looked, i) => {
            return putFile("f", `psync ${i}`, { expected: expected(looked), disposal: DISPOSE[disposal] });
          });
          const printed = await user.end();
          await driver.sync();
          const made = Number(/made (\d+)/.exec(printed)![1]);
          const found = new Set(tokensIn([known, printed, allOf(root)].join("\n")));
          const lost = Array.from({ length: made }, (_, i) => `${mode === "save" ? "S" : "A"}${i};`)
            .filter((token) => !found.has(token));
          console.log(mode, disposal, "user's writes:", made, "commits:", tally.counts);
          assertEquals(lost, []);
          assert((tally.counts["done"] ?? 0) > 0 && made > 100);
        },
        { isPlain: true },
        FAST_DIR,
      );
    });
  }
}

Deno.test("apply loses no token of a user who logs while the log is removed", async () => {
  await withReplica(
    async (root, driver) => {
      const user = await startUser("log", `${root}/f`);
      const { tally } = await race(driver, (looked) => {
        return looked.stat === null ? putDir("d") : remove("f", looked);
      });
      const printed = await user.end();
      await driver.sync();
      const made = Number(/made (\d+)/.exec(printed)![1]);
      const found = new Set(tokensIn(allOf(root)));
      console.log("remove: user's writes:", made, "commits:", tally.counts);
      assertEquals(Array.from({ length: made }, (_, i) => `A${i};`).filter((token) => !found.has(token)), []);
      assert((tally.counts["done"] ?? 0) > 1);
    },
    { isPlain: true },
    FAST_DIR,
  );
});

Deno.test("apply writes and removes nothing outside while a parent is swapped for a link to outside", async () => {
  const outside = await Deno.makeTempDir({ dir: FAST_DIR });
  await Deno.writeTextFile(`${outside}/f`, "outside");
  try {
    await withReplica(
      async (root, driver) => {
        await Deno.mkdir(`${root}/dir`);
        await Deno.symlink(outside, `${root}/link`);
        const user = await startUser("swap", `${root}/dir`, `${root}/link`);
        const tally = new Tally();
        for (let i = 0; i < COMMITS; i++) {
          const looked = await driver.look("dir/f");
          assert(looked.content === null || new TextDecoder().decode(looked.content) !== "outside");
          const op = looked.status === STATUS.done && i % 2
            ? remove("dir/f", looked)
            : putFile("dir/f", `psync ${i}`, { expected: expected(looked) });
          tally.add(await driver.make(op));
        }
        const swaps = /made (\d+)/.exec(await user.end())![1];
        console.log("swap: exchanges:", swaps, "commits:", tally.counts);
        assert((tally.counts["done"] ?? 0) > 0 && (tally.counts["orphan"] ?? 0) > 0);
        assertEquals(tree(outside), { f: "outside" });
      },
      { isPlain: true },
      FAST_DIR,
    );
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
});
