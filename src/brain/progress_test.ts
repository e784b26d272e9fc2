import { assertEquals } from "@std/assert";
import { file as fileEntry } from "../../tests/support/entries.ts";
import { at, news, present, sighting } from "../../tests/support/brain.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FlightDeck } from "./in_flight.ts";
import { NewsBoard } from "./news.ts";
import { Progress } from "./progress.ts";
import type { SyncProgress } from "./report.ts";

function setUp() {
  const clock = new FakeClock();
  const told: SyncProgress[] = [];
  const status = { totalFiles: 100, totalBytes: 1_000 };
  const board = new NewsBoard(() => {}, () => clock.nowMs());
  const flights = new FlightDeck();
  const world = { moved: 0, isScanning: false };
  const progress = new Progress({
    clock,
    board,
    flights,
    status,
    report: { syncProgress: (each) => void told.push(each) },
    movedBytes: () => world.moved,
    isScanning: () => world.isScanning,
  });
  return { clock, told, status, board, flights, world, progress };
}

function file(path: string, sizeBytes: number, isLive = false) {
  return news(path, { left: sighting(present(path, { ...fileEntry("x"), sizeBytes }), { isLive }) });
}

Deno.test("Progress counts from the moment at which there was work, and goes on while nothing but time passes", async () => {
  const { clock, told, status, board, flights, world, progress } = setUp();
  progress.tick();
  assertEquals([told.length, clock.pending], [0, 0], "there is nothing to tell");
  board.put(file("waits", 500));
  flights.begin({ path: at("flies"), shown: { target: "right", sizeBytes: 3_000 }, sinceMs: null });
  progress.tick();
  await clock.advance(1_000);
  assertEquals(told.at(-1), { files: 0, bytes: 0, totalFiles: 2, totalBytes: 3_500, lagMs: null });
  world.moved = 1_200.4;
  await clock.advance(1_000);
  assertEquals(told.at(-1), { files: 0, bytes: 1_200, totalFiles: 2, totalBytes: 3_500, lagMs: null });
  world.moved = 0; // it has come, and is not counted yet
  await clock.advance(1_000);
  assertEquals(told.at(-1)!.bytes, 1_200);
  flights.end(at("flies"));
  board.take(10);
  [status.totalFiles, status.totalBytes] = [102, 4_500];
  progress.tick();
  assertEquals(told.at(-1), { files: 2, bytes: 3_500, totalFiles: 2, totalBytes: 3_500, lagMs: null });
  assertEquals(clock.pending, 0);
  const count = told.length;
  progress.tick();
  assertEquals(told.length, count);
  await clock.advance(100);
  board.put(file("again", 1));
  progress.tick();
  assertEquals([told.at(-1)!.files, told.at(-1)!.bytes], [0, 0], "other work begins anew");
  progress[Symbol.dispose]();
  assertEquals(clock.pending, 0);
});

Deno.test("Progress tells the lag of what is in flight as well, and no totals while a scan goes on", async () => {
  const { clock, told, flights, world, progress } = setUp();
  world.isScanning = true;
  await clock.advance(5_000);
  flights.begin({ path: at("flies"), shown: { target: "right", sizeBytes: 9 }, sinceMs: 2_000 });
  progress.tick();
  assertEquals(told, [{ files: 0, bytes: 0, totalFiles: null, totalBytes: null, lagMs: 3_000 }]);
  for (let i = 0; i < 50; i++) progress.tick();
  assertEquals(told.length, 1, "not more often than people see");
  progress[Symbol.dispose]();
});
