import { assert, assertEquals } from "@std/assert";
import { dir, file, laterStamp, link, newStamp, row, T0_NS } from "../../tests/support/entries.ts";
import type { ArchiveRow } from "./archive.ts";
import type { Entry, Stamp } from "./entry.ts";
import { type Clash, type Decision, type Later, reconcile, type Step, type View } from "./reconcile.ts";

// Rows that are read like the design: what the archive says, what each side shows, what is done.

const KEEP: Step = { kind: "keep" };
const TOUCHED_NS = T0_NS + 5_000_000_007n;
const UNCHANGED: View = { kind: "unchanged" };
const ABSENT: View = { kind: "absent" };
const BLOCKED: View = { kind: "blocked" };

/** A new object. */
function fresh(entry: Entry): View {
  return { kind: "present", entry, stamp: newStamp(entry) };
}

/** The object that the archive knows, after something was done to it. */
function worked(stamp: Stamp, entry: Entry): View {
  return { kind: "present", entry, stamp: laterStamp(stamp, entry) };
}

function change(
  of: { entry: Entry | null; left?: Step; right?: Step; clash?: Clash },
): Decision {
  return { kind: "change", entry: of.entry, left: of.left ?? KEEP, right: of.right ?? KEEP, clash: of.clash ?? null };
}

function decide(base: ArchiveRow | null, left: View, right: View, later: Later = "unknown"): Decision {
  return reconcile({ base, left, right, later });
}

Deno.test("reconcile() does nothing where both sides are as archived", () => {
  for (const entry of [file("a"), file("a", { isRead: false }), dir(), link("x")]) {
    const base = row(entry);
    const same = (side: "left" | "right"): View => ({ kind: "present", entry, stamp: base[side] });
    assertEquals(decide(base, UNCHANGED, UNCHANGED), { kind: "nothing" });
    assertEquals(decide(base, same("left"), UNCHANGED), { kind: "nothing" });
    assertEquals(decide(base, same("left"), same("right")), { kind: "nothing" });
  }
  assertEquals(decide(null, UNCHANGED, ABSENT), { kind: "nothing" });
});

Deno.test("reconcile() waits where a side is blocked", () => {
  for (const base of [null, row(file("a"))]) {
    for (const other of [UNCHANGED, ABSENT, BLOCKED, fresh(file("b")), fresh(file("a", { isRead: false }))]) {
      assertEquals(decide(base, BLOCKED, other), { kind: "wait" });
      assertEquals(decide(base, other, BLOCKED), { kind: "wait" });
    }
  }
});

Deno.test("reconcile() brings an edit to the other side and drops the archived version", () => {
  const entry = file("b", { mtimeNs: TOUCHED_NS });
  const put: Step = { kind: "put", entry, from: "left", disposal: "drop" };
  assertEquals(decide(row(file("a")), fresh(entry), UNCHANGED), change({ entry, right: put }));
});

Deno.test("reconcile() brings a new path to the side that lacks it", () => {
  for (const entry of [file("a"), dir({ mode: 0o700 }), link("x")]) {
    const put: Step = { kind: "put", entry, from: "right", disposal: "drop" };
    assertEquals(decide(null, ABSENT, fresh(entry)), change({ entry, left: put }));
    assertEquals(decide(null, UNCHANGED, fresh(entry)), change({ entry, left: put }));
  }
});

Deno.test("reconcile() keeps both versions of two edits; the later one stands", () => {
  const base = row(file("a"));
  const left = file("b");
  const right = file("c", { mode: 0o600 });
  const won = { ...right, mode: 0o600 };
  assertEquals(
    decide(base, fresh(left), fresh(right), "right"),
    change({
      entry: won,
      left: { kind: "put", entry: won, from: "right", disposal: "conflict" },
      clash: { why: "edit-edit", loser: "left" },
    }),
  );
  // Content from the left, the mode that the right changed.
  const merged = { ...left, mode: 0o600 };
  assertEquals(
    decide(base, fresh(left), fresh(right)),
    change({
      entry: merged,
      left: { kind: "meta", entry: merged },
      right: { kind: "put", entry: merged, from: "left", disposal: "conflict" },
      clash: { why: "edit-edit", loser: "right" },
    }),
  );
});

Deno.test("reconcile() adopts the same edit of both sides without a copy", () => {
  const entry = file("b");
  assertEquals(decide(row(file("a")), fresh(entry), fresh(entry), "right"), { kind: "agree", entry });
});

Deno.test("reconcile() lets an edit win over a removal", () => {
  const entry = file("b");
  assertEquals(
    decide(row(file("a")), ABSENT, fresh(entry), "left"),
    change({
      entry,
      left: { kind: "put", entry, from: "right", disposal: "drop" },
      clash: { why: "edit-remove", loser: null },
    }),
  );
});

Deno.test("reconcile() forgets what is gone from both sides", () => {
  assertEquals(decide(row(file("a")), ABSENT, ABSENT), { kind: "forget" });
});

Deno.test("reconcile() removes what one side removed, also where only metadata was changed", () => {
  const right: Step = { kind: "remove", disposal: "removed" };
  for (const entry of [file("a"), dir(), link("x")]) {
    assertEquals(decide(row(entry), ABSENT, UNCHANGED), change({ entry: null, right }));
  }
  const base = row(file("a"));
  const changed = worked(base.right, file("a", { mode: 0o600 }));
  assertEquals(decide(base, ABSENT, changed), change({ entry: null, right }));
});

Deno.test("reconcile() puts a removed directory back that something new needs", () => {
  const base = row(dir());
  assertEquals(
    reconcile({ base, left: ABSENT, right: UNCHANGED, later: "unknown", isNeeded: true }),
    change({
      entry: base.entry,
      left: { kind: "put", entry: base.entry, from: "right", disposal: "drop" },
      clash: { why: "edit-remove", loser: null },
    }),
  );
});

Deno.test("reconcile() keeps a directory with news below when it gives way to a file", () => {
  const base = row(dir());
  const entry = file("a");
  const ask = (isNeeded: boolean) =>
    reconcile({ base, left: UNCHANGED, right: fresh(entry), later: "right", isNeeded });
  assertEquals(
    ask(false),
    change({ entry, left: { kind: "put", entry, from: "right", disposal: "removed" } }),
  );
  assertEquals(
    ask(true),
    change({
      entry,
      left: { kind: "put", entry, from: "right", disposal: "conflict" },
      clash: { why: "type", loser: "left" },
    }),
  );
});

Deno.test("reconcile() merges a mode of one side with the content of the other", () => {
  const base = row(file("a"));
  const entry = file("b", { mode: 0o600 });
  assertEquals(
    decide(base, worked(base.left, file("a", { mode: 0o600 })), worked(base.right, file("b"))),
    change({
      entry,
      left: { kind: "put", entry, from: "right", disposal: "drop" },
      right: { kind: "meta", entry },
    }),
  );
});

Deno.test("reconcile() merges mode and owner apart, and settles a clash of metadata by rule, without a copy", () => {
  const [alice, bob] = [{ user: "alice", group: "g" }, { user: "bob", group: "g" }];
  const base = row(dir({ owner: alice }));
  const left = dir({ owner: bob });
  const right = dir({ owner: alice, mode: 0o700 });
  const both = dir({ owner: bob, mode: 0o700 });
  assertEquals(
    decide(base, worked(base.left, left), worked(base.right, right)),
    change({ entry: both, left: { kind: "meta", entry: both }, right: { kind: "meta", entry: both } }),
  );
  const clash = dir({ owner: alice, mode: 0o711 });
  assertEquals(
    decide(base, worked(base.left, clash), worked(base.right, right), "right"),
    change({ entry: right, left: { kind: "meta", entry: right } }),
  );
  assertEquals(
    decide(base, worked(base.left, clash), worked(base.right, right)),
    change({ entry: clash, right: { kind: "meta", entry: clash } }),
  );
});

Deno.test("reconcile() compares no owner that one side does not tell", () => {
  const base = row(file("a"));
  const told = worked(base.left, file("a", { owner: { user: "alice", group: "g" } }));
  assertEquals(decide(base, told, UNCHANGED), { kind: "agree", entry: base.entry });
  const other = worked(base.right, file("a", { owner: { user: "bob", group: "g" } }));
  assert(told.kind === "present");
  assertEquals(
    decide(base, told, other, "left"),
    change({ entry: told.entry, right: { kind: "meta", entry: told.entry } }),
  );
});

Deno.test("reconcile() passes a touch on as metadata where the content is known", () => {
  const base = row(file("a"));
  const entry = file("a", { mtimeNs: TOUCHED_NS });
  assertEquals(decide(base, worked(base.left, entry), UNCHANGED), change({ entry, right: { kind: "meta", entry } }));
});

Deno.test("reconcile() does not read a file for a change of mode", () => {
  const base = row(file("a", { isRead: false }));
  const entry = file("a", { mode: 0o600, isRead: false });
  assertEquals(decide(base, worked(base.left, entry), UNCHANGED), change({ entry, right: { kind: "meta", entry } }));
});

Deno.test("reconcile() reads a file whose ctime or inode nothing explains, then trusts the content", () => {
  const base = row(file("a"));
  const unread = file("a", { isRead: false });
  for (const stamp of [laterStamp(base.left, unread), newStamp(unread)]) {
    const view = (entry: Entry): View => ({ kind: "present", entry, stamp });
    assertEquals(decide(base, view(unread), UNCHANGED), { kind: "compare", sides: ["left"] });
    assertEquals(decide(base, view(file("a")), UNCHANGED), { kind: "agree", entry: file("a") });
    const entry = file("z");
    const put: Step = { kind: "put", entry, from: "left", disposal: "drop" };
    assertEquals(decide(base, view(entry), UNCHANGED), change({ entry, right: put }));
  }
});

Deno.test("reconcile() reads both files where the archive has no digest, and takes the untouched one for the archived", () => {
  const base = row(file("a", { isRead: false }));
  const left = worked(base.left, file("a", { isRead: false, mtimeNs: TOUCHED_NS }));
  assertEquals(decide(base, left, UNCHANGED), { kind: "compare", sides: ["left", "right"] });
  const right: View = { kind: "present", entry: file("a"), stamp: base.right };
  assert(left.kind === "present");
  const entry = file("a", { mtimeNs: TOUCHED_NS });
  assertEquals(
    decide(base, { ...left, entry }, right),
    change({ entry, right: { kind: "meta", entry } }),
  );
  const edited = file("z", { mtimeNs: TOUCHED_NS });
  assertEquals(
    decide(base, { ...left, entry: edited }, right),
    change({ entry: edited, right: { kind: "put", entry: edited, from: "left", disposal: "drop" } }),
  );
});

Deno.test("reconcile() lets doubt win over a removal where nothing can tell", () => {
  const base = row(file("a", { isRead: false }));
  const entry = file("a", { isRead: false });
  assertEquals(
    decide(base, ABSENT, worked(base.right, entry)),
    change({
      entry,
      left: { kind: "put", entry, from: "right", disposal: "drop" },
      clash: { why: "edit-remove", loser: null },
    }),
  );
});

Deno.test("reconcile() makes a conflict of an agreement by time that proves to be wrong", () => {
  const base = row(file("a", { isRead: false }));
  const left: View = { kind: "present", entry: file("a"), stamp: base.left };
  const right: View = { kind: "present", entry: file("z"), stamp: base.right };
  assertEquals(
    decide(base, left, right),
    change({
      entry: file("a"),
      right: { kind: "put", entry: file("a"), from: "left", disposal: "conflict" },
      clash: { why: "first-sync", loser: "right" },
    }),
  );
  const equal: View = { kind: "present", entry: file("a"), stamp: base.right };
  assertEquals(decide(base, left, equal), { kind: "agree", entry: file("a") });
});

Deno.test("reconcile() believes a digest more than a stamp", () => {
  const base = row(file("a"));
  const entry = file("z");
  assertEquals(
    decide(base, { kind: "present", entry, stamp: base.left }, UNCHANGED),
    change({ entry, right: { kind: "put", entry, from: "left", disposal: "drop" } }),
  );
});

Deno.test("reconcile() agrees at a first sync on equal size and exact time without reading", () => {
  const entry = file("a", { isRead: false });
  assertEquals(decide(null, fresh(entry), fresh(file("a"))), { kind: "agree", entry });
  const round = file("a", { isRead: false, mtimeNs: 1_700_000_000_000_000_000n });
  assertEquals(decide(null, fresh(round), fresh(round)), { kind: "compare", sides: ["left", "right"] });
  const other = file("a", { mtimeNs: TOUCHED_NS });
  assertEquals(decide(null, fresh(entry), fresh(other)), { kind: "compare", sides: ["left"] });
});

Deno.test("reconcile() takes metadata from the left at a first sync", () => {
  const left = file("a", { mode: 0o640, owner: { user: "alice", group: "g" } });
  const right = file("a", { mtimeNs: TOUCHED_NS, owner: { user: "bob", group: "g" } });
  assertEquals(
    decide(null, fresh(left), fresh(right), "right"),
    change({ entry: left, right: { kind: "meta", entry: left } }),
  );
});

Deno.test("reconcile() never mixes content and mode of two strangers", () => {
  const secret = file("b", { mode: 0o600 });
  assertEquals(
    decide(null, fresh(file("a")), fresh(secret), "right"),
    change({
      entry: secret,
      left: { kind: "put", entry: secret, from: "right", disposal: "conflict" },
      clash: { why: "first-sync", loser: "left" },
    }),
  );
});

Deno.test("reconcile() treats another kind as another content", () => {
  const base = row(file("a"));
  const entry = link("x");
  assertEquals(
    decide(base, fresh(entry), UNCHANGED),
    change({ entry, right: { kind: "put", entry, from: "left", disposal: "removed" } }),
  );
  assertEquals(
    decide(base, fresh(dir()), fresh(entry), "right"),
    change({
      entry,
      left: { kind: "put", entry, from: "right", disposal: "conflict" },
      clash: { why: "type", loser: "left" },
    }),
  );
  assertEquals(
    decide(null, fresh(link("x")), fresh(link("y"))),
    change({
      entry,
      right: { kind: "put", entry, from: "left", disposal: "conflict" },
      clash: { why: "first-sync", loser: "right" },
    }),
  );
});

Deno.test("reconcile() gives an edit its own time, whatever was touched on the other side", () => {
  const base = row(file("a"));
  const entry = file("b");
  const touched = file("a", { mtimeNs: TOUCHED_NS });
  assertEquals(
    decide(base, fresh(entry), worked(base.right, touched), "right"),
    change({ entry, right: { kind: "put", entry, from: "left", disposal: "drop" } }),
  );
  const conflict = decide(base, fresh(entry), fresh(file("c", { mtimeNs: TOUCHED_NS })), "left");
  assert(conflict.kind === "change");
  assertEquals(conflict.entry, entry);
});

Deno.test("reconcile() does not take the archived time on both sides for equal content", () => {
  const entry = file("a", { isRead: false });
  assertEquals(decide(row(entry), fresh(entry), fresh(entry)), { kind: "compare", sides: ["left", "right"] });
});

Deno.test("reconcile() asks only for the digests that it lacks", () => {
  const base = row(file("a"));
  const unread = file("a", { isRead: false });
  assertEquals(decide(base, fresh(unread), fresh(file("b", { isRead: false }))), { kind: "compare", sides: ["left"] });
  assertEquals(decide(base, fresh(unread), fresh(unread)), { kind: "compare", sides: ["left", "right"] });
  assertEquals(decide(base, UNCHANGED, fresh(unread)), { kind: "compare", sides: ["right"] });
});
