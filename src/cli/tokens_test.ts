import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { normalizeTokens } from "./tokens.ts";

const REWRITTEN: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["-d", "/a"], ["--debug=2", "/a"]],
  [["--debug"], ["--debug=2"]],
  [["-d", "3", "/a"], ["--debug=3", "/a"]],
  [["-d0"], ["--debug=0"]],
  [["-nsd", "1"], ["-ns", "--debug=1"]],
  [["-rhost", "a"], ["-r", "host", "a"]],
  [["-e-d", "a"], ["-e", "-d", "a"]],
  [["-e", "-d", "-d"], ["-e", "-d", "--debug=2"]],
  [["--excludes", "--", "--", "-d"], ["--excludes", "--", "--", "-d"]],
  [["--ssh=-d", "-"], ["--ssh=-d", "-"]],
  [["-e"], ["-e"]],
  [["--", "-d", "-rhost"], ["--", "-d", "-rhost"]],
];

Deno.test("normalizeTokens() splits glued values and completes -d", () => {
  for (const [given, expected] of REWRITTEN) assertEquals(normalizeTokens(given), expected, given.join(" "));
});

Deno.test("normalizeTokens() refuses what can be no option of psync and says what to write", () => {
  for (
    const [token, words] of [
      ["-e=a b", `write "-e a b", with a space`],
      ["-1", `write "./-1"`],
      ["-é", `write "./-é"`],
      ["--exclude=x", `psync takes "-e REGEX"`],
      ["-p", "~/.ssh/config"],
      ["-v", "--version"],
    ] as const
  ) assertThrows(() => normalizeTokens([token, "/a", "/b"]), UsageError, words);
});
