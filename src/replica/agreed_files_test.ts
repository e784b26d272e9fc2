/**
 * Tests of what is remembered of files that somebody has open.
 * @module
 */
import { assertEquals } from "@std/assert";
import { file, newStamp } from "../../tests/support/entries.ts";
import { growingStamp } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import { parseRelPath } from "../core/path.ts";
import { AgreedFiles } from "./agreed_files.ts";

const LOG = parseRelPath("log");
const ONE = { sizeBytes: 3, digest: "a".repeat(64) };

/** The log as it was seen. */
function seen(isGrowing: boolean): Observation {
  const entry = file("one two");
  const stamp = isGrowing ? growingStamp(newStamp(entry)) : newStamp(entry);
  return { kind: "present", path: LOG, began: 1, entry, stamp, content: null };
}

Deno.test("AgreedFiles follows a file that is shown as it grows, and forgets one that is seen otherwise", () => {
  const files = new AgreedFiles();
  files.saw(seen(true));
  assertEquals(files.of([LOG]), [null]);
  files.note({ path: LOG, ...ONE });
  files.saw({ kind: "busy", path: LOG, began: 1, stamp: newStamp(file("x")) } as Observation);
  assertEquals(files.of([parseRelPath("other"), LOG]), [null, ONE]);
  files.saw(seen(true));
  const { sizeBytes, digest } = file("one two");
  assertEquals(files.of([LOG]), [{ sizeBytes, digest: digest! }]);
  for (const other of [seen(false), { kind: "absent", path: LOG, began: 1 } as const]) {
    files.note({ path: LOG, ...ONE });
    files.saw(other);
    assertEquals(files.of([LOG]), [null]);
  }
});

Deno.test("AgreedFiles knows nothing of an empty file, and of so many files at most", () => {
  const files = new AgreedFiles();
  files.note({ path: LOG, sizeBytes: 0, digest: ONE.digest });
  assertEquals(files.of([LOG]), [null]);
  files.note({ path: LOG, ...ONE });
  for (let i = 0; i < 10_000; i++) files.note({ path: parseRelPath(`f${i}`), ...ONE });
  assertEquals(files.of([LOG, parseRelPath("f0")]), [null, ONE]);
});
