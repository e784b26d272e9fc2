import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { someState } from "../../tests/support/session_values.ts";
import type { SessionState } from "../brain/report.ts";
import { ServiceNotifier, statusText, watchdogMs } from "./service.ts";

function make(watchdog: number | null) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const world = { state: null as SessionState | null, isBroken: false };
  const notifier = new ServiceNotifier({
    clock,
    watchdogMs: watchdog,
    state: () => {
      if (world.isBroken) throw new Error("no archive");
      return world.state;
    },
    send: (line) => void sent.push(line),
  });
  return { clock, sent, world, notifier };
}

Deno.test("ServiceNotifier says ready when the first sync stands, and its status when that changes", async () => {
  const { clock, sent, world, notifier } = make(null);
  world.state = someState({ phase: "first-sync" });
  await clock.advance(1_000);
  assertEquals(sent, ["STATUS=starting", "STATUS=first-sync"]);
  world.state = someState();
  await clock.advance(60_000);
  assertEquals(sent.slice(2), ["STATUS=live: 12 paths agreed, nothing behind", "READY=1"]);
  world.state = someState({ phase: "link-lost", why: "no\nroute" });
  await clock.advance(10_000);
  assertEquals(sent.slice(4), ["STATUS=link-lost: no route"]);
  notifier[Symbol.dispose]();
  await clock.advance(60_000);
  assertEquals(sent.slice(5), ["STOPPING=1"]);
});

Deno.test("ServiceNotifier feeds a watchdog at least twice in its time, and not without a state", async () => {
  const { clock, sent, world, notifier } = make(4_000);
  world.state = someState();
  await clock.advance(250);
  sent.length = 0;
  await clock.advance(8_000);
  assertEquals(sent, Array(4).fill("WATCHDOG=1"));
  world.isBroken = true;
  await clock.advance(60_000);
  assertEquals(sent.length, 4);
  notifier[Symbol.dispose]();
});

Deno.test("statusText() names the lag and what needs somebody", () => {
  assertEquals(statusText(someState({ lagMs: 999 })), "live: 12 paths agreed, nothing behind");
  const problems = [{ path: "a", side: null, reason: "io", detail: "" }] as unknown as SessionState["problems"];
  assertEquals(
    statusText(someState({ lagMs: 61_000, problems })),
    "live: 12 paths agreed, 1 min 1 s behind, 1 problem",
  );
});

Deno.test("watchdogMs() takes what is meant for this process", () => {
  assertEquals(watchdogMs({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" }, 7), 30_000);
  assertEquals(watchdogMs({ WATCHDOG_USEC: "30000000" }, 7), 30_000);
  for (const env of [{}, { WATCHDOG_USEC: "x" }, { WATCHDOG_USEC: "0" }, { WATCHDOG_USEC: "9", WATCHDOG_PID: "8" }]) {
    assertEquals(watchdogMs(env, 7), null);
  }
});
