import { assertEquals } from "@std/assert";
import { RateMeter } from "./rate_meter.ts";

const whole = { totalFiles: 10, totalBytes: 100_000, lagMs: null };

Deno.test("RateMeter tells bytes in a second, and how long the rest takes, once it knows", () => {
  const meter = new RateMeter();
  assertEquals(meter.note({ ...whole, files: 0, bytes: 0 }, 0), { bytesPerSecond: null, leftMs: null });
  assertEquals(meter.note({ ...whole, files: 1, bytes: 1_000 }, 1_000).leftMs, null);
  assertEquals(meter.note({ ...whole, files: 2, bytes: 20_000 }, 4_000), { bytesPerSecond: 5_000, leftMs: 16_000 });
  // What was long ago does not count: 20,000 at 4 s, 28,000 at 12 s.
  for (let s = 5; s <= 14; s++) meter.note({ ...whole, files: 2, bytes: 20_000 + (s - 4) * 1_000 }, s * 1_000);
  assertEquals(meter.note({ ...whole, files: 2, bytes: 30_000 }, 14_000).bytesPerSecond, 1_000);
});

Deno.test("RateMeter goes by files where no bytes are known, and says nothing where nothing moves", () => {
  const meter = new RateMeter();
  const files = { ...whole, totalBytes: null };
  meter.note({ ...files, files: 0, bytes: 0 }, 0);
  assertEquals(meter.note({ ...files, files: 5, bytes: 0 }, 5_000), { bytesPerSecond: 0, leftMs: 5_000 });
  const still = new RateMeter();
  still.note({ ...whole, files: 0, bytes: 0 }, 0);
  assertEquals(still.note({ ...whole, files: 0, bytes: 0 }, 5_000), { bytesPerSecond: 0, leftMs: null });
});

Deno.test("RateMeter begins anew with other work", () => {
  const meter = new RateMeter();
  meter.note({ ...whole, files: 9, bytes: 90_000 }, 0);
  meter.note({ ...whole, files: 9, bytes: 99_000 }, 3_000);
  assertEquals(meter.note({ ...whole, files: 0, bytes: 0 }, 4_000), { bytesPerSecond: null, leftMs: null });
});
