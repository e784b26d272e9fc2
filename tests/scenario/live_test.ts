/**
 * A running psync: everything that a user does to one root shows on the other, in both directions,
 * here and over ssh.
 *
 * Each step is done by a shell in one root, and is over when the other root shows the very same.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { otherSide, type Side } from "../../src/core/problem.ts";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";
import { stopProcess } from "../support/signal.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

const SIDES: readonly Side[] = ["left", "right"];

/** What psync must not say in these tests; a file may be met while its writer has it open. */
const TROUBLE = /Conflict|Internal error|Not synchronised(?!.*: a program has it open)/;

/** Tests of one step each: what was there before, and what is done. */
const STEPS: readonly (readonly [string, string])[] = [
  ["a new file, also an empty one", "echo hello >new; : >empty"],
  [
    "a file that is written again",
    "echo more, and more >>f; printf 0123 | dd of=g bs=1 seek=1 conv=notrunc status=none",
  ],
  ["a file that is made shorter", ": >f; truncate -s 3 g"],
  ["a file that is replaced by a rename, as editors do", "echo newer text >.f.swp; mv .f.swp f"],
  ["a file that is removed", "rm f"],
  ["a file that is renamed, also over another one", "mv f f2; mv g d/h"],
  ["a mode", "chmod 600 f; chmod 751 d; chmod 1777 d2"],
  ["an owner and a group", "chown 1234:4321 f; chown 1234 d; chown -h 77 link"],
  ["a time to the nanosecond", "touch -d 1999-12-31T23:59:59.123456789Z f g"],
  ["empty folders", "mkdir new new/deeper new/deeper/still"],
  ["a tree that is removed", "rm -r d"],
  [
    "a tree that is renamed, and what is changed in it at once",
    "mv d moved; echo x >>moved/h; mkdir moved/z; echo y >moved/z/y",
  ],
  ["a tree that moves into another one, and back under another name", "mv d d2/inner; mv d2/inner d3"],
  ["symbolic links", "ln -s f l1; ln -s /etc l2; ln -s nowhere l3; ln -sfn other link; ln -s . self"],
  ["a file that becomes a folder, and a folder that becomes a file", "rm f; mkdir f; echo 1 >f/x; rm -r d; echo 2 >d"],
  ["a file that becomes a link, and a link that becomes a file", "ln -sf g f; rm link; echo was a link >link"],
  [
    "names with spaces, quotes, newlines and what no shell likes",
    `echo 1 >' a  b '; echo 2 >"$(printf 'x\\ny')"; echo 3 >-rf; echo 4 >'$(id)';  echo 5 >'*'; mkdir "'"; echo 6 >"'/b\\\\s"; echo 7 >host:x`,
  ],
  [
    "names that are not UTF-8",
    `d=$(printf 'd\\377'); mkdir "$d"; echo 1 >"$d/$(printf '\\200\\201')"; echo 2 >"$(printf 'caf\\351')"; echo 3 >"$(printf '\\303\\251')"; mv f "$(printf '\\355\\240\\200')"`,
  ],
  [
    "names that differ in case only, or in how they are composed",
    `echo 1 >Name; echo 22 >name; echo 333 >"$(printf 'e\\314\\201')"; echo 4444 >"$(printf '\\303\\251')"`,
  ],
  [
    "a name of 255 bytes, and a deep path",
    `echo 1 >$(printf '%0255d' 0); mkdir -p $(seq -s / 1 60); echo 2 >$(seq -s / 1 60)/leaf`,
  ],
  ["hidden files", "echo 1 >.hidden; mkdir .git; echo 2 >.git/config"],
  [
    "many files at once",
    "mkdir many; for i in $(seq 400); do echo $i >many/$i; done; mkdir -p more/$(seq -s / 30); cp -r many more/1/2",
  ],
  [
    "a storm: much is written, written again, renamed and removed at once",
    "mkdir s; for i in $(seq 800); do echo $i >s/$i; done; for i in $(seq 200); do echo x$i >s/$i; done; " +
    "mv s s2; rm s2/7*; cp -r s2 s3; for i in $(seq 300); do echo $i.new >s3/$i; done; rm -r s2",
  ],
  ["a swap of two files", "mv f tmp; mv g f; mv tmp g"],
  ["a file that is made, renamed and removed in one breath", "echo 1 >a; mv a b; rm b; echo 2 >c; rm c; echo 3 >keep"],
];

const BEFORE = {
  f: "text of f",
  g: "g's own",
  d: { h: "in d", deeper: { i: "iii" } },
  d2: {},
  link: { link: "f" },
};

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: what is done on one side is done on the other`, async (test) => {
    await using scene = await Scene.make({ ...options, left: { base: {} } });
    await using psync = await scene.live();
    for (const side of SIDES) {
      for (const [i, [what, script]] of STEPS.entries()) {
        await test.step(`${what}, on the ${side}`, async () => {
          const place = `${side}-${i}`;
          await scene.root(side).fill({ [place]: BEFORE });
          await scene.follows(side, place);
          await scene.root(side).sh(`cd ${place}; ${script}`);
          await scene.follows(side, place);
          await scene.root(side).sh(`rm -r ${place}`);
          await eventually("it is removed", async () => !await scene.root(otherSide(side)).exists(place));
        });
      }
    }
    assert(!TROUBLE.test(psync.text), psync.text);
    assertEquals((await scene.end(psync)).code, 0);
  });

  Deno.test(`${door}: large files travel whole, and their changes as well, in both directions`, async () => {
    await using scene = await Scene.make({ ...options });
    await using psync = await scene.live();
    for (const side of SIDES) {
      await scene.change(
        side,
        "head -c 5000000 /dev/urandom >big; chmod 640 big; touch -d 2002-02-02T02:02:02.22222222Z big",
      );
      await scene.change(side, "printf changed | dd of=big bs=1 seek=2500000 conv=notrunc status=none");
      await scene.change(otherSide(side), "head -c 300000 /dev/urandom >>big");
      await scene.change(side, `mv big "$(printf 'b\\377ig\\n')"; mkdir d; mv b* d`);
      await scene.change(otherSide(side), "truncate -s 8000000 d/b*; cp d/b* sparse");
      await scene.change(side, "rm -r d sparse; head -c 1500000 /dev/urandom >a; cp a b; cp a c");
      await scene.change(side, "rm a b c");
    }
    assert(!TROUBLE.test(psync.text), psync.text);
  });
}

Deno.test("a renamed folder is renamed on the other side, not copied", async () => {
  await using scene = await Scene.make({ left: { d: { e: { f: "text", g: "more" } } } });
  await using _psync = await scene.live();
  await scene.follows("left");
  const inodes = (dir: string) => scene.right.sh(`stat -c %i ${dir} ${dir}/e ${dir}/e/f ${dir}/e/g`);
  const before = await inodes("d");
  await scene.change("left", "mv d renamed");
  assertEquals(await inodes("renamed"), before);
  await scene.change("left", "mkdir -p a/b");
  await scene.change("left", "mv renamed/e a/b/e2");
  await scene.change("right", "mv a/b/e2/f a/b/e2/f2");
  assertEquals(await scene.right.sh("stat -c %i a/b/e2 a/b/e2/f2"), before.split("\n").slice(1, 3).join("\n") + "\n");
});

Deno.test("what is changed on both sides at once, in different places, ends on both", async () => {
  await using scene = await Scene.make({ left: { d: { x: "1" } } });
  await using psync = await scene.live();
  const script = (side: string) =>
    `for i in $(seq 200); do echo ${side} $i >d/${side}$i; done; mkdir ${side}; echo 1 >${side}/f`;
  await Promise.all(SIDES.map((side) => scene.root(side).sh(script(side))));
  await eventually("both roots hold everything", async () => {
    const [left, right] = [await scene.entries("left"), await scene.entries("right")];
    return left.length === right.length && left.join("\n") === right.join("\n") && left.length > 800;
  });
  assert(!psync.text.includes("Conflict"), psync.text);
});

Deno.test("a removed or overwritten file lies in the trash of the side where psync removed it", async () => {
  await using scene = await Scene.make({ left: { f: "precious\n", d: { g: "gold\n" } } });
  await using _psync = await scene.live();
  await scene.change("left", "rm -r f d");
  const kept = await scene.right.sh("find .psync/trash -type f -exec cat {} + | sort");
  assertEquals(kept, "gold\nprecious\n");
});

Deno.test("an edit on both sides while psync looks away is a conflict of which both versions survive", async () => {
  await using scene = await Scene.make({ left: { f: "before" } });
  await using psync = await scene.live();
  await stopProcess(psync.pid);
  await scene.left.write("f", "edit on the left");
  await scene.right.write("f", "another edit, on the right");
  psync.signal("SIGCONT");
  await psync.until(/^Conflict: f: .*kept as (\S+)$/m);
  const kept = /^Conflict: f: .*kept as (\S+)$/m.exec(psync.text)![1]!;
  const stays = await eventually("both sides show one version", async () => {
    const [left, right] = [await scene.left.read("f"), await scene.right.read("f")];
    return left === right && left;
  });
  assertEquals([stays, await Deno.readTextFile(kept)].sort(), ["another edit, on the right", "edit on the left"]);
});

Deno.test("a file that is being written follows when its writer is done, and never half", async () => {
  await using scene = await Scene.make();
  await using psync = await scene.live();
  {
    using file = await Deno.open(scene.left.at("slow"), { create: true, write: true });
    await file.write(new TextEncoder().encode("first half, "));
    await scene.left.write("marker", "1");
    await eventually("the marker is over", () => scene.right.exists("marker"));
    assert(!await scene.right.exists("slow"), "it is still being written");
    await file.write(new TextEncoder().encode("second half"));
  }
  await eventually("it follows", () => scene.right.exists("slow"));
  assertEquals(await scene.right.read("slow"), "first half, second half");
  assert(!psync.text.includes("Conflict"));
});

Deno.test("what psync itself keeps is never synchronised", async () => {
  await using scene = await Scene.make();
  await using _psync = await scene.live();
  await scene.left.sh(
    "echo 1 >.psync/mine; echo 2 >a.psync.ignore; mkdir x.psync.ignore.d; echo 3 >x.psync.ignore.d/f; echo 4 >marker",
  );
  await eventually("the marker is over", () => scene.right.exists("marker"));
  assertMatch(await scene.right.sh("ls -A"), /^\.psync\nmarker\n$/);
  assert(!await scene.right.exists(".psync/mine"));
});
