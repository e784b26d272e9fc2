import { assertEquals, assertMatch } from "@std/assert";
import type { Conflict, Notice, PlanLine, SideChanges, SyncSummary } from "../brain/report.ts";
import { someConnection } from "../../tests/support/session_values.ts";
import type { RelPath } from "../core/path.ts";
import * as words from "./report_text.ts";

const NONE: SideChanges = {
  created: { files: 0, dirs: 0, links: 0 },
  changed: { files: 0, dirs: 0, links: 0 },
  removed: { files: 0, dirs: 0, links: 0 },
  renamed: 0,
};

const QUIET: SyncSummary = {
  left: NONE,
  right: NONE,
  agreed: 0,
  conflicts: 0,
  heldRemovals: 0,
  skipped: 0,
  blocked: 0,
  busy: 0,
  bytes: 0,
  ms: 120,
};

function path(text: string): RelPath {
  return text as RelPath;
}

Deno.test("summaryLines() tells a first sync that had nothing to do in one line", () => {
  const head = (agreed: number, archived: number | null) =>
    words.summaryLines({ ...QUIET, agreed }, { names: [], pid: 7, archived });
  assertEquals(head(1, null), ["First sync done in 0.1 s: nothing had to be changed, 1 path equal"]);
  assertEquals(head(0, 5070), ["First sync done in 0.1 s: nothing had to be changed, 5,070 paths equal"]);
  assertEquals(head(0, 0), ["First sync done in 0.1 s: nothing had to be changed"]);
});

Deno.test("summaryLines() tells of paths that were equal before only where there are some", () => {
  const right = { ...NONE, created: { files: 2, dirs: 0, links: 0 } };
  assertEquals(words.summaryLines({ ...QUIET, right, bytes: 3 }, { names: [], pid: 7, archived: 2 }), [
    "First sync done in 0.1 s: 2 changes, 3 B copied",
    "  right: 2 files created",
  ]);
});

Deno.test("rootNames() shows the host as the user gave it, whatever the hosts call themselves", () => {
  const pair = someConnection();
  assertEquals(words.rootNames(pair, "me@h\x1b"), { left: "/a", right: "me@h\\x1b:/b" });
  assertEquals(words.rootNames(pair, null), { left: "/a", right: "/b" });
});

Deno.test("summaryLines() tells everything in five lines", () => {
  const summary: SyncSummary = {
    left: { ...NONE, created: { files: 20, dirs: 1, links: 0 }, changed: { files: 2, dirs: 0, links: 1 } },
    right: { ...NONE, removed: { files: 1, dirs: 0, links: 0 }, renamed: 2 },
    agreed: 14_203,
    conflicts: 5,
    heldRemovals: 9,
    skipped: 1,
    blocked: 2,
    busy: 3,
    bytes: 3_400_000,
    ms: 3_400,
  };
  assertEquals(words.summaryLines(summary, { names: ["a", "b\n"], pid: 7, archived: 9 }), [
    "First sync done in 3.4 s: 27 changes, 3.4 MB copied, 14,203 paths equal before",
    "  left: 20 files and 1 folder created, 2 files and 1 link changed",
    "  right: 1 file removed, 2 paths renamed",
    "  5 conflicts (a, b\\x0a and 3 more): one version stays, the other is kept in .psync/trash; kill -USR1 7 lists them",
    "  not synchronised: 1 path left as they differ, 3 files open for writing and 2 paths that cannot be; " +
    "kill -USR1 7 lists them",
  ]);
  assertEquals(words.summaryLines(summary, { names: [], pid: null, archived: 9 }).join("").includes("kill"), false);
});

const CONFLICT: Conflict = { path: path("d/x"), loser: "right", kept: "20200101T000000Z-1/d/x", why: "both-changed" };

Deno.test("conflictLine() says which version stays and where the other lies", () => {
  const names = { left: "/a", right: "nas:/b" };
  assertEquals(
    words.conflictLine(CONFLICT, names),
    "Conflict: d/x: both sides changed it; the left version stays, the right one is kept as " +
      "nas:/b/.psync/trash/20200101T000000Z-1/d/x",
  );
  assertEquals(
    words.conflictLine({ ...CONFLICT, loser: "left", kept: null, why: "changed-and-removed" }, names),
    "Conflict: d/x: one side changed it, the other removed it; the right version stays, the removal on the left was undone",
  );
});

Deno.test("heldLine() names the hold and what releases it", () => {
  assertEquals(
    words.heldLine({ id: 3, side: "right", count: 1203, sample: [path("a"), path("b")] }),
    "Held back: 1,203 removals on the right (hold 3): a, b and 1,201 more; end psync and start it with -f to carry " +
      "them out, or bring the paths back on the left",
  );
});

Deno.test("problemLine() names path, side, reason and detail, none of which reaches the terminal raw", () => {
  assertEquals(
    words.problemLine({ path: path("s\x1b"), side: "left", reason: "special", detail: "socket\x07" }),
    "Not synchronised: s\\x1b (left): it is a special file, which psync leaves alone [socket\\x07]",
  );
  assertEquals(
    words.problemLine({ path: path(""), side: null, reason: "no-space", detail: "" }),
    "Not synchronised: the root: there is no space for it; psync tries again",
  );
});

Deno.test("progress lines count with and without totals", () => {
  assertEquals(words.scanLine({ dirs: 1, entries: 2000 }), "Scanning: 1 folder, 2,000 entries");
  assertEquals(words.scanLine({ side: "left", dirs: 2, entries: 1 }), "Scanning left: 2 folders, 1 entry");
  const base = { files: 3, bytes: 1000, totalFiles: null, totalBytes: null, lagMs: null };
  assertEquals(words.syncLine(base), "Syncing: 3 files, 1 kB");
  assertEquals(
    words.syncLine({ ...base, totalFiles: 4000, totalBytes: 5e6, lagMs: 2500 }),
    "Syncing: 3 of 4,000 files, 1 kB of 5 MB, 2.5 s behind",
  );
  assertEquals(
    words.deployingLine({ sentBytes: 1e6, totalBytes: 4e7 }),
    "Copying psync to the other host: 1 MB of 40 MB",
  );
  assertEquals(words.deployingLine({ sentBytes: 4e7, totalBytes: 4e7 }), "Copied psync to the other host (40 MB)");
});

Deno.test("planText() is one line a path, with an arrow to the side that would change", () => {
  const rows: readonly (readonly [PlanLine, string])[] = [
    [
      { kind: "create", target: "right", path: path("a\nb"), entryKind: "file", sizeBytes: 1 },
      "-> create   a\\x0ab",
    ],
    [{ kind: "change", target: "left", path: path("a"), entryKind: "link", sizeBytes: null }, "<- change   a"],
    [{ kind: "remove", target: "left", path: path("d"), entryKind: "dir", sizeBytes: null }, "<- remove   d/"],
    [{ kind: "metadata", target: "right", path: path("d"), entryKind: "dir", sizeBytes: null }, "-> metadata d/"],
    [{ kind: "rename", target: "right", from: path("a"), path: path("b") }, "-> rename   a => b"],
    [
      { kind: "conflict", path: path("a"), loser: "left", why: "both-created" },
      "<- conflict a: both sides have it, and differ; the left version goes to the trash",
    ],
    [{ kind: "hold", target: "right", path: path("a") }, "-> hold     a"],
    [
      { kind: "leave", path: path("a"), problem: { path: path("a"), side: null, reason: "skipped", detail: "" } },
      "-- leave    a: it differs and is left alone until one side changes it (-k)",
    ],
  ];
  for (const [line, text] of rows) assertEquals(words.planText(line), text);
});

Deno.test("noticeLine() has words for every notice, in one line", () => {
  const side = "left";
  const notices: readonly Notice[] = [
    { kind: "reduced", side, features: ["lease", "exchange", "new\n"] },
    { kind: "masked", side, path: path("a") },
    { kind: "unwatched", side, path: path("") },
    { kind: "rescan", side, path: path("a"), why: "overflow\n" },
    { kind: "archive-lost", why: "not a database\n" },
    { kind: "renamed-apart", path: path("a"), left: path("l\n"), right: path("r") },
    { kind: "rename-undone", path: path("b"), undone: path("a/b\n"), into: path("b/a") },
    { kind: "marker-restored", side },
    { kind: "lock-taken", side },
    { kind: "hold-released", id: 1, count: 2 },
    { kind: "hold-gone", id: 1 },
    { kind: "purged", side, items: 2, bytes: 3 },
    { kind: "clock-offset", offsetMs: -3000 },
    { kind: "connecting", host: "h\n" },
  ];
  const lines = notices.map(words.noticeLine);
  for (const line of lines) assertMatch(line, /^[A-Z][^\n]+[^.]$/);
  assertEquals(new Set(lines).size, notices.length);
  assertEquals(words.noticeLine(notices[12]!), "The right clock is 3.0 s behind the left one: psync allows for it");
});
