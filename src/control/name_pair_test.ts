/** Tests of which pair a command is about. @module */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createPair } from "../archive/pair_store.ts";
import { UsageError } from "../base/errors.ts";
import { namePair } from "./name_pair.ts";

/** A directory with the folders `l`, `r` and `link` to `l`, and a state with the pairs given. */
function withPairs(pairs: readonly (readonly [string, string | null, string])[], test: (dir: string) => void): void {
  const dir = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "psync-test-" }));
  try {
    for (const name of ["l", "r"]) Deno.mkdirSync(`${dir}/${name}`);
    Deno.symlinkSync("l", `${dir}/link`);
    for (const [left, rightHost, right] of pairs) {
      const rightRoot = right.startsWith("/") ? right : `${dir}/${right}`;
      createPair(`${dir}/state`, { leftRoot: `${dir}/${left}`, rightHost, rightRoot });
    }
    test(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function name(dir: string, operands: readonly string[], remoteHost: string | null = null): string {
  const { pair, paths } = namePair(`${dir}/state`, { operands, remoteHost, cwd: dir });
  const right = pair.rightRoot.replace(`${dir}/`, "");
  return [pair.leftRoot.slice(dir.length + 1), pair.rightHost ?? "-", right, "|", ...paths].join(" ");
}

const ONE = [["l", null, "r"]] as const;
const TWO = [...ONE, ["l", "nas", "/home/u/r"]] as const;

const NAMED: readonly (readonly [readonly (readonly [string, string | null, string])[], readonly string[], string])[] =
  [
    [ONE, [], "l - r |"],
    [ONE, ["l", "r"], "l - r |"],
    [ONE, ["./l/", "r//"], "l - r |"],
    [ONE, ["link", "r"], "l - r |"],
    [ONE, ["l", "r", "a/b", "c/"], "l - r | a/b c"],
    [ONE, ["a", "b"], "l - r | a b"],
    [ONE, ["./l/a", "./r/b/../c"], "l - r | a c"],
    [ONE, ["./l"], "l - r | "],
    [TWO, ["l", "r"], "l - r |"],
    [TWO, ["l", "nas:/home/u/r"], "l nas /home/u/r |"],
    [TWO, ["l", "nas:r", "x"], "l nas /home/u/r | x"],
  ];

Deno.test("namePair() takes two roots, or the only pair, and paths below", () => {
  for (const [pairs, operands, expected] of NAMED) {
    withPairs(pairs, (dir) => assertEquals(name(dir, operands), expected, operands.join(" ")));
  }
});

Deno.test("namePair() takes the host from --remote-host", () => {
  withPairs(TWO, (dir) => {
    assertEquals(name(dir, ["l", "/home/u/r"], "nas"), "l nas /home/u/r |");
    assertThrows(() => name(dir, ["l", "/home/u/r"], "other"), UsageError, "Cannot find a pair");
    assertThrows(() => name(dir, ["l"], "nas"), UsageError, "--remote-host alone");
  });
});

Deno.test("namePair() lists the pairs where it is not clear which is meant", () => {
  withPairs([], (dir) => assertThrows(() => name(dir, []), UsageError, "never started"));
  withPairs(TWO, (dir) => {
    const { message } = assertThrows(() => name(dir, ["a", "b"]), UsageError);
    assertStringIncludes(message, `${dir}/l ${dir}/r`);
    assertStringIncludes(message, `${dir}/l nas:/home/u/r`);
  });
  withPairs(ONE, (dir) => {
    assertThrows(() => name(dir, ["l", "nas:/x"]), UsageError, "Cannot find a pair");
    assertThrows(() => name(dir, ["/etc/passwd"]), UsageError, "in none of the roots");
    assertThrows(() => name(dir, ["../x"]), UsageError, "in none of the roots");
    assertThrows(() => name(dir, ["a/../../b"]), UsageError, "as a path below the roots");
  });
});
