import { assertEquals } from "@std/assert";
import { resetSync } from "@logtape/logtape";
import { logger } from "../base/log.ts";
import { setUpLogging } from "./logging.ts";
import { logJson, logLine } from "./log_text.ts";

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
    logLine({ ...RECORD, properties }, "short"),
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
      setUpLogging({ level, write: ({ level }) => lines.push(level) });
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

Deno.test("logJson() is one object without control characters and without file contents", () => {
  const properties = {
    path: "a\n\x1b\x9b\u202e\udcff",
    count: 3n,
    bytes: new Uint8Array(5),
    error: new TypeError("no"),
  };
  const line = logJson({ ...RECORD, properties }, { hasTime: true });
  // deno-lint-ignore no-control-regex -- what must not be there
  assertEquals(/[\x00-\x1f\x7f-\x9f\u202e]/.test(line), false, line);
  assertEquals(JSON.parse(line), {
    time: "2020-01-01T12:34:56.789Z",
    level: "debug",
    category: "replica.watch",
    message: "looked at x",
    fields: { path: "a\n\x1b\x9b\u202e\udcff", count: "3", bytes: "<5 bytes>", error: "TypeError: no" },
  });
  assertEquals(JSON.parse(logJson({ ...RECORD, properties: {} }, { hasTime: false })), {
    level: "debug",
    category: "replica.watch",
    message: "looked at x",
  });
});
