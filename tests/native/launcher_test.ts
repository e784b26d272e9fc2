/**
 * The launcher's own code under the address and undefined-behaviour sanitizers, with images that
 * are small, damaged, or made to mislead it.
 *
 * The runtime in these images is a program of a few lines, so that a start takes milliseconds.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { must, type Output, REPO, run, testDir } from "../support/binary.ts";

/** Changes with the seed: bytes of the trailer and of the frames, cuts, and foreign tails. */
const ROUNDS = 120;
const SEED = Number(Deno.env.get("PSYNC_SEED") ?? 1);

const TRAILER_BYTES = 256;

const CHECKED = ["-g", "-O1", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** Stands for the runtime: tells how it was called; `--version` is how it is tried out. */
const RUNTIME = `
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) return 0;
  for (int i = 1; i < argc; i++) printf("%s\\n", argv[i]);
  return 0;
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
  await Deno.writeTextFile(`${dir}/program`, "program\n".repeat(1000));
  await Deno.writeTextFile(`${dir}/native`, "");
  const parts = ["runtime", "program", "native"].map((name) => `${dir}/${name}`);
  for (const part of parts) await must("zstd", ["-q", "-f", part, "-o", `${part}.zst`]);
  const image = `${dir}/image`;
  const args = [image, `${dir}/launcher`, ...parts.flatMap((part) => [part, `${part}.zst`])];
  await must(`${dir}/pack`, args);
  await Deno.chmod(image, 0o700);
  return { dir, image };
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
