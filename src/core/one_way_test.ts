import { assertEquals } from "@std/assert";
import { dir, file, link, newStamp, row, T0_NS } from "../../tests/support/entries.ts";
import type { ArchiveRow } from "./archive.ts";
import { type Entry, isFollowed, type Stamp } from "./entry.ts";
import { expectedObject } from "./expected.ts";
import { isRefused, reconcileOneWay } from "./one_way.ts";
import { parseRelPath } from "./path.ts";
import { reconcile, type View } from "./reconcile.ts";
import type { Expected, Transition } from "./transition.ts";

const LATER_NS = T0_NS + 5_000_000_007n;
const UNCHANGED: View = { kind: "unchanged" };
const ABSENT: View = { kind: "absent" };

const followed = (stamp: Stamp): Stamp => ({ ...stamp, birthNs: -stamp.birthNs });
const seen = (entry: Entry): View => ({ kind: "present", entry, stamp: newStamp(entry) });
const seenFollowed = (entry: Entry): View => ({ kind: "present", entry, stamp: followed(newStamp(entry)) });

/** What both sides agreed on, of a link that the left shows as a file. */
function agreed(): ArchiveRow {
  const plain = row(file("a"));
  return { ...plain, left: followed(plain.left) };
}

const right = (base: ArchiveRow | null, left: View, view: View) =>
  reconcileOneWay({ base, left, right: view, later: "right" });

Deno.test("isFollowed() knows the stamp of a link that is shown as a file", () => {
  assertEquals([isFollowed(agreed().left), isFollowed(agreed().right)], [true, false]);
});

Deno.test("reconcileOneWay() refuses what the right did to a link of the left, and to any link", () => {
  for (const view of [seen(file("b", { mtimeNs: LATER_NS })), seen(dir()), seen(link("x")), ABSENT]) {
    assertEquals(right(agreed(), UNCHANGED, view), { kind: "refused" });
    assertEquals(right(row(link("y")), UNCHANGED, view), { kind: "refused" });
  }
  assertEquals(right(null, UNCHANGED, seen(link("x"))), { kind: "refused" });
  assertEquals(right(row(file("a")), ABSENT, seen(link("x"))), { kind: "refused" });
});

Deno.test("reconcileOneWay() lets the left win where both changed, and keeps what the right had", () => {
  const entry = file("b", { mtimeNs: LATER_NS });
  for (const base of [agreed(), null]) {
    const decision = right(base, seenFollowed(entry), seen(file("c", { mtimeNs: LATER_NS + 1n })));
    assertEquals(decision.kind === "change" && [decision.left.kind, decision.right], [
      "keep",
      { kind: "put", entry, from: "left", disposal: "conflict" },
    ]);
  }
});

Deno.test("reconcileOneWay() decides as ever what changes no link", () => {
  const entry = file("b", { mtimeNs: LATER_NS });
  const cases: [ArchiveRow | null, View, View][] = [
    [agreed(), seenFollowed(entry), UNCHANGED],
    [agreed(), ABSENT, UNCHANGED],
    [agreed(), ABSENT, seen(entry)],
    [agreed(), seen(link("x")), UNCHANGED],
    [row(file("a")), UNCHANGED, seen(entry)],
    [row(file("a")), UNCHANGED, ABSENT],
    [null, UNCHANGED, seen(file("c"))],
    [null, seen(link("x")), UNCHANGED],
  ];
  for (const [base, left, view] of cases) {
    assertEquals(right(base, left, view), reconcile({ base, left, right: view, later: "right" }));
  }
});

Deno.test("isRefused() knows what makes, moves, changes or removes a link", () => {
  const path = parseRelPath("a/p");
  const plain = file("a");
  const here = (entry: Entry): Expected => expectedObject(entry, newStamp(entry));
  const shown = expectedObject(plain, followed(newStamp(plain)));
  const put = (expected: Expected, entry: Entry): Transition => //
  ({ kind: "put", path, expected, entry, content: null, disposal: "drop" });
  const move = (expectedFrom: Expected, expectedTo: Expected, to = "b/p"): Transition => //
  ({ kind: "move", from: path, to: parseRelPath(to), expectedFrom, expectedTo, disposal: "drop" });
  const absent: Expected = { kind: "absent" };
  const remove = (expected: Expected): Transition => ({
    kind: "remove",
    path,
    expected,
    disposal: "drop",
    force: true,
  });
  const refused = [
    put(absent, link("x")),
    put(shown, plain),
    put(here(link("x")), plain),
    remove(shown),
    remove(here(link("x"))),
    { kind: "meta", path, expected: shown, entry: plain } as const,
    move(shown, absent),
    move(here(link("x")), absent),
    move(here(plain), shown),
    move(here(dir()), absent, "b"),
  ];
  const allowed = [
    put(absent, plain),
    put(here(plain), plain),
    remove(here(plain)),
    remove(here(dir())),
    move(here(plain), here(plain), "b"),
    move(here(dir()), absent),
  ];
  assertEquals([refused.map(isRefused), allowed.map(isRefused)], [refused.map(() => true), allowed.map(() => false)]);
});
