import { assertEquals } from "@std/assert";
import { onStateSignal, readSignals } from "./state_signal.ts";

/** A signalfd whose reads end when they are told to. */
function fakeSource() {
  const waiting: PromiseWithResolvers<number | null>[] = [];
  return {
    read(into: Uint8Array): Promise<number | null> {
      assertEquals(into.length, 128, "a signalfd refuses a buffer that is too short for one record");
      const answer = Promise.withResolvers<number | null>();
      waiting.push(answer);
      return answer.promise;
    },
    /** Ends the read under way, and waits for what follows. */
    async answer(count: number | null | Error): Promise<void> {
      const answer = waiting.shift()!;
      if (count instanceof Error) answer.reject(count);
      else answer.resolve(count);
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    },
    get reads() {
      return waiting.length;
    },
  };
}

Deno.test("readSignals() calls the handler once for each record, and reads on", async () => {
  const source = fakeSource();
  let calls = 0;
  readSignals(source, () => calls++);
  for (const expected of [1, 2, 3]) {
    await source.answer(128);
    assertEquals([calls, source.reads], [expected, 1]);
  }
});

Deno.test("readSignals() calls nobody once it is ended, and reads no more", async () => {
  const source = fakeSource();
  let calls = 0;
  const forget = readSignals(source, () => calls++);
  forget();
  await source.answer(128);
  assertEquals([calls, source.reads], [0, 0]);
});

Deno.test("readSignals() ends at the end of stdin and at an error, without a call or a throw", async () => {
  for (const end of [null, new Error("no")]) {
    const source = fakeSource();
    let calls = 0;
    readSignals(source, () => calls++);
    await source.answer(end);
    assertEquals([calls, source.reads], [0, 0]);
  }
});

Deno.test("onStateSignal() leaves a filter's stdin alone", () => {
  onStateSignal("blocked", () => {})();
});
