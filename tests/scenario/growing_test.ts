/**
 * Files that are written to without an end: logs are shown as they grow, now and then, each time as
 * they were at one moment; what else is written to is not shown half; nobody else waits.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { eventually, Scene } from "../support/scene.ts";
import type { TempTree } from "../support/temp_tree.ts";

/** The time between two lines, which is no limit of anything. */
const LINE_MS = 5;
/** Larger than what travels in frames. */
const LARGE_BYTES = 3 << 20;
/** After 10 s of an open writer a log is shown; a busy machine takes its time. */
const SHOWN_MS = 60_000;

const text = new TextEncoder();

/** Appends numbered lines until told to stop. */
async function append(path: string, signal: AbortSignal): Promise<void> {
  using file = await Deno.open(path, { append: true });
  for (let i = 0; !signal.aborted; i++) {
    await file.write(text.encode(`line ${i} of what is told\n`));
    await systemClock.sleep(LINE_MS);
  }
}

/** The same with an open and a close for each line. */
async function appendAgain(path: string, signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    await Deno.writeTextFile(path, `line ${i} of what is told\n`, { append: true });
    await systemClock.sleep(LINE_MS);
  }
}

/** The same by a program that opened the file for writing anywhere, and writes at its end. */
async function writeAtEnd(path: string, signal: AbortSignal): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(0, Deno.SeekMode.End);
  for (let i = 0; !signal.aborted; i++) {
    await file.write(text.encode(`line ${i} of what is told\n`));
    await systemClock.sleep(LINE_MS);
  }
}

/** Writers of logs, by the name of the log. */
const WRITERS: Readonly<Record<string, typeof append>> = { "churn.log": appendAgain, "plain.log": writeAtEnd };

async function sizeOf(tree: TempTree, name: string): Promise<number> {
  return (await Deno.stat(tree.at(name))).size;
}

/** What is shown is what the log begins with. */
async function assertPrefix(scene: Scene, name: string): Promise<void> {
  const shown = await Deno.readFile(scene.right.at(name));
  const whole = await Deno.readFile(scene.left.at(name));
  assert(shown.length <= whole.length && shown.every((byte, i) => byte === whole[i]), `${name} is no prefix`);
}

Deno.test("logs that are appended to without an end are shown as they grow, and hold up nobody", async () => {
  const large = "what a log holds already\n".repeat(LARGE_BYTES / 25);
  const logs = { "small.log": "begun\n", "large.log": large, "churn.log": large, "plain.log": "begun as well\n" };
  await using scene = await Scene.make({ ssh: {}, left: { ...logs, other: "1" } });
  await using _psync = await scene.live();
  const stop = new AbortController();
  const appending = Object.keys(logs).map((name) => (WRITERS[name] ?? append)(scene.left.at(name), stop.signal));
  // Opened for writing anywhere, as a slow copy does it.
  const copy = await Deno.open(scene.left.at("copy"), { write: true, create: true });
  await copy.write(text.encode("first half, "));
  try {
    await Deno.writeTextFile(scene.left.at("other"), "2, written while they are");
    await eventually("another file is on the other side", async () => {
      return await scene.right.read("other") === "2, written while they are";
    });
    for (const [name, begun] of Object.entries(logs)) {
      await eventually(`${name} has grown on the other side`, async () => {
        await assertPrefix(scene, name);
        return await sizeOf(scene.right, name) > begun.length;
      }, { deadlineMs: SHOWN_MS, tell: () => _psync.text });
    }
    assertEquals(await scene.right.exists("copy"), false);
  } finally {
    stop.abort();
    await Promise.all(appending);
  }
  await copy.write(text.encode("second half"));
  copy.close();
  await scene.follows("left");
});
