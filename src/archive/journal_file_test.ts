import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../base/clock.ts";
import { TempTree } from "../../tests/support/temp_tree.ts";
import { JOURNAL_FILES, JournalFile } from "./journal_file.ts";
import { readJournal } from "./journal_reader.ts";

const signal = new AbortController().signal;

async function linesIn(dir: string): Promise<string[]> {
  return (await Array.fromAsync(readJournal(dir, { clock: systemClock, follow: false, signal }))).flat();
}

Deno.test("JournalFile keeps lines in order, over restarts, for its owner alone", async () => {
  await using tree = await TempTree.make();
  for (const life of [1, 2, 3]) {
    await using journal = new JournalFile(tree.path, { clock: systemClock });
    for (let i = 0; i < 1_000; i++) journal.append(`${life} ${i}`);
  }
  const lines = await linesIn(tree.path);
  assertEquals([lines.length, lines[0], lines.at(-1)], [3_000, "1 0", "3 999"]);
  assertEquals((await Deno.stat(`${tree.path}/journal`)).mode! & 0o777, 0o600);
});

Deno.test("JournalFile never takes more than two parts, and drops the oldest lines", async () => {
  await using tree = await TempTree.make();
  const partMaxBytes = 10_000;
  for (let life = 0; life < 40; life++) {
    await using journal = new JournalFile(tree.path, { clock: systemClock, partMaxBytes });
    for (let i = 0; i < 20; i++) journal.append(`${life} ${i} ${"x".repeat(100)}`);
  }
  const files = [...Deno.readDirSync(tree.path)].map(({ name }) => name);
  assertEquals(files.filter((name) => !Object.values<string>(JOURNAL_FILES).includes(name)), []);
  const sizes = files.map((name) => Deno.statSync(`${tree.path}/${name}`).size);
  assert(sizes.every((size) => size < partMaxBytes + 20 * 120), `${sizes}`);
  const lines = await linesIn(tree.path);
  assertEquals(lines.at(-1)!.slice(0, 6), "39 19 ");
  const numbers = lines.map((line) => Number(line.split(" ")[0]) * 20 + Number(line.split(" ")[1]));
  assertEquals(numbers, numbers.map((_, i) => numbers[0]! + i), "nothing is missing between the oldest and the newest");
});

Deno.test("JournalFile begins a new line behind one that was torn", async () => {
  await using tree = await TempTree.make();
  await tree.write("journal", "whole\ntor");
  {
    await using journal = new JournalFile(tree.path, { clock: systemClock });
    journal.append("next");
  }
  assertEquals(await linesIn(tree.path), ["whole", "tor", "next"]);
});

Deno.test("JournalFile drops what cannot be written, and tells how much that was", async () => {
  await using tree = await TempTree.make();
  const dir = `${tree.path}/later`;
  await using journal = new JournalFile(dir, { clock: systemClock });
  for (let i = 0; i < 10; i++) journal.append("x".repeat(60_000));
  await systemClock.sleep(0);
  for (let i = 0; i < 100; i++) journal.append("x".repeat(60_000));
  await journal[Symbol.asyncDispose]();
  await Deno.mkdir(dir);
  journal.append("after");
  await journal[Symbol.asyncDispose]();
  const lines = await linesIn(dir);
  assertEquals(lines.length, 2);
  const { what, count } = JSON.parse(lines[0]!);
  assertEquals([what, count, lines[1]], ["lost", 110, "after"]);
});

Deno.test("JournalFile goes on in a new file where somebody has taken the old one away", async () => {
  await using tree = await TempTree.make();
  const journal = new JournalFile(tree.path, { clock: systemClock });
  journal.append("1");
  await journal[Symbol.asyncDispose]();
  await Deno.remove(`${tree.path}/journal`);
  journal.append("2");
  await journal[Symbol.asyncDispose]();
  assertEquals(await linesIn(tree.path), ["2"]);
});

Deno.test("readJournal() finds nothing where nothing is", async () => {
  await using tree = await TempTree.make();
  assertEquals(await linesIn(tree.path), []);
  assertEquals(await linesIn(`${tree.path}/none`), []);
});

Deno.test("readJournal() follows through a rotation, loses no line and gives none twice", async () => {
  await using tree = await TempTree.make();
  const stop = new AbortController();
  const got: string[] = [];
  const all = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const lines of readJournal(tree.path, { clock: systemClock, follow: true, signal: stop.signal })) {
      got.push(...lines);
      if (got.at(-1) === "last") all.resolve();
    }
  })();
  await using journal = new JournalFile(tree.path, { clock: systemClock, partMaxBytes: 300 });
  for (let i = 0; i < 6; i++) {
    for (let j = 0; j < 20; j++) journal.append(`${i} ${j} é`);
    await journal[Symbol.asyncDispose]();
    // A reader sees at most two parts: it must have come along.
    while (got.length < (i + 1) * 20) await systemClock.sleep(5);
  }
  journal.append("last");
  await journal[Symbol.asyncDispose]();
  await all.promise;
  stop.abort();
  await reading.catch(() => {});
  assertEquals(got.length, 121);
  assertEquals(got.slice(0, 120), Array.from({ length: 120 }, (_, i) => `${Math.floor(i / 20)} ${i % 20} é`));
});
