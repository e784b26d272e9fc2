import { assertEquals, assertLess, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import type { Settings } from "../config/settings.ts";
import { configText } from "./config_text.ts";
import { helpText } from "./help.ts";
import { NO_EXTRA } from "../config/rsync_extra.ts";
import type { ConfigName } from "../config/file.ts";
import type { ConfigFile, Given } from "../config/given.ts";
import { DEFAULT_TEMPFILES, NO_RULES } from "../core/ignore.ts";
import { type Command, mayNeedConfig, parseCommand } from "./command_line.ts";

const RULES = { ...NO_RULES, tempfiles: DEFAULT_TEMPFILES };

const NOTHING: Settings = {
  left: "/a",
  right: "/b",
  remoteHost: null,
  cwd: "/w",
  sshCommand: null,
  rules: RULES,
  rsync: NO_EXTRA,
  translate: [],
  banned: [],
  fullSync: [],
  dryRun: false,
  syncOnly: false,
  skipInitialSync: false,
  force: false,
};

/** What every name and path of a configuration gives here. */
function loadConfig(name: ConfigName): ConfigFile {
  const path = name.kind === "name" ? `/etc/psync/${name.name}.toml` : name.path;
  const given: Given = { left: "/fa", right: "fh:/fb", force: true, excludes: ["f"], debug: 1 };
  return { path, given, lines: new Map([["left", 1], ["force", 3]]) };
}

const FROM_FILE: Partial<Settings> = {
  left: "/fa",
  right: "/fb",
  remoteHost: "fh",
  force: true,
  rules: { ...RULES, excludes: ["f"] },
};

type Session = Extract<Command, { kind: "session" }>;

function session(
  settings: Partial<Settings>,
  debugLevel: 0 | 1 | 2 | 3 = 0,
  log: Partial<Pick<Session, "logFile" | "logFormat">> = {},
): Command {
  return {
    kind: "session",
    settings: { ...NOTHING, ...settings },
    debugLevel,
    logFile: null,
    logFormat: "text",
    ...log,
  };
}

const ACCEPTED: readonly (readonly [string, Command])[] = [
  ["/a /b", session({})],
  ["/a/ /b//", session({})],
  ["-n /a /b", session({ dryRun: true })],
  ["/a --dry-run /b", session({ dryRun: true })],
  ["/a /b -s", session({ syncOnly: true })],
  ["/a /b --sync-only", session({ syncOnly: true })],
  ["-k /a /b", session({ skipInitialSync: true })],
  ["--skip-initial-sync /a /b", session({ skipInitialSync: true })],
  ["-f /a /b", session({ force: true })],
  ["--force /a /b", session({ force: true })],
  ["--log-file x --log-format json /a /b", session({}, 0, { logFile: `${NOTHING.cwd}/x`, logFormat: "json" })],
  ["--log-file=/x /a /b", session({}, 0, { logFile: "/x" })],
  ["-nskf /a /b", session({ dryRun: true, syncOnly: true, skipInitialSync: true, force: true })],
  ["-r h /a /b", session({ remoteHost: "h" })],
  ["-rh /a /b", session({ remoteHost: "h" })],
  ["--remote-host h /a /b", session({ remoteHost: "h" })],
  ["--remote-host=h /a /b", session({ remoteHost: "h" })],
  ["-nr h /a /b", session({ dryRun: true, remoteHost: "h" })],
  ["/a u@h:b", session({ remoteHost: "u@h", right: "b" })],
  ["--ssh ssh4 /a h:b", session({ remoteHost: "h", right: "b", sshCommand: "ssh4" })],
  ["-e x -e -y --excludes=z /a /b", session({ rules: { ...RULES, excludes: ["x", "-y", "z"] } })],
  ["-e -- /a /b", session({ rules: { ...RULES, excludes: ["--"] } })],
  ["-t x -ty --tempfiles=z /a /b", session({ rules: { ...RULES, tempfiles: ["x", "y", "z"] } })],
  ["--tempfiles= /a /b", session({ rules: NO_RULES })],
  ["--rsync-excludes *.o --rsync-excludes=x/ /a /b", session({ rules: { ...RULES, rsyncExcludes: ["*.o", "x/"] } })],
  [
    "-x -z -x --bwlimit=2M /a /b",
    session({ rsync: { options: ["--compress", "--bwlimit=2M"], bytesPerSecond: 2 << 20, followsLinks: false } }),
  ],
  ["-T A:B /a /b", session({ translate: [{ left: "A", right: "B" }] })],
  ["-b win -b excel --full-sync 13,1 /a /b", session({ banned: ["win", "excel"], fullSync: [1, 13] })],
  ["--srcroot /a --dstroot /b", session({})],
  ["--dstroot=/b /a", session({})],
  ["--srcroot=/a /b", session({})],
  ["-d /a /b", session({}, 2)],
  ["-d 1 /a /b", session({}, 1)],
  ["-d3 /a /b", session({}, 3)],
  ["--debug=0 /a /b", session({}, 0)],
  ["-sd /a /b", session({ syncOnly: true }, 2)],
  ["-- -a -b", session({ left: "-a", right: "-b" })],
  ["--config w.toml", session(FROM_FILE, 1)],
  ["run web", session(FROM_FILE, 1)],
  ["run --config=w.toml", session(FROM_FILE, 1)],
  ["run /a /b", session({})],
  ["--config w.toml /a /b", session({ force: true, rules: { ...RULES, excludes: ["f"] } }, 1)],
  ["run web --no-force -e x -d0", session({ ...FROM_FILE, force: false, rules: { ...RULES, excludes: ["x"] } }, 0)],
  ["run web -t  -n", session({ ...FROM_FILE, dryRun: true, rules: { ...NO_RULES, excludes: ["f"] } }, 1)],
  ["--no-sync-only /a /b", session({})],
  ["run --help", { kind: "help" }],
  ["--help", { kind: "help" }],
  ["-h h:a b c", { kind: "help" }],
  ["--version -e (", { kind: "version" }],
];

Deno.test("parseCommand() reads every option in each of its forms", () => {
  for (const [line, expected] of ACCEPTED) {
    assertEquals(parseCommand(line.split(" "), { cwd: "/w", loadConfig }), expected, line);
  }
});

Deno.test("parseCommand() keeps bytes that are no text", () => {
  const command = parseCommand(["\udcff", "b\udc80\n"], { cwd: "/w", loadConfig });
  assertEquals(command, session({ left: "\udcff", right: "b\udc80\n" }));
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["", "Cannot start without LEFT and RIGHT"],
  ["/a", `Cannot start without RIGHT: found only "/a"`],
  ["/a /b /c", `Cannot use "/c" as a third root`],
  ["--dryrun /a /b", `Unknown option "--dryrun": did you mean "--dry-run"?`],
  ["--remotehost=x /a /b", `did you mean "--remote-host"?`],
  ["--frobnicate /a /b", `Unknown option "--frobnicate": "psync --help" lists what there is`],
  ["--sync /a /b", `psync takes "--sync-only"`],
  ["--excluds x /a /b", `did you mean "--excludes"?`],
  ["--delete /a /b", "removals are always carried over"],
  ["-y /a /b", `Unknown option "-y": "psync --help" lists what there is`],
  ["-ny /a /b", `Unknown option "-y"`],
  ["-t ( /a /b", `Cannot use pattern of tempfiles "("`],
  ["-x --delete /a /b", `Cannot hand "--delete" on to rsync: psync itself carries removals over`],
  ["--bwlimit=3 /a /b", `psync takes "-x --bwlimit=RATE"`],
  ["--srcroot=/a /b /c", `Cannot use "/c" as a third root`],
  ["run", "Cannot start without LEFT and RIGHT"],
  ["--config w.toml /a /b /c", `Cannot use "/c" as a third root`],
  ["-T A /a /b", `Cannot use "A" as translation: write LEFTNAME:RIGHTNAME`],
  ["--full-sync 24 /a /b", `Cannot use "24" as hours`],
  ["--full-sync 1,,2 /a /b", `Cannot use "1,,2" as hours`],
  ["--banned= /a /b", `Cannot use "" as a banned program`],
  ["-f --no-force /a /b", `Cannot use both "--force" and "--no-force"`],
  ["--no-force=1 /a /b", `Cannot give "--no-force" the value "1"`],
  ["config", `write "psync config show"`],
  ["config edit", `write "psync config show"`],
  ["-c /a /b", `Cannot use "--checksum" here`],
  ["check --log-file x /a /b", `Cannot use "--log-file" here`],
  ["doctor --log-format json /a /b", `Cannot use "--log-format" here`],
  ["--log-format xml /a /b", `Cannot use "xml" as log format: it must be text or json`],
  ["--srcroot=/a", "Cannot start without RIGHT"],
  ["--dry-run=1 /a /b", `Cannot give "--dry-run" the value "1"`],
  ["/a /b -r", `Cannot use "--remote-host" alone: write "--remote-host HOST"`],
  ["/a /b -e", `"--excludes REGEX"`],
  ["/a /b --ssh", `"--ssh COMMAND"`],
  ["-r a -r b /a /b", `Cannot use "--remote-host" twice`],
  ["--ssh a --ssh b /a h:b", `Cannot use "--ssh" twice`],
  ["-n -n /a /b", `Cannot use "--dry-run" twice`],
  ["-d 4 /a /b", `Cannot use "4" as debug level`],
  ["--debug=high /a /b", `Cannot use "high" as debug level`],
  ["-e ( /a /b", `"("`],
  ["-r -h /a /b", `Cannot use "-h" as remote host`],
  ["h:/a /b", "only RIGHT may be on another host"],
];

Deno.test("parseCommand() refuses each wrong line in one line that names it", () => {
  for (const [line, words] of REFUSED) {
    const args = line === "" ? [] : line.split(" ");
    const error = assertThrows(() => parseCommand(args, { cwd: "/w", loadConfig }), UsageError, undefined, line);
    assertStringIncludes(error.message, words, line);
    assertMatch(error.message, /^[A-Z][^\n]*[^.\n]$/);
  }
});

Deno.test("parseCommand() needs a working directory only for relative roots on this host", () => {
  assertEquals(
    parseCommand(["/a", "h:b"], { cwd: null, loadConfig: null }),
    session({ remoteHost: "h", right: "b", cwd: "/" }),
  );
  assertThrows(
    () => parseCommand(["/a", "b"], { cwd: null, loadConfig: null }),
    UsageError,
    `"b": the working directory is gone`,
  );
});

Deno.test("helpText() fits 80 columns and tells examples, every option and exit code", () => {
  const text = helpText();
  for (const line of text.split("\n")) {
    assertLess(line.length, 81, line);
    assertEquals(line.trimEnd(), line);
  }
  for (
    const long of [
      "remote-host",
      "srcroot",
      "dstroot",
      "ssh",
      "excludes",
      "rsync-excludes",
      "tempfiles",
      "extra",
      "translate",
      "banned",
      "full-sync",
      "dry-run",
      "sync-only",
      "skip-initial-sync",
      "force",
      "debug",
    ]
  ) {
    assertStringIncludes(text, `--${long}`);
  }
  assertLess(text.indexOf("Examples:"), text.indexOf("What to sync:"));
  for (const code of [0, 1, 2, 3, 4, 5]) assertMatch(text, new RegExp(`^  ${code}  `, "m"));
  assertEquals(text.includes("filter"), false);
});

Deno.test("parseCommand() shows what is in force, and where each value comes from", () => {
  const command = parseCommand(["config", "show", "web", "--no-force"], { cwd: "/w", loadConfig });
  assertEquals(command.kind, "config.show");
  if (command.kind !== "config.show") return;
  assertEquals(configText(command).split("\n"), [
    "# /etc/psync/web.toml",
    `left = "/fa"  # /etc/psync/web.toml:1`,
    `right = "fh:/fb"  # /etc/psync/web.toml`,
    "# remote-host is not set  # default",
    "# ssh is not set  # default",
    `excludes = ["f"]  # /etc/psync/web.toml`,
    "rsync-excludes = []  # default",
    `tempfiles = ${JSON.stringify(DEFAULT_TEMPFILES).replaceAll(`","`, `", "`)}  # default`,
    "extra = []  # default",
    "translate = []  # default",
    "banned = []  # default",
    "full-sync = []  # default",
    "dry-run = false  # default",
    "sync-only = false  # default",
    "skip-initial-sync = false  # default",
    "force = false  # command line",
    "# log-file is not set  # default",
    'log-format = "text"  # default',
    "debug = 1  # /etc/psync/web.toml",
  ]);
});

Deno.test("mayNeedConfig() says no where a session names its roots and no file", () => {
  assertEquals([["/a", "/b"], ["-e", "x", "/a", "h:b"], []].map(mayNeedConfig), [false, false, false]);
  assertEquals([["run", "web"], ["--config", "x"], ["-n", "--config=x"], ["config", "show"]].map(mayNeedConfig), [
    true,
    true,
    true,
    true,
  ]);
});
