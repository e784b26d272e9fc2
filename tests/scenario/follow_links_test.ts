/**
 * `-x -L`: a symbolic link on the left to a regular file is that file on the right, and nothing comes back.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { PsyncProcess } from "../support/psync_process.ts";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

const ONE_WAY = "-L sends links from left to right only";

/** Links out of the root and within it, and what they lead to beside the root. */
async function makeLinks(scene: Scene): Promise<string> {
  const out = `${scene.tree.path}/home`;
  await scene.left.sh(`
    echo outside >${out}/f; chmod 640 ${out}/f; touch -d 2020-01-02T03:04:05 ${out}/f
    head -c 3000000 /dev/urandom >${out}/big; head -c 100000 /dev/urandom >${out}/middle
    mkdir d; echo inside >d/plain
    ln -s ${out}/f f; ln -s ${out}/big d/big; ln -s ${out}/middle middle; ln -s d/plain inner
    ln -s nowhere broken; ln -s d dirlink; ln -s /dev/null device`);
  return out;
}

const listed = (psync: PsyncProcess, path: string) =>
  eventually(`${path} is listed`, () => psync.text.includes(`Not synchronised: ${path} (left): ${ONE_WAY}`), {
    tell: () => psync.text,
  });

const kinds = async (scene: Scene, side: "left" | "right") =>
  (await scene.root(side).sh(`find . -mindepth 1 -path ./.psync -prune -o -printf '%P %y\n' | LC_ALL=C sort`)).trim()
    .split("\n");

/** Waits until all that was done is settled. */
async function flush(scene: Scene): Promise<void> {
  const { code, err } = await scene.runWith(["flush"]);
  assert(code === 0 || code === 1, err);
}

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: -x -L sends a link to a regular file as that file, and what becomes of it`, async () => {
    await using scene = await Scene.make(options);
    const out = await makeLinks(scene);
    await using psync = await scene.live("-x", "-L");
    assertEquals(
      await kinds(scene, "right"),
      ["broken l", "d d", "d/big f", "d/plain f", "device l", "dirlink l", "f f", "inner f", "middle f"],
    );
    assertEquals(await scene.right.sh("stat -c '%a %Y' f; cat f inner"), "640 1577934245\noutside\ninside\n");
    await scene.right.sh(`cmp ${out}/big d/big; cmp ${out}/middle middle`);

    // In place, by another file of the same size and time, and at the end of a link that leads there.
    await scene.left.sh(`
      echo "outside, and more" >${out}/f; echo x >>${out}/big
      head -c 100000 /dev/urandom >${out}/new; touch -r ${out}/middle ${out}/new; mv ${out}/new ${out}/middle
      echo inside, too >d/plain; echo now there >nowhere`);
    await flush(scene);
    assertEquals(await scene.right.sh("cat f inner broken"), "outside, and more\ninside, too\nnow there\n");
    await scene.right.sh(`cmp ${out}/big d/big; cmp ${out}/middle middle`);
    await scene.left.sh(`echo by the clock >${out}/f`);
    await eventually("it is noticed", async () => await scene.right.sh("cat f") === "by the clock\n");

    // The links themselves.
    const inode = await scene.right.sh("stat -c %i d/big");
    await scene.left.sh(`ln -sfn ${out}/middle f; mv d/big d/huge; rm inner nowhere; rm middle; echo real >middle`);
    await flush(scene);
    await scene.right.sh(`cmp ${out}/middle f; test ! -e inner -a ! -L inner`);
    assertEquals(await scene.right.sh("stat -c %i d/huge; cat middle; readlink broken"), `${inode}real\nnowhere\n`);
    assertEquals((await scene.end(psync)).code, 0);
    assert(!/Conflict|Not sync/.test(psync.text), psync.text);
    assertEquals((await scene.runWith(["check", "--checksum", "-x", "-L", ...scene.operands])).code, 0);

    // What is a link again without -L is kept as the file that it was.
    const { code, err } = await scene.run("-s");
    assertEquals(code, 0, err);
    assertEquals(await scene.right.sh("readlink f d/huge"), `${out}/middle\n${out}/big\n`);
    assertStringIncludes((await scene.runWith(["trash", "list", "--side", "right"])).out, "d/huge");
  });

  Deno.test(`${door}: with -L nothing that the right does changes a link of the left, and nothing is lost`, async () => {
    await using scene = await Scene.make(options);
    const out = await makeLinks(scene);
    await scene.left.sh(`mkdir -p deep/er; ln -s ${out}/f deep/er/f; echo p >deep/er/p; ln -s ${out}/f e`);
    await using psync = await scene.live("-x", "-L");
    const before = await scene.left.sh("readlink f d/big inner e deep/er/f");
    await scene.right.sh(
      "echo edited >>f; (echo; echo edited) >>d/big; rm inner; mv e e2; mv deep/er deeper; chmod 600 middle",
    );
    await eventually("the new names are over", () => scene.left.exists("deeper/f"));
    for (const path of ["f", "d/big", "inner", "e", "middle"]) {
      await listed(psync, path);
    }
    assertEquals(await scene.left.sh("readlink f d/big inner e deep/er/f"), before, "every link is as it was");
    assertEquals(await scene.left.sh(`cat e2 deeper/f; cat ${out}/f`), "outside\n".repeat(3));
    await scene.left.sh("test ! -L e2 -a ! -L deeper/f -a ! -e deep/er/p -a -e deeper/p");
    assertMatch(await scene.right.sh("cat f; tail -n 1 d/big"), /^outside\nedited\nedited\n$/);

    // The next version of the left replaces it, and what the right had is kept.
    await scene.left.sh(
      `echo next >${out}/f; (echo; echo next) >>${out}/big; touch -d '1 hour ago' ${out}/f; echo again >d/plain`,
    );
    await flush(scene);
    assertEquals(await scene.right.sh("cat f; tail -n 1 d/big; cat inner e"), "next\nnext\nagain\nnext\n");
    assertMatch(await scene.right.sh("cat .psync/trash/*.conflict/f"), /^outside\nedited\n$/);
    assertMatch(await scene.right.sh("tail -n 1 .psync/trash/*.conflict/d/big"), /^edited\n$/);
    assertEquals((await scene.end(psync)).code, 0);
    assertEquals((await scene.run("-s", "-x", "-L")).code, 1, "the mode is different still");
  });

  Deno.test(`${door}: with -L no link comes from the right, so that nobody there chooses what is sent`, async () => {
    await using scene = await Scene.make({ ...options, left: { sub: { a: "own" } } });
    const secret = `${scene.tree.path}/home/secret`;
    await scene.left.sh(`echo secret >${secret}; ln -s sub/a link; ln -s sub s`);
    await scene.right.sh(`ln -s ${secret} first; mkdir n; ln -s ${secret} n/below`);
    await using psync = await scene.live("-x", "-L");
    await scene.right.sh(`ln -s ${secret} planted; rm s; ln -s ${scene.tree.path}/home s; rm -r sub; ln -s . sub`);
    for (const path of ["planted", "s", "sub"]) await listed(psync, path);
    await flush(scene);
    const status = await scene.runWith(["status"]);
    for (const path of ["first", "n/below"]) assertStringIncludes(status.out, `${path} (left): ${ONE_WAY}`);
    await scene.left.sh("test ! -L first -a ! -L n/below -a ! -L planted -a ! -L sub");
    assertEquals(await scene.left.sh("readlink s"), "sub\n");
    assertEquals(await scene.right.sh(`readlink first n/below planted`), `${secret}\n`.repeat(3));
    const dry = await scene.run("-n", "-x", "-L");
    assertEquals(dry.code, 0, dry.err);
    assertMatch(dry.out, /^-- leave +planted \(left\): -L sends/m);
    assertEquals(await scene.right.sh("grep -rl secret . || true"), "");
  });
}
