/** Tests of the copy of an archive. @module */
import { assertEquals } from "@std/assert";
import { file, newStamp } from "../../tests/support/entries.ts";
import { parseRelPath } from "../core/path.ts";
import { copyArchive, openArchive } from "./archive.ts";

Deno.test("copyArchive() shows what was recorded, leaves the archive alone, and is gone afterwards", () => {
  const dir = Deno.makeTempDirSync();
  try {
    const path = `${dir}/archive.db`;
    const at = parseRelPath("a");
    using archive = openArchive(path);
    archive.transact(() =>
      archive.put(at, { entry: file("one"), left: newStamp(file("one")), right: newStamp(file("one")) })
    );
    const before = Deno.readFileSync(path);
    let copied: string;
    {
      using copy = copyArchive(path);
      copied = copy.path;
      using again = openArchive(copy.path);
      assertEquals(again.get(at)?.entry.kind, "file");
      again.findObject("left", { inode: 1n, birthNs: 1n }, 2);
    }
    assertEquals(Deno.readFileSync(path), before);
    assertEquals(Deno.statSync(dir).isDirectory, true);
    let isGone = false;
    try {
      Deno.statSync(copied);
    } catch {
      isGone = true;
    }
    assertEquals(isGone, true);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
