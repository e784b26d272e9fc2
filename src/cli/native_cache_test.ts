import { assert, assertEquals, assertRejects } from "@std/assert";
import { zstdCompressSync } from "node:zlib";
import { SetupError } from "../base/errors.ts";
import { cacheBases, placeNative } from "./native_cache.ts";

/** A script may stand for the executable: it is only started and left to end. */
const packed = (text: string) => zstdCompressSync(new TextEncoder().encode(`#!/bin/sh\n# ${text}\nexit 2\n`));
const uid = Deno.uid()!;

async function withBase(use: (base: string) => Promise<void>): Promise<void> {
  const base = await Deno.makeTempDir();
  try {
    await use(base);
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

async function idsIn(base: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(`${base}/psync/lib`))).map(({ name }) => name);
}

Deno.test("cacheBases() takes absolute directories in their order, /var/cache for root alone", () => {
  const env = { xdgCacheHome: "/x", home: "/h", xdgRuntimeDir: "/r", uid: 1000 };
  assertEquals(cacheBases(env), ["/x", "/h/.cache", "/r"]);
  assertEquals(cacheBases({ ...env, uid: 0 }), ["/x", "/h/.cache", "/var/cache", "/r"]);
  const none = { xdgCacheHome: "relative", home: undefined, xdgRuntimeDir: "", uid: 1000 };
  assertEquals(cacheBases(none), []);
});

Deno.test("placeNative() writes once, for its user alone, and repairs what was changed", async () => {
  await withBase(async (base) => {
    const path = await placeNative(packed("a"), { bases: [base], uid });
    const first = await Deno.stat(path);
    assertEquals(first.mode! & 0o777, 0o700);
    assertEquals(await placeNative(packed("a"), { bases: [base], uid }), path);
    assertEquals((await Deno.stat(path)).ino, first.ino);
    await Deno.chmod(path, 0o755);
    await placeNative(packed("a"), { bases: [base], uid });
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o700);
    const left = await Array.fromAsync(Deno.readDir(path.replace(/\/[^/]*$/, "")));
    assertEquals(left.map(({ name }) => name), ["psync-native"]);
  });
});

Deno.test("placeNative() at once by several ends with one whole file", async () => {
  await withBase(async (base) => {
    const paths = await Promise.all([1, 2, 3, 4].map(() => placeNative(packed("a"), { bases: [base], uid })));
    assertEquals(new Set(paths).size, 1);
    assertEquals((await new Deno.Command(paths[0]!).output()).code, 2);
  });
});

Deno.test("placeNative() keeps the newest two", async () => {
  await withBase(async (base) => {
    const paths: string[] = [];
    for (const [i, text] of ["a", "bb", "ccc"].entries()) {
      const path = await placeNative(packed(text), { bases: [base], uid });
      await Deno.utime(path, 1000 + i, 1000 + i);
      paths.push(path);
    }
    const ids = await idsIn(base);
    assertEquals(ids.length, 2);
    assert(paths.slice(1).every((path) => ids.includes(path.split("/").at(-2)!)));
  });
});

Deno.test("placeNative() keeps a build that was asked for of late, however many others come", async () => {
  await withBase(async (base) => {
    const first = await placeNative(packed("first"), { bases: [base], uid });
    await Deno.utime(first, 1000, 1000);
    await placeNative(packed("first"), { bases: [base], uid }); // it was there before
    for (const text of ["a", "bb", "ccc"]) await placeNative(packed(text), { bases: [base], uid });
    assertEquals((await Deno.stat(first)).isFile, true);
  });
});

Deno.test("placeNative() passes over bases that it must not use, and says why where none is left", async () => {
  await withBase(async (base) => {
    for (const name of ["open", "good"]) await Deno.mkdir(`${base}/${name}`);
    await Deno.chmod(`${base}/open`, 0o777);
    await Deno.writeTextFile(`${base}/file`, "");
    const bad = [`${base}/missing/deep`, `${base}/file`, `${base}/open`];
    const path = await placeNative(packed("a"), { bases: [...bad, `${base}/good`], uid });
    assert(path.startsWith(`${base}/good/psync/lib/`));
    const error = await assertRejects(() => placeNative(packed("a"), { bases: bad, uid }), SetupError);
    for (const name of bad) assert(error.message.includes(name), error.message);
    assert(error.message.includes("is writable for all"));
    await assertRejects(
      () => placeNative(packed("a"), { bases: [`${base}/good`], uid: uid + 1 }),
      SetupError,
      "another",
    );
  });
});
