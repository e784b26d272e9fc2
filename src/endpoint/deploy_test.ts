/** Tests of what is asked of another host, and of the start script without ssh. @module */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { SetupError } from "../base/errors.ts";
import { type HostFacts, parseNeed, requireHostFits, type SelfFile, sendSelf, startCommand } from "./deploy.ts";

const GOOD: HostFacts = {
  system: "Linux",
  architecture: Deno.build.arch,
  kernel: "6.1.0-18-amd64",
  libc: "glibc 2.36",
  hasRsync: true,
  place: "/root/.cache/psync",
};

const REFUSED: readonly [Partial<HostFacts>, string][] = [
  [{ system: "FreeBSD" }, "it must run Linux: found FreeBSD"],
  [{ architecture: "riscv64" }, `its architecture must be ${Deno.build.arch} as here: found riscv64`],
  [{ kernel: "5.4.0-150-generic" }, "its kernel must be 5.6 or later: found 5.4.0-150-generic"],
  [{ kernel: "4.18.0" }, "its kernel must be 5.6 or later"],
  [{ libc: "musl libc (x86_64)" }, "it uses musl"],
  [{ libc: "glibc 2.26" }, "its glibc must be 2.27 or later: found glibc 2.26"],
  [{ libc: "" }, "its glibc must be 2.27 or later: found none"],
  [{ hasRsync: false }, "rsync is missing there; install it"],
  [{ place: "" }, "writable and executable"],
  [{ architecture: "\x1b[2J" }, "found ?[2J"],
];

for (const [facts, message] of REFUSED) {
  Deno.test(`requireHostFits() refuses ${JSON.stringify(facts)}`, () => {
    assertThrows(() => requireHostFits("h", { ...GOOD, ...facts }), SetupError, message);
  });
}

Deno.test("requireHostFits() takes what fits", () => {
  for (const libc of ["glibc 2.27", "glibc 3.0", "ldd (Debian GLIBC 2.36-9+deb12u4) 2.36"]) {
    requireHostFits("h", { ...GOOD, libc, kernel: "5.6" });
  }
});

Deno.test("parseNeed() takes what the script says and nothing else", () => {
  assertEquals(parseNeed("need;Linux;x86_64;6.1;glibc 2.36;yes;/a;b"), {
    ...GOOD,
    architecture: "x86_64",
    kernel: "6.1",
    place: "/a;b",
  });
  for (const words of ["", "need", "need;Linux;x;6;glibc;maybe;/a", "fail;write"]) assertEquals(parseNeed(words), null);
});

Deno.test("startCommand() holds nothing that a login shell could take for its own", () => {
  const command = startCommand({ path: "/x", hash: "a".repeat(64), sizeBytes: 12 });
  const script = command.slice("exec sh -c '".length, -1);
  assert(command.startsWith("exec sh -c '") && command.endsWith("'"));
  assert(!/['!\\\n\r]/.test(script));
  assert(command.length < 4_000);
  for (const hash of ["", "a".repeat(63), "A".repeat(64), "'; rm -rf /; '"]) {
    assertThrows(() => startCommand({ path: "/x", hash, sizeBytes: 12 }), SetupError);
  }
  for (const sizeBytes of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => startCommand({ path: "/x", hash: "a".repeat(64), sizeBytes }), SetupError);
  }
});

/** A stand-in for psync: says that it runs, and what it was given. */
async function standIn(dir: string, word = "one"): Promise<SelfFile> {
  const path = `${dir}/stand-in-${word}`;
  const text = `#!/bin/sh\n# ${"-".repeat(3_000)}\necho "RUNS ${word} $*"\ncat > /dev/null\n`;
  await Deno.writeTextFile(path, text);
  return { path, hash: createHash("sha256").update(text).digest("hex"), sizeBytes: text.length };
}

/** Runs the start command in `shell` with its own environment; feeds it `input`. */
async function run(
  command: string,
  options: { readonly env: Record<string, string>; readonly input?: Uint8Array; readonly shell?: readonly string[] },
): Promise<{ readonly stdout: string; readonly stderr: string; readonly code: number }> {
  const [shell, ...args] = options.shell ?? ["sh", "-c"];
  const child = new Deno.Command(shell!, {
    args: [...args, command],
    clearEnv: true,
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...options.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const fed = writer.write(options.input ?? new Uint8Array(0)).then(() => writer.close()).catch(() => {});
  const { stdout, stderr, code } = await child.output();
  await fed;
  return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr), code };
}

async function inDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "psync-deploy-" });
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Where a shell lies, or null. */
async function shellPath(name: string): Promise<string | null> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${name}`] }).output();
  return new TextDecoder().decode(stdout).trim() || null;
}

for (const name of ["sh", "bash", "dash", "zsh", "ksh", "csh", "tcsh", "fish"]) {
  const shell = await shellPath(name);
  Deno.test({
    name: `the start script copies once and runs under ${name}`,
    ignore: shell === null,
    fn: () => inDir((dir) => copiesOnce(dir, [shell!, "-c"])),
  });
}

async function copiesOnce(dir: string, shell: readonly string[]): Promise<void> {
  const self = await standIn(dir);
  const env = { HOME: `${dir}/home dir` };
  await Deno.mkdir(env.HOME);
  const first = await run(startCommand(self), { env, input: await Deno.readFile(self.path), shell });
  const need = parseNeed(first.stdout.split("\n")[0]!.replace("PSYNC-DEPLOY ", ""));
  assert(need !== null, first.stdout + first.stderr);
  assertEquals(need.place, `${env.HOME}/.cache/psync`);
  assertEquals(first.stdout.split("\n").slice(1), ["RUNS one filter", ""]);
  const second = await run(startCommand(self), { env, shell });
  assertEquals([second.stdout, second.code], ["RUNS one filter\n", 0]);
  const top = await Array.fromAsync(Deno.readDir(need.place));
  assertEquals(top.map((entry) => entry.name), [self.hash]);
  const { mode } = await Deno.stat(`${need.place}/${self.hash}/psync`);
  assertEquals(mode! & 0o777, 0o700);
}

Deno.test("the start script refuses a copy that is cut, too short or damaged, and leaves nothing", () =>
  inDir(async (dir) => {
    const self = await standIn(dir);
    const bytes = await Deno.readFile(self.path);
    const damaged = bytes.slice();
    damaged[100]! ^= 1;
    for (
      const [input, word] of [[bytes.subarray(0, 50), "short"], [new Uint8Array(0), "short"], [
        damaged,
        "hash",
      ]] as const
    ) {
      const { stdout, code } = await run(startCommand(self), { env: { XDG_CACHE_HOME: `${dir}/cache` }, input });
      assertEquals([stdout.split("\n")[1], code], [`PSYNC-DEPLOY fail;${word}`, 3]);
      assertEquals(await Array.fromAsync(Deno.readDir(`${dir}/cache/psync`)), []);
    }
  }));

Deno.test("the start script copies again over a file of another size", () =>
  inDir(async (dir) => {
    const self = await standIn(dir);
    const build = `${dir}/cache/psync/${self.hash}`;
    await Deno.mkdir(build, { recursive: true });
    await Deno.writeTextFile(`${build}/psync`, "", { mode: 0o700 });
    const options = { env: { XDG_CACHE_HOME: `${dir}/cache` }, input: await Deno.readFile(self.path) };
    const { stdout } = await run(startCommand(self), options);
    assertEquals(stdout.split("\n")[1], "RUNS one filter");
  }));

Deno.test("two copies at once do no harm", () =>
  inDir(async (dir) => {
    const self = await standIn(dir);
    const options = { env: { XDG_CACHE_HOME: `${dir}/cache` }, input: await Deno.readFile(self.path) };
    const runs = await Promise.all(Array.from({ length: 6 }, () => run(startCommand(self), options)));
    for (const { stdout, code } of runs) {
      assertEquals([stdout.trimEnd().split("\n").at(-1), code], ["RUNS one filter", 0]);
    }
    assertEquals((await Array.fromAsync(Deno.readDir(`${dir}/cache/psync`))).map(({ name }) => name), [self.hash]);
  }));

Deno.test("the two newest builds are kept, and nothing else is touched", () =>
  inDir(async (dir) => {
    const top = `${dir}/cache/psync`;
    await Deno.mkdir(`${top}/lib/x`, { recursive: true });
    await Deno.mkdir(`${top}/${"f".repeat(64)}`);
    const hashes: string[] = [];
    for (const [i, word] of ["one", "two", "three"].entries()) {
      const self = await standIn(dir, word);
      hashes.push(self.hash);
      await run(startCommand(self), { env: { XDG_CACHE_HOME: `${dir}/cache` }, input: await Deno.readFile(self.path) });
      await Deno.utime(`${top}/${self.hash}`, 1_000 + i, 1_000 + i);
    }
    const names = (await Array.fromAsync(Deno.readDir(top))).map(({ name }) => name).sort();
    assertEquals(names, ["lib", "f".repeat(64), hashes[1]!, hashes[2]!].sort());
  }));

Deno.test("a build that was just started is kept, however many others come", () =>
  inDir(async (dir) => {
    const env = { XDG_CACHE_HOME: `${dir}/cache` };
    const first = await standIn(dir, "first");
    await run(startCommand(first), { env, input: await Deno.readFile(first.path) });
    await Deno.utime(`${dir}/cache/psync/${first.hash}`, 1_000, 1_000);
    await run(startCommand(first), { env }); // it was there before
    for (const word of ["one", "two", "three"]) {
      const self = await standIn(dir, word);
      await run(startCommand(self), { env, input: await Deno.readFile(self.path) });
    }
    assertEquals((await run(startCommand(first), { env })).stdout, "RUNS first filter\n");
  }));

Deno.test("the start script takes the next place where one is a symlink, foreign or not executable", () =>
  inDir(async (dir) => {
    const self = await standIn(dir);
    await Deno.mkdir(`${dir}/linked`);
    await Deno.mkdir(`${dir}/elsewhere`);
    await Deno.symlink(`${dir}/elsewhere`, `${dir}/linked/psync`);
    await Deno.writeTextFile(`${dir}/file`, "");
    for (const bad of [`${dir}/linked`, `${dir}/file`, "relative", "/proc"]) {
      const env = { XDG_CACHE_HOME: bad, HOME: `${dir}/home` };
      const { stdout } = await run(startCommand(self), { env });
      assertEquals(parseNeed(stdout.split("\n")[0]!.slice("PSYNC-DEPLOY ".length))?.place, `${dir}/home/.cache/psync`);
    }
    assertEquals(await Array.fromAsync(Deno.readDir(`${dir}/elsewhere`)), []);
  }));

Deno.test({
  name: "the start script takes no place on a file system without execution",
  ignore: Deno.uid() !== 0,
  fn: () =>
    inDir(async (dir) => {
      const self = await standIn(dir);
      const cache = `${dir}/noexec`;
      await Deno.mkdir(cache);
      const mount = await new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", "noexec", "tmpfs", cache] }).output();
      if (!mount.success) return; // a container without the right to mount
      try {
        const { stdout } = await run(startCommand(self), { env: { XDG_CACHE_HOME: cache, HOME: `${dir}/home` } });
        assertEquals(
          parseNeed(stdout.split("\n")[0]!.slice("PSYNC-DEPLOY ".length))?.place,
          `${dir}/home/.cache/psync`,
        );
        assertEquals(await Array.fromAsync(Deno.readDir(`${cache}/psync`)), []);
      } finally {
        await new Deno.Command("umount", { args: ["-l", cache] }).output();
      }
    }),
});

Deno.test("sendSelf() sends the file that was started, with progress, and refuses another one", () =>
  inDir(async (dir) => {
    const self = await standIn(dir);
    const got: Uint8Array[] = [];
    const sink = () => new WritableStream<Uint8Array>({ write: (chunk) => void got.push(chunk) }).getWriter();
    const progress: number[][] = [];
    await sendSelf(sink(), self, { onProgress: (...at) => progress.push(at) });
    assertEquals(new Uint8Array(got.flatMap((chunk) => [...chunk])), await Deno.readFile(self.path));
    assertEquals(progress, [[self.sizeBytes, self.sizeBytes]]);
    await Deno.writeTextFile(self.path, "#!/bin/sh\n");
    await assertRejects(() => sendSelf(sink(), self), SetupError, "was replaced since it was started");
    await Deno.remove(self.path);
    await assertRejects(() => sendSelf(sink(), self), SetupError, "cannot be read");
  }));
