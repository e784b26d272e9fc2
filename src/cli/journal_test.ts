import { assertEquals, assertMatch } from "@std/assert";
import { at } from "../../tests/support/brain.ts";
import { type JournalEvent, printEntry } from "../brain/journal_entry.ts";
import { journalLine } from "./journal_text.ts";
import { showJournal } from "./journal.ts";

const AT_MS = new Date(2026, 0, 31, 23, 59, 59, 7).getTime();

function line(event: JournalEvent): string {
  return journalLine({ ...event, atMs: AT_MS });
}

function fine(path: string): JournalEvent {
  return { what: "fine", path: at(path) };
}

async function show(
  batches: readonly (readonly string[])[],
  query: { readonly paths?: readonly string[]; readonly last?: number | null },
): Promise<string[]> {
  const out: string[] = [];
  async function* lines() {
    for (const batch of batches) yield await Promise.resolve(batch);
  }
  const world = { lines: lines(), out: (text: string) => Promise.resolve(void out.push(...text.split("\n"))) };
  await showJournal(world, { paths: (query.paths ?? []).map(at), last: query.last ?? null });
  return out.map((each) => each.slice(25));
}

Deno.test("journalLine() tells time, direction, path, cause and result in one safe line", () => {
  const cause = { how: "event", side: "left" } as const;
  const did = {
    side: "right",
    deed: "created",
    path: at("a/b"),
    from: null,
    kind: "file",
    bytes: 1_200,
    cause,
  } as const;
  assertEquals(
    line({ what: "did", did }),
    "2026-01-31 23:59:59.007  -> created file a/b (1.2 kB); event on the left",
  );
  const renamed = { ...did, side: "left", deed: "renamed", from: at("x\x1b[31m\n"), kind: "dir", bytes: 0 } as const;
  const scanned = { ...renamed, cause: { how: "look", side: "right" } } as const;
  assertEquals(
    line({ what: "did", did: scanned }).slice(25),
    "<- renamed folder x\\x1b[31m\\x0a => a/b; look at the right",
  );
  assertEquals(
    line({ what: "problem", problem: { path: at("f"), side: "right", reason: "denied", detail: "EACCES\nx" } }).slice(
      25,
    )
      .includes("\n"),
    false,
  );
  assertMatch(
    line({ what: "conflict", conflict: { path: at("f"), loser: "left", kept: "t/f", why: "both-changed" } }),
    /<- conflict f: /,
  );
  assertMatch(line({ what: "notice", notice: { kind: "later" } as never }), /-- /);
});

Deno.test("showJournal() shows what concerns a path or lies below it, and nothing that is torn", async () => {
  const batch = ["d", "d/x", "dd", "e"].map((path) => printEntry(fine(path), 0));
  assertEquals(await show([[...batch, '{"t":1,"wh', "", "x"]], { paths: ["d"] }), [
    "-- fine again d",
    "-- fine again d/x",
  ]);
  assertEquals((await show([batch], { paths: ["d/x", "e"] })).length, 2);
  assertEquals((await show([batch], { paths: [""] })).length, 4);
  assertEquals((await show([batch], {})).length, 4);
});

Deno.test("showJournal() begins with the newest entries, and goes on with what comes", async () => {
  const of = (...names: string[]) => names.map((name) => printEntry(fine(name), 0));
  const shown = (names: string) => [...names].map((name) => `-- fine again ${name}`);
  assertEquals(await show([of("a", "b"), of("c"), [], of("d"), [], of("e")], { last: 2 }), shown("bcde"));
  assertEquals(await show([of("a", "b"), of("c")], { last: 2 }), shown("bc"));
  assertEquals(await show([of("a", "b"), [], of("c")], { last: 0 }), shown("c"));
  const many = Array.from({ length: 50 }, (_, i) => of(`${i}`, `${i}x`));
  assertEquals(await show([...many, []], { last: 3 }), ["48x", "49", "49x"].map((name) => `-- fine again ${name}`));
});
