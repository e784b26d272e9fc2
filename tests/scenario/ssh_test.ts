/**
 * Another host: how it is named, how psync comes there, and what it finds.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { must } from "../support/binary.ts";
import { Scene } from "../support/scene.ts";
import type { Sshd } from "../support/sshd.ts";

/** A host on which psync never was: its cache is in the HOME of its sessions. */
const NEW_HOST = { ssh: { env: { XDG_CACHE_HOME: "" } } };

async function copies(sshd: Sshd): Promise<string[]> {
  const found = await must("sh", [
    "-c",
    `find "$0" -path '*/psync/*' -name psync -type f -not -path '*/lib/*' -printf '%P %m\\n'`,
    sshd.home,
  ]);
  return found.split("\n").filter(Boolean);
}

Deno.test("psync copies itself to a new host once, with progress, verified, and for its user alone", async () => {
  await using scene = await Scene.make({ ...NEW_HOST, left: { f: "1" } });
  const hash = (await must("sha256sum", [scene.words[0]!])).split(" ")[0]!;
  const first = await scene.run("-s");
  assertEquals(first.code, 0, first.err);
  assertMatch(first.err, /^Copying psync to the other host: \S+ .B of \S+ MB$/m);
  assertMatch(first.err, /^Copied psync to the other host \(\S+ MB\)$/m);
  assertEquals(await copies(scene.sshd!), [`.cache/psync/${hash}/psync 700`]);
  const path = `${scene.sshd!.home}/.cache/psync/${hash}/psync`;
  assertEquals((await must("sha256sum", [path])).split(" ")[0], hash);

  const second = await scene.run("-s");
  assertEquals([second.code, /Cop(y|ied)/.test(second.err)], [0, false], second.err);
  await Deno.truncate(path, 1000);
  const third = await scene.run("-s");
  assertEquals([third.code, third.err.includes("Copied psync")], [0, true], "a damaged copy is made again");
  assertEquals((await must("sha256sum", [path])).split(" ")[0], hash);
  assertEquals(await scene.right.read("f"), "1");
});

Deno.test("each way to name the other host leads to the same pair", async () => {
  await using scene = await Scene.make({ ssh: {}, left: { f: "0" } });
  const sshd = scene.sshd!;
  const [left, right] = [scene.left.path, scene.right.path];
  const user = (await must("id", ["-un"])).trim();
  // A plain "ssh" finds its port and key in the user's configuration: a wrapper names that of the test.
  await scene.tree.fill({
    bin: { ssh: `#!/bin/sh\nexec $(command -v /usr/bin/ssh) -F ${sshd.dir}/ssh_config "$@"\n` },
  });
  await scene.tree.sh("chmod 755 bin/ssh");
  const env = { PATH: `${scene.tree.at("bin")}:${Deno.env.get("PATH")}` };
  const ways: readonly (readonly string[])[] = [
    [left, `${sshd.host}:${right}`],
    ["-r", sshd.host, left, right],
    [`--remote-host=${sshd.host}`, `${left}/`, `${right}/`],
    ["--ssh", sshd.sshCommand, left, `[127.0.0.1]:${right}`],
  ];
  for (const [i, way] of ways.entries()) {
    await scene.left.write("f", `version ${i}${".".repeat(i)}`);
    const { code, err } = await scene.runWith(["-s", ...way], { env });
    assertEquals(code, 0, `${way}: ${err}`);
    assertMatch(err, /^Connected: \S+ <-> \S+$/m);
    assertEquals(await scene.right.read("f"), await scene.left.read("f"), `${way}`);
  }
  for (const host of [sshd.alias, `${user}@${sshd.host}`]) {
    await using other = await Scene.make({ left: { f: "1" } });
    const { code, err } = await other.runWith(["-s", "-r", host, other.left.path, other.right.path], { env });
    assertEquals(code, 0, err);
    assertEquals(await other.right.read("f"), "1");
  }
});

Deno.test("a pair whose host is named otherwise than before is refused, with what to do", async () => {
  await using scene = await Scene.make({ ssh: {}, left: { f: "1" } });
  const { sshd, left, right } = scene;
  assertEquals((await scene.run("-s")).code, 0);
  const end = await scene.runWith(["-s", "--ssh", sshd!.sshCommand, left.path, `${sshd!.alias}:${right.path}`]);
  assertEquals(end.code, 3, end.err);
  assertMatch(
    end.err,
    /^psync: Cannot sync "\S+" with "psync-test:\S+": they were synced as "\S+" with "127\.0\.0\.1:\S+"; name them so again/m,
  );
});

Deno.test("a relative path after host: lies below the login directory", async () => {
  await using scene = await Scene.make({ ssh: {}, left: { f: "1" } });
  const sshd = scene.sshd!;
  const [program, ...words] = sshd.sshCommand.split(" ");
  const login = (await must(program!, [...words, sshd.host, "pwd"])).trim();
  const relative = (await must("realpath", ["--relative-to", login, scene.right.path])).trim();
  const { code, err } = await scene.runWith([
    "-s",
    "--ssh",
    sshd.sshCommand,
    scene.left.path,
    `${sshd.host}:${relative}`,
  ]);
  assertEquals(code, 0, err);
  assertEquals(await scene.right.read("f"), "1");
  await scene.left.sh("rm f");
  assertEquals((await scene.run("-s")).code, 0);
  assert(!await scene.right.exists("f"), "the whole path names the same pair");
});

Deno.test("--ssh takes ports, keys and options, and words in quotes", async () => {
  await using scene = await Scene.make({ ssh: {}, left: { f: "1" } });
  const { dir, port, host } = scene.sshd!;
  await scene.tree.sh(`mkdir "a dir"; cp -p "${dir}/client_key" "a dir/key"`);
  const ssh = `ssh -F none -p ${port} -i '${
    scene.tree.at("a dir/key")
  }' -o "UserKnownHostsFile ${dir}/known_hosts" -o IdentityAgent=none`;
  const { code, err } = await scene.runWith(["-s", "--ssh", ssh, scene.left.path, `${host}:${scene.right.path}`]);
  assertEquals(code, 0, err);
  assertEquals(await scene.right.read("f"), "1");
});

Deno.test("large files go through --ssh as well, and a login shell that talks does no harm", async () => {
  await using scene = await Scene.make({ ssh: {} });
  await Deno.writeTextFile(`${scene.sshd!.home}/.bashrc`, 'echo "Welcome!" >&2\n');
  await scene.left.sh(
    `head -c 3000000 /dev/urandom >"$(printf 'b\\377 ig')"; mkdir d; head -c 2000000 /dev/urandom >d/-rf`,
  );
  const { code, err } = await scene.run("-s");
  assertEquals(code, 0, err);
  assertEquals(await scene.entries("right"), await scene.entries("left"));
});
