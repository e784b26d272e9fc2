import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { someConnection, someState, someSummary } from "../../tests/support/session_values.ts";
import type { RelPath } from "../core/path.ts";
import { ConsoleReport } from "./console_report.ts";

/** A report over a terminal that remembers; `o` lines are on stdout, `e` on stderr, `p` is progress. */
function setUp(options: { readonly isLive?: boolean; readonly hasProgressLine?: boolean } = {}) {
  const log: string[] = [];
  const clock = new FakeClock();
  const terminal = {
    hasProgressLine: options.hasProgressLine ?? true,
    out: (line: string) => Promise.resolve(void log.push(`o ${line}`)),
    progress: (text: string) => void (text !== "" && log.push(`p ${text}`)),
  };
  const say = (line: string) => void log.push(`e ${line}`);
  const report = new ConsoleReport({ terminal, say, clock, pid: 7, isLive: options.isLive ?? true, rightHost: "nas" });
  return { report, clock, log };
}

function path(text: string): RelPath {
  return text as RelPath;
}

function conflict(name: string) {
  return { path: path(name), loser: "left", kept: `t/${name}`, why: "both-changed" } as const;
}

function problem(name: string) {
  return { path: path(name), side: "right", reason: "special", detail: "socket" } as const;
}

Deno.test("ConsoleReport tells a first run of two filled folders in at most eight lines", () => {
  const { report, log } = setUp();
  report.deploying({ sentBytes: 10, totalBytes: 10 });
  report.connected(someConnection());
  for (let i = 0; i < 500; i++) report.conflict(conflict(`c${i}`));
  for (let i = 0; i < 500; i++) report.problem(problem(`p${i}`));
  const some = { ...someSummary().left, renamed: 1 };
  report.firstSyncDone(someSummary({ left: some, right: some, conflicts: 500, blocked: 500, busy: 1, skipped: 1 }));
  assertLess(log.length, 9);
  assertEquals(log[1], "e Connected: /a <-> nas:/b");
  assertStringIncludes(log[5]!, "500 conflicts (c0, c1, c2 and 497 more)");
  assertEquals(log.slice(2).every((line) => line.startsWith("o ")), true);
});

Deno.test("ConsoleReport tells conflicts and problems one by one once it is live, at a bearable rate", async () => {
  const { report, clock, log } = setUp();
  report.connected(someConnection());
  report.firstSyncDone(someSummary());
  log.length = 0;
  report.conflict(conflict("c"));
  assertStringIncludes(log[0]!, "e Conflict: c: both sides changed it");
  assertStringIncludes(log[0]!, "/a/.psync/trash/t/c");
  report.problem(problem("p"));
  report.problem(problem("p"));
  assertEquals(log.length, 2);
  for (let i = 0; i < 100; i++) report.problem(problem(`p${i}`));
  assertEquals(log.length, 20);
  await clock.advance(10_000);
  assertEquals(log.at(-1), "e ... and 82 more; kill -USR1 7 lists all that stands");
  report.end({ isPlanWhole: false });
  assertEquals([log.length, clock.pending], [21, 0]);
});

Deno.test("ConsoleReport says at the end of -s what is left, with where each loser lies", () => {
  const { report, log } = setUp({ isLive: false });
  report.connected(someConnection());
  report.conflict(conflict("c"));
  for (let i = 0; i < 25; i++) report.problem(problem(`p${i}`));
  report.problemGone(path("p0"));
  report.firstSyncDone(someSummary({ conflicts: 1, blocked: 24 }));
  assertEquals(log.some((line) => line.includes("kill")), false);
  log.length = 0;
  report.end({ isPlanWhole: false });
  assertStringIncludes(log[0]!, "/a/.psync/trash/t/c");
  assertStringIncludes(log[1]!, "p1 (right)");
  assertEquals(log.length, 22);
  assertEquals(log.at(-1), "e ... and 4 more");
});

Deno.test("ConsoleReport tells a lost link once, however often it is tried again", () => {
  const { report, log } = setUp();
  for (const retryMs of [1000, 2000, 4000]) report.linkLost({ why: "nothing heard\nfor 15 s", retryMs });
  report.linkBack({ downMs: 7000 });
  report.connected(someConnection());
  report.linkLost({ why: "nothing heard\nfor 15 s", retryMs: 1000 });
  assertEquals(log, [
    "e Link lost: nothing heard for 15 s; psync keeps trying, next in 1.0 s",
    "e Link is back after 7.0 s: catching up",
    "e Connected: /a <-> nas:/b",
    "e Link lost: nothing heard for 15 s; psync keeps trying, next in 1.0 s",
  ]);
});

Deno.test("ConsoleReport tells a halt once, and that it is over", () => {
  const { report, log } = setUp();
  report.halted({ why: `The root "/a" is gone` });
  report.halted({ why: `The root "/a" is gone` });
  report.healed();
  report.halted({ why: `The root "/a" is gone` });
  assertEquals(log.length, 3);
  assertEquals(log[0], `e Halted: The root "/a" is gone; psync looks again every 5 s`);
});

Deno.test("ConsoleReport draws progress at most ten times a second", async () => {
  const { report, clock, log } = setUp();
  for (let i = 0; i < 1000; i++) {
    report.scanProgress({ dirs: i, entries: i });
    await clock.advance(1);
  }
  assertEquals(log.length, 10);
});

Deno.test("ConsoleReport tells long work every ten seconds where no line can be drawn over", async () => {
  const { report, clock, log } = setUp({ hasProgressLine: false });
  for (let i = 0; i < 25; i++) {
    report.syncProgress({ files: i + 1, bytes: i + 1, totalFiles: null, totalBytes: null, lagMs: null });
    // What is scanned meanwhile does not take turns with it.
    report.scanProgress({ dirs: i, entries: i });
    await clock.advance(1000);
  }
  assertEquals(log, ["e Syncing: 11 files, 11 B, 1 B/s", "e Syncing: 21 files, 21 B, 1 B/s"]);
});

Deno.test("ConsoleReport is silent about live work that keeps up", async () => {
  const { report, clock, log } = setUp();
  report.firstSyncDone(someSummary());
  log.length = 0;
  const progress = { files: 1, bytes: 1, totalFiles: 1, totalBytes: 1 };
  report.syncProgress({ ...progress, lagMs: 999 });
  report.syncProgress({ ...progress, lagMs: null });
  assertEquals(log, []);
  report.syncProgress({ ...progress, lagMs: 1000 });
  assertEquals(log, ["p Syncing: 1 of 1 file, 1 B of 1 B, 1.0 s behind"]);
  await clock.advance(1);
  report.scanProgress({ dirs: 1, entries: 1 });
  assertEquals(log.length, 1);
});

Deno.test("ConsoleReport prints a plan to stdout and counts its lines", async () => {
  const { report, log } = setUp({ isLive: false });
  await report.plan({ kind: "create", target: "right", path: path("a"), entryKind: "file", sizeBytes: 1 });
  report.end({ isPlanWhole: true });
  assertEquals(log, ["o -> create   a", "e Dry run: 1 line of a plan, nothing was changed"]);
});

Deno.test("ConsoleReport keeps notices for those who look into things out of the way", () => {
  const { report, log } = setUp();
  report.notice({ kind: "rescan", side: "left", path: path("a"), why: "overflow" });
  report.notice({ kind: "hold-released", id: 2, count: 3 });
  assertEquals(log, ["e Hold 2 is released: 3 removals"]);
});

Deno.test("ConsoleReport.state() asks the session that attached itself", () => {
  const { report } = setUp();
  assertEquals(report.state(), null);
  report.attach(() => someState());
  assertEquals(report.state(), someState());
});

Deno.test("ConsoleReport tells how many paths are equal where nothing had to be changed", () => {
  const { report, log } = setUp();
  report.attach(() => ({ ...someState(), archived: 5070 }));
  report.firstSyncDone(someSummary());
  assertStringIncludes(log[0]!, ": nothing had to be changed, 5,070 paths equal");
  report.attach(() => {
    throw new Error("the archive is gone");
  });
  report.firstSyncDone(someSummary({ agreed: 2 }));
  assertStringIncludes(log[1]!, ": nothing had to be changed, 2 paths equal");
});
