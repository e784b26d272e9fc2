import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { parseAsk } from "./ask_options.ts";

Deno.test("parseAsk() knows what each command may be told", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["status", { kind: "status", form: "text" }],
    ["status -j /a /b", { kind: "status", form: "json" }],
    ["status --watch", { kind: "status", form: "watch" }],
    ["status --max-lag 60", { kind: "monitor", maxLag: { warnMs: 60_000, critMs: Infinity } }],
    ["status --max-lag 0.5:300", { kind: "monitor", maxLag: { warnMs: 500, critMs: 300_000 } }],
    ["flush", { kind: "flush", timeoutMs: null }],
    ["flush --timeout 1.5 sub/file", { kind: "flush", timeoutMs: 1_500 }],
    ["pause", { kind: "pause" }],
    ["resume a b", { kind: "resume" }],
    ["reset -y", { kind: "reset" }],
    ["reset --help", { kind: "help" }],
  ];
  for (const [line, task] of cases) assertEquals(parseAsk(line.split(" ")).task, task, line);
  const { operands, remoteHost, yes } = parseAsk(["reset", "-y", "-r", "host", "/a", "/b"]);
  assertEquals([operands, remoteHost, yes], [["/a", "/b"], "host", true]);
});

Deno.test("parseAsk() names what is wrong, and what to write", () => {
  const cases = [
    ["status --json --watch", "Cannot show the status in two forms: write one of --json, --watch, --max-lag"],
    ["status --timeout 3", 'Cannot use "--timeout" with status: it belongs to flush'],
    ["flush --yes", 'Cannot use "--yes" with flush: it belongs to reset'],
    ["flush --timeout soon", 'Cannot use "soon" as --timeout: write seconds, such as 30 or 0.5'],
    ["status --max-lag 5:x", 'Cannot use "5:x" as --max-lag: write seconds, such as 60 or 60:300'],
    ["status --max-lag 1:2:3", 'Cannot use "1:2:3" as --max-lag: write seconds, such as 60 or 60:300'],
    ["status --max-lag 9:3", 'Cannot use "9:3" as --max-lag: the second number must not be smaller'],
  ] as const;
  for (const [line, words] of cases) assertThrows(() => parseAsk(line.split(" ")), UsageError, words, line);
});
