/**
 * The launcher's own code under the address and undefined-behaviour sanitizers, with images that
 * are small, damaged, or made to mislead it.
 *
 * The runtime in these images is a program of a few lines, so that a start takes milliseconds.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { must, type Output, REPO, run, testDir } from "../support/binary.ts";
import { childrenOf } from "../support/procfs.ts";
import { canInject, until } from "./apply_inject.ts";

/** Changes with the seed: bytes of the trailer and of the frames, cuts, and foreign tails. */
const ROUNDS = 120;
const SEED = Number(Deno.env.get("PSYNC_SEED") ?? 1);

const TRAILER_BYTES = 256;

const CHECKED = ["-g", "-O1", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/**
 * Stands for the runtime: tells how it was called; `--version` is how it is tried out. As a filter it runs
 * until its stdin ends, and fails where what it was unpacked with is not there any more.
 */
const RUNTIME = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) return 0;
  for (int i = 1; i < argc; i++) printf("%s\\n", argv[i]);
  fflush(stdout);
  if (strcmp(argv[argc - 1], "filter") != 0) return 0;
  while (getchar() != EOF) { }
  return access(argv[argc - 2], R_OK) == 0 && access(getenv("PSYNC_NATIVE"), X_OK) == 0 ? 0 : 9;
}
`;

interface Built {
  readonly dir: string;
  readonly image: string;
}

async function build(dir: string): Promise<Built> {
  const source = (name: string) => `${REPO}/native/launcher/${name}.c`;
  const hash = `${REPO}/native/sha256.c`;
  const launcher = ["launcher", "cache", "files", "purge", "probe", "signals", "image"].map(source);
  await must("gcc", [...CHECKED, ...SANITIZERS, "-o", `${dir}/launcher`, ...launcher, hash, "-lzstd"]);
  await must("gcc", [...CHECKED, ...SANITIZERS, "-o", `${dir}/pack`, source("pack"), source("image"), hash, "-lzstd"]);
  await Deno.writeTextFile(`${dir}/runtime.c`, RUNTIME);
  await must("gcc", ["-static", "-Os", "-s", "-o", `${dir}/runtime`, `${dir}/runtime.c`]);
  return { dir, image: await pack(dir, "image", "program\n".repeat(1000), "") };
}

/** Makes an image of what was built, a program and a psync-native. */
async function pack(dir: string, name: string, program: string, native: string): Promise<string> {
  await Deno.writeTextFile(`${dir}/program`, program);
  await Deno.writeTextFile(`${dir}/native`, native);
  const parts = ["runtime", "program", "native"].map((part) => `${dir}/${part}`);
  for (const part of parts) await must("zstd", ["-q", "-f", part, "-o", `${part}.zst`]);
  const image = `${dir}/${name}`;
  const args = [image, `${dir}/launcher`, ...parts.flatMap((part) => [part, `${part}.zst`])];
  await must(`${dir}/pack`, args);
  await Deno.chmod(image, 0o700);
  return image;
}

function start(built: Built, image: string, args: string[] = []): Promise<Output> {
  return run(image, args, { env: { XDG_CACHE_HOME: `${built.dir}/cache`, HOME: `${built.dir}` } });
}

/** A generator that gives the same numbers for the same seed (xorshift). */
function randomBelow(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** Damages a copy of an image in one of five ways. */
function damage(bytes: Uint8Array<ArrayBuffer>, below: (limit: number) => number): Uint8Array<ArrayBuffer> {
  const trailer = bytes.length - TRAILER_BYTES;
  const frames = trailer - 4096;
  switch (below(5)) {
    case 0:
      bytes[trailer + below(TRAILER_BYTES)] = below(256);
      return bytes;
    case 1: // a number in the trailer
      new DataView(bytes.buffer).setBigUint64(
        trailer + 48 + 8 * below(24),
        [0n, 1n, 0xffffffffffffffffn, 0x7fffffffffffffffn, BigInt(trailer), BigInt(below(1 << 30))][below(6)]!,
        true,
      );
      return bytes;
    case 2:
      for (let i = 0; i < 8; i++) bytes[frames + below(4096)] = below(256);
      return bytes;
    case 3:
      return bytes.slice(0, bytes.length - 1 - below(2 * TRAILER_BYTES));
    default: {
      const longer = new Uint8Array(bytes.length + 1 + below(TRAILER_BYTES));
      longer.set(bytes);
      return longer;
    }
  }
}

Deno.test("the launcher passes its arguments on, cold and warm, without a complaint of the sanitizers", async () => {
  await using dir = await testDir();
  const built = await build(dir.path);
  for (const attempt of ["cold", "warm"]) {
    const { code, stdout, stderr } = await start(built, built.image, ["one", "", "three"]);
    assertEquals([attempt, code, stderr], [attempt, 0, ""]);
    assert(stdout.endsWith("/psync.js\none\n\nthree\n"), stdout);
    assert(stdout.startsWith("run\n-A\n"), stdout);
  }
});

Deno.test(`the launcher survives ${ROUNDS} damaged images: it starts, or says why, exit 3`, async () => {
  await using dir = await testDir();
  const built = await build(dir.path);
  const sound = await Deno.readFile(built.image);
  const below = randomBelow(SEED);
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const image = `${dir.path}/damaged`;
    await Deno.writeFile(image, damage(sound.slice(), below), { mode: 0o700 });
    const { code, stderr } = await start(built, image);
    const told = `seed ${SEED}, round ${round}: exit ${code}: ${stderr}`;
    assert(!/Sanitizer|runtime error/.test(stderr), told);
    assert(code === 0 || code === 3, told);
    if (code === 3) assertStringIncludes(stderr, "psync: Cannot ", told);
    refused += code === 3 ? 1 : 0;
    await Deno.remove(`${dir.path}/cache`, { recursive: true }).catch(() => {});
  }
  assert(refused > ROUNDS / 4, `only ${refused} were refused`);
});

Deno.test("a path that is too long for the cache, and very many arguments, are no harm", async () => {
  await using dir = await testDir();
  const built = await build(dir.path);
  const long = `/${"x".repeat(200)}`.repeat(21);
  const env = { XDG_CACHE_HOME: long, HOME: `${dir.path}`, XDG_RUNTIME_DIR: "relative" };
  const args = Array.from({ length: 2000 }, (_, i) => `argument-${i}`);
  const { code, stdout, stderr } = await run(built.image, args, { env });
  assertEquals([code, stderr], [0, ""]);
  assert(stdout.endsWith("argument-1999\n"));
});

/** Starts builds that were not there before, one after another; each lets old ones go. */
async function startOthers(built: Built): Promise<void> {
  for (const name of ["b", "c", "d"]) {
    const { code, stderr } = await start(built, await pack(built.dir, name, `program ${name}`, `native ${name}`));
    assertEquals([name, code, stderr], [name, 0, ""]);
  }
}

/** The programs that lie in the cache. */
async function programs(built: Built): Promise<string[]> {
  const texts = await must("sh", ["-c", `cd ${built.dir}/cache/psync/lib; for f in */psync.js; do cat $f; echo; done`]);
  return texts.split("\n").filter(Boolean).sort();
}

Deno.test("a build that runs keeps what it was unpacked with, though it starts nothing of it, until it ends", async () => {
  await using dir = await testDir();
  const built = await build(dir.path);
  const env = { XDG_CACHE_HOME: `${dir.path}/cache`, HOME: dir.path };
  const image = await pack(dir.path, "a", "program a", "native a");
  const first = new Deno.Command(image, { args: ["filter"], env, stdin: "piped", stdout: "piped" }).spawn();
  const reader = first.stdout.getReader();
  await reader.read(); // it runs
  await startOthers(built);
  assertEquals(await programs(built), ["program a", "program c", "program d"]);
  await first.stdin.close();
  assertEquals((await first.status).code, 0);
  await reader.cancel();
  await start(built, await pack(dir.path, "e", "program e", "native e"));
  assertEquals(await programs(built), ["program d", "program e"]);
});

Deno.test({
  name: "a build that is just starting keeps what it found, though others are unpacked meanwhile",
  ignore: !(await canInject()),
  fn: async () => {
    await using dir = await testDir();
    const built = await build(dir.path);
    const env = { XDG_CACHE_HOME: `${dir.path}/cache`, HOME: dir.path };
    const image = await pack(dir.path, "a", "program a", "native a");
    assertEquals((await start(built, image)).code, 0); // from now on it finds all that it needs
    // Its last step before it becomes the runtime.
    const args = ["-o", `${dir.path}/log`, "-e", "inject=chdir:signal=SIGSTOP:when=1", image, "filter"];
    const first = new Deno.Command("strace", { args, env, stdin: "piped", stdout: "null" }).spawn();
    await until(() => /--- SIGSTOP \{/.test(readNow(`${dir.path}/log`)));
    await startOthers(built);
    assertEquals(await programs(built), ["program a", "program c", "program d"]);
    for (const pid of childrenOf(first.pid)) Deno.kill(pid, "SIGCONT");
    await first.stdin.close();
    assertEquals((await first.status).code, 0);
  },
});

function readNow(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // it is not there yet
  }
}
