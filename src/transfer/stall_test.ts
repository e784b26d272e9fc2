/** Tests of what counts as progress of a transfer. @module */
import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { settle } from "../../tests/support/pipes.ts";
import { awaitStall, movedBytes, PROGRESS_BYTES } from "./stall.ts";

const PATIENCE_MS = 6_000;

/** A watch over a count that grows by so much each second. */
async function watch(bytesPerSecond: (second: number) => number | null, seconds: number): Promise<boolean | null> {
  const clock = new FakeClock();
  const stop = new AbortController();
  let bytes: number | null = 0;
  let stalled: boolean | null = null;
  const watching = awaitStall(() => bytes, { clock, patienceMs: PATIENCE_MS, signal: stop.signal });
  void watching.then((is) => stalled = is);
  for (let second = 0; second < seconds; second++) {
    const more = bytesPerSecond(second);
    bytes = more === null || bytes === null ? null : bytes + more;
    clock.advance(1_000);
    for (let i = 0; i < 5; i++) await settle();
  }
  const seen = stalled;
  stop.abort();
  await watching;
  return seen;
}

Deno.test("awaitStall() is true once next to nothing has come for as long as the patience lasts", async () => {
  assertEquals(await watch(() => 2, 7), true);
  assertEquals(await watch((second) => second < 3 ? PROGRESS_BYTES : 0, 8), null);
  assertEquals(await watch((second) => second < 3 ? PROGRESS_BYTES : 0, 10), true);
});

Deno.test("awaitStall() waits for what is slow, for what begins anew, and for what cannot be counted", async () => {
  assertEquals(await watch(() => PROGRESS_BYTES / 5, 60), null);
  assertEquals(await watch((second) => second % 5 === 0 ? -second : 0, 60), null);
  assertEquals(await watch(() => null, 10), false);
});

Deno.test("movedBytes() counts what a process and the children of its kind move", async () => {
  const script = "head -c 100000 /dev/zero >/dev/null; read x; (read y; exit 0); :";
  await using child = spawn(script);
  const before = movedBytes(child.pid)!;
  await child.feed("x".repeat(999) + "\n");
  while (movedBytes(child.pid)! < before + 1_000) await settle();
  const inParent = movedBytes(child.pid)!;
  // Read by a shell below it, which is counted, too.
  await child.feed("y".repeat(999));
  while (movedBytes(child.pid)! < inParent + 999) await settle();
  assertEquals(movedBytes(2 ** 22 + 1), null);
});

/** A shell that waits for its stdin. */
function spawn(script: string) {
  const child = new Deno.Command("sh", { args: ["-c", script], stdin: "piped", stdout: "null" }).spawn();
  const writer = child.stdin.getWriter();
  return {
    pid: child.pid,
    feed: (text: string) => writer.write(new TextEncoder().encode(text)),
    async [Symbol.asyncDispose]() {
      await writer.close();
      await child.status;
    },
  };
}
