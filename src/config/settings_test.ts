import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { NO_EXTRA } from "./rsync_extra.ts";
import { parseSettings, type RawSettings } from "./settings.ts";

const RAW: RawSettings = {
  left: "/a/",
  right: "h:b",
  remoteHost: null,
  cwd: "/w",
  sshCommand: null,
  excludes: [],
  tempfiles: ["t$", ""],
  rsyncExcludes: [],
  rsyncExtra: [],
  translate: [],
  banned: [],
  fullSync: [],
  dryRun: false,
  syncOnly: true,
  skipInitialSync: false,
  force: true,
};

Deno.test("parseSettings() joins the roots with everything else", () => {
  assertEquals(parseSettings({ ...RAW, sshCommand: "ssh -p 1", excludes: ["x$"] }), {
    left: "/a",
    right: "b",
    remoteHost: "h",
    cwd: "/w",
    sshCommand: "ssh -p 1",
    rules: { excludes: ["x$"], tempfiles: ["t$"], rsyncExcludes: [], names: [] },
    rsync: NO_EXTRA,
    translate: [],
    banned: [],
    fullSync: [],
    dryRun: false,
    syncOnly: true,
    skipInitialSync: false,
    force: true,
  });
});

Deno.test("parseSettings() refuses patterns and commands that can not work", () => {
  assertThrows(() => parseSettings({ ...RAW, excludes: ["ok", "("] }), UsageError, `"("`);
  assertThrows(() => parseSettings({ ...RAW, excludes: [""] }), UsageError, "every path");
  assertThrows(() => parseSettings({ ...RAW, sshCommand: " " }), UsageError, "--ssh");
  assertThrows(() => parseSettings({ ...RAW, right: "/b", sshCommand: "ssh" }), UsageError, "without another host");
});
