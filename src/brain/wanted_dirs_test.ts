// The directories that are to be gone through: none in another, and never so many that they cost much.
import { assert, assertEquals } from "@std/assert";
import { parseRelPath as p, type RelPath, ROOT } from "../core/path.ts";
import { WANTED_CHARS_MAX, WantedDirs } from "./wanted_dirs.ts";

Deno.test("WantedDirs wants no directory within another", () => {
  const wanted = new WantedDirs();
  assertEquals(["d/a", "d/b", "e", "e/f"].map((dir) => wanted.add(p(dir))), [true, true, true, false]);
  assertEquals([wanted.add(p("d")), wanted.size], [true, 2]);
  assertEquals(wanted.take(1), [p("e")]);
  assertEquals(wanted.take(9), [p("d")]);
  assertEquals(wanted.size, 0);
});

/** Names without end, each below a directory of its own. */
function* endless(depth: number): Generator<RelPath> {
  for (let i = 0;; i++) yield `${i}${"/d".repeat(depth)}` as RelPath;
}

Deno.test("WantedDirs wants the root in place of more than it holds, and forgets nothing before", () => {
  for (const depth of [1, 30, 300]) {
    const wanted = new WantedDirs();
    let [chars, count] = [0, 0];
    for (const dir of endless(depth)) {
      wanted.add(dir);
      chars += dir.length;
      count++;
      if (chars > WANTED_CHARS_MAX) break;
      if (wanted.size !== count) break;
    }
    assert(chars > WANTED_CHARS_MAX, `${count} of depth ${depth}`);
    assert(endless(depth).take(count).every((dir) => !wanted.add(dir)));
    assertEquals(wanted.take(count), [ROOT]);
    assertEquals([wanted.size, wanted.add(p("d"))], [0, true]);
  }
});

Deno.test("WantedDirs holds as much as ever, once what was wanted is taken", () => {
  const wanted = new WantedDirs();
  const names = endless(50);
  for (let round = 0; round < 4; round++) {
    const asked = Array.from({ length: WANTED_CHARS_MAX / 400 }, () => names.next().value as RelPath);
    for (const dir of asked) wanted.add(dir);
    for (const dir of asked.slice(0, 9)) wanted.add(p(dir.split("/")[0]!));
    assertEquals(wanted.take(WANTED_CHARS_MAX).length, asked.length);
  }
});
