/**
 * `psync conflicts` and `psync trash` as a user meets them: what they say, what they do, and that what
 * they give back is synchronised; while psync runs and while it does not, over folders and over ssh.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { PsyncEnd, PsyncProcess } from "../support/psync_process.ts";
import { binary, eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

/** Runs a command that must end with a code, and say nothing of an error. */
async function run(scene: Scene, line: string, code = 0): Promise<PsyncEnd> {
  const end = await scene.runWith(line.split(" "));
  assertEquals([end.code, /Internal error/.test(end.err)], [code, false], `psync ${line}\n${end.out}${end.err}`);
  return end;
}

/** Makes a conflict at `path`: two edits of which none was seen by the other side. */
async function makeConflicts(scene: Scene, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await scene.left.write(path, `left edit of ${path}`);
    await scene.right.write(path, `the right edit of ${path}`);
    // The later change stays.
    await scene.left.sh(`touch -d '1 hour ago' ${path}`);
  }
}

interface World {
  readonly scene: Scene;
  /** null: it does not run. */
  readonly psync: PsyncProcess | null;
}

/** Waits until both roots are the same, by whoever syncs. */
async function synced({ scene, psync }: World): Promise<void> {
  if (psync === null) await scene.run("-s");
  await eventually("both roots are the same", async () => {
    const [left, right] = [await scene.entries("left"), await scene.entries("right")];
    return left.join("\n") === right.join("\n");
  });
}

async function decideAll(world: World): Promise<void> {
  const { scene } = world;
  const list = await run(scene, "conflicts");
  assertMatch(list.out, /^4 conflicts between \S+ and \S+:\n/);
  const ids = new Map(
    [...list.out.matchAll(/^#(\d+) (\S+), since/gm)].map(([, id, path]) => [path!, id!]),
  );
  assertEquals([...ids.keys()].sort(), ["a.txt", "b", "c", "d"]);
  assertEquals([...list.out.matchAll(/^ {3}left {2}lost: .* in \S+\/\.psync\/trash\/\S+\.conflict\/\S+$/gm)].length, 4);
  assertStringIncludes((await run(scene, `conflicts show ${ids.get("b")}`)).out, `psync conflicts keep left`);

  const unasked = await run(scene, `conflicts keep left ${ids.get("b")}`, 2);
  assertStringIncludes(unasked.out, "puts the left version back at b; what stands there on the left goes to its trash");
  assertStringIncludes(unasked.err, "-y");
  assertEquals(await scene.left.read("b"), "the right edit of b");

  await run(scene, `conflicts keep both ${ids.get("a.txt")} -y`);
  await run(scene, `conflicts keep left ${ids.get("b")} --yes`);
  await run(scene, `conflicts keep right ${ids.get("c")} -y`);
  assertMatch((await run(scene, "conflicts keep left 99999 -y", 1)).err, /^psync: Cannot find conflict #99999/);
  await run(scene, "conflicts keep left --all -y");
  assertMatch((await run(scene, "conflicts")).out, /^No conflicts between/);

  await synced(world);
  for (const root of [scene.left, scene.right]) {
    assertEquals(await root.read("a.txt"), "the right edit of a.txt");
    const beside = await root.sh("ls a.psync-conflict-*");
    assertMatch(beside, /^a\.psync-conflict-\d{8}T\d{6}Z-left\.txt\n$/);
    assertEquals(await root.read(beside.trim()), "left edit of a.txt");
    assertEquals([await root.read("b"), await root.read("c")], ["left edit of b", "the right edit of c"]);
    assertEquals(await root.read("d"), "left edit of d");
  }
  // What had to go, and the loser that nobody wants, lie in the trash as removed files.
  const list2 = await run(scene, "trash list --side left");
  assertMatch(list2.out, /\.removed\/b\n/);
  assertMatch(list2.out, /\.removed\/c\n/);
  assert(!list2.out.includes(".conflict/"), list2.out);
}

async function useTrash(world: World): Promise<void> {
  const { scene } = world;
  await scene.left.sh("rm -r gone");
  await synced(world);
  const list = await run(scene, "trash list --side right gone");
  assertMatch(list.out, /^right {2}\S+ \S+ .*\.removed\/gone\/deep\/f$/m);
  assertMatch(list.out, /\n2 items \(\S+ B\) in \S+\/\.psync\/trash\n$/);

  await run(scene, "trash restore gone/deep", 2);
  const back = await run(scene, "trash restore gone/deep -y");
  assertMatch(back.out, /^puts back \S+\/gone\/deep\/f from \S+\.removed\/gone\/deep\/f\n.*: done\n$/);
  await synced(world);
  assertEquals(await scene.left.read("gone/deep/f"), "was removed");
  assertEquals(await scene.left.sh("stat -c %a gone gone/deep"), "750\n700\n");
  assert(!await scene.left.exists("gone/g"));

  assertMatch((await run(scene, "trash restore nothing/here -y", 1)).err, /Cannot find "nothing\/here" in the trash/);
  await scene.right.write("gone/g", "taken");
  assertMatch((await run(scene, "trash restore gone/g -y", 1)).err, /something stands there/);
  assertEquals(await scene.right.read("gone/g"), "taken");

  await run(scene, "trash empty", 2);
  const emptied = await run(scene, "trash empty -y");
  assertMatch(emptied.out, /^deletes \d+ items? .* for good$/m);
  assertMatch(emptied.out, /^Deleted \d+ items? /m);
  assertMatch((await run(scene, "trash list")).out, /^0 items in \S+\n0 items in \S+\n$/);
  assertEquals((await run(scene, "trash empty -y")).out, "Nothing to empty\n");
}

for (const [door, options] of Object.entries(DOORS)) {
  for (const isLive of [true, false]) {
    Deno.test(`${door}, psync ${isLive ? "runs" : "does not run"}: conflicts are decided, the trash gives back and is emptied`, async () => {
      await using scene = await Scene.make({ ...options, left: { "a.txt": "0", b: "0", c: "0", d: "0" } });
      await scene.left.sh(
        "mkdir -p gone/deep; printf 'was removed' >gone/deep/f; echo x >gone/g; chmod 750 gone; chmod 700 gone/deep",
      );
      assertEquals((await scene.run("-s")).code, 0);
      await makeConflicts(scene, ["a.txt", "b", "c", "d"]);
      assertEquals((await scene.run("-s")).code, 5);
      const world = { scene, psync: isLive ? await scene.live() : null };
      await decideAll(world);
      await useTrash(world);
      if (world.psync !== null) assertEquals((await scene.end(world.psync)).code, 0);
      for (const root of [scene.left, scene.right]) assert(!await root.exists(".psync/lock"), "the lock is given back");
      assertEquals((await scene.run("-s")).code, 0);
    });
  }
}

Deno.test("a command tells which pairs there are where it is not clear which is meant, and exits with 2", async () => {
  await using scene = await Scene.make({ left: { f: "1" } });
  assertMatch((await run(scene, "conflicts", 2)).err, /^psync: Cannot find a pair: psync was never started/);
  await scene.run("-s");
  await using other = await Scene.make();
  assertEquals((await scene.runWith(["-s", other.left.path, other.right.path])).code, 0);
  const unclear = await run(scene, "trash list", 2);
  assertStringIncludes(unclear.err, `${scene.left.path} ${scene.right.path}`);
  assertStringIncludes(unclear.err, `${other.left.path} ${other.right.path}`);
  await run(scene, `trash list ${other.left.path} ${other.right.path}`);
});

Deno.test("a command waits for no root that is not the one that was synced, and never changes it", async () => {
  await using scene = await Scene.make({ left: { f: "1" } });
  await scene.run("-s");
  await scene.left.sh("rm f");
  await scene.run("-s");
  await scene.right.sh("mv .psync/pair elsewhere");
  assertMatch((await run(scene, "trash restore f -y", 3)).err, /it is not the root that was synced; is it mounted/);
  await scene.right.sh("mv elsewhere .psync/pair");
  await run(scene, "trash restore f -y");
  assertEquals(await scene.right.read("f"), "1");
});

Deno.test("a command goes on after psync was killed, and psync after that", async () => {
  await using scene = await Scene.make({ left: { f: "1", g: "2" } });
  {
    await using psync = await scene.live();
    await scene.change("left", "rm f");
    psync.signal("SIGKILL");
    await psync.ended;
  }
  await run(scene, "trash restore f -y");
  await using _psync = await scene.live();
  await scene.follows("right");
  assertEquals(await scene.left.read("f"), "1");
});

Deno.test("on a terminal a command asks, and does it for a yes alone", async () => {
  await using scene = await Scene.make({ left: { f: "precious" } });
  await scene.run("-s");
  await scene.left.sh("rm f");
  await scene.run("-s");
  for (const [answer, code] of [["n\n", 1], ["\n", 1], ["y\n", 0]] as const) {
    const child = new Deno.Command("script", {
      args: ["-qec", `'${binary()}' trash restore f`, "/dev/null"],
      env: { ...scene.env, TERM: "xterm" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const stdin = child.stdin.getWriter();
    let text = "";
    let isAnswered = false;
    for await (const bytes of child.stdout) {
      text += new TextDecoder().decode(bytes);
      if (isAnswered || !text.includes("Do it? [y/N]")) continue;
      isAnswered = true;
      await stdin.write(new TextEncoder().encode(answer));
    }
    assertEquals((await child.status).code, code, text);
    await stdin.close().catch(() => {});
    assertEquals(await scene.right.exists("f"), code === 0, text);
  }
});

Deno.test("on a full disk removed files give way to new ones", async () => {
  await using scene = await Scene.make();
  await scene.right.sh("mount -t tmpfs -o size=60m tmpfs .");
  try {
    await using psync = await scene.live();
    await scene.change("left", "head -c 40000000 /dev/urandom >old");
    await scene.change("left", "rm old");
    assertMatch((await run(scene, "trash list --side right")).out, /\.removed\/old\n/);
    await scene.change("left", "head -c 41000000 /dev/urandom >new");
    assert(!(await run(scene, "trash list --side right")).out.includes(".removed/old"));
    assertEquals((await scene.end(psync)).code, 0);
  } finally {
    await scene.tree.sh(`umount -l '${scene.right.path}'`);
  }
});
