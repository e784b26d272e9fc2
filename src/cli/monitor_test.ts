import { assertEquals } from "@std/assert";
import { someState } from "../../tests/support/session_values.ts";
import { monitor } from "./monitor.ts";

const LIMITS = { warnMs: 60_000, critMs: 300_000 };

Deno.test("monitor() gives the exit codes of monitoring plugins by the lag", () => {
  const codes = ([null, 59_999, 60_000, 299_999, 300_000] as const).map((lagMs) =>
    monitor(someState({ lagMs }), LIMITS).exitCode
  );
  assertEquals(codes, [0, 0, 1, 1, 2]);
  assertEquals(monitor(someState({ lagMs: 1e9 }), { warnMs: 1, critMs: Infinity }).exitCode, 1);
});

Deno.test("monitor() is critical where nothing can arrive, and warns before the first sync is done", () => {
  const codes = (["live", "connecting", "first-sync", "link-lost", "paused", "halted", "stopping"] as const).map((
    phase,
  ) => monitor(someState({ phase }), LIMITS).exitCode);
  assertEquals(codes, [0, 1, 1, 2, 2, 2, 2]);
  assertEquals(monitor(null, LIMITS), { line: "PSYNC CRITICAL - no psync runs on this pair", exitCode: 2 });
});

Deno.test("monitor() gives one line with figures behind a bar", () => {
  assertEquals(
    monitor(someState({ lagMs: 61_234 }), LIMITS).line,
    "PSYNC WARNING - lag 61.234 s, 0 conflicts, 0 holds, 0 problems|lag=61.234s;60;300 conflicts=0 problems=0",
  );
  assertEquals(
    monitor(someState({ phase: "halted", why: "the left root is\nempty" }), LIMITS).line,
    "PSYNC CRITICAL - psync is halted (the left root is empty)",
  );
});
