/**
 * Help, man page and completion, as a user gets them.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { must, REPO } from "../support/binary.ts";
import { binary, Scene } from "../support/scene.ts";

Deno.test("--help begins with examples, and so does the man page, which man shows without a warning", async () => {
  await using scene = await Scene.make();
  const { code, out } = await scene.runWith(["--help"]);
  assertEquals(code, 0);
  assert(out.indexOf("Examples:") < out.indexOf("Commands:"));
  for (const word of ["--tempfiles", "~\\$", "psync runcheck", "--full-sync", "--no-force"]) {
    assertStringIncludes(out, word);
  }
  const env = { LC_ALL: "C.UTF-8", MANWIDTH: "80", PATH: Deno.env.get("PATH")! };
  const man = await new Deno.Command("man", { args: ["--warnings", "-l", `${REPO}/docs/psync.1`], env }).output();
  assertEquals([man.code, new TextDecoder().decode(man.stderr)], [0, ""]);
  // deno-lint-ignore no-control-regex -- overstrikes are how bold is shown
  const page = new TextDecoder().decode(man.stdout).replace(/.\x08/g, "");
  assertMatch(page, /SYNOPSIS[^]*\nEXAMPLES[^]*\nDESCRIPTION[^]*\nOPTIONS[^]*\nEXIT STATUS/);
  for (const [option] of out.matchAll(/--[a-z][a-z-]+/g)) assertStringIncludes(page, option);
});

/** What bash offers for a line, with the script that psync prints. */
async function offered(scene: Scene, ...words: string[]): Promise<string[]> {
  const script = `
    set -e; cd "$1"; PATH="$2:$PATH"; source <(psync completion bash); shift 2
    COMP_WORDS=(psync "$@"); COMP_CWORD=$#; COMP_LINE="psync $*"; COMP_POINT=\${#COMP_LINE}
    _psync psync "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const dir = binary().slice(0, binary().lastIndexOf("/"));
  const out = await must("env", [
    ...Object.entries(scene.env).map(([key, value]) => `${key}=${value}`),
    ...["bash", "-c", script, "bash", scene.tree.path, dir, ...words],
  ]);
  return out.split("\n").filter(Boolean).sort();
}

Deno.test("bash completes commands, options, folders and names of configurations", async () => {
  await using scene = await Scene.make({ env: { XDG_CONFIG_HOME: "" } });
  await scene.tree.sh("mkdir -p folder home/.config/psync; touch file home/.config/psync/web.toml; chmod 644 file");
  assertEquals(await offered(scene, "ru"), ["run", "runcheck"]);
  assertEquals(await offered(scene, "--sync"), ["--sync-only"]);
  assertEquals(await offered(scene, "-n", "--no-f"), ["--no-force"]);
  assertEquals(await offered(scene, "check", "--che"), ["--checksum"]);
  assertEquals(await offered(scene, "conflicts", "ke"), ["keep"]);
  assertEquals(await offered(scene, "trash", "list", "--si"), ["--side"]);
  assertEquals(await offered(scene, "run", "we"), ["web"]);
  assertEquals((await offered(scene, "fol")).map((each) => each.replace(/\/$/, "")), ["folder"]);
});

Deno.test("completion prints a script for zsh and fish as well, and refuses other shells", async () => {
  await using scene = await Scene.make();
  for (const shell of ["zsh", "fish"]) {
    const { code, out } = await scene.runWith(["completion", shell]);
    assertEquals(code, 0);
    assertMatch(out, /psync/);
    const answers = await scene.runWith(["completion", shell, "runc"]);
    assertStringIncludes(answers.out, "runcheck");
  }
  const { code, err } = await scene.runWith(["completion", "tcsh"]);
  assertEquals(code, 2);
  assertMatch(err, /^psync: Cannot complete for "tcsh": write "psync completion bash", zsh or fish\n$/);
});
