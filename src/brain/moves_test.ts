import { assertEquals } from "@std/assert";
import { absent, at, news, present, sighting } from "../../tests/support/brain.ts";
import { dir, file, laterStamp, row } from "../../tests/support/entries.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import type { ArchiveRow } from "../core/archive.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import { findMove, objectKey } from "./moves.ts";

const OLD = row(file("a"));
const DIR = row(dir());

interface Given {
  readonly rows: Readonly<Record<string, ArchiveRow>>;
  /** What is known of other paths on the left. */
  readonly seen?: readonly Observation[];
  readonly at: string;
  readonly shows: Observation;
  readonly seenObjects?: ReadonlyMap<string, RelPath>;
}

function found(given: Given) {
  const archive = new MemoryArchive();
  archive.transact(() => Object.entries(given.rows).forEach(([path, one]) => archive.put(at(path), one)));
  const seen = new Map(given.seen?.map((one) => [one.path, sighting(one)]));
  return findMove(news(given.at, { left: given.shows }), "left", {
    archive,
    sighting: (_, path) => seen.get(path) ?? null,
    seenObjects: given.seenObjects ?? new Map(),
  });
}

const moved = (path: string, of: ArchiveRow = OLD) => present(path, of.entry, { stamp: laterStamp(of.left, of.entry) });

Deno.test("findMove() asks for a look at the old name, and finds a rename where that is empty", () => {
  const given = { rows: { old: OLD }, at: "new", shows: moved("new") };
  assertEquals(found(given), { kind: "look", from: at("old") });
  const move = { kind: "move", side: "left", from: at("old"), row: OLD, goneAt: 7 } as const;
  assertEquals(found({ ...given, seen: [absent("old", 7)] }), move);
  const orphan = { kind: "orphan", path: at("old"), began: 1 } as const;
  assertEquals(found({ ...given, seen: [orphan] }).kind, "move");
});

Deno.test("findMove() finds none where something still stands under the old name", () => {
  const given = { rows: { old: OLD }, at: "new", shows: moved("new") };
  assertEquals(found({ ...given, seen: [moved("old")] }).kind, "none"); // a hard link
  assertEquals(found({ ...given, seen: [present("old", file("b"))] }).kind, "none");
  assertEquals(found({ ...given, seen: [{ kind: "busy", path: at("old"), began: 1 }] }).kind, "none");
});

Deno.test("findMove() finds none where the object is new, in place, or nobody knows what it was", () => {
  const rows = { old: OLD };
  assertEquals(found({ rows, at: "new", shows: present("new", file("b")) }).kind, "none");
  assertEquals(found({ rows, at: "old", shows: moved("old") }).kind, "none");
  assertEquals(found({ rows, at: "new", shows: absent("new") }).kind, "none");
  // The same number and birth as another kind: a file system that keeps no birth times.
  const reused = { ...laterStamp(OLD.left, OLD.entry) };
  assertEquals(found({ rows, at: "new", shows: present("new", dir(), { stamp: reused }) }).kind, "none");
  const two = { old: OLD, twin: { ...OLD } };
  assertEquals(found({ rows: two, at: "new", shows: moved("new"), seen: [absent("old")] }).kind, "none");
});

Deno.test("findMove() never moves a directory into itself, or out of its place over itself", () => {
  const rows = { d: DIR, "d/s": row(dir()) };
  assertEquals(found({ rows, at: "d/s/d", shows: moved("d/s/d", DIR), seen: [absent("d")] }).kind, "none");
  const deep = { d: row(dir()), "d/s": DIR };
  assertEquals(found({ rows: deep, at: "d", shows: moved("d", DIR), seen: [absent("d/s")] }).kind, "none");
});

Deno.test("findMove() lets the rename of what would be overwritten go first, and overwrites files only", () => {
  const target = row(file("b"));
  const given = { rows: { old: OLD, new: target }, at: "new", shows: moved("new"), seen: [absent("old")] };
  assertEquals(found(given).kind, "move");
  const seenObjects = new Map([[objectKey("left", target.left), at("elsewhere")]]);
  assertEquals(found({ ...given, seenObjects }), { kind: "after", first: at("elsewhere") });
  const dirs = { rows: { old: DIR, new: row(dir()) }, at: "new", shows: moved("new", DIR), seen: [absent("old")] };
  assertEquals(found(dirs).kind, "none");
});
