import { assertEquals } from "@std/assert";
import type { Observation } from "../core/observation.ts";
import { joinPath, type Name, type RelPath, ROOT } from "../core/path.ts";
import { ListAhead } from "./list_ahead.ts";
import type { Listed } from "./lister.ts";

const OWNER = null;

function seenDir(path: RelPath): Observation {
  const stamp = { inode: 1n, birthNs: 1n, sizeBytes: 0, mtimeNs: 1n, ctimeNs: 1n };
  const entry = { kind: "dir" as const, mode: 0o755, owner: OWNER, mtimeNs: 1n };
  return { kind: "present", path, entry, stamp, began: 0, content: null } as unknown as Observation;
}

function listedDir(path: RelPath, names: readonly string[], isWatched = true): Listed {
  const entries = names.map((name) => seenDir(joinPath(path, name as Name)));
  const listing = {
    kind: "listed" as const,
    path,
    self: seenDir(path),
    entries,
    began: 0,
    isWatched,
    hasIgnored: false,
  };
  return { listing, stat: null, stats: [] };
}

/** A tree of directories: `a` and `b`, and `c` in `a`; `unwatched` are beyond the limit of watches. */
function lister({ unwatched = [] as readonly string[] } = {}) {
  const asked: RelPath[] = [];
  const below: Readonly<Record<string, readonly string[]>> = { "": ["a", "b"], a: ["c"] };
  const list = (dirs: readonly RelPath[]) => {
    asked.push(...dirs);
    return Promise.resolve(dirs.map((dir) => listedDir(dir, below[dir] ?? [], !unwatched.includes(dir))));
  };
  return { asked, list };
}

const PATHS = ["", "a", "b", "a/c"] as unknown as readonly RelPath[];

Deno.test("ListAhead lists all below the root, and gives each listing once", async () => {
  const { asked, list } = lister();
  const ahead = new ListAhead(list);
  await ahead.run();
  assertEquals(asked, [...PATHS]);
  assertEquals(PATHS.map((path) => ahead.take(path)?.listing.path), [...PATHS]);
  assertEquals(PATHS.map((path) => ahead.take(path)), [null, null, null, null]);
});

Deno.test("ListAhead gives nothing more once it is over, also of what is still being listed", async () => {
  const { asked, list } = lister();
  const ahead: ListAhead = new ListAhead((dirs) => {
    if (dirs.includes(PATHS[1]!)) ahead.end();
    return list(dirs);
  });
  await ahead.run();
  assertEquals(asked, PATHS.slice(0, 3));
  assertEquals(PATHS.map((path) => ahead.take(path)), [null, null, null, null]);
});

Deno.test("ListAhead lists no further once somebody asks for more than it has, and gives what it has", async () => {
  const { asked, list } = lister();
  const ahead: ListAhead = new ListAhead((dirs) => {
    if (dirs.includes(PATHS[1]!)) assertEquals(ahead.take(PATHS[1]!), null);
    return list(dirs);
  });
  await ahead.run();
  assertEquals(asked, PATHS.slice(0, 3));
  assertEquals(PATHS.map((path) => ahead.take(path) !== null), [true, false, false, false]);
});

Deno.test("ListAhead keeps no directory of which no event would tell", async () => {
  const { asked, list } = lister({ unwatched: ["a"] });
  const ahead = new ListAhead(list);
  await ahead.run();
  assertEquals(asked, PATHS.slice(0, 3));
  assertEquals([ROOT, ...PATHS.slice(1)].map((path) => ahead.take(path) !== null), [true, false, true, false]);
});
