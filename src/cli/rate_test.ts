import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { RateGate } from "./rate.ts";

function setUp() {
  const clock = new FakeClock();
  const told: number[] = [];
  const gate = new RateGate({ clock, lines: 2, spanMs: 1000, onSuppressed: (count) => told.push(count) });
  return { clock, told, gate };
}

Deno.test("RateGate lets some lines of each span pass and counts the rest", async () => {
  const { clock, told, gate } = setUp();
  assertEquals([gate.pass(), gate.pass(), gate.pass(), gate.pass()], [true, true, false, false]);
  await clock.advance(1000);
  assertEquals(told, [2]);
  assertEquals(gate.pass(), true);
  await clock.advance(1000);
  assertEquals(told, [2]);
  assertEquals(clock.pending, 0);
});

Deno.test("RateGate.close() tells what is left and leaves no timer", () => {
  const { clock, told, gate } = setUp();
  for (let i = 0; i < 5; i++) gate.pass();
  gate.close();
  assertEquals([told, clock.pending], [[3], 0]);
});
