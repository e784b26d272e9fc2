import { assertEquals } from "@std/assert";
import { absent, at, news, present, sighting } from "../../tests/support/brain.ts";
import { dir, file, laterStamp, row } from "../../tests/support/entries.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import type { ArchiveRow } from "../core/archive.ts";
import type { Observation } from "../core/observation.ts";
import { type PlanContext, planPath } from "./plan.ts";

const A = row(file("a"));

function context(rows: Readonly<Record<string, ArchiveRow>>, given: Partial<PlanContext> = {}): PlanContext {
  const archive = new MemoryArchive();
  archive.transact(() => Object.entries(rows).forEach(([path, one]) => archive.put(at(path), one)));
  return {
    archive,
    sighting: () => null,
    seenObjects: new Map(),
    isEvidence: () => true,
    offsetNs: 0n,
    isIgnored: () => false,
    winner: () => null,
    isAfterCrash: false,
    followsLinks: false,
    hasLifeBelow: () => false,
    ...given,
  };
}

const plan = (of: ReturnType<typeof news>, on: PlanContext, mayMove = false) => planPath(of, on, { mayMove });

Deno.test("planPath() looks again at what is no evidence any more, on that side only (I13)", () => {
  const stale = context({ p: A }, { isEvidence: (side) => side === "right" });
  const made = plan(news("p", { left: absent("p"), right: absent("p") }), stale);
  assertEquals(made, {
    kind: "look",
    looks: [{ path: at("p"), side: "left", content: true, digest: false, sizeBytes: 0 }],
  });
});

Deno.test("planPath() asks for content that is not at hand, once it is known to be wanted", () => {
  const on = context({});
  const look = (seen: Observation) => plan(news("p", { left: seen }), on).kind;
  assertEquals(look(present("p", file("a"))), "look");
  assertEquals(look(present("p", file("a"), { content: new Uint8Array(1) })), "change");
  assertEquals(look(present("p", { ...file("a"), sizeBytes: 0 })), "look", "a listing tells of no writer");
  assertEquals(look(present("p", { ...file("a"), sizeBytes: 0 }, { content: new Uint8Array(0) })), "change");
  assertEquals(look(present("p", { ...file("a"), sizeBytes: (1 << 20) + 1 })), "change", "rsync reads it by itself");
  assertEquals(look(present("p", dir())), "change");
  const big = plan(news("p", { left: present("p", { ...file("a"), sizeBytes: 1 << 20 }) }), on);
  assertEquals(big.kind === "look" && big.looks[0]!.sizeBytes, 1 << 20);
});

Deno.test("planPath() leaves a path whose directory is gone to the directory, unless the other side edited", () => {
  const orphan = { kind: "orphan", path: at("d/p"), began: 1 } as const;
  const on = context({ d: row(dir()), "d/p": A });
  assertEquals(plan(news("d/p", { left: orphan }), on).kind, "settled");
  assertEquals(plan(news("d/p", { left: orphan, right: absent("d/p") }), on).kind, "settled");
  const edited = present("d/p", file("b"), { content: new Uint8Array(22) });
  const made = plan(news("d/p", { left: orphan, right: edited }), on);
  assertEquals(made.kind === "change" && made.change.left.kind, "put");
});

Deno.test("planPath() decides nothing while a side is blocked (I6)", () => {
  const blocked = { kind: "blocked", path: at("p"), began: 1, reason: "mount", detail: "" } as const;
  assertEquals(plan(news("p", { left: blocked, right: absent("p") }), context({ p: A })).kind, "blocked");
  const busy = { kind: "busy", path: at("p"), began: 1 } as const;
  assertEquals(plan(news("p", { left: absent("p"), right: busy }), context({ p: A })).kind, "blocked");
});

Deno.test("planPath() removes, forgets, agrees and settles", () => {
  const on = context({ p: A });
  const removal = plan(news("p", { left: absent("p") }), on);
  assertEquals(removal.kind === "change" && removal.change.right, { kind: "remove", disposal: "removed" });
  assertEquals(plan(news("p", { left: absent("p"), right: absent("p") }), on).kind, "forget");
  assertEquals(plan(news("p", { left: present("p", A.entry, { stamp: A.left }) }), on).kind, "settled");
  const touched = present("p", A.entry, { stamp: laterStamp(A.left, A.entry) });
  assertEquals(plan(news("p", { left: touched }), on).kind, "agree");
  const both = news("q", { left: present("q", file("a")), right: present("q", file("a")) });
  assertEquals(plan(both, on).kind, "agree");
});

Deno.test("planPath() puts a directory back where something lives below it", () => {
  const rows = { d: row(dir()) };
  const of = news("d", { left: absent("d") });
  const kept = plan(of, context(rows, { hasLifeBelow: () => true }));
  assertEquals(kept.kind === "change" && [kept.change.left.kind, kept.change.right.kind], ["put", "keep"]);
  const gone = plan(of, context(rows));
  assertEquals(gone.kind === "change" && [gone.change.left.kind, gone.change.right.kind], ["keep", "remove"]);
});

Deno.test("planPath() takes a rename for one only where the other side shows nothing new", () => {
  const stamp = laterStamp(A.left, A.entry);
  const shown = present("new", A.entry, { stamp });
  const on = context({ old: A }, {
    sighting: (_, path) => path === "old" ? sighting(absent("old")) : null,
  });
  assertEquals(plan(news("new", { left: shown }), on, true).kind, "move");
  assertEquals(plan(news("new", { left: shown, right: absent("new") }), on, true).kind, "move");
  assertEquals(plan(news("new", { left: shown, right: present("new", file("b")) }), on, true).kind === "move", false);
  assertEquals(plan(news("new", { left: shown }), on, false).kind, "look");
});

Deno.test("planPath() reads both files before it takes size and mtime for content after a crash", () => {
  const unread = file("a", { isRead: false });
  const of = news("p", { left: present("p", unread), right: present("p", unread) });
  assertEquals(plan(of, context({})).kind, "agree");
  const made = plan(of, context({}, { isAfterCrash: true }));
  assertEquals(made.kind === "look" && made.looks.map(({ side, digest }) => `${side} ${digest}`), [
    "left true",
    "right true",
  ]);
});
