import { assertEquals } from "@std/assert";
import { absent, at, present, sighting } from "../../tests/support/brain.ts";
import { dir, file, laterStamp, link, row, T0_NS } from "../../tests/support/entries.ts";
import type { Observation } from "../core/observation.ts";
import { isAsArchived, laterSide, outlives, viewOf } from "./view.ts";

const A = row(file("a"));

Deno.test("viewOf() tells what a side shows against the archive", () => {
  const touched = laterStamp(A.left, A.entry);
  const unread = row(file("a", { isRead: false }));
  const cases: [string, typeof A | null, Observation | null, string][] = [
    ["nothing was seen", A, null, "unchanged"],
    ["as archived", A, present("p", A.entry, { stamp: A.left }), "unchanged"],
    ["touched", A, present("p", A.entry, { stamp: touched }), "present"],
    ["the stamp of the other side", A, present("p", A.entry, { stamp: A.right }), "present"],
    ["same stamp, another digest", A, present("p", file("z"), { stamp: A.left }), "present"],
    ["a digest that the row lacks", unread, present("p", file("a"), { stamp: unread.left }), "present"],
    ["new", null, present("p", file("a")), "present"],
    ["gone", A, absent("p"), "absent"],
    ["never there", null, absent("p"), "unchanged"],
    ["its directory is gone", A, { kind: "orphan", path: at("p"), began: 1 }, "absent"],
    ["busy", A, { kind: "busy", path: at("p"), began: 1 }, "blocked"],
    ["blocked", null, { kind: "blocked", path: at("p"), began: 1, reason: "special", detail: "" }, "blocked"],
  ];
  for (const [name, base, seen, kind] of cases) {
    assertEquals(viewOf(base, "left", seen === null ? null : sighting(seen)).kind, kind, name);
  }
});

Deno.test("isAsArchived() looks at a directory's inode, mode and owner, and not at its times", () => {
  const d = row(dir());
  const later = laterStamp(d.left, dir());
  assertEquals(isAsArchived(d, "left", sighting(present("d", dir(), { stamp: later }))), true);
  assertEquals(isAsArchived(d, "left", sighting(present("d", dir({ mode: 0o700 }), { stamp: later }))), false);
  assertEquals(isAsArchived(d, "left", sighting(present("d", dir(), { stamp: d.right }))), false);
  assertEquals(isAsArchived(d, "left", sighting(present("d", link("x"), { stamp: d.left }))), false);
  assertEquals(isAsArchived(d, "left", sighting(absent("d"))), false);
});

Deno.test("outlives() tells what brings back the directory that the other side removed", () => {
  const unread = row(file("a", { isRead: false }));
  const d = row(dir());
  const touched = (one: typeof A) => laterStamp(one.left, one.entry);
  const cases: [string, typeof A | null, Observation, boolean][] = [
    ["new", null, present("p", file("a")), true],
    ["edited", A, present("p", file("b")), true],
    ["as archived", A, present("p", A.entry, { stamp: A.left }), false],
    ["touched, with the same content", A, present("p", A.entry, { stamp: touched(A) }), false],
    ["touched, with another mode", A, present("p", file("a", { mode: 0o600 }), { stamp: touched(A) }), false],
    ["touched, with a content that nobody knows", unread, present("p", unread.entry, { stamp: touched(unread) }), true],
    ["a directory as archived", d, present("p", dir(), { stamp: touched(d) }), false],
    ["a directory with another mode", d, present("p", dir({ mode: 0o700 }), { stamp: touched(d) }), false],
    ["another directory", d, present("p", dir()), true],
    ["gone as well", A, absent("p"), false],
    ["busy", A, { kind: "busy", path: at("p"), began: 1 }, false],
  ];
  for (const [name, base, seen, lives] of cases) assertEquals(outlives(base, "left", sighting(seen)), lives, name);
});

Deno.test("laterSide() goes by the order of live events, else by the corrected mtime", () => {
  const old = present("p", file("a", { mtimeNs: T0_NS }));
  const young = present("p", file("b", { mtimeNs: T0_NS + 5n }));
  const live = (seen: Observation, order: number) => sighting(seen, { isLive: true, order });
  assertEquals(laterSide(live(young, 1), live(old, 2), 0n), "right");
  assertEquals(laterSide(live(young, 2), live(old, 1), 0n), "left");
  assertEquals(laterSide(sighting(young), live(old, 2), 0n), "left");
  assertEquals(laterSide(sighting(young), sighting(old), 6n), "right");
  assertEquals(laterSide(sighting(old), sighting(old), 0n), "unknown");
  assertEquals(laterSide(sighting(absent("p")), sighting(old), 0n), "unknown");
  assertEquals(laterSide(sighting(old), null, 0n), "left");
  assertEquals(laterSide(null, sighting(old), 0n), "right");
  assertEquals(laterSide(null, null, 0n), "unknown");
});
