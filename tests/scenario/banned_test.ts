/**
 * `-b`: psync beside programs that it must not run with.
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Scene } from "../support/scene.ts";

/** A command that does nothing, under a name of its own. */
async function running(scene: Scene, name: string): Promise<AsyncDisposable> {
  await scene.tree.sh(`cp "$(command -v sleep)" ${name}`);
  const child = new Deno.Command(scene.tree.at(name), { args: ["1000"] }).spawn();
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

Deno.test("-b ends psync with 6 at the start, before anything is changed, and says what runs where", async () => {
  await using scene = await Scene.make({ left: { a: "1" }, ssh: {} });
  await using _program = await running(scene, "psynctest-calc");
  for (const options of [["-s"], ["-n"], []]) {
    const { code, err } = await scene.run("-b", "nothing", "-b", "test-calc", ...options);
    assertEquals(code, 6, err);
    assertMatch(err, /^psync: Cannot go on while "psynctest-calc" runs on \S+: it is banned \(-b\); end it first$/m);
  }
  assertEquals(await scene.right.sh("ls -A"), "");
  assertEquals((await scene.run("-s", "-b", "psynctest-word")).code, 0);
});

Deno.test("-b ends a running psync with 6 once the program is there, with its locks given back", async () => {
  await using scene = await Scene.make({ left: { a: "1" } });
  await using psync = await scene.live("--banned", "psynctest-late");
  await using _program = await running(scene, "psynctest-late");
  const { code, err } = await psync.ended;
  assertEquals(code, 6, err);
  assertMatch(err, /"psynctest-late" runs on/);
  assertEquals(await scene.right.sh("ls -A .psync | grep lock || echo none"), "none\n");
});
