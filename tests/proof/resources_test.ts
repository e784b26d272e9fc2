/**
 * Disks without space or inodes, disks that fail, watch limits, and mounts over a root and within
 * one: what is concerned waits and is listed, the rest flows, nothing is lost, and psync heals by
 * itself once the cause is gone.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { PsyncProcess } from "../support/psync_process.ts";
import { eventually, Scene } from "../support/scene.ts";
import { withShortQueue } from "../support/short_queue.ts";

const ignore = Deno.uid() !== 0;

/** A retry may come after a minute. */
const HEAL_MS = 90_000;

/** Runs `use` with a tmpfs over the right root. */
async function withTmpfs(options: string, use: (scene: Scene) => Promise<void>): Promise<void> {
  await using scene = await Scene.make();
  await scene.tree.sh(`mount -t tmpfs -o ${options} tmpfs '${scene.right.path}'`);
  try {
    await use(scene);
  } finally {
    await scene.tree.sh(`umount -l '${scene.right.path}'`);
  }
}

/** Waits until both roots are equal. */
async function equal(scene: Scene, psync: PsyncProcess): Promise<void> {
  await eventually("both roots are equal", async () => {
    const [left, right] = [await scene.entries("left"), await scene.entries("right")];
    return left.join("\n") === right.join("\n");
  }, { deadlineMs: HEAL_MS, tell: () => psync.text });
}

async function listed(psync: PsyncProcess, pattern: RegExp): Promise<void> {
  await eventually(`${pattern} is told`, () => pattern.test(psync.text), { tell: () => psync.text });
}

Deno.test({
  name: "a large file that does not fit is not sent, the rest flows, and it goes once there is room",
  ignore,
  fn: () =>
    withTmpfs("size=24m", async (scene) => {
      await using psync = await scene.live();
      await scene.left.sh("head -c 16000000 /dev/urandom >first");
      await scene.follows("left");
      await scene.left.sh("head -c 12000000 /dev/urandom >big; echo small >small; truncate -s 500M sparse");
      await listed(psync, /big.*there is no space for it/);
      assertMatch(psync.text, /it takes 12 MB, and \d MB are free/);
      await eventually("the rest flows", async () =>
        await scene.right.exists("small") && await scene.right.exists("sparse"));
      assertEquals(await scene.right.exists("big"), false);
      assertEquals(await scene.right.sh("find .psync/stage -type f"), "", "nothing of it was sent");
      await scene.left.sh("rm first");
      await equal(scene, psync);
      assertEquals((await scene.end(psync)).code, 0);
    }),
});

Deno.test({
  name: "without inodes what is new waits, edits flow, and it goes once there are some",
  ignore,
  fn: () =>
    withTmpfs("size=60m,nr_inodes=60", async (scene) => {
      await scene.left.sh("mkdir d; for i in $(seq 15); do echo $i >d/$i; done");
      await using psync = await scene.live();
      await scene.left.sh("mkdir e; for i in $(seq 60); do echo new $i >e/$i; done");
      await listed(psync, /there is no space for it/);
      await scene.right.sh("echo edited on the right >>d/3");
      await eventually("an edit flows", async () => (await scene.left.read("d/3")).includes("edited"));
      await scene.tree.sh(`mount -o remount,nr_inodes=2000 '${scene.right.path}'`);
      await equal(scene, psync);
      assertEquals((await scene.end(psync)).code, 0);
    }),
});

Deno.test({
  name: "a disk that is read-only for a while delays one direction, and loses nothing",
  ignore,
  fn: () =>
    withTmpfs("size=60m", async (scene) => {
      await scene.left.sh("mkdir d; echo 1 >d/x; echo 2 >y");
      await using psync = await scene.live();
      await scene.tree.sh(`mount -o remount,ro '${scene.right.path}'`);
      await scene.left.sh("echo edited >d/x; rm y; mkdir e; echo 3 >e/z");
      await listed(psync, /read-only/i);
      await scene.tree.sh(`mount -o remount,rw '${scene.right.path}'`);
      await equal(scene, psync);
      assertEquals(await scene.right.sh("cat d/x e/z; ls"), "edited\n3\nd\ne\n");
      assertEquals((await scene.end(psync)).code, 0);
    }),
});

Deno.test({
  name: "a mount over the right root halts psync, and nothing is removed or written there",
  ignore,
  fn: async () => {
    await using scene = await Scene.make({ left: { f: "1", d: { x: "2" } } });
    await using psync = await scene.live();
    await scene.follows("left");
    await scene.tree.sh(`mount -t tmpfs tmpfs '${scene.right.path}'; echo foreign >'${scene.right.path}/foreign'`);
    try {
      await eventually("it halts", () => /^Halted: /m.test(psync.text), { tell: () => psync.text });
      await scene.left.sh("echo edited >f; echo new >n");
      assertEquals(await scene.right.sh("ls -A"), "foreign\n");
    } finally {
      await scene.tree.sh(`umount '${scene.right.path}'`);
    }
    await equal(scene, psync);
    assertEquals(await scene.right.sh("cat f n d/x"), "edited\nnew\n2");
    assertEquals((await scene.end(psync)).code, 0);
  },
});

Deno.test({
  name: "a mount over a directory hides it on that side only, and all is well once it is gone",
  ignore,
  fn: async () => {
    await using scene = await Scene.make({ left: { f: "1", d: { x: "2", sub: { y: "3" } } } });
    await using psync = await scene.live();
    await scene.follows("left");
    await scene.tree.sh(`mount -t tmpfs tmpfs '${scene.right.path}/d'; echo foreign >'${scene.right.path}/d/foreign'`);
    try {
      await listed(psync, /: d \(right\): another file system is mounted there/);
      await scene.left.sh("echo edited >d/x; echo new >d/n; echo more >>f");
      await eventually("the rest flows", async () => await scene.right.read("f") === "1more\n");
      assertEquals(await scene.left.sh("cat d/x d/sub/y; ls d"), "edited\n3n\nsub\nx\n");
      assertEquals(await scene.right.sh("ls -A d"), "foreign\n");
    } finally {
      await scene.tree.sh(`umount '${scene.right.path}/d'`);
    }
    await equal(scene, psync);
    assertEquals(await scene.right.sh("cat d/x d/n"), "edited\nnew\n");
    assertEquals(await scene.left.exists("d/foreign"), false);
    assertEquals((await scene.end(psync)).code, 0);
  },
});

/** How many watches a user namespace of its own may have: an own limit there. */
const FEW = "unshare -Ur sh -c 'echo 24 >/proc/sys/user/max_inotify_watches || exit 99; exec \"$@\"' sh";

Deno.test({
  name: "with too few watches psync says so, looks from time to time, and loses nothing",
  ignore,
  fn: async () => {
    await using scene = await Scene.make();
    await scene.left.sh("for i in $(seq 20); do mkdir d$i; echo $i >d$i/f; done");
    await scene.tree.write("limited", `#!/bin/sh\nexec ${FEW} ${scene.words[0]} "$@"\n`);
    await scene.tree.sh("chmod 755 limited");
    await using psync = await PsyncProcess.start({
      command: [scene.tree.at("limited")],
      args: scene.operands,
      stateDir: scene.stateDir,
      env: scene.env,
    });
    await psync.until(/^First sync done/m);
    await listed(psync, /watch/i);
    await scene.left.sh("for i in $(seq 20); do echo edited $i >>d$i/f; done; rm -r d7; echo new >d3/n");
    await scene.right.sh("for i in 4 5 6; do mkdir d$i/sub; echo right $i >d$i/sub/r; done");
    await equal(scene, psync);
    assertEquals(await scene.left.sh("cat d6/sub/r; ls -d d7 2>/dev/null || true"), "right 6\n");
    assert((await scene.right.read("d20/f")).includes("edited 20"));
  },
});

Deno.test({
  name: "with a queue of 16 events psync looks at everything again, and loses nothing",
  ignore,
  fn: async () => {
    await using scene = await Scene.make({ left: { d: { f: "1" } } });
    await using psync = await withShortQueue(() => scene.live());
    for (const round of [1, 2, 3]) {
      await Promise.all([
        scene.left.sh(
          `mkdir l${round}; for i in $(seq 300); do echo $i >l${round}/$i; done; rm l${round}/7; mv l${round} L${round}`,
        ),
        scene.right.sh(
          `mkdir -p r${round}/a/b; for i in $(seq 300); do echo $i >r${round}/a/b/$i; done; echo ${round} >>d/f`,
        ),
      ]);
      await equal(scene, psync);
    }
    assertEquals(
      await scene.left.sh("ls L1 L2 L3 r1/a/b r2/a/b r3/a/b | grep -c '^[0-9]'; cat d/f"),
      "1797\n11\n2\n3\n",
    );
    assertEquals((await scene.end(psync)).code, 0);
  },
});
