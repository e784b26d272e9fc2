/**
 * Soundness of `psync-native watch`: whatever happens while nobody reads, every path that changed is
 * covered by a name, a directory or an overflow, and every directory is heard where it is.
 *
 * PSYNC_TEST_SEED gives the random tests another seed than their own.
 * @module
 */
import { assert } from "@std/assert";
import { assertFollows, pictureOf, WatchModel } from "./watch_model.ts";
import { WatchDriver } from "./watch_driver.ts";
import { testSeed } from "../support/seed.ts";
import { stopProcess } from "../support/signal.ts";
import { exchange, MEMORY_DIR, seeded, withRoot } from "./watch_support.ts";

const ROUNDS = Number(Deno.env.get("PSYNC_TEST_ROUNDS") ?? 25);

async function follow(root: string): Promise<{ driver: WatchDriver; model: WatchModel }> {
  const driver = await WatchDriver.spawn(root);
  await driver.open();
  return await followWith(driver);
}

async function followWith(driver: WatchDriver): Promise<{ driver: WatchDriver; model: WatchModel }> {
  const model = new WatchModel(driver);
  model.take(await driver.walk());
  return { driver, model };
}

Deno.test("watch misses nothing of directories that are made while they are listed", () =>
  withRoot(async (root) => {
    const { driver, model } = await follow(root);
    await using _ = driver;
    const text =
      `for i in $(seq 300); do mkdir -p "$0/$i/b/c"; for d in "" /b /b/c; do echo $i > "$0/$i$d/f"; done; done`;
    const maker = new Deno.Command("bash", { args: ["-c", text, root] }).spawn();
    let isDone = false;
    const done = maker.status.then(() => isDone = true);
    while (!isDone) await model.settle();
    await done;
    await assertFollows(model, driver, "after the makers");
    assert(pictureOf(root).size >= 300 * 6);
  }));

Deno.test("watch coalesces 200,000 events while nobody reads, and loses none", () =>
  withRoot(async (root) => {
    const { driver, model } = await follow(root);
    await using _ = driver;
    for (let i = 0; i < 100; i++) Deno.mkdirSync(`${root}/d${i}`);
    await model.settle();
    driver.pause();
    for (let i = 0; i < 70_000; i++) Deno.writeTextFileSync(`${root}/d${i % 100}/file-${i}`, "x"); // 3 events each
    for (let i = 0; i < 70_000; i += 7) Deno.removeSync(`${root}/d${i % 100}/file-${i}`);
    Deno.renameSync(`${root}/d0`, `${root}/renamed`);
    Deno.mkdirSync(`${root}/late/sub`, { recursive: true });
    driver.resume();
    await assertFollows(model, driver, "after the storm");
    assert(model.overflows + model.wholes > 0, "the set was never full");
    const kilobytes = Number(Deno.readTextFileSync(`/proc/${driver.pid}/status`).match(/VmHWM:\s*(\d+)/)![1]);
    if (Deno.env.has("PSYNC_TEST_NATIVE")) assert(kilobytes < 30_000, `${kilobytes} KB`);
  }, MEMORY_DIR));

Deno.test("watch that was stopped through a storm says so and follows again", () =>
  withRoot(async (root) => {
    const { driver, model } = await follow(root);
    await using _ = driver;
    for (let i = 0; i < 100; i++) Deno.mkdirSync(`${root}/d${i}`);
    await model.settle();
    await stopProcess(driver.pid);
    for (let i = 0; i < 20_000; i++) Deno.writeTextFileSync(`${root}/d${i % 100}/file-${i}`, "x");
    for (let i = 0; i < 99; i += 3) Deno.renameSync(`${root}/d${i}`, `${root}/d${i + 1}/sub`);
    Deno.kill(driver.pid, "SIGCONT");
    await assertFollows(model, driver, "after the storm");
    assert(model.overflows > 0);
  }, MEMORY_DIR));

/** One random step on the tree; most of them fail harmlessly where the names do not fit. */
async function step(root: string, outside: string, next: (n: number) => number): Promise<void> {
  const path = () => `${root}/${Array.from({ length: 1 + next(3) }, () => `n${next(4)}`).join("/")}`;
  const [a, b] = [path(), next(8) === 0 ? `${outside}/o${next(3)}` : path()];
  const kind = next(10);
  if (kind < 3) Deno.writeTextFileSync(a, "x".repeat(next(100_000)));
  else if (kind < 5) Deno.mkdirSync(a, { recursive: next(2) === 0 });
  else if (kind === 5) Deno.removeSync(a, { recursive: next(2) === 0 });
  else if (kind === 6) await exchange(a, b);
  else if (kind === 7) Deno.chmodSync(a, 0o700 + next(8));
  else Deno.renameSync(next(2) ? a : b, next(2) ? a : b);
}

async function runRandomly(
  { driver, model }: { readonly driver: WatchDriver; readonly model: WatchModel },
  outside: string,
): Promise<void> {
  const seed = testSeed(86_028);
  const next = seeded(seed);
  console.log(`seed ${seed}, ${ROUNDS} rounds`);
  for (let round = 0; round < ROUNDS; round++) {
    if (next(3) === 0) driver.pause();
    for (let steps = next(400); steps > 0; steps--) {
      await step(driver.root, outside, next).catch(() => {});
      if (next(60) === 0) driver.resume(), await model.settle();
    }
    driver.resume();
    await assertFollows(model, driver, `seed ${seed} round ${round}`);
  }
  assert(model.moves > 0);
}

Deno.test("watch is sound under random steps, read or not", () =>
  withRoot((outside) =>
    withRoot(async (root) => {
      const followed = await follow(root);
      await using _ = followed.driver;
      await runRandomly(followed, outside);
    })
  ));

Deno.test("watch is sound under random steps with a queue of 16 events", () =>
  withRoot((outside) =>
    withRoot(async (root) => {
      const driver = await WatchDriver.openWithShortQueue(root);
      if (driver === null) return;
      await using _ = driver;
      const followed = await followWith(driver);
      await runRandomly(followed, outside);
      assert(followed.model.overflows > 0);
    })
  ));
