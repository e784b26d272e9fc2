/**
 * What cannot be: each case gets one clear line that names it and says what to do, the exit code of
 * its class, no stack trace and no hang, and nothing is changed on either side.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { must } from "../support/binary.ts";
import type { PsyncEnd } from "../support/psync_process.ts";
import { Scene, type SceneOptions } from "../support/scene.ts";

/** No refusal takes longer. */
const REFUSAL_MS = 25_000;

/** What the command line is wrong in, and what the machine. */
const USAGE = 2;
const SETUP = 3;

interface Case {
  readonly what: string;
  readonly scene?: SceneOptions;
  readonly prepare?: (scene: Scene) => Promise<unknown>;
  /** The arguments; the scene's operands when left out. */
  readonly args?: (scene: Scene) => readonly string[];
  readonly env?: (scene: Scene) => Record<string, string>;
  readonly code: number;
  /** What the one line says. */
  readonly words: readonly (string | RegExp)[];
  readonly cleanUp?: (scene: Scene) => Promise<unknown>;
}

/** A host on which psync never was. */
const NEW = { XDG_CACHE_HOME: "" };

/** Puts programs before all others on the other host. */
async function shadow(scene: Scene, programs: Readonly<Record<string, string>>): Promise<void> {
  const bin = scene.tree.at("shadow");
  await Deno.mkdir(bin);
  for (const [name, text] of Object.entries(programs)) {
    await Deno.writeTextFile(`${bin}/${name}`, text, { mode: 0o755 });
  }
  await Deno.writeTextFile(`${scene.sshd!.home}/.bashrc`, `PATH=${bin}:$PATH\n`);
}

/** Gives the other host no programs but those that a psync start needs. */
async function withoutRsync(scene: Scene): Promise<void> {
  const bin = scene.tree.at("bin");
  await Deno.mkdir(bin);
  const names = [
    "sh",
    "mkdir",
    "chmod",
    "rm",
    "id",
    "wc",
    "uname",
    "getconf",
    "touch",
    "head",
    "mktemp",
    "sha256sum",
    "sync",
    "mv",
    "rmdir",
    "ls",
    "find",
  ];
  for (const name of names) {
    await Deno.symlink((await must("sh", ["-c", `command -v ${name}`])).trim(), `${bin}/${name}`);
  }
  await Deno.writeTextFile(`${scene.sshd!.home}/.bashrc`, `PATH=${bin}\n`);
}

const say = (text: string) => `#!/bin/sh\n${text}\n`;

const CASES: readonly Case[] = [
  // The roots.
  {
    what: "a left root that does not exist",
    args: ({ left, right }) => [left.at("none"), right.path],
    code: SETUP,
    words: [/Cannot open root "\S+\/none": it is not there; make it: mkdir -p \S+\/none$/m],
  },
  {
    what: "a right root that does not exist on the other host",
    scene: { ssh: {} },
    args: ({ sshd, left, right }) => ["--ssh", sshd!.sshCommand, left.path, `${sshd!.host}:${right.path}/none`],
    code: SETUP,
    words: [/^psync: Cannot open root "\S+\/none" on "127\.0\.0\.1": .* mkdir -p \S+\/none$/m],
  },
  {
    what: "a root that is a file",
    prepare: ({ tree }) => tree.write("file", "text"),
    args: ({ left, tree }) => [left.path, tree.at("file")],
    code: SETUP,
    words: [/Cannot open root "\S+\/file": .*is a file/],
  },
  {
    what: "a root that contains the other one",
    prepare: ({ left }) => left.sh("mkdir -p in/deep"),
    args: ({ left }) => [left.path, left.at("in/deep")],
    code: SETUP,
    words: ["one lies in the other", "name two apart"],
  },
  {
    what: "a root that lies in the other one",
    prepare: ({ left }) => left.sh("mkdir -p in/deep"),
    args: ({ left }) => [left.at("in/deep"), left.path],
    code: SETUP,
    words: ["one lies in the other"],
  },
  {
    what: "two roots that are one, by a symlink",
    prepare: ({ tree, left }) => tree.sh(`ln -s "${left.path}" link`),
    args: ({ tree, left }) => [left.path, tree.at("link")],
    code: SETUP,
    words: ["they are the same directory", "name two"],
  },
  {
    what: "two roots that are one, through ssh to oneself",
    scene: { ssh: {} },
    args: ({ sshd, left }) => ["--ssh", sshd!.sshCommand, left.path, `${sshd!.host}:${left.path}`],
    code: SETUP,
    words: ["they are the same directory"],
  },
  {
    what: "a root that lies in the other one, through ssh to oneself",
    scene: { ssh: {} },
    prepare: ({ left }) => left.sh("mkdir in"),
    args: ({ sshd, left }) => ["--ssh", sshd!.sshCommand, left.path, `${sshd!.host}:${left.at("in")}`],
    code: SETUP,
    words: ["one lies in the other"],
  },
  {
    what: "two roots that are one, through a bind mount",
    prepare: ({ tree, left }) => tree.sh(`mkdir bound; mount --bind "${left.path}" bound`),
    cleanUp: ({ tree }) => tree.sh("umount bound"),
    args: ({ tree, left }) => [left.path, tree.at("bound")],
    code: SETUP,
    words: ["they are the same directory"],
  },
  // The other host.
  {
    what: "a host that does not answer",
    scene: { ssh: {} },
    args: (
      { left, tree },
    ) => [
      "--ssh",
      `ssh -F none -o ConnectTimeout=1 -o StrictHostKeyChecking=no -p ${silentPort(tree.path)}`,
      left.path,
      "127.0.0.1:/x",
    ],
    code: SETUP,
    words: [/Cannot connect to "127\.0\.0\.1": it does not answer; is it up/],
  },
  {
    what: "a host that answers to ssh but not to psync",
    args: ({ left }) => ["--ssh", "sh -c 'exec sleep 1000'", left.path, "host:/x"],
    code: SETUP,
    words: ["did not answer in 15 s"],
  },
  {
    what: "a host that nobody knows",
    args: ({ left }) => [left.path, "no-such-host.invalid:/x"],
    code: SETUP,
    words: ['Cannot connect to "no-such-host.invalid"', "its name is unknown; check it"],
  },
  {
    what: "a port on which nobody listens",
    args: ({ left }) => ["--ssh", "ssh -F none -p 1 -o StrictHostKeyChecking=no", left.path, "127.0.0.1:/x"],
    code: SETUP,
    words: ["refuses connections"],
  },
  {
    what: "a host with an unknown key",
    scene: { ssh: { isHostKnown: false } },
    code: SETUP,
    words: [/its host key is unknown; to accept it run once: ssh -F \S+ 127\.0\.0\.1 true/],
  },
  {
    what: "a host whose key has changed",
    scene: { ssh: {} },
    prepare: async ({ sshd }) => {
      const key = (await Deno.readTextFile(`${sshd!.dir}/client_key.pub`)).split(" ").slice(0, 2).join(" ");
      await Deno.writeTextFile(`${sshd!.dir}/known_hosts`, `[127.0.0.1]:${sshd!.port} ${key}\n`);
    },
    code: SETUP,
    words: ["its host key has changed", "ssh-keygen -R"],
  },
  {
    what: "a host that wants a password",
    scene: { ssh: { isKeyAuthorized: false } },
    code: SETUP,
    words: ["it wants a password or does not take the key; to log in by key run once: ssh-copy-id 127.0.0.1"],
  },
  {
    what: "a host without rsync",
    scene: { ssh: { env: NEW } },
    prepare: withoutRsync,
    code: SETUP,
    words: [/rsync/, /install/, "127.0.0.1"],
  },
  {
    what: "a host without rsync, on which psync is already",
    scene: { ssh: {} },
    prepare: async (scene) => {
      await scene.run("-n");
      await withoutRsync(scene);
    },
    code: SETUP,
    words: ["Cannot find rsync on 127.0.0.1: install it there"],
  },
  {
    what: "a host of another architecture",
    scene: { ssh: { env: NEW } },
    prepare: (scene) =>
      shadow(scene, { uname: say('case $1 in -m) echo riscv64;; *) exec /usr/bin/uname "$@";; esac') }),
    code: SETUP,
    words: ["architecture", "found riscv64"],
  },
  {
    what: "a host with musl",
    scene: { ssh: { env: NEW } },
    prepare: (scene) => shadow(scene, { getconf: say("exit 1"), ldd: say('echo "musl libc (x86_64)" >&2; exit 1') }),
    code: SETUP,
    words: ["it uses musl; a system with glibc is needed"],
  },
  {
    what: "a host with an old glibc",
    scene: { ssh: { env: NEW } },
    prepare: (scene) => shadow(scene, { getconf: say("echo glibc 2.17") }),
    code: SETUP,
    words: ["its glibc must be 2.27 or later: found glibc 2.17"],
  },
  {
    what: "a host with an old kernel",
    scene: { ssh: { env: NEW } },
    prepare: (scene) =>
      shadow(scene, { uname: say('case $1 in -r) echo 4.19.0-27-amd64;; *) exec /usr/bin/uname "$@";; esac') }),
    code: SETUP,
    words: ["its kernel must be 5.6 or later: found 4.19.0-27-amd64"],
  },
  {
    what: "a host without a place for the program",
    scene: { ssh: { env: NEW } },
    prepare: async (scene) => {
      // A session that is not root's has no /var/cache either.
      await shadow(scene, { id: say("echo 7") });
      const nowhere = "export XDG_CACHE_HOME=/dev/null/x HOME=/dev/null XDG_RUNTIME_DIR=\n";
      await Deno.writeTextFile(`${scene.sshd!.home}/.bashrc`, nowhere, { append: true });
    },
    code: SETUP,
    words: ["no directory for the program is one's own, writable and executable", "~/.cache"],
  },
  {
    what: "an ssh that is not there",
    args: ({ left }) => ["--ssh", "/no/such/ssh", left.path, "host:/x"],
    code: SETUP,
    words: ["/no/such/ssh"],
  },
  // The command line.
  {
    what: "a host name that begins with a dash",
    args: ({ left, right }) => ["-r", "-oProxyCommand=touch /tmp/psync-was-here", left.path, right.path],
    code: USAGE,
    words: [/host/],
  },
  {
    what: "an operand whose host begins with a dash",
    args: ({ left }) => [left.path, "-oProxyCommand=x:/y"],
    code: USAGE,
    words: [/-oProxyCommand|Unknown option/],
  },
  {
    what: "a regular expression that does not compile",
    args: ({ left, right }) => ["-e", "good", "-e", "(bad", left.path, right.path],
    code: USAGE,
    words: ["(bad"],
  },
];

const silent: Deno.Listener[] = [];

/** A port that takes connections and never says a word. */
function silentPort(_: string): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  silent.push(listener);
  return listener.addr.port;
}

/** Everything in both roots, psync's own included. */
async function allOf({ left, right }: Scene): Promise<string[]> {
  return [await left.sh("find . -printf '%p %i %T@ %C@\\n'"), await right.sh("find . -printf '%p %i %T@ %C@\\n'")];
}

/** That psync was refused in one line. */
function assertRefused(end: PsyncEnd, expected: Pick<Case, "code" | "words">): void {
  const said = end.err.split("\n").filter((line) => line !== "" && !/^Cop(y|ied)/.test(line));
  assertEquals([said.length, end.code, end.out], [1, expected.code, ""], end.err);
  assertMatch(said[0]!, /^psync: [A-Z]/);
  for (const word of expected.words) {
    if (typeof word === "string") assertStringIncludes(said[0]!, word);
    else assertMatch(said[0]!, word);
  }
}

for (const each of CASES) {
  Deno.test(`psync refuses ${each.what}`, async () => {
    await using scene = await Scene.make({ left: { f: "text" }, right: { g: "other" }, ...each.scene });
    try {
      await each.prepare?.(scene);
      const before = await allOf(scene);
      const startMs = systemClock.nowMs();
      const end = await scene.runWith(each.args?.(scene) ?? scene.operands);
      assertRefused(end, each);
      assert(systemClock.nowMs() - startMs < REFUSAL_MS, "it took too long");
      assertEquals(await allOf(scene), before);
    } finally {
      await each.cleanUp?.(scene);
      for (const listener of silent.splice(0)) listener.close();
    }
  });
}

Deno.test("psync refuses a root that belongs to another pair, and that pair goes on", async () => {
  await using scene = await Scene.make({ left: { f: "text" } });
  await using other = await Scene.make({ left: { x: "1" } });
  assertEquals((await scene.run("-s")).code, 0);
  const before = await allOf(scene);
  const expected = { code: SETUP, words: ["belongs to another pair", scene.right.path, "/.psync/pair"] };
  assertRefused(await scene.runWith(["-s", other.left.path, scene.right.path]), expected);
  assertRefused(await other.runWith(["-s", scene.right.path, other.left.path]), expected);
  assertEquals(await allOf(scene), before);
  assertEquals(await other.left.sh("ls -A"), "x\n");
  await scene.left.write("f", "edited");
  assertEquals((await scene.run("-s")).code, 0);
  assertEquals(await scene.right.read("f"), "edited");
});

Deno.test("psync refuses to be a second one on the same pair, from either host", async () => {
  await using scene = await Scene.make({ ssh: {}, left: { f: "text" } });
  await using psync = await scene.live();
  // The end of an epoch writes a file of psync's own.
  assertEquals((await scene.runWith(["flush"])).code, 0);
  const before = await allOf(scene);
  const expected = { code: SETUP, words: [`psync with pid ${psync.pid} on`, "stop that one first"] };
  assertRefused(await scene.run(), expected);
  assertRefused(await scene.run("-s", "-f"), expected);
  const elsewhere = { env: { XDG_STATE_HOME: scene.tree.at("home") } };
  assertRefused(await scene.runWith([scene.right.path, scene.left.path], elsewhere), expected);
  const { sshd, left, right } = scene;
  const back = ["--ssh", sshd!.sshCommand, right.path, `${sshd!.host}:${left.path}`];
  assertRefused(await scene.runWith(back, elsewhere), expected);
  assertEquals(await allOf(scene), before);
  await scene.change("left", "echo more >>f");
  assertEquals((await scene.end(psync)).code, 0);
});

/** Runs psync as a user who is nobody, in an environment of its own. */
async function asNobody(scene: Scene, env: readonly string[], args: readonly string[]): Promise<PsyncEnd> {
  await scene.tree.sh(
    `chmod 755 .; cp "${scene.words[0]}" psync; chmod 755 psync; mkdir -p nobody; chown nobody nobody`,
  );
  const words = ["--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin", ...env];
  const { code, stdout, stderr } = await new Deno.Command("setsid", {
    args: ["-w", "setpriv", ...words, scene.tree.at("psync"), ...args],
    cwd: "/",
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** That a root which somebody who is nobody may not use is refused, and nothing is made in the other one. */
async function refusedForNobody(name: string, words: string): Promise<void> {
  await using scene = await Scene.make({ left: { f: "text" } });
  await scene.right.sh("mkdir closed readonly; chmod 700 closed; chmod 755 readonly; echo 1 >readonly/x");
  await scene.left.sh("chown 65534:65534 .");
  await scene.right.sh("chown 65534:65534 .");
  const before = await allOf(scene);
  const end = await asNobody(scene, [`HOME=${scene.tree.at("nobody")}`], ["-s", scene.left.path, scene.right.at(name)]);
  assertRefused(end, { code: SETUP, words: [`"${scene.right.at(name)}"`, words] });
  assertEquals(await allOf(scene), before);
}

Deno.test({
  name: "psync refuses a root that may not be read",
  ignore: Deno.uid() !== 0,
  fn: () => refusedForNobody("closed", "may not be read"),
});

Deno.test({
  name: "psync refuses a root that may not be written",
  ignore: Deno.uid() !== 0,
  fn: () => refusedForNobody("readonly", "may not be written"),
});

Deno.test({
  name: "psync runs without a terminal, HOME and cache; without a place for its record it says what to set",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await using scene = await Scene.make({ left: { f: "text" } });
    const { left, right, tree } = scene;
    for (const root of [left, right]) await Deno.chown(root.path, 65534, 65534);
    const lost = await asNobody(scene, [], ["-s", left.path, right.path]);
    // Where no cache can be written the program runs from memory, and says so before all else.
    const err = lost.err.replace(/^(psync: (Cannot use|No usable cache)[^\n]*\n)+(?=psync: )/, "");
    assertRefused({ ...lost, err }, { code: SETUP, words: ["HOME", "set XDG_STATE_HOME"] });
    assertEquals(await right.sh("ls -A"), "");
    await tree.sh("mkdir record; chown nobody record");
    const run = await asNobody(scene, [`XDG_STATE_HOME=${tree.at("record")}`], ["-s", left.path, right.path]);
    assertEquals(run.code, 0, run.err);
    assertEquals(await right.read("f"), "text");
  },
});
