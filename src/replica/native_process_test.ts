/**
 * Tests of how a psync-native is heard, and how its end is told.
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { TempTree } from "../../tests/support/temp_tree.ts";
import { systemClock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, type PsyncError, WatchError } from "../base/errors.ts";
import { encodeBare, type NativeRecord, RecordWriter } from "./native_format.ts";
import { type NativeMode, NativeProcess } from "./native_process.ts";

/** A stand-in for psync-native, and what is heard of it. */
class Stand implements AsyncDisposable {
  readonly events: NativeRecord[] = [];
  readonly lost = Promise.withResolvers<PsyncError>();
  readonly process: NativeProcess;
  readonly #tree: TempTree;

  private constructor(tree: TempTree, mode: NativeMode) {
    this.#tree = tree;
    this.process = NativeProcess.start({
      nativePath: tree.at("native"),
      mode,
      clock: systemClock,
      onEvent: (record) => this.events.push({ ...record, body: record.body.slice() }),
      onLost: (error) => this.lost.resolve(error),
    });
  }

  static async start(script: string, mode: NativeMode = "apply"): Promise<Stand> {
    const tree = await TempTree.make({ native: `#!/bin/sh\n${script}\n` });
    await Deno.chmod(tree.at("native"), 0o755);
    return new Stand(tree, mode);
  }

  ask(type: number): Promise<void> {
    return this.process.request((id) => encodeBare(type, id), () => true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
    await this.#tree[Symbol.asyncDispose]();
  }
}

/** The bytes of a record for printf(1). */
function printed(bytes: Uint8Array): string {
  return `printf '${[...bytes].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}'`;
}

Deno.test("NativeProcess answers each request by its id, in any number", async () => {
  // `cat` answers each request by itself.
  await using stand = await Stand.start("exec cat");
  await Promise.all(Array.from({ length: 5_000 }, () => stand.ask(0x18)));
  assertEquals(stand.events, []);
});

Deno.test("NativeProcess hands events on that answer nothing", async () => {
  const event = new RecordWriter(0x83, 0).u32(7).finish();
  await using stand = await Stand.start(`${printed(event)}; exec cat`);
  await stand.ask(0x18);
  assertEquals(stand.events.map(({ type, body }) => [type, ...body]), [[0x83, 7, 0, 0, 0]]);
});

Deno.test("NativeProcess rejects what waits when its process ends, with its status and last words", async () => {
  await using stand = await Stand.start("head -c 9 > /dev/null; echo 'out of luck' >&2; exit 3");
  await assertRejects(() => stand.ask(0x18), EndpointLostError, `status 3: "out of luck"`);
  assertEquals((await stand.lost.promise) instanceof EndpointLostError, true);
  await assertRejects(() => stand.ask(0x18), EndpointLostError);
});

Deno.test("NativeProcess tells the loss of a watcher as such, and a signal", async () => {
  await using stand = await Stand.start("exec cat", "watch");
  Deno.kill(stand.process.pid, "SIGKILL");
  const error = await stand.lost.promise;
  assertEquals([error instanceof WatchError, error.message.includes("SIGKILL")], [true, true]);
});

Deno.test("NativeProcess passes on why psync-native cannot go on", async () => {
  const fatal = new RecordWriter(0xff, 0).u32(24).text16("no more watches").finish();
  await using stand = await Stand.start(`${printed(fatal)}; exit 2`);
  assertEquals((await stand.lost.promise).message.includes(`EMFILE: "no more watches"`), true);
});

Deno.test("NativeProcess does not believe a process that speaks wrongly", async () => {
  const scripts = [printed(new Uint8Array(8)), printed(encodeBare(0x92, 77))];
  for (const script of scripts) {
    await using stand = await Stand.start(`${script}; exec cat`);
    await assertRejects(
      () => Promise.all([stand.ask(0x18), stand.lost.promise.then((error) => Promise.reject(error))]),
      ProtocolError,
    );
  }
});

Deno.test("NativeProcess ends a process that does not end by itself, and tells nobody", async () => {
  const stand = await Stand.start("cat > /dev/null; trap '' TERM; exec sleep 1000");
  let isTold = false;
  void stand.lost.promise.then(() => isTold = true);
  const { pid } = stand.process;
  const waiting = assertRejects(() => stand.ask(0x18), EndpointLostError);
  await stand[Symbol.asyncDispose]();
  await waiting;
  await assertRejects(() => Deno.stat(`/proc/${pid}`), Deno.errors.NotFound);
  assertEquals(isTold, false);
});
