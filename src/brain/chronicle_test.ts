import { assertEquals } from "@std/assert";
import { at, type Told, toldReport } from "../../tests/support/brain.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { someConnection, someSummary } from "../../tests/support/session_values.ts";
import { Chronicle } from "./chronicle.ts";
import { parseEntry } from "./journal_entry.ts";

function setUp() {
  const told: Told[] = [];
  const lines: string[] = [];
  let isClosed = false;
  const chronicle = new Chronicle(toldReport(told), new FakeClock());
  const sink = {
    append: (line: string) => void lines.push(line),
    [Symbol.asyncDispose]: () => Promise.resolve(void (isClosed = true)),
  };
  const whats = () => lines.map((line) => parseEntry(line)!.what);
  return { told, lines, chronicle, sink, whats, isClosed: () => isClosed };
}

Deno.test("Chronicle hands everything on, and writes what was done once the journal is open", async () => {
  const { told, chronicle, sink, whats, isClosed } = setUp();
  chronicle.attach(() => ({}) as never);
  chronicle.notice({ kind: "lock-taken", side: "left" });
  assertEquals(whats(), []);
  chronicle.open(() => sink);
  assertEquals(whats(), ["started", "notice"], "what came before was kept");
  const cause = { how: "event", side: "left" } as const;
  chronicle.connected(someConnection());
  chronicle.did({ side: "right", deed: "created", path: at("f"), from: null, kind: "file", bytes: 3, cause });
  chronicle.conflict({ path: at("f"), loser: "left", kept: "t/f", why: "both-changed" });
  chronicle.held({ id: 1, side: "left", count: 200, sample: [at("f")] });
  chronicle.firstSyncDone(someSummary());
  chronicle.linkLost({ why: "cut", retryMs: 1 });
  chronicle.linkBack({ downMs: 12.5 });
  chronicle.halted({ why: "the root is empty" });
  chronicle.healed();
  chronicle.scanProgress({ dirs: 1, entries: 1 });
  chronicle.syncProgress({ files: 1, bytes: 1, totalFiles: null, totalBytes: null, lagMs: null });
  chronicle.notice({ kind: "connecting", host: "h" });
  chronicle.open(() => null);
  await chronicle[Symbol.asyncDispose]();
  chronicle.healed();
  assertEquals(whats().slice(2), [
    ...["connected", "did", "conflict", "held", "first-sync", "link-lost", "link-back", "halted", "healed", "ended"],
  ] as string[]);
  assertEquals(isClosed(), true);
  assertEquals(told.map(({ name }) => name), [
    ...["attach", "notice", "connected", "did", "conflict", "held", "firstSyncDone", "linkLost", "linkBack", "halted"],
    ...["healed", "scanProgress", "syncProgress", "notice", "healed"],
  ]);
});

Deno.test("Chronicle writes a problem once, however often it is tried, and that it is over", () => {
  const { told, chronicle, sink, whats } = setUp();
  chronicle.open(() => sink);
  const problem = { path: at("f"), side: "left", reason: "busy", detail: "x" } as const;
  for (let i = 0; i < 5; i++) chronicle.problem(problem);
  chronicle.problem({ ...problem, reason: "denied" });
  chronicle.problemGone(at("f"));
  chronicle.problemGone(at("g"));
  assertEquals(whats(), ["problem", "problem", "fine"]);
  assertEquals(told.length, 8);
});
