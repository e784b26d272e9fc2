/**
 * The one binary: where it runs from, what it leaves behind, what it says where it cannot run.
 *
 * Most of it is tested with the real launcher and the real runtime around a small program that
 * tells what it sees; the last part with dist/psync itself. Mounts are made in mount namespaces of
 * their own, so nothing of them is left.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoPath, DIST, makeImage, must, type Output, run, testDir } from "../support/binary.ts";

/** Prints what a program sees of its start, as JSON. */
const TELL = `
const text = (path) => new TextDecoder().decode(Deno.readFileSync(path));
const links = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
  try { return Deno.readLinkSync("/proc/self/fd/" + name); } catch { return ""; }
});
let native = -1;
try { native = new Deno.Command(Deno.env.get("PSYNC_NATIVE")).outputSync().code; } catch { /* tells -1 */ }
console.log(JSON.stringify({
  args: Deno.args, cwd: Deno.cwd(), env: Deno.env.toObject(), links, native, pid: Deno.pid, comm: text("/proc/self/comm").trim(),
}));
`;

interface Told {
  readonly args: string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly links: string[];
  readonly native: number;
  readonly comm: string;
}

/** What psync-native answers when it is run without a command: it ran. */
const NATIVE_RAN = 2;

function told(output: Output): Told {
  assertEquals(output.code, 0, output.stderr);
  return JSON.parse(output.stdout);
}

/** Runs a script in a mount namespace of its own; needs root. */
function runMounted(script: string, env: Record<string, string> = {}): Promise<Output> {
  return run("unshare", ["--mount", "--propagation", "private", "sh", "-euc", script], { env });
}

const isRoot = Deno.uid() === 0;

function rootTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, ignore: !isRoot });
}

async function names(dir: string): Promise<string[]> {
  const found = await must("find", [dir, "-not", "-path", "*/deno/*", "-type", "f", "-printf", "%P %m\n"]);
  return found.trim().split("\n").sort();
}

Deno.test("the launcher tells the program what runs, and keeps every argument", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  const env = { XDG_CACHE_HOME: `${dir.path}/cache`, HOME: dir.path };
  const seen = told(await run(image, ["a", "", "--", "-x", "--version"], { env, cwd: dir.path }));
  assertEquals(seen.args, ["a", "", "--", "-x", "--version"]);
  assertEquals(seen.cwd, "/");
  assertEquals(seen.env["PSYNC_CWD"], dir.path);
  assertEquals(seen.env["PSYNC_SELF"], image);
  assertEquals(seen.env["PSYNC_SIZE"], String((await Deno.stat(image)).size));
  assertEquals(seen.env["PSYNC_HASH"], (await must("sha256sum", [image])).split(" ")[0]);
  assertEquals(seen.native, NATIVE_RAN);
  assertEquals(seen.comm, "psync");
  assertEquals(seen.links.filter((link) => link === image), [], "its own file is closed again");
});

Deno.test("a first start unpacks for its user alone, a warm one writes nothing", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: "console.log(1)" });
  const env = { XDG_CACHE_HOME: `${dir.path}/cache` };
  assertEquals((await run(image, [], { env })).stdout, "1\n");
  const first = await names(`${dir.path}/cache`);
  assertEquals(first.map((line) => line.replace(/psync\/lib\/[0-9a-f]{32}\//, "")).sort(), [
    "psync 700",
    "psync-native 700",
    "psync.js 600",
  ]);
  const times = () => must("find", [`${dir.path}/cache/psync`, "-name", "psync*", "-printf", "%p %C@ %i\n"]);
  const before = await times();
  assertEquals((await run(image, [], { env })).stdout, "1\n");
  assertEquals(await times(), before);
});

Deno.test("two first starts at once both run, and leave one whole copy", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: "console.log(1)" });
  const env = { XDG_CACHE_HOME: `${dir.path}/cache` };
  const outputs = await Promise.all([1, 2, 3].map(() => run(image, [], { env })));
  for (const output of outputs) assertEquals(output, { code: 0, stdout: "1\n", stderr: "" });
  assertEquals((await names(`${dir.path}/cache`)).length, 3, "nothing half written is left");
});

Deno.test("what is wrong in the cache is unpacked again: size, mode, a link, somebody's directory", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: "console.log(1)" });
  const env = { XDG_CACHE_HOME: `${dir.path}/cache` };
  await run(image, [], { env });
  const path = (await must("find", [`${dir.path}/cache`, "-name", "psync.js"])).trim();
  const spoilers = [
    () => Deno.writeTextFile(path, "console.log(666)"),
    () => Deno.chmod(path, 0o666),
    async () => {
      await Deno.writeTextFile(`${dir.path}/evil`, "console.log(2)");
      await Deno.remove(path);
      await Deno.symlink(`${dir.path}/evil`, path);
    },
    () => Deno.remove(path),
  ];
  for (const spoil of spoilers) {
    await spoil();
    assertEquals(await run(image, [], { env }), { code: 0, stdout: "1\n", stderr: "" });
    const info = await Deno.lstat(path);
    assert(info.isFile && (info.mode! & 0o777) === 0o600);
  }
});

Deno.test("a new build unpacks only what is new; the two newest programs are kept", async () => {
  await using dir = await testDir();
  const env = { XDG_CACHE_HOME: `${dir.path}/cache` };
  const inodes: string[] = [];
  for (const number of [1, 2, 3, 4]) {
    const image = await makeImage(`${dir.path}/psync${number}`, { program: `console.log(${number})` });
    assertEquals((await run(image, [], { env })).stdout, `${number}\n`);
    inodes.push(await must("find", [`${dir.path}/cache`, "-name", "psync", "-type", "f", "-printf", "%i"]));
  }
  assertEquals(new Set(inodes).size, 1, "the runtime stays");
  const programs = (await must("sh", ["-c", `cat ${dir.path}/cache/psync/lib/*/psync.js`])).match(/\d/g);
  assertEquals(programs?.sort(), ["3", "4"]);
});

Deno.test("variables, files and a directory that break Deno do not break psync", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  const env = {
    XDG_CACHE_HOME: `${dir.path}/cache`,
    DENO_V8_FLAGS: "--no-such-flag",
    DENO_DIR: "/dev/null/x",
    DENO_LOG: "trace",
    DENO_CONNECTED: "tcp:127.0.0.1:1",
    DENO_PERMISSION_BROKER_PATH: "/nowhere",
    DENO_UNSTABLE_CONTROL_SOCK: "tcp:127.0.0.1:1",
    DENO_STARTUP_PHASES: "1",
    NODE_OPTIONS: "--bad",
    OTEL_DENO: "true",
    RUST_LOG: "trace",
    LD_PRELOAD: "/nowhere.so",
    LD_LIBRARY_PATH: "/nowhere",
    PSYNC_SELF: "/nowhere",
    PSYNC_NATIVE: "/nowhere",
    KEPT: "yes",
  };
  for (const file of ["deno.json", "package.json", "deno.lock", ".npmrc", "tsconfig.json"]) {
    await Deno.writeTextFile(`${dir.path}/${file}`, "{ broken");
  }
  const output = await run(image, [], { env, cwd: dir.path });
  const seen = told(output);
  assertEquals(output.stderr, "");
  assertEquals(seen.env["KEPT"], "yes");
  assertEquals(seen.env["PSYNC_SELF"], image);
  assertEquals(seen.native, NATIVE_RAN);
  const left = Object.keys(seen.env).filter((name) =>
    /^(NODE|OTEL|RUST|LD)_/.test(name) || seen.env[name] === "/nowhere"
  );
  assertEquals(left, []);
});

Deno.test("a deleted working directory does not stop psync; it is just not told", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  const script = `mkdir gone && cd gone && rmdir ../gone && exec ${image}`;
  const env = { XDG_CACHE_HOME: `${dir.path}/cache` };
  const seen = told(await run("sh", ["-c", script], { env, cwd: dir.path }));
  assertEquals(seen.env["PSYNC_CWD"], undefined);
});

Deno.test("a file that was cut short or is no image says so, exit 3", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: "" });
  await Deno.truncate(image, (await Deno.stat(image)).size - 1);
  const { code, stderr } = await run(image, []);
  assertEquals(code, 3);
  assertStringIncludes(stderr, "damaged or cut short");
});

Deno.test("a damaged part is not run: exit 3, and nothing of it stays", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: "console.log(1)" });
  {
    using file = await Deno.open(image, { write: true });
    await file.seek(20_000_000, Deno.SeekMode.Start);
    await file.write(new Uint8Array(64));
  }
  const { code, stdout, stderr } = await run(image, [], {
    env: { XDG_CACHE_HOME: `${dir.path}/cache` },
  });
  assertEquals([code, stdout], [3, ""]);
  assertStringIncludes(stderr, "its own file is damaged");
  assertEquals(await must("find", [`${dir.path}/cache`, "-type", "f"]), "");
});

rootTest("it runs from a read-only path, and without HOME", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  const output = await runMounted(`
    mount -t tmpfs -o mode=755 tmpfs /root; mount -t tmpfs -o mode=755 tmpfs /var/cache
    mount --bind ${dir.path} ${dir.path}; mount -o remount,ro,bind ${dir.path}
    ! touch ${dir.path}/x 2>/dev/null
    unset HOME
    exec ${image}
  `);
  const seen = told(output);
  assertStringIncludes(seen.env["PSYNC_NATIVE"]!, "/root/.cache/psync/lib/");
  assertEquals(seen.native, NATIVE_RAN);
});

rootTest("a HOME that is mounted noexec is passed over", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  await Deno.mkdir(`${dir.path}/home`);
  const output = await runMounted(`
    mount -t tmpfs -o noexec,mode=755 tmpfs ${dir.path}/home; mount -t tmpfs -o mode=755 tmpfs /var/cache
    HOME=${dir.path}/home exec ${image}
  `);
  const seen = told(output);
  assertStringIncludes(seen.env["PSYNC_NATIVE"]!, "/var/cache/psync/lib/");
  assertEquals(seen.native, NATIVE_RAN);
  assertEquals(output.stderr, "");
});

rootTest("where nothing is executable it runs from memory and says so", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  await Deno.mkdir(`${dir.path}/home`);
  const output = await runMounted(`
    mount -t tmpfs -o noexec,mode=755 tmpfs ${dir.path}/home; mount -t tmpfs -o noexec,mode=755 tmpfs /var/cache
    HOME=${dir.path}/home exec ${image} one
  `);
  const seen = told(output);
  assertEquals(seen.args, ["one"]);
  assertEquals(seen.native, NATIVE_RAN);
  assertStringIncludes(output.stderr, "is mounted noexec");
  assertStringIncludes(output.stderr, "unpacks into memory");
});

rootTest("a cache that is full is said, and the next one is taken", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  await Deno.mkdir(`${dir.path}/small`);
  const output = await runMounted(`
    mount -t tmpfs -o size=20m,mode=755 tmpfs ${dir.path}/small; mount -t tmpfs -o size=20m,mode=755 tmpfs /var/cache
    export XDG_CACHE_HOME=${dir.path}/small HOME=/dev/null
    ${image}
    test -z "$(find ${dir.path}/small -type f)"
  `);
  assertEquals(told(output).native, NATIVE_RAN);
  assertStringIncludes(output.stderr, `Cannot use "${dir.path}/small": No space left on device`);
});

rootTest("somebody else's cache is not used", async () => {
  await using dir = await testDir();
  const image = await makeImage(`${dir.path}/psync`, { program: TELL });
  for (const name of ["theirs", "open", "mine"]) await Deno.mkdir(`${dir.path}/${name}`);
  await Deno.chown(`${dir.path}/theirs`, 65534, 65534);
  await Deno.mkdir(`${dir.path}/open/.cache`);
  await Deno.chmod(`${dir.path}/open/.cache`, 0o777);
  const script = `mount --bind ${dir.path}/mine /var/cache; exec ${image}`;
  const env = { XDG_CACHE_HOME: `${dir.path}/theirs`, HOME: `${dir.path}/open` };
  assertEquals(told(await runMounted(script, env)).native, NATIVE_RAN);
  assertEquals(await must("find", [`${dir.path}/theirs`, `${dir.path}/open`, "-type", "f"]), "");
  assertEquals((await names(`${dir.path}/mine`)).length, 3);
});

/** Makes a root of nothing but some programs and the libraries that they need. */
async function bareRoot(path: string, programs: readonly string[]): Promise<void> {
  for (const name of ["dev", "proc", "tmp", "root", "etc", "usr/bin", "var/cache"]) {
    await Deno.mkdir(`${path}/${name}`, { recursive: true });
  }
  await Deno.writeTextFile(`${path}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\n");
  await Deno.symlink("usr/bin", `${path}/bin`);
  for (const program of programs) {
    const file = (await must("sh", ["-c", `readlink -f "$(command -v ${program})"`])).trim();
    await must("cp", [file, `${path}/usr/bin/${program}`]);
    await copyLibraries(path, file);
  }
}

/** Copies the libraries that a program needs, but those that `without` matches. */
async function copyLibraries(path: string, file: string, without = /^$/): Promise<void> {
  const libraries = (await must("ldd", [file])).matchAll(/(\/\S+) \(0x/g);
  for (const [, library] of libraries) {
    if (!without.test(library!)) await must("cp", ["--parents", "-Lf", library!, path]);
  }
}

async function runInRoot(path: string, command: string): Promise<Output> {
  return await runMounted(`
    mount -t proc proc ${path}/proc; mount --rbind /dev ${path}/dev
    exec chroot ${path} /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root ${command}
  `);
}

rootTest("a bare system without Deno, Node and compiler runs it and syncs two folders", async () => {
  await using dir = await testDir();
  const root = `${dir.path}/root`;
  await bareRoot(root, ["sh", "env", "rsync", "ssh", "mkdir", "cat", "ls", "find"]);
  await must("cp", [DIST, `${root}/usr/bin/psync`]);
  await copyLibraries(
    root,
    (await must("sh", ["-c", `ls ${DIST.replace("/dist/psync", "")}/.cache/tools/node_modules/@deno/*/deno`])).trim(),
  );
  const version = await runInRoot(root, "psync --version");
  assertEquals(version.code, 0, version.stderr);
  assertMatch(version.stdout, /^psync \d+\.\d+\.\d+ \(build [0-9a-f]{12}\)\n$/);
  const synced = await runInRoot(
    root,
    `sh -euc '
    mkdir /tmp/l /tmp/r; echo left > /tmp/l/a; echo right > /tmp/r/b
    psync -s /tmp/l /tmp/r
    cat /tmp/l/b /tmp/r/a'`,
  );
  assertEquals(synced.code, 0, synced.stderr);
  assert(synced.stdout.endsWith("right\nleft\n"), synced.stdout);
});

rootTest("a system without glibc, or without libgcc_s, gets a clear word and exit 3", async () => {
  await using dir = await testDir();
  const root = `${dir.path}/root`;
  await bareRoot(root, ["env"]);
  await must("cp", [DIST, `${root}/usr/bin/psync`]);
  await copyLibraries(root, await denoPath(), /libgcc_s/);
  const withoutGcc = await runInRoot(root, "psync --version");
  assertEquals([withoutGcc.code, withoutGcc.stdout], [3, ""]);
  assertStringIncludes(withoutGcc.stderr, "libgcc_s.so.1");
  // chroot and env are gone with the libraries: psync is started directly.
  await must("sh", ["-c", `rm -rf ${root}/lib* ${root}/usr/lib*`]);
  const withoutLibc = await runMounted(`mount -t proc proc ${root}/proc; exec chroot ${root} /usr/bin/psync --version`);
  assertEquals([withoutLibc.code, withoutLibc.stdout], [3, ""]);
  assertStringIncludes(withoutLibc.stderr, "glibc 2.27 or later");
  assertEquals(await must("find", [root, "-path", "*/lib/*", "-type", "f"]), "", "the next start asks again");
});

Deno.test("dist/psync tells its version and the hash of its own file", async () => {
  await using dir = await testDir();
  const env = { XDG_CACHE_HOME: `${dir.path}/cache` };
  const { code, stdout } = await run(DIST, ["--version"], { env });
  assertEquals(code, 0);
  const hash = (await must("sha256sum", [DIST])).slice(0, 12);
  assertStringIncludes(stdout, `(build ${hash})`);
});

Deno.test("a ~/.npmrc that breaks Deno, or a HOME that is no directory, does not break psync", async () => {
  await using dir = await testDir();
  const program = `console.log(Deno.env.get("HOME") ?? "none", Deno.env.get("PSYNC_HOME") ?? "none")`;
  const image = await makeImage(`${dir.path}/psync`, { program });
  await Deno.writeTextFile(`${dir.path}/.npmrc`, "registry=::bad::\n");
  const cache = { XDG_CACHE_HOME: `${dir.path}/cache` };
  for (const home of [dir.path, "/dev/null"]) {
    const hidden = await run(image, [], { env: { ...cache, HOME: home } });
    assertEquals(hidden, { code: 0, stdout: `/proc ${home}\n`, stderr: "" });
  }
  const clean = await run(image, [], { env: { ...cache, HOME: `${dir.path}/cache` } });
  assertEquals(clean.stdout, `${dir.path}/cache none\n`);
});
