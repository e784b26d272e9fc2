import { assertEquals, assertThrows } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { TempTree } from "../../tests/support/temp_tree.ts";
import { UsageError } from "../base/errors.ts";
import { compileIgnore, NO_RULES } from "./ignore.ts";
import { decodeBytes, parseRelPath } from "./path.ts";
import { compileRsyncRules } from "./rsync_pattern.ts";

const ROWS: readonly (readonly [pattern: string, path: string, isDir: boolean, excluded: boolean])[] = [
  ["*.o", "a/b.o", false, true],
  ["*.o", "a/b.O", false, false],
  ["/a", "a", true, true],
  ["/a", "b/a", true, false],
  ["cache/", "x/cache", true, true],
  ["cache/", "x/cache", false, false],
  ["a/b", "x/a/b", false, true],
  ["a/*/c", "a/b/b/c", false, false],
  ["a/**/c", "a/b/b/c", false, true],
  ["**/c", "c", false, true],
  ["d/***", "d", true, true],
  ["d/***", "d", false, false],
  ["d/***", "d/x", false, true],
  ["a\\b", "a\\b", false, true],
  ["a\\*", "a*", false, true],
  ["a\\*", "ab", false, false],
  ["[!a]", "b", false, true],
  ["?", "ä", false, false],
  ["??", "ä", false, true],
  ["x[", "x[", false, false],
];

for (const [pattern, path, isDir, excluded] of ROWS) {
  Deno.test(`compileRsyncRules() lets ${JSON.stringify(pattern)} ${excluded ? "exclude" : "pass"} ${path}`, () => {
    assertEquals(compileRsyncRules([pattern])(parseRelPath(path), isDir), excluded);
  });
}

Deno.test("compileRsyncRules() takes the first rule that matches, and drops what stands before !", () => {
  const rules = compileRsyncRules(["x", "!", "+ keep.o", "- *.o"]);
  const answers = ["x", "keep.o", "b.o"].map((path) => rules(parseRelPath(path), false));
  assertEquals(answers, [false, false, true]);
});

Deno.test("compileRsyncRules() excludes without knowing the kind only what is excluded as either", () => {
  assertEquals(compileRsyncRules(["cache/"])(parseRelPath("cache"), null), false);
  assertEquals(compileRsyncRules(["+ cache/", "*"])(parseRelPath("cache"), null), false);
  assertEquals(compileRsyncRules(["cache"])(parseRelPath("cache"), null), true);
});

Deno.test("compileRsyncRules() refuses an empty pattern", () => {
  for (const empty of ["", "- ", "+ "]) assertThrows(() => compileRsyncRules([empty]), UsageError, "empty");
});

const NAMES = ["a", "b", "ab", "a.b", "[", "*", "a\\b", "ä", "A", "b-"];
const DIRS = ["a", "b", "a/b", "b/a", "a/b/ab", "ab", "ab/a", "b/a.b"];

/** A tree that has each name in each of some directories. */
async function makeTree(): Promise<TempTree> {
  const tree = await TempTree.make();
  await Deno.mkdir(tree.at("src"));
  await Deno.mkdir(tree.at("dst"));
  for (const dir of DIRS) await Deno.mkdir(`${tree.at("src")}/${dir}`, { recursive: true });
  for (const dir of ["", ...DIRS]) {
    for (const name of NAMES) {
      const path = `${tree.at("src")}/${dir}/${name}`;
      if (!DIRS.includes(`${dir}/${name}`.replace(/^\//, ""))) await Deno.writeTextFile(path, "");
    }
  }
  return tree;
}

/** What rsync would send, as paths without trailing slashes. */
async function sentByRsync(tree: TempTree, rules: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command("rsync", {
    args: ["-rn8", "--out-format=%n", ...rules.map((rule) => `--exclude=${rule}`), "--", `${tree.at("src")}/`]
      .concat(tree.at("dst")),
    env: { LC_ALL: "C" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const lines = decodeBytes(stdout).split("\n").filter((line) => line !== "" && line !== "./");
  return lines.map((line) => line.replace(/\/$/, "")).sort();
}

/** What our rules leave, asked top-down as psync does. */
function leftByUs(tree: TempTree, rules: readonly string[]): string[] {
  const ignore = compileIgnore({ ...NO_RULES, rsyncExcludes: rules });
  const out: string[] = [];
  const walk = (dir: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(`${tree.at("src")}/${dir}`)) {
      const path = dir === "" ? name : `${dir}/${name}`;
      if (ignore.isIgnored(parseRelPath(path), isDirectory)) continue;
      out.push(path);
      if (isDirectory) walk(path);
    }
  };
  walk("");
  return out.sort();
}

const piece = fc.constantFrom(
  ...["a", "b", "ab", ".", "*", "**", "***", "?", "/", "/", "[ab]", "[!a]", "[^b-]", "[a-c]", "[]a]", "[", "\\", "\\*"],
  ...["[[:alpha:]]", "ä", "-", "[\\[]", "[a/]"],
);
const pattern = fc.tuple(fc.constantFrom("", "", "", "+ ", "- "), fc.array(piece, { minLength: 1, maxLength: 5 }))
  .map(([prefix, pieces]) => prefix + pieces.join(""));

Deno.test("compileRsyncRules() decides as rsync does", async () => {
  await using tree = await makeTree();
  await fc.assert(
    fc.asyncProperty(fc.array(pattern, { minLength: 1, maxLength: 3 }), async (rules) => {
      assertEquals(leftByUs(tree, rules), await sentByRsync(tree, rules), JSON.stringify(rules));
    }),
    { numRuns: Number(Deno.env.get("PSYNC_RSYNC_RUNS") ?? 100) },
  );
});
