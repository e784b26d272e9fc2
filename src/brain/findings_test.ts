/**
 * Tests of what the archive takes over of psync's own links.
 * @module
 */
import { assertEquals } from "@std/assert";
import { file, laterStamp, newStamp, row } from "../../tests/support/entries.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { parseRelPath } from "../core/path.ts";
import { recordRenewed } from "./findings.ts";

Deno.test("recordRenewed() follows a stamp that only psync changed, and no other", () => {
  const archive = new MemoryArchive();
  const entry = file("large");
  const rows = { left: row(entry), right: row(entry), after: row(entry) };
  const [linked, edited, followed] = [parseRelPath("linked"), parseRelPath("edited"), parseRelPath("followed")];
  archive.transact(() => {
    archive.put(linked, rows.left);
    archive.put(edited, rows.right);
    archive.put(followed, rows.after);
  });
  const now = { ...rows.left.right, ctimeNs: rows.left.right.ctimeNs + 1n };
  const moved = (by: bigint) => ({ ...rows.after.right, ctimeNs: rows.after.right.ctimeNs + by });
  recordRenewed(archive, "right", {
    kept: [],
    renewed: [
      { path: linked, before: rows.left.right, now },
      { path: edited, before: laterStamp(rows.right.right, entry), now: newStamp(entry) },
      { path: followed, before: moved(-1n), now: moved(1n) }, // its link is in the record already
      { path: parseRelPath("gone"), before: newStamp(entry), now: newStamp(entry) },
    ],
  });
  const { left, right } = archive.get(linked)!;
  assertEquals([left, right], [rows.left.left, now]);
  assertEquals(archive.get(edited)!.right, rows.right.right);
  assertEquals(archive.get(followed)!.right, moved(1n));
  assertEquals(archive.get(parseRelPath("gone")), null);
});
