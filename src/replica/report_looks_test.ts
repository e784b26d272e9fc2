import { assertEquals } from "@std/assert";
import { joinPath, type Name, type RelPath, ROOT } from "../core/path.ts";
import { KnownStamps } from "./known_stamps.ts";
import type { Sighting } from "./looker.ts";
import { lookAtDues, REPORT_CONTENT_BYTES, REPORT_CONTENT_PATHS } from "./report_looks.ts";
import type { Due } from "./settle.ts";

/** The limits of content with which so many paths are looked at that somebody changed. */
async function limitsOf(count: number): Promise<readonly number[]> {
  const dues: Due[] = Array.from(
    { length: count },
    (_, i) => ({ path: joinPath(ROOT, `f${i}` as Name), bits: 1 } as Due),
  );
  const limits: number[] = [];
  const look = (paths: readonly RelPath[], { contentLimitBytes }: { readonly contentLimitBytes: number }) => {
    if (paths.length > 0) limits.push(contentLimitBytes);
    return Promise.resolve(
      paths.map((path): Sighting => ({ observation: { kind: "absent", path, began: 1 }, stat: null } as Sighting)),
    );
  };
  const settle = { isDueToGrow: () => false };
  const looks = await lookAtDues(dues, { looker: { look }, known: new KnownStamps(), settle });
  assertEquals(looks.length, count);
  return limits;
}

Deno.test("a report of very many renames holds no content: it would be as much as 64 KB for each", async () => {
  assertEquals(await limitsOf(REPORT_CONTENT_PATHS), [REPORT_CONTENT_BYTES]);
  assertEquals(await limitsOf(REPORT_CONTENT_PATHS + 1), [0]);
});
