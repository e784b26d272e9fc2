import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { Heartbeat } from "./heartbeat.ts";

/** A heartbeat that counts, on a clock that may jump while nothing runs. */
function make(isPinging: boolean) {
  const fake = new FakeClock();
  const told = { pings: 0, losses: 0 };
  let heldUpMs = 0;
  const clock = {
    nowMs: () => fake.nowMs() + heldUpMs,
    wallMs: () => fake.wallMs(),
    after: (ms: number, fn: () => void) => fake.after(ms, fn),
    sleep: (ms: number, signal?: AbortSignal) => fake.sleep(ms, signal),
  };
  const heartbeat = new Heartbeat({
    clock,
    ping: isPinging ? () => told.pings++ : null,
    silenceLimitMs: 15_000,
    lost: () => told.losses++,
  });
  return { fake, heartbeat, told, holdUp: (ms: number) => heldUpMs += ms };
}

Deno.test("Heartbeat pings a connection on which nothing comes or goes, and tells its loss just in time", async () => {
  const { fake, told } = make(true);
  await fake.advance(14_999);
  assertEquals(told, { pings: 2, losses: 0 });
  await fake.advance(1);
  assertEquals([told.losses, fake.pending], [1, 0]);
});

Deno.test("Heartbeat sees what is heard and sent, and sleeps in between", async () => {
  const { fake, heartbeat, told } = make(true);
  for (let i = 0; i < 100; i++) {
    await fake.advance(4_000);
    heartbeat.heard();
    heartbeat.sent();
  }
  assertEquals(told, { pings: 0, losses: 0 });
  await fake.advance(4_000);
  heartbeat.heard(); // and nothing sent
  await fake.advance(1_000);
  assertEquals(told.pings, 1);
  heartbeat.end();
  assertEquals(fake.pending, 0);
});

for (const isPinging of [true, false]) {
  Deno.test(`Heartbeat lets a process that was held up read before it judges, pinging: ${isPinging}`, async () => {
    const { fake, heartbeat, told, holdUp } = make(isPinging);
    holdUp(60_000);
    // One end looks at the clock when a ping is due, the other when it would judge.
    await fake.advance(isPinging ? 14_000 : 15_000);
    assertEquals(told.losses, 0);
    heartbeat.heard();
    await fake.advance(14_000);
    assertEquals(told.losses, 0);
    await fake.advance(1_000);
    assertEquals(told.losses, 1);
  });
}
