/**
 * What scripts/build makes: both kinds of binary, the same bytes for the same inputs, nothing twice.
 *
 * Deno's own runtime-only executable cannot be had everywhere, so a stand-in takes its place: a
 * small program that shows what `deno compile` hands to it.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { must, type Output, REPO, run, testDir } from "../support/binary.ts";

/** Tells its arguments, as Deno's runtime would get them. */
const STAND_IN = `
#include <stdio.h>
int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) printf("%s\\n", argv[i]);
  return 0;
}
`;

/** Runs the build of a tree; `out` null is its dist/psync. */
function build(out: string | null, options: { tree?: string; env: Record<string, string> }): Promise<Output> {
  const args = out === null ? [] : ["--out", out];
  const env = { HOME: Deno.env.get("HOME") ?? "/", ...options.env };
  return run(`${options.tree ?? REPO}/scripts/build`, args, { env });
}

/** Copies what a build reads, and what takes long to make and is named by its hash. */
async function copyTree(from: string, to: string): Promise<string> {
  await Deno.mkdir(`${to}/.cache/build`, { recursive: true });
  for (const name of ["main.ts", "deno.json", "deno.lock", "src", "native", "scripts"]) {
    await must("cp", ["-r", `${from}/${name}`, `${to}/${name}`]);
  }
  for (const name of ["tools", "deno"]) await Deno.symlink(`${REPO}/.cache/${name}`, `${to}/.cache/${name}`);
  await must("sh", ["-c", `cp -p ${REPO}/.cache/build/runtime.zst* ${to}/.cache/build/`]);
  return to;
}

async function standIn(dir: string): Promise<string> {
  await Deno.writeTextFile(`${dir}/denort.c`, STAND_IN);
  await must("gcc", ["-O1", "-o", `${dir}/denort`, `${dir}/denort.c`]);
  return `${dir}/denort`;
}

Deno.test("build takes the runtime that DENORT_BIN names: it gets the program, psync-native and the V8 flags", async () => {
  await using dir = await testDir();
  const DENORT_BIN = await standIn(dir.path);
  const out = `${dir.path}/psync`;
  const { code, stderr } = await build(out, { env: { DENORT_BIN } });
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /^build: \S+ \(\d+ MB\), kind compile: with \S+denort\n$/);
  assertEquals(await must(out, ["a", "", "--version"]), "a\n\n--version\n");

  const text = new TextDecoder("latin1").decode(await Deno.readFile(out));
  assertStringIncludes(text, '"--max-semi-space-size=8"');
  assertStringIncludes(text, `"entrypoint_key":"psync.js"`);
  assertStringIncludes(text, "function locateSelf(");
  assert(!text.includes("@psync-native@"), "psync-native has taken its place");
  const embedded = /EMBEDDED_NATIVE = "([A-Za-z0-9+/=]{1000,})"/.exec(text)?.[1];
  await Deno.writeFile(`${dir.path}/native.zst`, Uint8Array.fromBase64(embedded ?? ""));
  await must("zstd", ["-q", "-d", `${dir.path}/native.zst`]);
  assertEquals(await Deno.readFile(`${dir.path}/native`), await Deno.readFile(`${REPO}/.cache/build/psync-native`));
});

Deno.test("build gives the same bytes for the same inputs in another place, in both kinds", async () => {
  await using dir = await testDir();
  const DENORT_BIN = await standIn(dir.path);
  const one = await copyTree(REPO, `${dir.path}/one`);
  const two = await copyTree(one, `${dir.path}/longer/name/two`);
  const kinds: Record<string, string>[] = [{ DENORT_BIN }, { PSYNC_KIND: "launcher" }];
  for (const env of kinds) {
    for (const tree of [one, two]) {
      const { code, stderr } = await build(null, { tree, env });
      assertEquals(code, 0, stderr);
    }
    await must("cmp", [`${one}/dist/psync`, `${two}/dist/psync`]);
  }
});

Deno.test("build does nothing when nothing changed, and makes again what was changed or spoiled", async () => {
  await using dir = await testDir();
  const tree = await copyTree(REPO, `${dir.path}/tree`);
  const out = `${tree}/dist/psync`;
  const env = { PSYNC_KIND: "launcher" };
  const first = await build(null, { tree, env });
  assertStringIncludes(first.stderr, "kind launcher: PSYNC_KIND asks for it");
  const { ino } = await Deno.stat(out);
  assertEquals(await build(null, { tree, env }), { code: 0, stdout: "", stderr: "" });
  assertEquals((await Deno.stat(out)).ino, ino);
  const spoilers = [
    () => Deno.writeTextFile(out, "spoiled"),
    () => Deno.writeTextFile(`${tree}/src/more.ts`, "export {};\n"),
    () => Deno.remove(out),
  ];
  for (const spoil of spoilers) {
    await spoil();
    assertStringIncludes((await build(null, { tree, env })).stderr, "build: dist/psync");
    assertStringIncludes(await must(out, ["--version"], { env: { XDG_CACHE_HOME: dir.path } }), "psync ");
  }
});

Deno.test("build fails, and keeps what was there, when DENORT_BIN names no runtime", async () => {
  await using dir = await testDir();
  const out = `${dir.path}/psync`;
  await Deno.writeTextFile(out, "kept");
  await Deno.writeTextFile(`${dir.path}/denort`, "#!/bin/sh\n", { mode: 0o755 });
  const { code, stderr } = await build(out, { env: { DENORT_BIN: `${dir.path}/denort` } });
  assertEquals(code, 1);
  assertStringIncludes(stderr, "deno compile failed");
  assertEquals(await Deno.readTextFile(out), "kept");
});
