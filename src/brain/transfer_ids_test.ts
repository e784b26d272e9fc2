/** Tests of the numbers of files that rsync moves. @module */
import { assertEquals } from "@std/assert";
import type { RelPath } from "../core/path.ts";
import { transferIds } from "./transfer_ids.ts";

Deno.test("transferIds() gives a path the same number in every batch, and no number twice", () => {
  const paths = Array.from({ length: 200 }, (_, i) => `dir/f${i}` as RelPath);
  const ids = transferIds(paths);
  assertEquals(new Set(ids).size, paths.length);
  assertEquals(transferIds([paths[17]!]), [ids[17]!]);
  assertEquals(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 32), true);
  const [first, second] = transferIds([paths[3]!, paths[3]!]);
  assertEquals([first, second], [ids[3], (ids[3]! + 1) >>> 0]);
});
