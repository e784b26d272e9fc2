import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { compileIgnore, DEFAULT_TEMPFILES, NO_RULES, type PathRules } from "./ignore.ts";
import { parseRelPath, ROOT } from "./path.ts";

interface Row {
  readonly excludes: readonly string[];
  readonly path: string;
  readonly ignored: boolean;
  readonly deep?: boolean;
}

const ROWS: readonly Row[] = [
  { excludes: [], path: "a", ignored: false },
  { excludes: [], path: ".psync", ignored: true },
  { excludes: [], path: ".psync/stage/x", ignored: true },
  { excludes: [], path: ".psyncx", ignored: false },
  { excludes: [], path: ".PSYNC", ignored: false },
  { excludes: [], path: "sub/.psync", ignored: false },
  { excludes: [], path: "x.psync.ignore", ignored: true },
  { excludes: [], path: "x.psync.ignored/deep/file", ignored: true },
  { excludes: [], path: ".bashrc.backup", ignored: false },
  { excludes: ["\\.tmp$"], path: "a/B.TMP", ignored: true },
  { excludes: ["\\.tmp$"], path: "a/B.TMP/inside", ignored: false, deep: true },
  { excludes: ["/cache"], path: "cache", ignored: true },
  { excludes: ["/cache"], path: "a/cached", ignored: true },
  { excludes: ["^/cache$"], path: "a/cache", ignored: false },
  { excludes: ["^/cache$"], path: "cache/a/b", ignored: false, deep: true },
  { excludes: ["node_modules", "\\.git"], path: "x/.git", ignored: true },
  { excludes: ["\\_a\\-b"], path: "_a-b", ignored: true },
  { excludes: ["^/.$"], path: "\udcff", ignored: true },
  { excludes: ["ä"], path: "Ä", ignored: true },
  { excludes: ["a|b"], path: "xbx", ignored: true },
];

Deno.test("compileIgnore() answers for each row of the table", () => {
  for (const row of ROWS) {
    const ignore = compileIgnore({ ...NO_RULES, excludes: row.excludes });
    const path = parseRelPath(row.path);
    const label = JSON.stringify(row);
    assertEquals(ignore.isIgnored(path, null), row.ignored, label);
    assertEquals(ignore.isIgnoredDeep(path, null), row.deep ?? row.ignored, label);
  }
});

Deno.test("isIgnored() never matches the root", () => {
  const ignore = compileIgnore({ ...NO_RULES, excludes: [".*", "^/", "$"] });
  assertEquals(ignore.isIgnored(ROOT, null), false);
  assertEquals(ignore.isIgnoredDeep(ROOT, null), false);
  assertEquals(ignore.isIgnored(parseRelPath("a"), null), true);
});

Deno.test("isIgnored() answers the same each time", () => {
  const ignore = compileIgnore({ ...NO_RULES, excludes: ["a"] });
  const path = parseRelPath("aaa");
  assertEquals([ignore.isIgnored(path, null), ignore.isIgnored(path, null)], [true, true]);
});

Deno.test("compileIgnore() refuses a pattern that does not compile, and names it", () => {
  const error = assertThrows(() => compileIgnore({ ...NO_RULES, excludes: ["ok", "a: (b"] }), UsageError);
  assertEquals(error.message, `Cannot use exclude pattern "a: (b": Unterminated group`);
  assertThrows(() => compileIgnore({ ...NO_RULES, excludes: ["[z-a]"] }), UsageError, `"[z-a]"`);
});

Deno.test("compileIgnore() refuses an empty pattern", () => {
  assertThrows(() => compileIgnore({ ...NO_RULES, excludes: [""] }), UsageError, "would match every path");
});

Deno.test("dependsOnPlace is false only where every pattern is of one name", () => {
  const of = (rules: Partial<PathRules>) => compileIgnore({ ...NO_RULES, ...rules }).dependsOnPlace;
  for (const source of ["/node_modules$", String.raw`\.o$`, "/a[^/]*b$", "cache", ...DEFAULT_TEMPFILES]) {
    assertEquals(of({ excludes: [source] }), false, source);
  }
  for (const source of ["^/a", "/a/b", "a.*b", String.raw`a\/b`, String.raw`a\Wb`, "a|/b", "[^a]b"]) {
    assertEquals(of({ tempfiles: [source] }), true, source);
  }
  for (const pattern of ["*.o", "cache/", "+ keep"]) assertEquals(of({ rsyncExcludes: [pattern] }), false, pattern);
  for (const pattern of ["/a", "a/b", "a**", "- /a/"]) assertEquals(of({ rsyncExcludes: [pattern] }), true, pattern);
  assertEquals(of({}), false);
});
