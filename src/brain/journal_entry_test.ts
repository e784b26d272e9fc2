import { assertEquals } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { entryPath } from "../../tests/support/wire_values.ts";
import { type JournalEntry, type JournalEvent, parseEntry, pathsOf, printEntry } from "./journal_entry.ts";

const side = fc.constantFrom("left" as const, "right" as const);
const text = fc.string({ unit: "binary" });
const count = fc.maxSafeNat();

const event: fc.Arbitrary<JournalEvent> = fc.oneof(
  fc.record({
    what: fc.constant("did" as const),
    did: fc.record({
      side,
      deed: fc.constantFrom("created" as const, "changed", "removed", "renamed"),
      path: entryPath,
      from: fc.option(entryPath, { nil: null }),
      kind: fc.constantFrom("file" as const, "dir", "link"),
      bytes: count,
      cause: fc.record({ how: fc.constantFrom("event" as const, "look"), side }),
    }),
  }),
  fc.record({
    what: fc.constant("conflict" as const),
    conflict: fc.record({
      path: entryPath,
      loser: side,
      kept: fc.option(text, { nil: null }),
      why: fc.constant("both-changed" as const),
    }),
  }),
  fc.record({ what: fc.constant("held" as const), hold: fc.record({ id: count, side, count }) }),
  fc.record({
    what: fc.constant("problem" as const),
    problem: fc.record({
      path: entryPath,
      side: fc.option(side, { nil: null }),
      reason: fc.constant("busy" as const),
      detail: text,
    }),
  }),
  fc.record({ what: fc.constant("fine" as const), path: entryPath }),
  fc.record({
    what: fc.constant("notice" as const),
    notice: fc.record({ kind: fc.constant("unwatched" as const), side, path: entryPath }),
  }),
  fc.record({ what: fc.constant("first-sync" as const), changes: count, ms: count }),
  fc.record({ what: fc.constantFrom("link-lost" as const, "halted"), why: text }),
  fc.record({ what: fc.constant("link-back" as const), downMs: count }),
  fc.record({ what: fc.constantFrom("started" as const, "connected", "healed", "ended") }),
  fc.record({ what: fc.constant("lost" as const), count }),
);

Deno.test("parseEntry() reads what printEntry() writes, as bytes on a disk, in one line", () => {
  fc.assert(fc.property(event, count, (one, atMs) => {
    const bytes = new TextEncoder().encode(printEntry(one, atMs));
    assertEquals(bytes.includes(10), false);
    assertEquals(parseEntry(new TextDecoder().decode(bytes)), { ...one, atMs } as JournalEntry);
  }));
});

Deno.test("parseEntry() takes nothing that is torn, foreign or false for an entry", () => {
  const line = printEntry({ what: "problem", problem: somethingBusy() }, 7);
  for (let end = 0; end < line.length; end++) assertEquals(parseEntry(line.slice(0, end)), null);
  for (const other of ["null", "[]", "1", "{}", '{"t":1}', '{"t":"1","what":"ended"}', '{"t":1,"what":"later"}']) {
    assertEquals(parseEntry(other), null, other);
  }
  assertEquals(parseEntry(line.replace('"d/f"', '"../f"')), null);
  assertEquals(parseEntry(line.replace('"left"', '"middle"')), null);
});

Deno.test("pathsOf() names both names of a rename", () => {
  const did = {
    side: "left",
    deed: "renamed",
    kind: "file",
    bytes: 0,
    cause: { how: "event", side: "right" },
  } as const;
  const [from, path] = fc.sample(entryPath, { numRuns: 2, seed: 1 });
  assertEquals(pathsOf({ what: "did", did: { ...did, from: from!, path: path! } }), [from!, path!]);
  assertEquals(pathsOf({ what: "started" }), []);
});

function somethingBusy() {
  const [path] = fc.sample(fc.constant("d/f"), 1) as [never];
  return { path, side: "left", reason: "busy", detail: "x" } as const;
}
