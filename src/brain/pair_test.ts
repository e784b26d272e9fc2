import { assert, assertEquals } from "@std/assert";
import { pairParts } from "../../tests/support/brain.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FakeEndpoint } from "../../tests/support/fake_endpoint.ts";
import { file, newStamp } from "../../tests/support/entries.ts";
import type { PresentObservation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import { FLIGHT_LIMIT } from "./cycle.ts";

/** More rounds than any sound run of these tests takes; a loop that never waits takes them in no time. */
const ROUNDS_MAX = 10_000;

/** A clock that notices a loop which lets nothing else happen. */
class WatchfulClock extends FakeClock {
  #asked = 0;

  override nowMs(): number {
    if (++this.#asked > 20 * ROUNDS_MAX + 4 * FLIGHT_LIMIT) throw new Error("the cycle spins");
    return super.nowMs();
  }
}

Deno.test("Pair lets answers in while more paths wait than may be in flight", async () => {
  const left = new FakeEndpoint();
  const paths = Array.from({ length: FLIGHT_LIMIT + 3_000 }, (_, i) => `f${String(i).padStart(6, "0")}` as RelPath);
  const seen = (path: RelPath): PresentObservation => {
    // Too large for a bundle.
    const entry = { ...file("a", { isRead: false }), sizeBytes: 100_000 };
    return { kind: "present", path, began: 1, entry, stamp: newStamp(entry), content: null };
  };
  const entries = paths.map(seen);
  left.list = () =>
    Promise.resolve([{
      kind: "listed",
      path: "" as RelPath,
      self: { kind: "busy", path: "" as RelPath, began: 1 },
      entries,
      began: 1,
      isWatched: true,
      hasIgnored: false,
    }]);
  const stop = new AbortController();
  let looked = 0;
  left.look = async (wanted) => {
    await new Promise<void>((resolve) => queueMacrotask(resolve));
    looked += wanted.length;
    if (looked === paths.length) stop.abort();
    return wanted.map((path) => ({ kind: "busy", path, began: 2 }));
  };
  const { pair } = pairParts({ endpoints: { left, right: new FakeEndpoint() }, clock: new WatchfulClock() });
  await pair.run(stop.signal);
  assertEquals(looked, paths.length);
  assert(pair.context.flights.size <= FLIGHT_LIMIT + ROUND);
});

Deno.test("Pair is not done with its first sync while an unlisted path waits to be tried again", async () => {
  const stop = new AbortController();
  let isDone = false;
  const { pair, clock } = pairParts({ onFirstSync: () => isDone = true });
  pair.context.retry.later("p" as RelPath, 5_000);
  const ended = pair.run(stop.signal);
  await clock.advance(100);
  assertEquals(isDone, false);
  await clock.advance(1_000);
  assertEquals(isDone, true);
  stop.abort();
  await ended;
});

/** One round may begin on top of the limit. */
const ROUND = 1_000;

/** Resolves in a later turn of the event loop. */
function queueMacrotask(work: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port2.onmessage = () => {
    port1.close();
    port2.close();
    work();
  };
  port1.postMessage(null);
}
