/** Tests of both ends of a connection: heartbeat, cancellation, flow of events, ends, hostile frames. @module */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { connectedPair, settle } from "../../tests/support/pipes.ts";
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, SafetyHaltError, SetupError } from "../base/errors.ts";
import type { EndpointEvent } from "../core/endpoint.ts";
import type { RelPath } from "../core/path.ts";
import { Answerer, type Handlers } from "./answerer.ts";
import { Caller, EVENT_WINDOW_BYTES, REQUESTS_MAX } from "./caller.ts";
import { beginFrame, emptyFrame, endFrame, FrameCutter } from "./frame.ts";
import { FRAME, METHODS } from "./message.ts";

const PATH = "a" as RelPath;
const NOTHING = { head: null, items: [] };
const SYNC = { head: { contents: false, age: null }, items: [] };

function handlers(some: Partial<Handlers>): Handlers {
  const refuse = () => Promise.reject(new Error("not expected"));
  const all = Object.fromEntries(Object.keys(METHODS).map((name) => [name, refuse])) as unknown as Handlers;
  return { ...all, ...some };
}

function connect(some: Partial<Handlers> = {}) {
  const clock = new FakeClock();
  const { left, right } = connectedPair();
  return {
    clock,
    caller: new Caller(left, { clock }),
    answerer: new Answerer(right, { clock, handlers: handlers(some) }),
  };
}

Deno.test("an idle connection stays up by its heartbeat", async () => {
  const { clock, caller, answerer } = connect({ sync: () => Promise.resolve(NOTHING) });
  for (let i = 0; i < 300; i++) {
    await clock.advance(1000);
    await settle();
  }
  await caller.call("sync", SYNC);
  await caller.close();
  assertEquals([await caller.ended, await answerer.ended], [null, null]);
  assertEquals(clock.pending, 0);
});

Deno.test("a brain that hears nothing for 15 s holds the link for lost", async () => {
  const clock = new FakeClock();
  const { left, right } = connectedPair();
  const caller = new Caller(left, { clock });
  const cutter = new FrameCutter();
  const types: number[] = [];
  (async () => {
    for await (const chunk of right.readable) for (const { type } of cutter.push(chunk)) types.push(type);
  })();
  const call = caller.call("sync", SYNC);
  call.catch(() => {});
  for (let i = 0; i < 14; i++) await clock.advance(1000);
  await settle();
  assertEquals(types, [METHODS.sync.type, FRAME.ping, FRAME.ping]);
  await clock.advance(1000);
  await assertRejects(() => call, EndpointLostError, "nothing was received for 15 s");
  await assertRejects(() => caller.call("sync", SYNC), EndpointLostError, "15 s");
  await assertRejects(() => Array.fromAsync(caller.events()), EndpointLostError, "15 s");
});

for (const end of ["brain", "filter"] as const) {
  Deno.test(`a frame that trickles in for ever is silence to a ${end}, one that comes slowly is not`, async () => {
    for (const [bytesEach, isLost] of [[1, true], [1_000, false]] as const) {
      const clock = new FakeClock();
      const { left, right } = connectedPair();
      const streams = end === "brain" ? left : right;
      const one = end === "brain"
        ? new Caller(streams, { clock })
        : new Answerer(streams, { clock, handlers: handlers({}) });
      const writer = (end === "brain" ? right : left).writer;
      const header = endFrame(beginFrame({ type: METHODS.list.type, id: 1 }, 9));
      new DataView(header.buffer).setUint32(0, 1 << 20, true);
      writer.write(header);
      let isOver = false;
      one.ended.then(() => isOver = true);
      for (let i = 0; i < 40 && !isOver; i++) {
        writer.write(new Uint8Array(bytesEach)).catch(() => {});
        await settle();
        await clock.advance(1000);
      }
      await settle();
      assertEquals(isOver, isLost);
      if (isLost) assert(/no whole frame came for \d+ s/.test((await one.ended)?.message ?? ""));
      else one.fail(new EndpointLostError("The test is over"));
    }
  });
}

Deno.test("frames that come whole, but byte by byte, are silence", async () => {
  for (const [bytesEach, isLost] of [[2, true], [9, false]] as const) {
    const clock = new FakeClock();
    const { left, right } = connectedPair();
    const caller = new Caller(left, { clock });
    const pong = endFrame(beginFrame({ type: FRAME.pong, id: 0 }, 0));
    let isOver = false;
    caller.ended.then(() => isOver = true);
    for (let at = 0; at < 40 * bytesEach && !isOver; at += bytesEach) {
      const bytes = Array.from({ length: bytesEach }, (_, i) => pong[(at + i) % pong.length]!);
      right.writer.write(Uint8Array.from(bytes)).catch(() => {});
      await settle();
      await clock.advance(1000);
    }
    await settle();
    assertEquals([pong.length, isOver], [9, isLost]);
    if (!isLost) caller.fail(new EndpointLostError("The test is over"));
  }
});

Deno.test("a filter that hears nothing ends within 30 s, and its handlers are told", async () => {
  const clock = new FakeClock();
  const { left, right } = connectedPair();
  let isAborted = false;
  const list: Handlers["list"] = (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        isAborted = true;
        reject(signal.reason);
      });
    });
  const answerer = new Answerer(right, { clock, handlers: handlers({ list }) });
  const writer = beginFrame({ type: METHODS.list.type, id: 1 });
  writer.u8(0);
  left.writer.write(endFrame(writer));
  await settle();
  for (let i = 0; i < 26; i++) await clock.advance(1000);
  assertInstanceOf(await answerer.ended, EndpointLostError);
  assert(isAborted);
});

Deno.test("a process that was stopped for a while reads before it judges", async () => {
  const fake = new FakeClock();
  let stoppedMs = 0;
  const clock = { ...methodsOf(fake), nowMs: () => fake.nowMs() + stoppedMs };
  const { left, right } = connectedPair();
  const caller = new Caller(left, { clock });
  new Answerer(right, { clock: fake, handlers: handlers({ sync: () => Promise.resolve(NOTHING) }) });
  stoppedMs = 60_000;
  await fake.advance(5_000);
  await caller.call("sync", SYNC);
  await caller.close();
});

function methodsOf(clock: FakeClock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
    after: (ms, fn) => clock.after(ms, fn),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}

Deno.test("many calls run at once, each gets its own answer, further ones wait", async () => {
  let running = 0;
  let most = 0;
  const release = Promise.withResolvers<void>();
  const look: Handlers["look"] = async ({ items }) => {
    most = Math.max(most, ++running);
    await release.promise;
    running--;
    return { head: null, items: items.map((path) => ({ kind: "absent" as const, path, began: Number(path) })) };
  };
  const { caller, answerer } = connect({ look });
  const calls = Array.from(
    { length: 200 },
    (_, i) =>
      caller.call("look", {
        head: { contentLimitBytes: 0, digests: false, growing: false, agreed: [] },
        items: [`${i}` as RelPath],
      }),
  );
  await settle(2000);
  assertEquals(most, REQUESTS_MAX);
  release.resolve();
  const answers = await Promise.all(calls);
  assertEquals(answers.map(({ items }) => items[0]!.began), Array.from({ length: 200 }, (_, i) => i));
  await caller.close();
  await answerer.ended;
});

Deno.test("far errors arrive as the same class, others as a lost endpoint", async () => {
  const errors = [new SafetyHaltError("root gone"), new SetupError("no \udcff lock\0"), new TypeError("bug \ud800")];
  const { caller } = connect({ sync: () => Promise.reject(errors.shift()) });
  await assertRejects(() => caller.call("sync", SYNC), SafetyHaltError, "root gone");
  await assertRejects(() => caller.call("sync", SYNC), SetupError, "no \udcff lock\\0");
  await assertRejects(() => caller.call("sync", SYNC), EndpointLostError, "Filter failed: TypeError: bug ?");
  await caller.close();
});

Deno.test("a cancelled call rejects at once, tells the filter, and leaves the connection usable", async () => {
  const told = Promise.withResolvers<void>();
  const list: Handlers["list"] = (_, signal) =>
    new Promise((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        told.resolve();
        reject(signal.reason);
      })
    );
  const { caller } = connect({ list, sync: () => Promise.resolve(NOTHING) });
  const abort = new AbortController();
  const call = caller.call("list", { head: null, items: [PATH] }, { signal: abort.signal });
  await settle();
  abort.abort(new Error("enough"));
  await assertRejects(() => call, Error, "enough");
  await told.promise;
  await assertRejects(() => caller.call("sync", SYNC, { signal: abort.signal }), Error, "enough");
  for (let i = 0; i < 2 * REQUESTS_MAX; i++) await caller.call("sync", SYNC);
  await caller.close();
});

Deno.test("a call that is cancelled while it is being sent leaves nothing behind", async () => {
  const { caller } = connect({ sync: () => Promise.resolve(NOTHING), look: () => Promise.resolve(NOTHING) });
  const items = Array.from({ length: 200_000 }, (_, i) => `directory/of/some/length/${i}` as RelPath);
  for (let i = 0; i < 3; i++) {
    const abort = new AbortController();
    const call = caller.call("look", {
      head: { contentLimitBytes: 0, digests: false, growing: false, agreed: [] },
      items,
    }, {
      signal: abort.signal,
    });
    await settle(10);
    abort.abort(new Error("enough"));
    await assertRejects(() => call, Error, "enough");
  }
  for (let i = 0; i < 2 * REQUESTS_MAX; i++) await caller.call("sync", SYNC);
  await caller.close();
});

function observed(began: number, sizeBytes: number): EndpointEvent {
  const digest = "0".repeat(64);
  const entry = { kind: "file" as const, mode: 0, owner: null, sizeBytes, mtimeNs: 0n, digest };
  const stamp = { inode: 1n, birthNs: 0n, sizeBytes, mtimeNs: 0n, ctimeNs: 0n };
  const observation = { kind: "present" as const, path: PATH, began, entry, stamp, content: new Uint8Array(sizeBytes) };
  return { kind: "observed", observations: [observation], moves: [] };
}

Deno.test("a brain that does not read stops the filter's events, and loses none", async () => {
  const { caller, answerer } = connect({ sync: () => Promise.resolve(NOTHING) });
  let sent = 0;
  const pumping = (async () => {
    for (; sent < 100; sent++) await answerer.sendEvent(observed(sent, 200_000));
  })();
  await settle(20_000);
  assert(sent * 200_000 <= EVENT_WINDOW_BYTES && sent > 10, `${sent} were sent`);
  await caller.call("sync", SYNC); // requests pass while events wait
  const got: number[] = [];
  for await (const event of caller.events()) {
    assert(event.kind === "observed");
    got.push(event.observations[0]!.began);
    if (got.length === 100) break;
  }
  await pumping;
  assertEquals(got, Array.from({ length: 100 }, (_, i) => i));
  await caller.close();
});

Deno.test("an event larger than the window arrives whole", async () => {
  const { caller, answerer } = connect();
  const one = observed(0, 1 << 20);
  assert(one.kind === "observed");
  const observations = Array.from({ length: 12 }, () => one.observations[0]!);
  const sending = answerer.sendEvent({ kind: "observed", observations, moves: [{ from: PATH, to: "b" as RelPath }] });
  for await (const event of caller.events()) {
    assert(event.kind === "observed");
    assertEquals([event.observations.length, event.moves.length], [12, 1]);
    break;
  }
  await sending;
  await caller.close();
});

Deno.test("a commit's answer does not overtake the events before it, a small answer overtakes a large one", async () => {
  const order: string[] = [];
  const { left, right } = connectedPair();
  const clock = new FakeClock();
  const big = Array.from({ length: 9 }, (_, i) => observed(i, 500_000)).flatMap((event) =>
    event.kind === "observed" ? event.observations : []
  );
  const answerer: Answerer = new Answerer(right, {
    clock,
    handlers: handlers({
      look: () => Promise.resolve({ head: null, items: big }),
      commit: async () => {
        await answerer.sendEvent(observed(1, 100));
        return { head: null, items: [] };
      },
    }),
  });
  const caller = new Caller(left, { clock });
  (async () => {
    for await (const _ of caller.events()) order.push("event");
  })();
  const look = caller.call("look", {
    head: { contentLimitBytes: 0, digests: false, growing: false, agreed: [] },
    items: [],
  });
  const commit = caller.call("commit", { head: { carried: null }, items: [] });
  await Promise.all([look.then(() => order.push("look")), commit.then(() => order.push("commit"))]);
  assertEquals(order, ["event", "commit", "look"]);
  await caller.close();
});

Deno.test("a filter that ends without being asked to is a lost endpoint", async () => {
  const { caller, answerer } = connect();
  const call = caller.call("sync", SYNC);
  call.catch(() => {});
  await answerer.close();
  await assertRejects(() => caller.call("sync", SYNC), EndpointLostError);
  await assertRejects(() => Array.fromAsync(caller.events()), EndpointLostError, "the filter ended");
});

Deno.test("an end that is asked for ends the events without error", async () => {
  const { caller } = connect();
  const reading = Array.fromAsync(caller.events());
  await caller.close();
  assertEquals(await reading, []);
});

Deno.test("a close against a reader that never reads ends after its time", async () => {
  const clock = new FakeClock();
  const { left } = connectedPair();
  const caller = new Caller(left, { clock });
  caller.call("sync", SYNC).catch(() => {});
  const closing = caller.close();
  await clock.advance(2000);
  await closing;
  assertEquals(await caller.ended, null);
});

/** What a caller makes of one frame of the peer's. */
async function endAfter(frame: Uint8Array): Promise<unknown> {
  const { left, right } = connectedPair();
  const caller = new Caller(left, { clock: new FakeClock() });
  right.writer.write(frame).catch(() => {});
  const cancelled = right.readable.cancel();
  const error = await caller.ended;
  await cancelled;
  return error;
}

Deno.test("a filter that answers what nobody asked is a protocol error", async () => {
  assertInstanceOf(await endAfter(emptyFrame(METHODS.sync.type | 0x80, 5)), ProtocolError);
  assertInstanceOf(await endAfter(emptyFrame(FRAME.cancel, 1)), ProtocolError);
  assertInstanceOf(await endAfter(emptyFrame(FRAME.ping, 1)), ProtocolError);
  assertInstanceOf(await endAfter(emptyFrame(0xee, 1)), ProtocolError);
});

Deno.test("a brain that sends too many requests, or one id twice, is refused", async () => {
  for (const ids of [Array.from({ length: 200 }, (_, i) => i + 1), [1, 1], [0]]) {
    const { left, right } = connectedPair();
    const list: Handlers["list"] = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const answerer = new Answerer(right, { clock: new FakeClock(), handlers: handlers({ list }) });
    const drained = Array.fromAsync(left.readable).catch(() => {});
    for (const id of ids) {
      const writer = beginFrame({ type: METHODS.list.type, id });
      writer.u8(0);
      left.writer.write(endFrame(writer)).catch(() => {});
    }
    assertInstanceOf(await answerer.ended, ProtocolError);
    await drained;
  }
});

Deno.test("credit for more than was sent is refused", async () => {
  const { left, right } = connectedPair();
  const answerer = new Answerer(right, { clock: new FakeClock(), handlers: handlers({}) });
  const drained = Array.fromAsync(left.readable).catch(() => {});
  const writer = beginFrame({ type: FRAME.credit, id: 0 });
  writer.u32(1);
  left.writer.write(endFrame(writer)).catch(() => {});
  assertInstanceOf(await answerer.ended, ProtocolError);
  await drained;
});

Deno.test("random bytes in either direction end the connection, and never hang it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const clock = new FakeClock();
      const toAnswerer = connectedPair();
      const answerer = new Answerer(toAnswerer.right, { clock, handlers: handlers({}) });
      const drained = Array.fromAsync(toAnswerer.left.readable).catch(() => {});
      toAnswerer.left.writer.write(bytes).catch(() => {});
      toAnswerer.left.writer.close().catch(() => {});
      const toCaller = connectedPair();
      const caller = new Caller(toCaller.left, { clock });
      const drainedToo = Array.fromAsync(toCaller.right.readable).catch(() => {});
      toCaller.right.writer.write(bytes).catch(() => {});
      toCaller.right.writer.close().catch(() => {});
      await Promise.all([answerer.ended, caller.ended, drained, drainedToo]);
    }),
    { numRuns: 300 },
  );
});
