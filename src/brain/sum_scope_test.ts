import { assertEquals } from "@std/assert";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { NO_RULES } from "../core/ignore.ts";
import { ROOT } from "../core/path.ts";
import { followScope } from "./sum_scope.ts";

const SCOPE = { settings: { rules: NO_RULES, translate: [] }, build: "b1" };

Deno.test("followScope() drops the sums under other patterns, another translation or another build, and keeps them else", () => {
  const others = [
    { ...SCOPE, build: "b2" },
    { ...SCOPE, settings: { ...SCOPE.settings, rules: { ...NO_RULES, excludes: ["x"] } } },
    { ...SCOPE, settings: { ...SCOPE.settings, rules: { ...NO_RULES, tempfiles: ["x"] } } },
    { ...SCOPE, settings: { ...SCOPE.settings, rules: { ...NO_RULES, rsyncExcludes: ["x"] } } },
    { ...SCOPE, settings: { ...SCOPE.settings, translate: [{ left: "a", right: "b" }] } },
  ];
  for (const other of [SCOPE, ...others]) {
    const archive = new MemoryArchive();
    archive.transact(() => followScope(archive, SCOPE));
    assertEquals(archive.dirState(ROOT)?.sums, null, "an archive of unknown scope");
    archive.transact(() => archive.sumUp(ROOT));
    archive.transact(() => followScope(archive, other));
    assertEquals(archive.dirState(ROOT)?.sums !== null, other === SCOPE, JSON.stringify(other));
  }
});
