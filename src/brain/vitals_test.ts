import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { VitalSigns } from "./vitals.ts";

const of = (watches: number) => ({ vitals: () => Promise.resolve({ watches, watchLimit: 9 }) });
const silent = { vitals: () => new Promise<never>(() => {}) };
const gone = { vitals: () => Promise.reject(new Error("gone")) };

Deno.test("VitalSigns keeps what was said last where an endpoint is gone, and waits for no silent one", async () => {
  const [signs, clock] = [new VitalSigns(), new FakeClock()];
  assertEquals([signs.of("left"), signs.of("right")], [null, null]);
  await signs.refresh({ left: of(3), right: of(4) }, clock);
  assertEquals([signs.of("left")?.watches, signs.of("right")?.watches], [3, 4]);
  await signs.refresh({ left: of(5), right: gone }, clock);
  assertEquals([signs.of("left")?.watches, signs.of("right")?.watches], [5, 4]);
  const late = signs.refresh({ left: silent, right: of(6) }, clock);
  await clock.advance(1_000);
  await late;
  assertEquals([signs.of("left")?.watches, signs.of("right")?.watches, clock.pending], [5, 6, 0]);
});
