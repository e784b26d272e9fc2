import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { type Stream, Terminal } from "./terminal.ts";

const CLEAR = "\r\x1b[K";

/** A stream into a string, whose reader can be held up. */
class FakeStream implements Stream {
  text = "";
  failure: Error | null = null;
  #gate: PromiseWithResolvers<void> | null = null;
  constructor(readonly isTerminal: boolean, readonly log: string[] = []) {}

  async write(bytes: Uint8Array): Promise<void> {
    await this.#gate?.promise;
    if (this.failure !== null) throw this.failure;
    const text = new TextDecoder().decode(bytes);
    this.text += text;
    this.log.push(text);
  }

  hold(): void {
    this.#gate = Promise.withResolvers();
  }

  release(): void {
    this.#gate?.resolve();
    this.#gate = null;
  }
}

function setUp(options: { readonly isTerminal: boolean; readonly canRedraw?: boolean; readonly columns?: number }) {
  const log: string[] = [];
  const stdout = new FakeStream(options.isTerminal, log);
  const stderr = new FakeStream(options.isTerminal, log);
  const clock = new FakeClock();
  let closed = 0;
  const terminal = new Terminal({
    stdout,
    stderr,
    clock,
    canRedraw: options.canRedraw ?? true,
    columns: () => options.columns ?? 80,
    onOutClosed: () => closed++,
  });
  return { terminal, stdout, stderr, clock, log, closed: () => closed };
}

Deno.test("Terminal keeps the order of lines across both streams", async () => {
  const { terminal, log } = setUp({ isTerminal: false });
  terminal.err("one");
  const second = terminal.out("two");
  terminal.err("three");
  await second;
  await terminal.flush(1000);
  assertEquals(log, ["one\n", "two\n", "three\n"]);
});

Deno.test("Terminal clears the progress line before a line and draws it again after", async () => {
  const { terminal, log } = setUp({ isTerminal: true });
  terminal.progress("10 %");
  await terminal.flush(1000);
  await terminal.out("line");
  await terminal.flush(1000);
  terminal.progress("");
  await terminal.flush(1000);
  assertEquals(log, [`${CLEAR}10 %`, CLEAR, "line\n", `${CLEAR}10 %`, CLEAR]);
});

Deno.test("Terminal cuts the progress line to the width of the terminal", async () => {
  const { terminal, stderr } = setUp({ isTerminal: true, columns: 20 });
  terminal.progress("x".repeat(50));
  await terminal.flush(1000);
  assertEquals(stderr.text, CLEAR + "x".repeat(19));
});

Deno.test("Terminal shows no progress line without a terminal that can redraw", async () => {
  for (const options of [{ isTerminal: false }, { isTerminal: true, canRedraw: false }]) {
    const { terminal, stderr } = setUp(options);
    terminal.progress("10 %");
    await terminal.flush(1000);
    assertEquals([terminal.hasProgressLine, stderr.text], [false, ""]);
  }
});

Deno.test("Terminal drops lines for stderr that nobody reads, and says how many", async () => {
  const { terminal, stderr } = setUp({ isTerminal: false });
  stderr.hold();
  const line = "x".repeat(999);
  for (let i = 0; i < 3000; i++) terminal.err(line);
  stderr.release();
  await terminal.flush(1000);
  const lines = stderr.text.split("\n");
  assertLess(lines.length, 1100);
  const said = /^psync: (\d+) lines were dropped/.exec(lines.at(-2)!);
  assertEquals(Number(said?.[1]) + lines.length - 2, 3000);
});

Deno.test("Terminal tells once that nobody reads stdout, and lets no caller wait for it", async () => {
  const { terminal, stdout, stderr, closed } = setUp({ isTerminal: false });
  stdout.failure = new Deno.errors.BrokenPipe();
  await terminal.out("a");
  await terminal.out("b");
  terminal.err("still here");
  await terminal.flush(1000);
  assertEquals([closed(), stdout.text], [1, ""]);
  assertStringIncludes(stderr.text, "still here");
});

Deno.test("Terminal loses only the line that a full disk did not take", async () => {
  const { terminal, stdout, closed } = setUp({ isTerminal: false });
  stdout.failure = new Error("ENOSPC");
  await terminal.out("a");
  stdout.failure = null;
  await terminal.out("b");
  assertEquals([stdout.text, closed()], ["b\n", 0]);
});

Deno.test("Terminal.flush() does not wait for a stuck reader beyond its deadline", async () => {
  const { terminal, stderr, clock } = setUp({ isTerminal: false });
  stderr.hold();
  terminal.err("stuck");
  let isDone = false;
  const flushed = terminal.flush(400).then(() => void (isDone = true));
  await clock.advance(399);
  assertEquals(isDone, false);
  await clock.advance(1);
  await flushed;
  stderr.release();
});
