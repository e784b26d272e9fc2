/** Tests of the doors pipe and ssh with real processes and a real sshd. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NO_RULES } from "../core/ignore.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { isAlive } from "../../tests/support/procfs.ts";
import { type Sshd, type SshdOptions, startSshd } from "../../tests/support/sshd.ts";
import { nativePath } from "../../tests/support/native_build.ts";
import { makeStandIn } from "../../tests/support/stand_in.ts";
import { systemClock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, SetupError, UsageError } from "../base/errors.ts";
import type { Endpoint } from "../core/endpoint.ts";
import { parseRelPath } from "../core/path.ts";
import type { SelfFile } from "./deploy.ts";
import { connectPipe } from "./pipe.ts";
import { BulkLink, connectSsh, type SshOptions } from "./ssh.ts";
import { explainSsh, parseSshCommand, requireHost, sshArgs } from "./ssh_command.ts";

const LOOK = { contentLimitBytes: 0, digests: false };

interface Host {
  readonly sshd: Sshd;
  readonly self: SelfFile;
  readonly dir: string;
  connect(options?: Partial<SshOptions>): ReturnType<typeof connectSsh>;
}

/** Runs `body` with an sshd of its own and a stand-in for psync. */
async function withHost(body: (host: Host) => Promise<void>, options: SshdOptions = {}): Promise<void> {
  await using sshd = await startSshd(options);
  const dir = await Deno.makeTempDir({ prefix: "psync-ssh-test-" });
  try {
    const self = await makeStandIn(dir);
    const base = {
      host: sshd.host,
      sshCommand: sshd.sshCommand,
      root: "/srv/x",
      rules: NO_RULES,
      self,
      nativePath: await nativePath(),
      clock: systemClock,
    };
    await body({ sshd, self, dir, connect: (more = {}) => connectSsh({ ...base, ...more }) });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function filterPid(endpoint: Endpoint): Promise<number> {
  const [observation] = await endpoint.look([parseRelPath("pid")], LOOK);
  assert(observation?.kind === "blocked");
  return Number(observation.detail);
}

/** Waits until a process is gone; the test's own time limit is the limit. */
async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await systemClock.sleep(10);
}

Deno.test("connectSsh() copies psync once, runs it, and leaves no process behind", () =>
  withHost(async ({ sshd, connect, self }) => {
    const progress: number[] = [];
    const onProgress = (sentBytes: number) => void progress.push(sentBytes);
    const first = await connect({ onProgress });
    assertEquals(first.facts.root, "/srv/x");
    assertEquals(progress, [self.sizeBytes]);
    const pid = await filterPid(first);
    await first[Symbol.asyncDispose]();
    await gone(pid);
    const second = await connect({ onProgress, host: sshd.alias, root: "notes" });
    assertEquals(progress.length, 1);
    assert(second.facts.root.endsWith("/notes") && second.facts.root.startsWith("/"));
    await second[Symbol.asyncDispose]();
    while (sshd.sessionPids().length > 0) await systemClock.sleep(10);
  }));

Deno.test("connectSsh() gets through a chatty login shell", () =>
  withHost(async ({ connect, sshd }) => {
    // bash reads this one when sshd starts it.
    await Deno.writeTextFile(`${sshd.home}/.bashrc`, 'echo "Welcome!"; printf "no newline"\n');
    await using endpoint = await connect();
    assertEquals(endpoint.facts.hostName, "fake");
  }));

Deno.test("connectSsh() hands on what the filter refuses", () =>
  withHost(async ({ connect, sshd }) => {
    await assertRejects(() => connect({ root: "/srv/missing" }), SetupError, `Cannot open root "/srv/missing"`);
    while (sshd.sessionPids().length > 0) await systemClock.sleep(10);
  }));

Deno.test("a filter that dies, and a link that is cut, are a lost endpoint with the last words", () =>
  withHost(async ({ connect, sshd }) => {
    const one = await connect();
    await assertRejects(() => one.look([parseRelPath("die")], LOOK), EndpointLostError, "it died as it was told");
    await one[Symbol.asyncDispose]();
    const two = await connect();
    const pid = await filterPid(two);
    const events = Array.fromAsync(two.events());
    events.catch(() => {});
    sshd.dropSessions();
    await assertRejects(() => events, EndpointLostError);
    await two[Symbol.asyncDispose]();
    await gone(pid);
  }));

Deno.test("a brain that is killed takes its filter with it", () =>
  withHost(async ({ self }) => {
    const child = new Deno.Command(self.path, { args: ["filter"], stdin: "piped", stdout: "piped" }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    await child.stdin.close();
    const { code } = await child.status;
    assertEquals(code, 1);
    await reader.cancel();
  }));

Deno.test("connectSsh() refuses a psync that was replaced since it was started", () =>
  withHost(async ({ connect, self }) => {
    await Deno.writeTextFile(self.path, "#!/bin/sh\n");
    await assertRejects(() => connect(), SetupError, "was replaced since it was started");
  }));

Deno.test("connectSsh() refuses a host without rsync", () =>
  withHost(
    async ({ connect, dir, sshd }) => {
      for (const name of ["sh", "mkdir", "chmod", "rm", "id", "wc", "uname", "getconf"]) {
        const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${name}`] }).output();
        await Deno.mkdir(`${dir}/bin`, { recursive: true });
        await Deno.symlink(new TextDecoder().decode(stdout).trim(), `${dir}/bin/${name}`);
      }
      await Deno.writeTextFile(`${sshd.home}/.bashrc`, `PATH=${dir}/bin\n`);
      await assertRejects(() => connect(), SetupError, "rsync is missing there");
    },
  ));

Deno.test("connectSsh() refuses a host without a place for the program", () =>
  withHost(async ({ connect, dir, sshd }) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const bashrc =
      `export XDG_CACHE_HOME=${dir}/file HOME=${dir}/file XDG_RUNTIME_DIR=; id() { echo 7; }; export -f id\n`;
    await Deno.writeTextFile(`${sshd.home}/.bashrc`, bashrc);
    // dash does not take functions: an id of our own on the PATH says that we are not root.
    await Deno.mkdir(`${dir}/bin`);
    await Deno.writeTextFile(`${dir}/bin/id`, "#!/bin/sh\necho 7\n", { mode: 0o755 });
    await Deno.writeTextFile(`${sshd.home}/.bashrc`, `${bashrc}PATH=${dir}/bin:$PATH\n`);
    await assertRejects(() => connect(), SetupError, "writable and executable");
  }));

const FAILURES: readonly [string, SshdOptions, Partial<SshOptions>, string][] = [
  ["an unknown host key", { isHostKnown: false }, {}, "its host key is unknown; to accept it run once: ssh -F"],
  ["a key that is not let in", { isKeyAuthorized: false }, {}, "run once: ssh-copy-id 127.0.0.1"],
  ["a host without a name", {}, { host: "no-such-host.invalid" }, "its name is unknown"],
  [
    "a port that nobody listens on",
    {},
    { sshCommand: "ssh -o StrictHostKeyChecking=no -p 1" },
    "it refuses connections",
  ],
  ["an ssh that is not there", {}, { sshCommand: "/nonexistent/ssh" }, "the command cannot be started; install"],
  [
    "a command that says no",
    {},
    { sshCommand: "sh -c 'echo nothing here; exit 7'" },
    "ended with code 7: nothing here",
  ],
];

for (const [what, sshd, options, message] of FAILURES) {
  Deno.test(`connectSsh() says what to do about ${what}`, () =>
    withHost(async ({ connect }) => {
      const error = await assertRejects(() => connect(options), SetupError, message);
      assert(!error.message.includes("\n"));
    }, sshd));
}

Deno.test("connectSsh() ends by its time limit and by its signal, with no process left", () =>
  withHost(async ({ connect, dir }) => {
    const pidFile = `${dir}/pid`;
    const sshCommand = `sh -c 'echo $$ > ${pidFile}; exec sleep 1000'`;
    /** Its pid, once it runs. */
    const started = async () => {
      for (;;) {
        const pid = Number(await Deno.readTextFile(pidFile).catch(() => ""));
        if (pid !== 0) return pid;
        await systemClock.sleep(5);
      }
    };
    const clock = new FakeClock();
    const late = connect({ sshCommand, clock, connectTimeoutMs: 300 });
    let isOver = false;
    const refused = assertRejects(() => late, SetupError, "did not answer").finally(() => isOver = true);
    const first = await started();
    while (!isOver) {
      await clock.advance(20);
      await systemClock.sleep(5);
    }
    await refused;
    await gone(first);
    await Deno.remove(pidFile);
    const stop = new AbortController();
    const stopped = assertRejects(() => connect({ sshCommand, signal: stop.signal }), DOMException, "aborted");
    const second = await started();
    stop.abort();
    await stopped;
    await gone(second);
  }));

Deno.test("a custom command gets the operands HOST and COMMAND alone", () =>
  withHost(async ({ connect, dir, sshd }) => {
    const wrapper = `${dir}/wrap`;
    const options = `-o BatchMode=yes`;
    await Deno.writeTextFile(
      wrapper,
      `#!/bin/sh\necho "$#" > ${dir}/count\nexec ${sshd.sshCommand} ${options} "$@"\n`,
      {
        mode: 0o700,
      },
    );
    await using _ = await connect({ sshCommand: wrapper });
    assertEquals((await Deno.readTextFile(`${dir}/count`)).trim(), "2");
  }));

Deno.test("hosts that ssh or a shell could take for more are refused before anything is started", () => {
  const bad = [
    "",
    "-oProxyCommand=x",
    "a b",
    "a;b",
    "$(x)",
    "`x`",
    "user@-o",
    "a\n",
    "a/b",
    "user@",
    "'",
    "x".repeat(600),
  ];
  for (const host of bad) assertThrows(() => requireHost(host), UsageError, "it is no host name");
  for (const host of ["h", "user@h.example", "10.0.0.1", "[::1]", "u@[fe80::1%eth0]", "a_b", "u.v+w@h"]) {
    requireHost(host);
  }
});

Deno.test("sshArgs() puts the host behind -- and takes brackets off", () => {
  const args = sshArgs(parseSshCommand("ssh -p 2222"), "u@[::1]", "command");
  assertEquals([args.slice(0, 2), args.slice(-3)], [["-p", "2222"], ["--", "u@::1", "command"]]);
  assertEquals(sshArgs(parseSshCommand("/x/wrap -v"), "h", "command"), ["-v", "h", "command"]);
});

const COMPLAINTS: readonly [string, string][] = [
  ["@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.", "ssh-keygen -R h"],
  ["ssh: connect to host h port 22: Connection timed out", "it does not answer"],
  ["ssh: connect to host h port 22: No route to host", "there is no way to it"],
  ["Received disconnect: Too many authentication failures", "IdentityFile"],
  ["root@h: Permission denied (publickey,password).", "ssh-copy-id h"],
  ["kex_exchange_identification: Connection closed by remote host", "Connection closed by remote host"],
];

for (const [stderr, advice] of COMPLAINTS) {
  Deno.test(`explainSsh() knows ${JSON.stringify(stderr.slice(0, 50))}`, () => {
    const error = explainSsh(parseSshCommand(), { host: "h", code: 255, stderr, noise: "" });
    assert(error.message.startsWith(`Cannot connect to "h": `) && error.message.includes(advice), error.message);
  });
}

Deno.test("connectPipe() starts a filter here, and says what it said when it is something else", () =>
  withHost(async ({ self }) => {
    const options = { root: "/srv/y", rules: NO_RULES, clock: systemClock };
    const endpoint = await connectPipe({ ...options, command: self.path, args: ["filter"] });
    assertEquals(endpoint.facts.root, "/srv/y");
    const pid = await filterPid(endpoint);
    await endpoint[Symbol.asyncDispose]();
    await gone(pid);
    const broken = { ...options, command: "sh", args: ["-c", "echo something went wrong >&2; exit 3"] };
    await assertRejects(() => connectPipe(broken), SetupError, "something went wrong");
    const other = { ...options, command: "printf", args: ["%s\\n", "\\0PSYNC-FILTER 0123456789abcdef"] };
    await assertRejects(() => connectPipe({ ...other, args: ["\\0PSYNC-FILTER 0123456789abcdef\\n"] }), ProtocolError);
  }));

/** Runs rsync over a link; gives whether it worked. */
async function rsync(link: BulkLink, host: string, dir: string): Promise<boolean> {
  using use = link.use();
  const { success } = await new Deno.Command("rsync", {
    args: ["-e", use.shell, "--", `${host}:${dir}/file`, `${dir}/copy`],
    stdout: "null",
  }).output();
  return success;
}

Deno.test("BulkLink shares one connection between rsync runs and leaves nothing behind", () =>
  withHost(async ({ sshd, dir }) => {
    await Deno.writeTextFile(`${dir}/file`, "x");
    const link = BulkLink.open({
      host: sshd.host,
      sshCommand: sshd.sshCommand,
      nativePath: await nativePath(),
      clock: systemClock,
    });
    assertEquals(sshd.sessionPids(), []);
    assert(await link.ready());
    for (let i = 0; i < 3; i++) assert(await rsync(link, sshd.host, dir));
    assertEquals(sshd.log().split("Accepted publickey").length - 1, 1);
    const socket = /ControlPath=(\S+)/.exec(link.use().shell)![1]!;
    const { mode } = await Deno.stat(socket.replace(/\/[^/]*$/, ""));
    assertEquals(mode! & 0o777, 0o700);
    await link[Symbol.asyncDispose]();
    await assertRejects(() => Deno.lstat(socket.replace(/\/[^/]*$/, "")), Deno.errors.NotFound);
    while (sshd.sessionPids().length > 0) await systemClock.sleep(10);
  }));

Deno.test("BulkLink makes another connection where one was given up, and ends that with its last run", () =>
  withHost(async ({ sshd, dir }) => {
    await Deno.writeTextFile(`${dir}/file`, "x");
    await using link = BulkLink.open({
      host: sshd.host,
      sshCommand: sshd.sshCommand,
      nativePath: await nativePath(),
      clock: systemClock,
    });
    assert(await link.ready());
    const [bad, other] = [link.use(), link.use()];
    const socket = /ControlPath=(\S+)/.exec(bad.shell)![1]!;
    bad.retire();
    bad[Symbol.dispose]();
    assert(await link.ready());
    assert(await rsync(link, sshd.host, dir));
    assertEquals(sshd.log().split("Accepted publickey").length - 1, 2);
    // The other run goes on over the connection that it has, which ends with it.
    await Deno.lstat(socket);
    other[Symbol.dispose]();
    while (await Deno.lstat(socket).then(() => true, () => false)) await systemClock.sleep(10);
  }));

Deno.test("BulkLink falls back to plain connections where they cannot be shared", () =>
  withHost(async ({ sshd, dir }) => {
    await Deno.writeTextFile(`${dir}/file`, "x");
    await using link = BulkLink.open({
      host: sshd.host,
      sshCommand: sshd.sshCommand,
      nativePath: await nativePath(),
      clock: systemClock,
    });
    assert(await link.ready());
    // The one session that the server allows beside the master's own is taken.
    const [command, ...args] = link.use().shell.split(" ");
    const holder = new Deno.Command(command!, { args: [...args, sshd.host, "cat"], stdin: "piped", stdout: "piped" })
      .spawn();
    const writer = holder.stdin.getWriter();
    const reader = holder.stdout.getReader();
    await writer.write(Uint8Array.of(1));
    await reader.read();
    assert(await rsync(link, sshd.host, dir));
    assertEquals(sshd.log().split("Accepted publickey").length - 1, 2);
    await writer.close();
    await holder.status;
    await reader.cancel();
    await using custom = BulkLink.open({ host: "h", sshCommand: "/x/wrap -v", clock: systemClock });
    assertEquals([custom.use().shell, await custom.ready()], ["/x/wrap -v", false]);
  }, { serverConfig: ["MaxSessions 2"] }));
