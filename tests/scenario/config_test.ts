/**
 * Files of configuration, as a user sees them.
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Scene } from "../support/scene.ts";

/** A scene with `web.toml` in the user's directory of configurations. */
async function withConfig(options: Parameters<typeof Scene.make>[0], text: (scene: Scene) => string): Promise<Scene> {
  const scene = await Scene.make(options);
  await scene.tree.sh("mkdir -p home/.config/psync");
  await scene.tree.write("home/.config/psync/web.toml", text(scene));
  return scene;
}

const roots = ({ left, right }: Scene) => `left = "${left.path}"\nright = "${right.path}"\n`;
const TREE = { left: { a: "1", "b.o": "2", "c.log": "3" } };
const own = { XDG_CONFIG_HOME: "" };

Deno.test("run NAME and --config FILE take every value from the file; options come before it", async () => {
  await using scene = await withConfig(
    { ...TREE, env: own },
    (scene) => `${roots(scene)}sync-only = true\nexcludes = ['\\.o$']\nrsync-excludes = ["*.log"]\n`,
  );
  const shown = () => scene.right.sh("ls");
  assertEquals((await scene.runWith(["run", "web"])).code, 0);
  assertEquals(await shown(), "a\n");
  assertEquals((await scene.runWith(["--config", "home/.config/psync/web.toml", "-e", "nothing"])).code, 0);
  assertEquals(await shown(), "a\nb.o\n", "an option replaces the list of the file");
  await using psync = await scene.startWith(["run", "web", "--no-sync-only"]);
  await psync.until(/^First sync done/m);
  await scene.left.sh("echo 4 >d; echo 5 >e.o");
  await scene.left.sh("while [ ! -e '" + scene.right.path + "/d' ]; do :; done");
  assertEquals((await scene.end(psync)).code, 0);
});

Deno.test("a pair on another host comes from a file as well", async () => {
  await using scene = await withConfig(
    { left: { a: "1" }, ssh: {}, env: own },
    ({ left, right, sshd }) =>
      `left = "${left.path}"\nright = "${right.path}"\nremote-host = "${sshd!.host}"\nssh = "${sshd!.sshCommand}"\n`,
  );
  assertEquals((await scene.runWith(["run", "web", "-s"])).code, 0);
  assertEquals(await scene.right.read("a"), "1");
});

Deno.test("a wrong file ends psync with 2, the line and a suggestion, and nothing is touched", async () => {
  await using scene = await withConfig({ left: { a: "1" }, env: own }, (scene) => `${roots(scene)}\nexclude = ["x"]\n`);
  const wrong = await scene.runWith(["run", "web"]);
  assertEquals(wrong.code, 2);
  assertMatch(
    wrong.err,
    /^psync: Cannot use "[^"]*web\.toml", line 4: unknown key "exclude": did you mean "excludes"\?\n$/,
  );
  const missing = await scene.runWith(["run", "wab"]);
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.err, `Cannot find configuration "wab": there is no `);
  assertEquals(await scene.right.sh("ls -A"), "");
});

Deno.test("config show prints what is in force as a file, with the origin of each value", async () => {
  await using scene = await withConfig({ env: own }, (scene) => `${roots(scene)}\nforce = true\n`);
  const { code, out } = await scene.runWith(["config", "show", "web", "-n", "-e", String.raw`\.o$`]);
  assertEquals(code, 0);
  const path = scene.tree.at("home/.config/psync/web.toml");
  assertStringIncludes(out, `left = "${scene.left.path}"  # ${path}:1\n`);
  assertStringIncludes(out, `force = true  # ${path}:4\n`);
  assertStringIncludes(out, `excludes = ["\\\\.o$"]  # command line\n`);
  assertStringIncludes(out, `dry-run = true  # command line\n`);
  assertStringIncludes(out, `sync-only = false  # default\n`);
  await scene.tree.write("shown.toml", out);
  const again = await scene.runWith(["config", "show", "--config", "shown.toml"]);
  assertEquals(again.code, 0, again.err);
  assertStringIncludes(again.out, `excludes = ["\\\\.o$"]  # ${scene.tree.path}/shown.toml:6\n`);
});
