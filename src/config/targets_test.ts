import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { parseTargets } from "./targets.ts";

type Row = readonly [
  left: string,
  right: string,
  host: string | null,
  expected: readonly [string, string, string | null],
];

const ACCEPTED: readonly Row[] = [
  ["/a", "/b", null, ["/a", "/b", null]],
  ["/a/", "b///", null, ["/a", "b", null]],
  ["/", "//", null, ["/", "/", null]],
  ["a", "host:x", null, ["a", "x", "host"]],
  ["a", "host:x/", null, ["a", "x", "host"]],
  ["a", "host:/", null, ["a", "/", "host"]],
  ["a", "host:.", null, ["a", ".", "host"]],
  ["a", "host:/x:y/z", null, ["a", "/x:y/z", "host"]],
  ["a", "u@host:/x", null, ["a", "/x", "u@host"]],
  ["a", "u@[::1]:x", null, ["a", "x", "u@::1"]],
  ["a", "[fe80::1%eth0]:/x", null, ["a", "/x", "fe80::1%eth0"]],
  ["./a:b", "./c:d", null, ["./a:b", "./c:d", null]],
  ["/a:b", "c/d:e", null, ["/a:b", "c/d:e", null]],
  ["a", "/b", "u@h", ["a", "/b", "u@h"]],
  ["a", "./b:c", "h", ["a", "./b:c", "h"]],
  ["a", "b", "[::1]", ["a", "b", "::1"]],
  ["a", "b", "ssh://u@h:2222", ["a", "b", "ssh://u@h:2222"]],
  ["\udcff\n", "-b", null, ["\udcff\n", "-b", null]],
  ["a~b", "./~", null, ["a~b", "./~", null]],
  ["a", "host:x\ny", null, ["a", "x\ny", "host"]],
];

Deno.test("parseTargets() reads every form of two roots", () => {
  for (const [left, right, remoteHost, [l, r, h]] of ACCEPTED) {
    assertEquals(parseTargets({ left, right, remoteHost }), { left: l, right: r, remoteHost: h }, `${left} ${right}`);
  }
});

type Refusal = readonly [left: string, right: string, host: string | null, words: string];

const REFUSED: readonly Refusal[] = [
  ["", "/b", null, `"" as LEFT: it is empty`],
  ["/a", "", null, `"" as RIGHT: it is empty`],
  ["host:/a", "/b", null, `"host:/a" as LEFT: only RIGHT may be on another host`],
  ["[::1]:/a", "/b", "h", "as LEFT: only RIGHT"],
  [":", "/b", null, "as LEFT"],
  ["a", "h:b", "h", `"h:b" as RIGHT together with --remote-host "h"`],
  ["a", ":b", null, "no host stands before the colon"],
  ["a", "h:", null, `write "h:."`],
  ["a", "h::mod", null, "rsync modules"],
  ["a", "ssh://h/x", null, `"://"`],
  ["a", "-oProxyCommand=x:b", null, `does not begin with "-"`],
  ["a", "u@-h:b", null, `does not begin with "-"`],
  ["a", "b", "-oProxyCommand=id", `does not begin with "-"`],
  ["a", "b", "h x", "without spaces"],
  ["a", "b", "h\n", "without spaces"],
  ["a", "b", "@h", "user@name"],
  ["a", "b", "u@", "user@name"],
  ["a", "b", "", "as remote host: it is empty"],
  ["a", "b", "h:22", "it is no host name"],
  ["a", "b", "h:/srv", "it is no host name"],
  ["a", "b", "h/x", "it is no host name"],
  ["a", "[]:b", null, "no host stands before the colon"],
  ["~/a", "b", null, `does not expand "~"`],
  ["a", "h:~/b", null, "host:folder"],
  ["a", "~u", "h", `does not expand "~"`],
  ["a\x1b[31m:", "b", null, String.raw`a\x1b[31m:`],
];

Deno.test("parseTargets() names what it refuses and says what to write", () => {
  for (const [left, right, remoteHost, words] of REFUSED) {
    const error = assertThrows(() => parseTargets({ left, right, remoteHost }), UsageError);
    assertStringIncludes(error.message, words);
  }
});
