import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FullSyncTimer, nextHourMs } from "./full_sync_timer.ts";

const HOUR_MS = 3_600_000;

Deno.test("nextHourMs() is the beginning of the next of the hours, never now", () => {
  const at = (hour: number, minute: number, day = 10) => new Date(2026, 5, day, hour, minute).getTime();
  assertEquals(nextHourMs(at(3, 20), [5, 14]), at(5, 0));
  assertEquals(nextHourMs(at(5, 0), [5]), at(5, 0, 11));
  assertEquals(nextHourMs(at(23, 59), [0]), at(0, 0, 11));
  assertEquals(nextHourMs(at(14, 1), [5, 14]), at(5, 0, 11));
});

Deno.test("FullSyncTimer runs once at each of its hours, and not after it was disposed of", async () => {
  const clock = new FakeClock();
  const first = new Date(clock.wallMs()).getHours() + 2;
  const ran: number[] = [];
  const timer = new FullSyncTimer(clock, [first % 24, (first + 3) % 24], () => ran.push(clock.wallMs()));
  for (let i = 0; i < 24 * 60; i++) await clock.advance(60_000);
  assertEquals(ran.map((ms) => new Date(ms).getMinutes()), [0, 0]);
  assertEquals(ran[1]! - ran[0]!, 3 * HOUR_MS);
  timer[Symbol.dispose]();
  for (let i = 0; i < 24 * 60; i++) await clock.advance(60_000);
  assertEquals(ran.length, 2);
});
