/**
 * Tests of the walk of new directories, over listings that are empty.
 * @module
 */
import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { compileIgnore, NO_RULES } from "../core/ignore.ts";
import { parseRelPath, type RelPath } from "../core/path.ts";
import { NO_STAT } from "./native_format.ts";
import { NewDirs } from "./new_dirs.ts";

const p = parseRelPath;

function setUp(onPump: (dirs: NewDirs) => void) {
  const clock = new FakeClock();
  const listed: RelPath[] = [];
  const rescanned: RelPath[] = [];
  const list = (dirs: readonly RelPath[]) => {
    listed.push(...dirs);
    return Promise.resolve(dirs.map((path) => ({ path, errno: 0, isUnwatched: false, stat: NO_STAT, entries: [] })));
  };
  const dirs: NewDirs = new NewDirs({
    watcher: { list },
    clock,
    ignore: compileIgnore(NO_RULES),
    mark: () => {},
    isOwn: () => false,
    crowd: () => {},
    pump: () => onPump(dirs),
    room: () => Promise.resolve(),
    rescan: (path) => rescanned.push(path),
    unwatched: () => {},
  });
  return { clock, dirs, listed, rescanned };
}

Deno.test("NewDirs walks a directory that is added just as the walk ends", async () => {
  const late = [p("b"), p("c"), p("d")];
  const { clock, dirs, listed } = setUp((dirs) => {
    const next = late.shift();
    const after = (turns: number): void => queueMicrotask(() => turns === 0 ? dirs.add(next!) : after(turns - 1));
    if (next !== undefined) after(late.length);
  });
  dirs.add(p("a"));
  await clock.advance(0);
  assertEquals([listed, dirs.isIdle], [[p("a"), p("b"), p("c"), p("d")], true]);
});

Deno.test("NewDirs has everything listed where more went away than it can remember, but not in the long run", async () => {
  const { clock, dirs, rescanned } = setUp(() => {});
  for (let i = 0; i < 9_000; i++) dirs.noteGone(p(`old/${i}`));
  await clock.advance(61_000);
  for (let i = 0; i < 9_000; i++) dirs.noteGone(p(`new/${i}`));
  assertEquals(rescanned, []);
  for (let i = 9_000; i < 10_001; i++) dirs.noteGone(p(`new/${i}`));
  assertEquals(rescanned.length, 1);
});
