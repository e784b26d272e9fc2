import { assertEquals } from "@std/assert";
import { at } from "../../tests/support/brain.ts";
import { someState } from "../../tests/support/session_values.ts";
import { statusJson } from "./status_json.ts";

Deno.test("statusJson() has every field that docs/status.md describes, and no other", async () => {
  const state = someState({
    inFlight: [{ path: at("a"), target: "right", sizeBytes: 3 }],
    problems: [{ path: at("b\udcff"), side: "left", reason: "busy", detail: "" }],
    holds: [{ id: 1, run: 1, atMs: 0, side: "left", paths: [at("h")] }],
    conflicts: [{
      id: 2,
      path: at("c"),
      loser: "left",
      kept: "x/c",
      atMs: 0,
      winnerSizeBytes: 1,
      loserSizeBytes: 2,
      winnerMtimeNs: 0n,
      loserMtimeNs: 0n,
    }],
  });
  const found = new Set<string>();
  const walk = (value: unknown, name: string) => {
    if (Array.isArray(value)) return value.forEach((each) => walk(each, `${name}[]`));
    if (typeof value !== "object" || value === null) return void found.add(name);
    for (const [key, each] of Object.entries(value)) walk(each, name === "" ? key : `${name}.${key}`);
  };
  walk(JSON.parse(JSON.stringify(statusJson(state))), "");
  const text = await Deno.readTextFile(new URL("../../docs/status.md", import.meta.url));
  const documented = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name!);
  // A list that is empty shows nothing of its items.
  assertEquals(documented.filter((name) => !found.has(name) && !name.endsWith(".reduced")), []);
  assertEquals([...found].filter((name) => !documented.includes(name)), []);
});

Deno.test("statusJson() gives seconds, escaped names, and nothing but its state where no psync runs", () => {
  const lag = { changes: 7, medianMs: 3.4, p99Ms: 1_234 };
  const { lagLastHour, lagSeconds, problems } = statusJson(someState({
    lagMs: 1_500,
    lag: { left: { changes: 0, medianMs: null, p99Ms: null }, right: lag },
    problems: [{ path: at("b\n\udcff"), side: null, reason: "io", detail: "EIO" }],
  }));
  assertEquals(lagSeconds, 1.5);
  assertEquals(lagLastHour, {
    toRight: { changes: 7, medianSeconds: 0.003, p99Seconds: 1.234 },
    toLeft: { changes: 0, medianSeconds: null, p99Seconds: null },
  });
  assertEquals(problems, [{ path: "b\\x0a\\xff", side: null, reason: "io", detail: "EIO" }]);
  assertEquals(statusJson(null), { version: 1, running: false, state: "not-running" });
});
