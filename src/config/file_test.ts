import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { TempTree } from "../../tests/support/temp_tree.ts";
import { ConfigError } from "../base/errors.ts";
import { loadConfig, parseConfig } from "./file.ts";
import { configDirs, configNames } from "./places.ts";
import { nearest } from "./near.ts";

const WHOLE = `# a pair
left = "/srv/a"
right = "/srv/b"
"remote-host" = "nas"
excludes = [
  "/node_modules$",
  '\\.o$',
]
tempfiles = []
force = true
debug = 2
`;

Deno.test("parseConfig() reads values, and on which line each stands", () => {
  const { given, lines } = parseConfig(WHOLE, "/w.toml");
  assertEquals(given, {
    left: "/srv/a",
    right: "/srv/b",
    "remote-host": "nas",
    excludes: ["/node_modules$", "\\.o$"],
    tempfiles: [],
    force: true,
    debug: 2,
  });
  assertEquals(
    [...lines],
    [["left", 2], ["right", 3], ["remote-host", 4], ["excludes", 5], ["tempfiles", 9]]
      .concat([["force", 10], ["debug", 11]]) as typeof lines extends ReadonlyMap<infer K, infer V> ? [K, V][] : never,
  );
});

const REFUSED: readonly (readonly [text: string, why: string])[] = [
  ["\nexclude = []", `"/w.toml", line 2: unknown key "exclude": did you mean "excludes"?`],
  ["forse = true", `line 1: unknown key "forse": did you mean "force"?`],
  ["skip_initial_sync = true", `did you mean "skip-initial-sync"?`],
  ["srcroot = '/a'", `did you mean "left"?`],
  ["a = 1\nzzzzzz = 1", `unknown key "a": the keys are left, right`],
  ["\n\n[rsync]\nbwlimit = 1", `line 3: unknown key "rsync"`],
  ["left = 3", `line 1: "left" must be a text in quotes`],
  ["excludes = 'a'", `"excludes" must be a list of texts`],
  ["excludes = [1]", `"excludes" must be a list of texts`],
  ["force = 'yes'", `"force" must be true or false`],
  ["debug = 7", `"debug" must be 0, 1, 2 or 3`],
  ["left = 'a'", `"left" must be a whole path`],
  ["force = true\nforce = false", "line 2: "],
  ["left = ", "line 1: "],
];

Deno.test("parseConfig() refuses each wrong text, with its line", () => {
  for (const [text, why] of REFUSED) {
    const error = assertThrows(() => parseConfig(text, "/w.toml"), ConfigError, undefined, text);
    assertStringIncludes(error.message, why, text);
    assertEquals(error.message.includes("\n"), false);
  }
});

Deno.test("loadConfig() finds a name in the first directory that has it, and refuses what others can write", async () => {
  await using tree = await TempTree.make({ one: {}, two: { "web.toml": "left = '/two'", "x.toml": "left = '/x'" } });
  const places = { cwd: tree.path, dirs: [tree.at("one"), tree.at("two")] };
  assertEquals(loadConfig({ kind: "name", name: "web" }, places).given.left, "/two");
  await Deno.writeTextFile(tree.at("one/web.toml"), "left = '/one'");
  assertEquals(loadConfig({ kind: "name", name: "web" }, places).given.left, "/one");
  assertEquals(loadConfig({ kind: "path", path: "two/x.toml" }, places).path, `${tree.path}/two/x.toml`);
  assertThrows(() => loadConfig({ kind: "name", name: "no" }, places), ConfigError, "one/no.toml and no");
  assertThrows(() => loadConfig({ kind: "name", name: "../two/x" }, places), ConfigError, "--config");
  assertThrows(() => loadConfig({ kind: "path", path: "no" }, places), ConfigError, "there is no such file");
  assertEquals(configNames([...places.dirs, tree.at("none")]), ["web", "x"]);
  await Deno.chmod(tree.at("one/web.toml"), 0o666);
  assertThrows(() => loadConfig({ kind: "name", name: "web" }, places), ConfigError, "everybody may write it");
});

Deno.test("configDirs() puts the user's own directory first", () => {
  assertEquals(configDirs(new Map([["HOME", "/h"]])), ["/h/.config/psync", "/etc/psync"]);
  assertEquals(configDirs(new Map([["HOME", "/h"], ["XDG_CONFIG_HOME", "/x"]])), ["/x/psync", "/etc/psync"]);
  assertEquals(configDirs(new Map()), ["/etc/psync"]);
});

Deno.test("nearest() finds what was meant, and nothing where nothing is near", () => {
  assertEquals(nearest("exclude", ["excludes", "extra"]), "excludes");
  assertEquals(nearest("xyz", ["excludes", "extra"]), null);
});
