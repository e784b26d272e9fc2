import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { at } from "../../tests/support/brain.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { someState } from "../../tests/support/session_values.ts";
import { EndpointLostError, SetupError, UsageError } from "../base/errors.ts";
import type { ControlAnswer, ControlRequest } from "../brain/control_requests.ts";
import { type Control, expectAnswer } from "../control/client.ts";
import { printEntry } from "../brain/journal_entry.ts";
import type { Problem } from "../core/problem.ts";
import { ask, type AskIo } from "./ask.ts";
import { parseAsk } from "./ask_options.ts";

type Answer = (request: ControlRequest) => Promise<ControlAnswer>;

/** A command whose psync answers as it is told; null: none runs. */
function make(line: string, answer: Answer | null, more: Partial<AskIo> = {}) {
  const [out, err]: string[][] = [[], []];
  const clock = new FakeClock();
  const stop = new AbortController();
  let disposed = 0;
  const control: Control = {
    ask: async (request, kind) => expectAnswer(await answer!(request), kind),
    [Symbol.asyncDispose]: () => Promise.resolve(void disposed++),
  };
  const io: AskIo = {
    out: (text) => Promise.resolve(void out!.push(text)),
    err: (text) => void err!.push(text),
    canRedraw: false,
    ask: null,
    ...more,
  };
  const run = () =>
    ask(parseAsk(line.split(" ")), {
      io,
      clock,
      signal: stop.signal,
      pairText: "/a /b",
      paths: line.split(" ").slice(1).filter((word) => !/^[-\d]/.test(word)).map(at),
      connect: () => Promise.resolve(answer === null ? null : control),
      journal: () => lines(),
      forget: () => 3,
    });
  return { run, out: out!, err: err!, clock, stop, disposed: () => disposed };
}

/** A journal of one line. */
async function* lines(): AsyncGenerator<readonly string[]> {
  yield [await Promise.resolve(printEntry({ what: "fine", path: at("d/x") }, 0))];
  yield [];
}

const problem = (path: string): Problem => ({ path: at(path), side: "left", reason: "denied", detail: "EACCES" });
const flushed = (...paths: string[]) => () =>
  Promise.resolve({ kind: "flushed", problems: paths.map(problem) } as const);

Deno.test("ask() flush: 0 where all is over, 1 with a list where something is not, by path where one is named", async () => {
  assertEquals(await make("flush", flushed()).run(), 0);
  const left = make("flush", flushed("d/x", "e"));
  assertEquals([await left.run(), left.out, left.disposed()], [1, [], 1]);
  assertEquals(left.err.map((line) => line.split(" ").slice(0, 4).join(" ")), [
    "psync: 2 paths could",
    "  d/x (left):",
    "  e (left):",
  ]);
  assertEquals(await make("flush d", flushed("d/x", "e")).run(), 1);
  assertEquals(await make("flush dd", flushed("d/x", "e")).run(), 0);
  const many = make("flush", flushed(...Array.from({ length: 25 }, (_, i) => `f${i}`)));
  assertEquals([await many.run(), many.err.length, many.err.at(-1)], [1, 22, "  ... and 5 more"]);
});

Deno.test("ask() flush gives up when its time is over, with 124", async () => {
  const late = make("flush --timeout 2", () => new Promise(() => {}));
  const code = late.run();
  await late.clock.advance(1_999);
  assertEquals(late.err, []);
  await late.clock.advance(1);
  assertEquals([await code, late.disposed()], [124, 1]);
  assertMatch(late.err[0]!, /^psync: Not all is on the other side after 2 s/);
  assertEquals(await make("flush --timeout 2", flushed()).run(), 0);
});

Deno.test("ask() tells where no psync runs, also where it ends while it is asked", async () => {
  for (const line of ["flush", "pause", "resume", "status"]) {
    const { run, out, err } = make(line, null);
    assertEquals(await run(), 3, line);
    assertMatch([...out, ...err].join(), /No psync runs on \/a \/b/);
  }
  const gone = make("status", () => Promise.reject(new EndpointLostError("it ended")));
  assertEquals([await gone.run(), gone.out], [3, ["No psync runs on /a /b"]]);
  const monitored = make("status --max-lag 1", () => Promise.reject(new SetupError("no such socket")));
  assertEquals([await monitored.run(), monitored.out], [3, ["PSYNC UNKNOWN - no such socket"]]);
});

Deno.test("ask() status --watch shows it every second, on a screen from its top, until it is stopped", async () => {
  const answer = () => Promise.resolve({ kind: "status", state: someState() } as const);
  const shown = make("status --watch", answer, { canRedraw: true });
  const code = assertRejects(shown.run);
  for (let i = 0; i < 3; i++) await shown.clock.advance(1_000);
  shown.stop.abort(new Error("stopped"));
  await code;
  assertEquals(shown.out.length, 4);
  for (const text of shown.out) assertEquals(text.split("State: live").length, 2);
  assertEquals(shown.out.every((text) => text.startsWith("\x1b[H")), true);
  const plain = make("status --watch", answer);
  plain.stop.abort(new Error("stopped"));
  await assertRejects(plain.run);
  assertEquals(plain.out[0]!.startsWith("State: live"), true);
});

Deno.test("ask() reset asks first, and does nothing where a psync runs, or without a yes", async () => {
  await assertRejects(make("reset -y", () => Promise.reject(new Error("unasked"))).run, SetupError, "psync stop");
  await assertRejects(make("reset", null).run, UsageError, "-y");
  const questions: string[] = [];
  const answering = (yes: boolean) => ({
    ask: (question: string) => {
      questions.push(question);
      return Promise.resolve(yes);
    },
  });
  const no = make("reset", null, answering(false));
  assertEquals([await no.run(), no.out], [1, ["Nothing was done"]]);
  const yes = make("reset", null, answering(true));
  assertEquals([await yes.run(), yes.out], [0, ["Forgotten: 3 paths"]]);
  assertEquals(questions, ["Do it?", "Do it?"]);
});

Deno.test("ask() log: shows what the journal tells of the paths that were named", async () => {
  const all = make("log", null);
  assertEquals([await all.run(), all.err, all.out.length], [0, [], 1]);
  const none = make("log e", null);
  assertEquals([await none.run(), none.out], [0, []]);
  assertEquals(none.err, ["psync: The journal of /a /b tells nothing of that"]);
});
