/**
 * `scripts/psync --install` and `--uninstall`: the files, where they go, and that nothing else is left.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { REPO } from "../support/binary.ts";
import { TempTree } from "../support/temp_tree.ts";

async function run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], env }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(code, 0, text);
  return text;
}

Deno.test("scripts/psync --install puts everything in its place, --uninstall takes exactly that away", async () => {
  await using tree = await TempTree.make({ etc: { other: "stays" } });
  const env = { DESTDIR: tree.path, PREFIX: "/opt/psync" };
  const files = () => tree.sh("find . -type f | LC_ALL=C sort");
  await run(`${REPO}/scripts/psync`, ["--install"], env);
  const share = "./opt/psync/share";
  assertEquals((await files()).trim().split("\n"), [
    "./etc/other",
    "./etc/systemd/system/psync@.service",
    "./opt/psync/bin/psync",
    `${share}/bash-completion/completions/psync`,
    `${share}/fish/vendor_completions.d/psync.fish`,
    `${share}/man/man1/psync.1`,
    `${share}/zsh/site-functions/_psync`,
  ]);
  assertMatch(await run(`${tree.path}/opt/psync/bin/psync`, ["--version"]), /^psync \d/);
  assertMatch(await tree.read("etc/systemd/system/psync@.service"), /^ExecStart=\/opt\/psync\/bin\/psync run %i$/m);
  const completion = await tree.read("opt/psync/share/bash-completion/completions/psync");
  assertEquals((await run("bash", ["-n", "-c", completion])).trim(), "");
  assert(completion.includes("completion"));
  await run(`${REPO}/scripts/psync`, ["--install"], env);
  await run(`${REPO}/scripts/psync`, ["--uninstall"], env);
  await run(`${REPO}/scripts/psync`, ["--uninstall"], env);
  assertEquals(await files(), "./etc/other\n");
});
