/** Tests of child processes. @module */
import { assertEquals, assertThrows } from "@std/assert";
import { SetupError } from "./errors.ts";
import { Child } from "./process.ts";

Deno.test("Child keeps the end of stderr and the exit code", async () => {
  await using child = Child.spawn({ command: "sh", args: ["-c", "echo no >&2; exit 7"], stdin: "null" });
  assertEquals(await child.status, { code: 7, signal: null });
  assertEquals(child.stderrTail(), "no");
});

Deno.test("Child is ended by its disposal", async () => {
  const child = Child.spawn({ command: "sleep", args: ["1000"] });
  await child[Symbol.asyncDispose]();
  assertEquals((await child.status).signal, "SIGKILL");
});

Deno.test("Child that cannot be started names the command", () => {
  assertThrows(() => Child.spawn({ command: "/no/such/psync", args: [] }), SetupError, "/no/such/psync");
});
