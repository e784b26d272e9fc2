import { assertEquals, assertThrows } from "@std/assert";
import { SetupError } from "../base/errors.ts";
import { archiveDir } from "./location.ts";

function dirFor(env: Record<string, string>, isRootUser = false): string {
  return archiveDir({ env: new Map(Object.entries(env)), isRootUser });
}

Deno.test("archiveDir() prefers XDG_STATE_HOME, also for root", () => {
  assertEquals(dirFor({ XDG_STATE_HOME: "/s", HOME: "/h" }), "/s/psync");
  assertEquals(dirFor({ XDG_STATE_HOME: "/s/" }, true), "/s/psync");
});

Deno.test("archiveDir() of root needs no HOME", () => {
  assertEquals(dirFor({}, true), "/var/lib/psync");
  assertEquals(dirFor({ HOME: "/root" }, true), "/var/lib/psync");
});

Deno.test("archiveDir() of a user lies below HOME", () => {
  assertEquals(dirFor({ HOME: "/home/u", XDG_STATE_HOME: "" }), "/home/u/.local/state/psync");
});

Deno.test("archiveDir() says what to set where nothing helps", () => {
  assertThrows(() => dirFor({}), SetupError, "set XDG_STATE_HOME");
  assertThrows(() => dirFor({ HOME: "" }), SetupError, "set XDG_STATE_HOME");
});

Deno.test("archiveDir() refuses a relative place", () => {
  assertThrows(
    () => dirFor({ XDG_STATE_HOME: "s" }),
    SetupError,
    `XDG_STATE_HOME as it must be an absolute path: found "s"`,
  );
  assertThrows(() => dirFor({ HOME: "h" }), SetupError, "HOME");
});
