import { assert, assertEquals } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { LagMeter } from "./lag.ts";

Deno.test("LagMeter knows nothing at first", () => {
  assertEquals(new LagMeter().summary(1e6), { changes: 0, medianMs: null, p99Ms: null });
});

Deno.test("LagMeter gives median and 99th percentile, at most 19 % too large and never too small", () => {
  const times = fc.array(fc.double({ min: 1, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(fc.property(times, (ms) => {
    const meter = new LagMeter();
    for (const each of ms) meter.note(each, 5_000);
    const sorted = ms.toSorted((a, b) => a - b);
    const { changes, medianMs, p99Ms } = meter.summary(5_000);
    assertEquals(changes, ms.length);
    for (const [share, found] of [[0.5, medianMs], [0.99, p99Ms]] as const) {
      const exact = sorted[Math.ceil(sorted.length * share) - 1]!;
      assert(found! >= exact * 0.99 - 0.1 && found! <= exact * 1.2 + 0.1, `${share}: ${found} for ${exact}`);
    }
  }));
});

Deno.test("LagMeter forgets what is older than an hour, minute by minute", () => {
  const meter = new LagMeter();
  meter.note(100, 30_000);
  meter.note(8, 90_000);
  assertEquals(meter.summary(59 * 60_000).changes, 2);
  assertEquals(meter.summary(60 * 60_000).changes, 1);
  assertEquals(meter.summary(60 * 60_000).medianMs, 8);
  meter.note(1, 60 * 60_000 + 30_000);
  assertEquals(meter.summary(61 * 60_000).changes, 1);
  assertEquals(meter.summary(1e9).changes, 0);
});

Deno.test("LagMeter takes what is shorter than a millisecond or longer than a day", () => {
  const meter = new LagMeter();
  meter.note(0, 0);
  meter.note(1e12, 0);
  const { changes, medianMs, p99Ms } = meter.summary(0);
  assertEquals([changes, medianMs], [2, 1]);
  assert(p99Ms! > 86_400_000);
});
