/**
 * Tests of when a dirty path is looked at.
 * @module
 */
import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { parseRelPath, type RelPath } from "../core/path.ts";
import { DIRTY } from "./native_format.ts";
import {
  BUNDLE_LAST_MS,
  BURST_FREE,
  BUSY_AGAIN_MS,
  BUSY_FIRST_MS,
  CLOSE_WAIT_MS,
  GROWING_BYTES,
  GROWING_MS,
  LONG_BUSY_MS,
  LOOK_FOLLOWED,
  type LookOutcome,
  Settle,
} from "./settle.ts";

const p = parseRelPath;
const FILE = p("dir/file");

function setUp(): { clock: FakeClock; settle: Settle; taken: () => RelPath[]; finish: (as: LookOutcome) => void } {
  const clock = new FakeClock();
  const settle = new Settle(clock);
  return {
    clock,
    settle,
    taken: () => settle.take(100).map(({ path }) => path),
    finish: (as) => settle.finish(FILE, as),
  };
}

/** Moves the clock to the next due time and takes what is due then. */
async function next({ clock, settle }: { clock: FakeClock; settle: Settle }): Promise<[number, RelPath[]]> {
  const dueMs = settle.nextDueMs();
  if (dueMs !== null) await clock.advance(Math.max(0, dueMs - clock.nowMs()));
  return [clock.nowMs(), settle.take(100).map(({ path }) => path)];
}

Deno.test("Settle gives the first event of an idle path at once", () => {
  const { settle, taken } = setUp();
  settle.mark(FILE, DIRTY.closed);
  assertEquals(taken(), [FILE]);
  assertEquals(taken(), []);
});

Deno.test("Settle waits a moment for the close of a file that was created", async () => {
  const world = setUp();
  const { settle, taken } = world;
  settle.mark(FILE, DIRTY.created);
  assertEquals(taken(), []);
  assertEquals(await next(world), [CLOSE_WAIT_MS, [FILE]]);
});

Deno.test("Settle does not wait any longer once the file is closed", () => {
  const { settle, taken } = setUp();
  settle.mark(FILE, DIRTY.created);
  settle.mark(FILE, DIRTY.modified);
  assertEquals(taken(), []);
  settle.mark(FILE, DIRTY.closed);
  assertEquals(taken(), [FILE]);
});

Deno.test("Settle gives a created directory at once", () => {
  const { settle, taken } = setUp();
  settle.mark(p("new"), DIRTY.created | DIRTY.dir | DIRTY.newDir);
  assertEquals(taken(), [p("new")]);
});

Deno.test("Settle bundles a path that keeps changing, and ever more so", async () => {
  const world = setUp();
  const { settle, clock, finish, taken } = world;
  for (let i = 0; i < BURST_FREE; i++) {
    settle.mark(FILE, DIRTY.closed);
    assertEquals(taken(), [FILE]);
    finish("reported");
  }
  const gaps: number[] = [];
  let beforeMs = clock.nowMs();
  for (let i = 0; i < 8; i++) {
    settle.mark(FILE, DIRTY.closed);
    const [atMs, paths] = await next(world);
    assertEquals(paths, [FILE]);
    finish("reported");
    gaps.push(atMs - beforeMs);
    beforeMs = atMs;
  }
  assertEquals(gaps, [20, 40, 80, 160, 320, 640, BUNDLE_LAST_MS, BUNDLE_LAST_MS]);
});

Deno.test("Settle forgets the heat of a path that was idle for as long as its bundle", async () => {
  const { settle, clock, taken, finish } = setUp();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < BURST_FREE; i++) {
      settle.mark(FILE, DIRTY.closed);
      assertEquals(taken(), [FILE]);
      finish("reported");
    }
    await clock.advance(20);
  }
});

Deno.test("Settle does not make a path hot by looks that told nothing", () => {
  const { settle, taken, finish } = setUp();
  for (let i = 0; i < BURST_FREE * 2; i++) {
    settle.mark(FILE, DIRTY.closed);
    assertEquals(taken(), [FILE]);
    finish("silent");
  }
});

Deno.test("Settle looks at a busy path when it is closed, not when it is written to", () => {
  const { settle, taken, finish } = setUp();
  settle.mark(FILE, DIRTY.attrib);
  taken();
  finish("busy");
  settle.mark(FILE, DIRTY.modified);
  assertEquals(taken(), []);
  settle.mark(FILE, DIRTY.closed);
  assertEquals(taken(), [FILE]);
});

Deno.test("Settle looks at a busy path by timer, ever more rarely, and when it has been busy for long", async () => {
  const world = setUp();
  const { settle, clock, finish } = world;
  settle.mark(FILE, DIRTY.closed);
  settle.take(1);
  finish("busy");
  const gaps: number[] = [];
  let beforeMs = clock.nowMs();
  for (let i = 0; i < 6; i++) {
    const [atMs, paths] = await next(world);
    assertEquals(paths, [FILE]);
    finish("busy");
    gaps.push(atMs - beforeMs);
    beforeMs = atMs;
  }
  assertEquals(gaps, [BUSY_FIRST_MS, 2_000, 4_000, 3_000, 10_000, 10_000]);
  await next(world);
  finish("reported");
  assertEquals(settle.nextDueMs(), null);
});

Deno.test("Settle looks again after a look during which something happened", () => {
  const { settle, taken, finish } = setUp();
  settle.mark(FILE, DIRTY.modified | DIRTY.closed);
  taken();
  settle.mark(FILE, DIRTY.closed);
  assertEquals(taken(), []);
  finish("busy");
  assertEquals(taken(), [FILE]);
});

Deno.test("Settle gives a look that begins beside another what happened since that began", () => {
  const { settle, taken, finish } = setUp();
  settle.mark(FILE, DIRTY.moved);
  assertEquals(taken(), [FILE]);
  settle.mark(FILE, DIRTY.dir | DIRTY.newDir);
  assertEquals(settle.takeNow(FILE)?.bits, DIRTY.dir | DIRTY.newDir | DIRTY.attrib);
  settle.mark(FILE, DIRTY.closed);
  finish("reported");
  assertEquals([settle.isPending(FILE), taken()], [true, []]);
  finish("reported");
  assertEquals(taken(), [FILE]);
});

Deno.test("Settle gives directories before what is in them, even those that would wait", async () => {
  const { settle, clock, finish } = setUp();
  const dir = p("dir");
  for (let i = 0; i < BURST_FREE; i++) {
    settle.mark(dir, DIRTY.attrib);
    settle.take(1);
    settle.finish(dir, "reported");
  }
  await clock.advance(1);
  settle.mark(dir, DIRTY.attrib);
  assertEquals(settle.take(1), []);
  settle.mark(FILE, DIRTY.closed);
  assertEquals(settle.take(1).map(({ path }) => path), [dir, FILE]);
  finish("silent");
});

Deno.test("Settle keeps what happens to a held path until it is released", () => {
  const { settle, taken } = setUp();
  settle.mark(FILE, DIRTY.closed);
  settle.hold([FILE]);
  settle.hold([FILE]);
  settle.mark(FILE, DIRTY.gone);
  assertEquals(taken(), []);
  settle.release([FILE]);
  assertEquals(taken(), []);
  settle.release([FILE]);
  const [due] = settle.take(1);
  assertEquals([due?.path, (due?.bits ?? 0) & (DIRTY.gone | DIRTY.closed)], [FILE, DIRTY.gone | DIRTY.closed]);
});

Deno.test("Settle does not look at a held path to which nothing happened", () => {
  const { settle, taken } = setUp();
  settle.hold([FILE]);
  settle.release([FILE]);
  assertEquals(taken(), []);
});

Deno.test("Settle follows the rename of a directory with all that may have been missed", async () => {
  const { settle, clock, taken } = setUp();
  const [pending, looked, orphan, flying] = [p("a/pending"), p("a/looked"), p("a/d/orphan"), p("a/flying")];
  settle.mark(looked, DIRTY.closed);
  settle.take(1);
  settle.finish(looked, "silent");
  settle.mark(orphan, DIRTY.closed);
  settle.take(1);
  settle.finish(orphan, "silent");
  settle.noteOrphan(orphan);
  settle.mark(p("ab/other"), DIRTY.closed);
  taken();
  settle.finish(p("ab/other"), "silent");
  await clock.advance(4_000);
  settle.mark(flying, DIRTY.closed);
  settle.take(1);
  settle.mark(pending, DIRTY.closed);
  settle.followMove({ from: p("a"), to: p("b/c") });
  assertEquals(taken().sort(), ["b/c/d/orphan", "b/c/flying", "b/c/looked", "b/c/pending"].map(p));
});

Deno.test("Settle remembers an orphan longer than a look", async () => {
  const { settle, clock, taken } = setUp();
  for (const name of ["a/looked", "a/orphan"]) {
    settle.mark(p(name), DIRTY.closed);
    taken();
    settle.finish(p(name), "silent");
  }
  settle.noteOrphan(p("a/orphan"));
  await clock.advance(50_000);
  settle.followMove({ from: p("a"), to: p("b") });
  assertEquals(taken(), [p("b/orphan")]);
});

Deno.test("Settle defers a deep look", async () => {
  const world = setUp();
  world.settle.defer(FILE, { bits: 1 << 16, afterMs: 20 });
  assertEquals(world.taken(), []);
  assertEquals(await next(world), [20, [FILE]]);
});

Deno.test("Settle follows a rename no further where a look found what was known", () => {
  const { settle, taken } = setUp();
  for (const name of ["a/same", "a/other"]) settle.mark(p(name), DIRTY.closed);
  taken();
  settle.finish(p("a/same"), "reported");
  settle.finish(p("a/other"), "reported");
  settle.followMove({ from: p("a"), to: p("b") });
  assertEquals(settle.take(10).map(({ bits }) => bits), [LOOK_FOLLOWED, LOOK_FOLLOWED]);
  settle.finish(p("b/same"), "same");
  settle.finish(p("b/other"), "silent");
  settle.followMove({ from: p("b"), to: p("c") });
  assertEquals(taken(), [p("c/other")]);
});

Deno.test("Settle follows a rename where the brain began to look before its own look found what was known", () => {
  const { settle, taken } = setUp();
  settle.mark(p("a/f"), DIRTY.closed);
  taken();
  settle.noteLooks([p("a/f")]);
  settle.finish(p("a/f"), "same");
  settle.followMove({ from: p("a"), to: p("b") });
  assertEquals(taken(), [p("b/f")]);
});

Deno.test("Settle has a new directory walked under its new name where a look at the old one was in flight", () => {
  const { settle } = setUp();
  settle.mark(p("a/new"), DIRTY.moved | DIRTY.dir | DIRTY.newDir);
  settle.mark(p("a/file"), DIRTY.closed);
  assertEquals(settle.take(10).length, 2);
  settle.followMove({ from: p("a"), to: p("b") });
  const again = new Map(settle.take(10).map(({ path, bits }) => [path, bits & DIRTY.newDir]));
  assertEquals([again.get(p("b/new")), again.get(p("b/file"))], [DIRTY.newDir, 0]);
});

Deno.test("Settle lets a path that is busy for long be shown as it grows, the more rarely the larger it is", async () => {
  const world = setUp();
  const { settle, clock, finish } = world;
  settle.noteBusy(FILE);
  assertEquals([settle.isBusy(FILE), settle.isLongBusy(FILE)], [true, false]);
  await clock.advance(LONG_BUSY_MS - 1);
  assertEquals(settle.isDueToGrow(FILE), false);
  await clock.advance(1);
  assertEquals([settle.isLongBusy(FILE), settle.isDueToGrow(FILE)], [true, true]);
  settle.finishGrowing(FILE, 3 * GROWING_BYTES);
  // Whoever asks may see it again; by itself it is told later.
  assertEquals([settle.isLongBusy(FILE), settle.isDueToGrow(FILE)], [true, false]);
  settle.mark(FILE, DIRTY.closed);
  settle.take(1);
  finish("busy");
  await clock.advance(3 * GROWING_MS - 1);
  assertEquals(settle.isDueToGrow(FILE), false);
  await clock.advance(1);
  assertEquals(settle.isDueToGrow(FILE), true);
  finish("reported");
  assertEquals([settle.isBusy(FILE), settle.isLongBusy(FILE)], [false, false]);
});

Deno.test("Settle takes a writer that comes back at once for one that never went, and bundles what it shows", async () => {
  const { settle, clock, finish } = setUp();
  const look = async (outcome: LookOutcome, pauseMs: number) => {
    settle.mark(FILE, DIRTY.closed);
    const taken = settle.take(1).length;
    if (taken > 0) finish(outcome);
    await clock.advance(pauseMs);
    return taken;
  };
  let looks = 0;
  for (let i = 0; i < 20; i++) {
    await look("busy", 50);
    looks += await look("reported", 50);
  }
  // 2 s of a writer that comes and goes: some reports at once, then ever fewer.
  assertEquals([looks > 3, looks < 12], [true, true]);
  while (clock.nowMs() < LONG_BUSY_MS) await look("busy", 50);
  await look("busy", 0);
  assertEquals(settle.isLongBusy(FILE), true);
  finish("reported");
  await clock.advance(BUSY_AGAIN_MS + BUNDLE_LAST_MS);
  await look("busy", 0);
  assertEquals(settle.isLongBusy(FILE), false);
});
