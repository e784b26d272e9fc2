import { assertEquals } from "@std/assert";
import { resetSync } from "@logtape/logtape";
import { logger } from "../base/log.ts";
import { logLine, setUpLogging } from "./logging.ts";

const RECORD = {
  category: ["psync", "replica", "watch"],
  level: "debug",
  message: ["looked at ", "x"],
  rawMessage: "looked at {path}",
  timestamp: Date.UTC(2020, 0, 1, 12, 34, 56, 789),
} as const;

Deno.test("logLine() is one line without control characters and without file contents", () => {
  const properties = {
    path: "a\n\x1b",
    count: 3n,
    bytes: new Uint8Array(5),
    error: new TypeError("no"),
    nested: { at: 1n, content: new Uint8Array(7) },
    nothing: undefined,
  };
  assertEquals(
    logLine({ ...RECORD, properties }),
    '12:34:56.789 debug replica.watch: looked at x path="a\\n\\u001b" count=3 bytes=<5 bytes> ' +
      'error="TypeError: no" nested={"at":"1","content":"<7 bytes>"} nothing=undefined',
  );
});

Deno.test("setUpLogging() shows as much as the level asks for", () => {
  const expected = [["warning", "error"], ["info", "warning", "error"], ["debug", "info", "warning", "error"], [
    "trace",
    "debug",
    "info",
    "warning",
    "error",
  ]];
  try {
    for (const [level, shown] of expected.entries()) {
      const lines: string[] = [];
      setUpLogging({ level, write: (line) => lines.push(line.split(" ")[1]!) });
      const log = logger("cli", "test");
      log.trace("x");
      log.debug("x");
      log.info("x");
      log.warn("x");
      log.error("x");
      assertEquals(lines, shown);
    }
  } finally {
    resetSync();
  }
});
