import { assertEquals } from "@std/assert";
import { someFacts, someState } from "../../tests/support/session_values.ts";
import type { RelPath } from "../core/path.ts";
import type { Problem } from "../core/problem.ts";
import { stateLines } from "./state_text.ts";

function path(text: string): RelPath {
  return text as RelPath;
}

Deno.test("stateLines() tells a session at rest in five lines", () => {
  assertEquals(stateLines(someState()), [
    "State: live, running for 1 min 5 s",
    "  left   here:/a: connected, 3 folders watched of at most 8,192, build 0123456789ab",
    "  right  nas:/b: connected, 3 folders watched of at most 8,192, build 0123456789ab",
    "  12 paths agreed, 0 changes waiting, nothing behind",
    "  since the start: 4 files (5 kB) copied, 0 conflicts, 1 reconnection",
  ]);
});

Deno.test("stateLines() lists what is in flight, in conflict, held, and not synchronised", () => {
  const lines = stateLines(someState({
    phase: "link-lost",
    why: "nothing heard\nfor 15 s",
    right: {
      given: "b\x1b",
      isConnected: false,
      facts: null,
      watches: null,
      watchLimit: null,
      unwatched: 2,
    },
    left: {
      given: "a",
      isConnected: true,
      facts: someFacts({ reduced: ["lease"], rsync: null }),
      watches: 1,
      watchLimit: null,
      unwatched: 0,
    },
    lagMs: 2000,
    waiting: 1,
    inFlight: [
      { path: path("x"), target: "right", sizeBytes: 2000 },
      { path: path("y"), target: "left", sizeBytes: null },
    ],
    conflicts: [{
      id: 1,
      path: path("c"),
      loser: "left",
      kept: "t-1/c",
      atMs: 0,
      winnerSizeBytes: 1,
      loserSizeBytes: 2,
      winnerMtimeNs: 1n,
      loserMtimeNs: 2n,
    }],
    holds: [{ id: 4, run: 1, atMs: 0, side: "right", paths: [path("h1"), path("h2")] }],
    problems: [{ path: path("p"), side: "right", reason: "busy", detail: "" }],
  }));
  assertEquals(lines.slice(0, 4), [
    "State: link lost: nothing heard for 15 s, running for 1 min 5 s",
    "  left   here:/a: connected, 1 folder watched, lacks file leases (an open file is recognised by waiting), has no rsync, build 0123456789ab",
    "  right  b\\x1b: not connected, 2 folders without a watch",
    "  12 paths agreed, 1 change waiting, the oldest for 2.0 s",
  ]);
  assertEquals(lines.slice(5), [
    "In flight (2):",
    "  -> x (2 kB)",
    "  <- y",
    "Conflicts (1):",
    "  c: the right version stays, the left one (2 B) is /a/.psync/trash/t-1/c",
    "Held removals (1):",
    "  hold 4: 2 removals on the right: h1 and h2 (start psync with -f to carry them out)",
    "Not synchronised (1):",
    "  p (right): a program has it open for writing; it follows when that ends",
  ]);
});

Deno.test("stateLines() cuts a long list and says how long it is", () => {
  const problems: Problem[] = Array.from({ length: 1234 }, (_, i) => {
    return { path: path(`p${i}`), side: null, reason: "io", detail: "" };
  });
  const lines = stateLines(someState({ problems }));
  assertEquals(lines[5], "Not synchronised (1,234):");
  assertEquals(lines.length, 5 + 1 + 100 + 1);
  assertEquals(lines.at(-1), "  ... and 1,134 more");
});
