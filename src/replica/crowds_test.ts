import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { parseRelPath } from "../core/path.ts";
import { CROWD_LINGER_MS, CROWD_NAMES, CROWD_QUIET_MS, CROWD_WAIT_MS, Crowds } from "./crowds.ts";

const p = parseRelPath;

function make() {
  const clock = new FakeClock();
  return { clock, crowds: new Crowds(clock) };
}

/** Takes so many dirty names of a directory; how many of them are told with it. */
function fill(crowds: Crowds, dir: string, names: number, isStorm = true): number {
  return Array.from({ length: names }, (_, i) => crowds.take(p(`${dir}/${i}`), isStorm)).filter(Boolean).length;
}

Deno.test("Crowds leave alone what is single: without a storm, and where few names are dirty", () => {
  const { crowds } = make();
  assertEquals(fill(crowds, "d", 10 * CROWD_NAMES, false), 0);
  assertEquals(fill(crowds, "d", CROWD_NAMES - 1), 0);
  crowds.calm();
  assertEquals(fill(crowds, "d", CROWD_NAMES - 1), 0);
  assert(crowds.isEmpty);
});

Deno.test("Crowds take all names of a crowded directory, and tell it once it is quiet", async () => {
  const { clock, crowds } = make();
  assertEquals(fill(crowds, "d", CROWD_NAMES + 5), 6);
  assert(crowds.takeFormed() && !crowds.takeFormed());
  assertEquals(crowds.takeDue(), []);
  await clock.advance(CROWD_QUIET_MS - 1);
  assert(crowds.take(p("d/x"), false));
  await clock.advance(CROWD_QUIET_MS - 1);
  assertEquals(crowds.takeDue(), []);
  assertEquals(crowds.nextDueMs(), clock.nowMs() + 1);
  await clock.advance(1);
  assertEquals([crowds.takeDue(), crowds.takeDue(), crowds.nextDueMs()], [[p("d")], [], null]);
  assert(crowds.take(p("d/x"), false), "it is crowded still");
  await clock.advance(CROWD_LINGER_MS);
  crowds.takeDue();
  assert(!crowds.take(p("d/x"), false), "nothing has happened for long");
});

Deno.test("Crowds are told now and then where something happens all the time, and at once where that is asked for", async () => {
  const { clock, crowds } = make();
  crowds.add(p("d"));
  let waitedMs = 0;
  for (; crowds.takeDue().length === 0; waitedMs += CROWD_QUIET_MS / 2) {
    crowds.add(p("d"));
    await clock.advance(CROWD_QUIET_MS / 2);
  }
  assertEquals(waitedMs, CROWD_WAIT_MS);
  crowds.add(p("d"));
  assertEquals(crowds.takeDue({ isHurried: true }), [p("d")]);
});

Deno.test("Crowds ask for more dirty names in a large directory, and list it more rarely", async () => {
  const { clock, crowds } = make();
  crowds.noteListed(p("d"), 16_000);
  assertEquals(fill(crowds, "d", 999), 0);
  assertEquals(fill(crowds, "d", 1), 1);
  for (let i = 0; i < 159; i++) {
    await clock.advance(10);
    crowds.add(p("d"));
    assertEquals(crowds.takeDue(), []);
  }
  await clock.advance(10);
  assertEquals(crowds.takeDue(), [p("d")]);
});

Deno.test("Crowds follow the rename of a directory above, and forget when all is listed", async () => {
  const { clock, crowds } = make();
  crowds.add(p("a/d"));
  crowds.followMove({ from: p("a"), to: p("b") });
  await clock.advance(CROWD_QUIET_MS);
  assertEquals(crowds.takeDue(), [p("b/d")]);
  crowds.add(p("b"));
  crowds.clear();
  assert(crowds.isEmpty && !crowds.isUntold);
});
