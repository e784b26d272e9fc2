/**
 * Tests of what an archive that is older than the roots have seen is good for: nothing.
 * @module
 */
import { assertEquals } from "@std/assert";
import { file, row } from "../../tests/support/entries.ts";
import { FAKE_FACTS } from "../../tests/support/fake_endpoint.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { parseRelPath } from "../core/path.ts";
import { forgetIfOutdated, raiseAge } from "./archive_age.ts";

const PAIR = "0123456789abcdef0123456789abcdef";
const F = parseRelPath("f");

/** The facts of both roots with these ages in them. */
function facts(left: string | null, right: string | null) {
  return { left: { ...FAKE_FACTS, age: left }, right: { ...FAKE_FACTS, age: right } };
}

function filled(): MemoryArchive {
  const archive = new MemoryArchive();
  assertEquals(forgetIfOutdated(facts(null, null), archive, PAIR), null);
  archive.transact(() => archive.put(F, row(file("f"))));
  return archive;
}

Deno.test("forgetIfOutdated() leaves an archive that no root is ahead of", () => {
  const archive = filled();
  const [first, second] = [raiseAge(archive), raiseAge(archive)];
  for (const [left, right] of [[first, second], [null, null], ["nonsense", first]] as const) {
    assertEquals(forgetIfOutdated(facts(left, right), archive, PAIR), null);
  }
  assertEquals(archive.count(), 1);
});

Deno.test("forgetIfOutdated() forgets what is known where one root has seen a newer archive, once", () => {
  const archive = filled();
  const old = archive.save();
  const ages = [raiseAge(archive), raiseAge(archive)];
  archive.restore(old);
  const other = raiseAge(filled())!.replace(PAIR, PAIR.replace("0", "f")).replace("age 1", "age 9");
  assertEquals(forgetIfOutdated(facts(other, null), archive, PAIR), null);
  const why = forgetIfOutdated(facts(ages[0]!, ages[1]!), archive, PAIR);
  assertEquals(why, "it is older than the roots: they have seen number 2 of it, and it is number 0");
  assertEquals(archive.count(), 0);
  archive.transact(() => archive.put(F, row(file("f"))));
  assertEquals(forgetIfOutdated(facts(ages[0]!, ages[1]!), archive, PAIR), null);
  assertEquals(raiseAge(archive), ages[1]!.replace("age 2", "age 3"));
});

Deno.test("raiseAge() says nothing of an archive that belongs to no pair", () => {
  assertEquals(raiseAge(new MemoryArchive()), null);
});
