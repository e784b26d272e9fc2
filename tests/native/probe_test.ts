/**
 * psync-native probe, and the count of watches.
 * @module
 */
import { assertEquals } from "@std/assert";
import { encodeBytes } from "../../src/core/path.ts";
import { nativePath } from "../support/native_build.ts";

async function probe(root: string): Promise<{ readonly code: number; readonly text: string }> {
  const child = new Deno.Command(await nativePath(), { args: ["probe"], stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(encodeBytes(root) as Uint8Array<ArrayBuffer>);
  await writer.close();
  const { code, stdout } = await child.output();
  return { code, text: new TextDecoder().decode(stdout) };
}

/** Everything that a change would show in. */
async function stateOf(dir: string): Promise<string> {
  const { stdout } = await new Deno.Command("find", { args: [dir, "-printf", "%p %T@ %C@ %i %m\\n"] }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("probe tells what a file system bears and leaves no trace", async () => {
  const root = await Deno.makeTempDir({ dir: "/dev/shm" });
  const owner = Deno.uid() === 0 ? 0 : 1;
  try {
    const before = await stateOf(root);
    assertEquals(await probe(root), { code: 0, text: `tmpfile 0\nlease 0\nowner ${owner}\nexchange -1\n` });
    assertEquals(await stateOf(root), before, "not even a time of the root has changed");
    await Deno.mkdir(`${root}/.psync`, { mode: 0o700 });
    const rootBefore = await Deno.stat(root);
    assertEquals((await probe(root)).text, `tmpfile 0\nlease 0\nowner ${owner}\nexchange 0\n`);
    assertEquals([...Deno.readDirSync(`${root}/.psync`)], []);
    assertEquals((await Deno.stat(root)).mtime, rootBefore.mtime);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("probe does not follow a link in the place of .psync, and says where there is no root", async () => {
  const root = await Deno.makeTempDir({ dir: "/dev/shm" });
  try {
    await Deno.mkdir(`${root}/elsewhere`);
    await Deno.symlink(`${root}/elsewhere`, `${root}/.psync`);
    const before = await stateOf(`${root}/elsewhere`);
    assertEquals((await probe(root)).text.includes("exchange -1"), true);
    assertEquals(await stateOf(`${root}/elsewhere`), before);
    assertEquals((await probe(`${root}/none`)).code, 2);
    assertEquals((await probe("")).code, 2);
    assertEquals((await probe(`${root}\0x`)).code, 2);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
