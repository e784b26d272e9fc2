/**
 * psync as a user meets it: what it says and with which code it ends, from a real process over two
 * local folders. What it does over ssh is tested elsewhere.
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { childrenOf, isAlive } from "../support/procfs.ts";
import { removeTree } from "../support/remove_tree.ts";
import { psyncCommand, type PsyncEnd, PsyncProcess, runPsync } from "../support/psync_process.ts";

/** A directory of a test with two roots and a place for state in it. */
class Place implements AsyncDisposable {
  private constructor(readonly dir: string) {}

  static async make(): Promise<Place> {
    const place = new Place(await Deno.makeTempDir({ prefix: "psync-cli-" }));
    for (const name of ["left", "right", "state"]) await Deno.mkdir(`${place.dir}/${name}`);
    return place;
  }

  get roots(): readonly [string, string] {
    return [`${this.dir}/left`, `${this.dir}/right`];
  }

  async write(path: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.dir}/${path}`, text);
  }

  async read(path: string): Promise<string | null> {
    return await Deno.readTextFile(`${this.dir}/${path}`).catch(() => null);
  }

  async names(root: "left" | "right"): Promise<string[]> {
    return (await Array.fromAsync(Deno.readDir(`${this.dir}/${root}`), ({ name }) => name)).sort();
  }

  run(...args: string[]): Promise<PsyncEnd> {
    return runPsync({ args, stateDir: `${this.dir}/state`, cwd: this.dir });
  }

  start(...args: string[]): Promise<PsyncProcess> {
    return PsyncProcess.start({ args, stateDir: `${this.dir}/state`, cwd: this.dir });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.dir);
  }
}

/** That psync ended with one line on stderr that names what is wrong, and changed nothing. */
async function assertRefused(place: Place, end: PsyncEnd, expected: { code: number; words: string }): Promise<void> {
  assertStringIncludes(end.err, expected.words);
  assertMatch(end.err, /^psync: [^\n]+\n$/);
  assertEquals([end.code, end.out], [expected.code, ""], end.err);
  assertEquals([await place.names("left"), await place.names("right")], [[], []]);
}

const WRONG: readonly (readonly [string, string])[] = [
  ["", "without LEFT and RIGHT"],
  ["left", "without RIGHT"],
  ["left right more", "third root"],
  ["--dry-rum left right", `did you mean "--dry-run"?`],
  ["-e ( left right", `"("`],
  ["host:left right", "only RIGHT"],
  ["left -host:right", "does not begin"],
  ["-r h left h:right", "name the host once"],
  ["-d 7 left right", `"7" as debug level`],
  ["--ssh ssh left right", "without another host"],
  ["filter --only left", "--only"],
];

Deno.test("psync refuses each wrong command line in one line and exits with 2", async () => {
  await using place = await Place.make();
  for (const [line, words] of WRONG) {
    await assertRefused(place, await place.run(...line.split(" ").filter(Boolean)), { code: 2, words });
  }
});

Deno.test("psync names a root that is not there, or is no folder, and exits with 3", async () => {
  await using place = await Place.make();
  await place.write("file", "x");
  const rows = [["missing", "right", "mkdir"], ["left", "missing", "mkdir"], ["file", "right", "file"]] as const;
  for (const [left, right, words] of rows) {
    await assertRefused(place, await place.run(left, right), { code: 3, words });
  }
});

Deno.test("psync refuses two roots that are one, or lie in each other, and exits with 3", async () => {
  await using place = await Place.make();
  for (const right of ["left", "./left//", ".", "../" + place.dir.split("/").pop()]) {
    const end = await place.run("left", right);
    assertEquals(end.code, 3, end.err);
    assertMatch(end.err, /^psync: [^\n]+\n$/);
    assertEquals(await place.names("left"), []);
  }
});

Deno.test("psync --version and --help write to stdout and load nothing that needs a root", async () => {
  await using place = await Place.make();
  const version = await place.run("--version");
  assertEquals([version.code, version.err], [0, ""]);
  assertMatch(version.out, /^psync \d+\.\d+\.\d+ \([^)]+\)\n$/);
  const help = await place.run("--help");
  assertEquals([help.code, help.err], [0, ""]);
  assertStringIncludes(help.out, "Examples:");
});

Deno.test("psync --help into a reader that leaves makes no noise", async () => {
  const { words, env } = await psyncCommand();
  const { code, stderr } = await new Deno.Command("bash", {
    args: ["-c", `set -o pipefail; "$@" --help | true; echo "\${PIPESTATUS[0]}" >&2`, "bash", ...words],
    env,
    stdout: "null",
    stderr: "piped",
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, "0\n"]);
});

Deno.test("psync takes the bytes of a root as they are", async () => {
  await using place = await Place.make();
  const { words, env } = await psyncCommand();
  const { stderr, code } = await new Deno.Command("bash", {
    args: ["-c", `mkdir $'a\\xff' && echo hello >$'a\\xff/f' && "$@" -s $'a\\xff' right`, "bash", ...words],
    cwd: place.dir,
    env: { ...env, XDG_STATE_HOME: `${place.dir}/state` },
    stdout: "null",
    stderr: "piped",
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertEquals(await place.read("right/f"), "hello\n");
  assertStringIncludes(new TextDecoder().decode(stderr), "/a\\xff <-> ");
});

Deno.test("psync -n prints one line a path and leaves no trace", async () => {
  await using place = await Place.make();
  await place.write("left/one", "1");
  await place.write("right/two", "22");
  const end = await place.run("-n", "left", "right");
  assertEquals(end.code, 0, end.err);
  assertEquals(end.out.split("\n").sort(), ["", "-> create   one", "<- create   two"]);
  assertEquals([await place.names("left"), await place.names("right")], [["one"], ["two"]]);
  assertEquals(await Array.fromAsync(Deno.readDir(`${place.dir}/state`)), []);
});

Deno.test("psync -s makes the union of two filled folders, says so in eight lines, and tells a conflict by 5", async () => {
  await using place = await Place.make();
  await place.write("left/one", "1");
  await place.write("right/two", "22");
  const first = await place.run("-s", "left", "right");
  assertEquals(first.code, 0, first.err);
  assertEquals([await place.read("right/one"), await place.read("left/two")], ["1", "22"]);
  assertLess((first.out + first.err).split("\n").length - 1, 9);
  assertMatch(first.err, /^Connected: /);
  assertMatch(first.out, /^First sync done in [^:]+: 2 changes, 3 B copied/);
  await place.write("left/two", "left-edit");
  await place.write("right/two", "right-edit!");
  const second = await place.run("-s", "left", "right");
  assertEquals(second.code, 5, second.err);
  const kept = /^Conflict: two: .* is kept as (\S+)$/m.exec(second.err)?.[1];
  assert(kept !== undefined, second.err);
  const both = [await place.read("left/two"), await Deno.readTextFile(kept)];
  assertEquals(both.sort(), ["left-edit", "right-edit!"]);
  assertEquals(await place.read("right/two"), await place.read("left/two"));
  assertEquals((await place.run("-s", "left", "right")).code, 0);
});

Deno.test("psync that stays tells its state at SIGUSR1 and ends at SIGTERM with 0, and nothing of it is left", async () => {
  await using place = await Place.make();
  await using psync = await place.start("left", "right");
  await psync.until(/^First sync done/m);
  await place.write("left/x", "content");
  psync.signal("SIGUSR1");
  await psync.until(/^State: live, running for /m);
  await psync.until(/^ {2}since the start: /m);
  const children = childrenOf(psync.pid);
  assert(children.length > 0, "psync-native is a process of its own");
  const asked = systemClock.nowMs();
  psync.signal("SIGTERM");
  const { code, err } = await psync.ended;
  assertLess(systemClock.nowMs() - asked, 5000);
  assertEquals(code, 0, err);
  assertEquals(children.filter(isAlive), []);
  assertEquals((await place.run("-s", "left", "right")).code, 0);
  assertEquals(await place.read("right/x"), "content");
});

Deno.test("psync on a terminal ends at Ctrl-C, though all in the foreground get it, and gives its locks back", async () => {
  await using place = await Place.make();
  const { words, env } = await psyncCommand();
  const quoted = [...words, ...place.roots].map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command("script", {
    // With `exec`: a shell that waits in the foreground gets Ctrl-C as well, and tells its own end.
    args: ["-qec", `exec ${quoted}`, "/dev/null"],
    env: { ...env, XDG_STATE_HOME: `${place.dir}/state`, TERM: "xterm" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const stdin = child.stdin.getWriter();
  let text = "";
  for await (const bytes of child.stdout) {
    const before = text;
    text += new TextDecoder().decode(bytes);
    const isDone = (all: string) => all.includes("First sync done");
    if (isDone(text) && !isDone(before)) await stdin.write(Uint8Array.of(3));
  }
  const { code } = await child.status;
  await stdin.close().catch(() => {});
  assertEquals(code, 0, text);
  assertEquals(await place.names("left"), [".psync"]);
  for (const root of place.roots) {
    assertEquals(await Deno.stat(`${root}/.psync/lock`).catch(() => null), null, "the lock is given back");
  }
});
