/**
 * What is left alone: excludes, tempfiles and rsync patterns, as what they do to two roots.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { otherSide } from "../../src/core/problem.ts";
import { childrenOf } from "../support/procfs.ts";
import { eventually, Scene } from "../support/scene.ts";

/** The table of docs/patterns.md: what a rename from one kind of name to another does on the other side. */
type Kind = "normal" | "tempfile" | "excluded" | "outside";
type Effect = "renamed" | "sent" | "removed" | "nothing";

const MATRIX: Readonly<Record<Kind, Readonly<Record<Kind, Effect>>>> = {
  normal: { normal: "renamed", tempfile: "removed", excluded: "removed", outside: "removed" },
  tempfile: { normal: "sent", tempfile: "nothing", excluded: "nothing", outside: "nothing" },
  excluded: { normal: "sent", tempfile: "nothing", excluded: "nothing", outside: "nothing" },
  outside: { normal: "sent", tempfile: "nothing", excluded: "nothing", outside: "nothing" },
};
const KINDS = Object.keys(MATRIX) as Kind[];
const SUFFIX: Readonly<Record<Kind, string>> = { normal: "", tempfile: ".scratch", excluded: ".x", outside: "" };
const PATTERNS = ["-t", String.raw`\.scratch$`, "-e", String.raw`\.x$`];

const PAIRS = KINDS.flatMap((from) => KINDS.map((to) => ({ from, to, effect: MATRIX[from][to] })));

for (const side of ["left", "right"] as const) {
  for (const what of ["file", "folder"] as const) {
    Deno.test(`a ${what} renamed on the ${side} does on the other side what the table says`, async () => {
      await using scene = await Scene.make();
      const [here, there] = [scene.root(side), scene.root(otherSide(side))];
      await scene.tree.sh("mkdir outside");
      const place = (kind: Kind, name: string) =>
        `${kind === "outside" ? scene.tree.at("outside") : here.path}/${name}${SUFFIX[kind]}`;
      const make = (at: string) => what === "file" ? `echo ${at.length} >'${at}'` : `mkdir '${at}'; echo 1 >'${at}/in'`;
      for (const { from, to } of PAIRS) await here.sh(make(place(from, `${from}-${to}-old`)));
      await using psync = await scene.live(...PATTERNS);
      const before = new Set((await there.sh("ls")).split("\n"));
      for (const { from } of PAIRS.filter(({ to }) => to === "normal")) {
        assertEquals(before.has(`${from}-normal-old`), from === "normal", from);
      }
      const moves = PAIRS.map(({ from, to }) =>
        `mv '${place(from, `${from}-${to}-old`)}' '${place(to, `${from}-${to}-new`)}'`
      );
      await here.sh(`${moves.join("; ")}; echo 1 >marker`);
      const wanted = PAIRS.filter(({ effect }) => effect === "renamed" || effect === "sent")
        .map(({ from, to }) => `${from}-${to}-new`).concat("marker").sort();
      const shown = async () => (await there.sh("LC_ALL=C ls")).split("\n").filter(Boolean);
      await eventually("the table holds", async () => `${await shown()}` === `${wanted}`, {
        tell: async () => `wanted ${wanted}\nfound ${await shown()}\n${psync.text}`,
      });
      if (what === "folder") {
        // A folder is shown before what is in it.
        for (const name of wanted.filter((name) => name !== "marker")) {
          await eventually(`${name}/in is there`, () => there.exists(`${name}/in`), { tell: () => psync.text });
        }
      }
      assert(!/Conflict|Not sync/.test(psync.text), psync.text);
      await scene.end(psync);
      assertEquals((await scene.run("-s", ...PATTERNS)).code, 0);
      assertEquals(await shown(), wanted, "a scan says the same");
    });
  }
}

Deno.test("the default tempfiles are not sent, a name that only looks like one is; '' switches them off", async () => {
  const scratch = [
    "~$a.docx",
    ".~lock.a.odt#",
    ".#a",
    ".a.txt.swp",
    "4913",
    "a.part",
    "A.CRDOWNLOAD",
    ".nfs00000a1b2c3",
  ]
    .concat(".fuse_hidden0000c0de");
  const real = ["a~$b", "lock.a#", "#a", "a.swp", "49130", "part", "apart", "nfs0", ".nfs-notes"];
  await using scene = await Scene.make({
    left: Object.fromEntries([...scratch, ...real].map((name, i) => [name, `${i}`])),
  });
  assertEquals((await scene.run("-s")).code, 0);
  const shown = async () => (await scene.right.sh("LC_ALL=C ls -A -I .psync")).split("\n").filter(Boolean);
  assertEquals(await shown(), real.toSorted());
  assertEquals((await scene.run("-s", "--tempfiles", "")).code, 0);
  assertEquals(await shown(), [...scratch, ...real].sort());
  assertEquals((await scene.run("-s", "-t", "part")).code, 0);
  assertEquals(await shown(), [...scratch, ...real].sort(), "another list removes nothing");
});

Deno.test("a save by an application arrives as the new content of its file, and its scratch never does", async () => {
  await using scene = await Scene.make({ left: { "a.txt": "old" } });
  await using psync = await scene.live();
  await scene.left.sh("echo new content >.a.txt.swp; mv .a.txt.swp a.txt; echo x >b.part; mv b.part b");
  await eventually(
    "both arrive",
    async () => await scene.right.read("a.txt") === "new content\n" && await scene.right.exists("b"),
  );
  assertEquals(await scene.right.sh("ls -A"), ".psync\na.txt\nb\n");
  assert(!/Conflict/.test(psync.text), psync.text);
});

const CHANGES: readonly (readonly [name: string, options: readonly string[]])[] = [
  ["-e", ["-e", "/d"]],
  ["-t", ["-t", "/d"]],
  ["--rsync-excludes", ["--rsync-excludes", "/d*"]],
];

for (const [name, options] of CHANGES) {
  Deno.test(`changing ${name} never deletes anything on either side, whatever happened meanwhile`, async () => {
    await using scene = await Scene.make({ left: { d: { f: "1", g: "22" }, d2: "333", keep: "k" } });
    assertEquals((await scene.run("-s")).code, 0);
    assertEquals((await scene.run("-s", ...options)).code, 0);
    assert(await scene.right.exists("d/f"), "what is excluded now stays");
    await scene.left.sh("rm -r d/f d2; rm keep");
    await scene.right.sh("rm d/g");
    assertEquals((await scene.run("-s", ...options)).code, 0);
    assert(await scene.right.exists("d/f") && await scene.right.exists("d2"), "what is excluded is not removed");
    assert(!await scene.right.exists("keep"), "what is not, is");
    assertEquals((await scene.run("-s")).code, 0);
    for (const root of [scene.left, scene.right]) {
      assertEquals(
        await root.sh("LC_ALL=C find . -path ./.psync -prune -o -type f -print | sort"),
        "./d/f\n./d/g\n./d2\n",
      );
    }
  });
}

Deno.test("--rsync-excludes leaves alone what rsync would, for scans and live changes alike", async () => {
  await using scene = await Scene.make({
    left: { build: { x: "1" }, src: { build: { y: "2" }, "a.o": "3", "keep.o": "4", "a.c": "5" }, top: { log: "6" } },
    right: { cache: { z: "7" } },
  });
  const options = ["--rsync-excludes", "+ keep.o", "--rsync-excludes=*.o", "--rsync-excludes", "/build/"];
  await using psync = await scene.live(...options, "--rsync-excludes", "cache/", "--rsync-excludes=/top/**/log");
  const files = (side: "left" | "right") =>
    scene.root(side).sh("LC_ALL=C find . -path ./.psync -prune -o -type f -print | LC_ALL=C sort");
  assertEquals(await files("right"), "./cache/z\n./src/a.c\n./src/build/y\n./src/keep.o\n./top/log\n");
  await scene.left.sh(
    "mkdir cache src/cache new; echo 8 >cache/l; echo 9 >src/cache/l; echo 10 >new/b.o; echo >src/B.O",
  );
  await scene.left.sh("echo 11 >new/cache; echo 22 >build/x; mkdir -p top/a/b; echo 12 >top/a/b/log; echo 13 >marker");
  await eventually("the marker is over", () => scene.right.exists("marker"));
  assertEquals(
    await files("right"),
    "./cache/z\n./marker\n./new/cache\n./src/B.O\n./src/a.c\n./src/build/y\n./src/keep.o\n./top/log\n",
  );
  assert(!await scene.left.exists("cache/z"));
  await scene.end(psync);
  await scene.left.sh("rm new/cache; mkdir new/cache; echo 1 >new/cache/in");
  const { code, err } = await scene.run("-s", ...options, "--rsync-excludes", "cache/");
  assertEquals(code, 1, err);
  assertMatch(err, /^Not synchronised: new\/cache \(left\): something that is excluded took its place there$/m);
  assertEquals(await scene.right.read("new/cache"), "11\n", "what is excluded is not absent: the file stays");
});

Deno.test("a folder that is renamed takes along what is excluded no longer, and what is excluded now is left", async () => {
  await using scene = await Scene.make({
    left: { a: { cache: { l: "1" }, f: "2" }, b: { cache: { m: "3" } } },
    right: { a: { cache: { r: "4" } } },
  });
  await using psync = await scene.live("-e", "^/a/cache", "-e", "^/d/cache");
  await scene.left.sh("mv a c; mv b d");
  await eventually(
    "what was excluded is on both sides",
    async () => await scene.right.exists("c/cache/l") && await scene.left.exists("c/cache/r"),
  );
  await eventually("the other folder is over", () => scene.right.exists("d/cache/m"));
  await scene.left.sh("rm -r d/cache; echo 5 >marker");
  await eventually("the marker is over", () => scene.right.exists("marker"));
  assert(await scene.right.exists("d/cache/m"), "it is excluded now");
  assert(!/Conflict|Not sync/.test(psync.text), psync.text);
  await scene.end(psync);
  await scene.run("-s");
  assert(await scene.right.exists("d/cache/m"), "what was removed while it was excluded is no removal afterwards");
});

Deno.test("-x goes to every rsync; with --bwlimit one runs at a time", async () => {
  await using scene = await Scene.make({ ssh: {} });
  await using psync = await scene.live("-x", "--bwlimit=2M", "-x", "-z");
  await Promise.all([scene.left, scene.right].map((root) => root.sh('head -c 4000000 /dev/urandom >"big-${PWD##*/}"')));
  let most = 0;
  let compressed = 0;
  await eventually("both files are over", async () => {
    const running = rsyncsOf(psync.pid).filter((words) => words.includes("--bwlimit=2M"));
    // A receiving rsync is several processes; a batch is one run.
    most = Math.max(most, new Set(running.map((words) => words.find((word) => word.startsWith("--copy-dest")))).size);
    compressed += running.filter((words) => words.includes("--compress")).length;
    return (await scene.left.sh("ls big-* | wc -l")).trim() === "2" &&
      (await scene.right.sh("ls big-* | wc -l")).trim() === "2";
  });
  assertEquals(most, 1);
  assert(compressed > 0);
});

/** The arguments of each rsync that a psync runs on this host now. */
function rsyncsOf(pid: number): string[][] {
  const words = childrenOf(pid).map((child) => {
    try {
      return Deno.readTextFileSync(`/proc/${child}/cmdline`).split("\0");
    } catch {
      return []; // it has ended
    }
  });
  return words.filter(([name]) => name === "rsync");
}

Deno.test("-x refuses what would change what exists or is run, with the reason, and changes nothing", async () => {
  await using scene = await Scene.make({ left: { a: "1" } });
  for (const option of ["--delete", "--inplace", "-e", "--rsync-path=x", "--remove-source-files"]) {
    const { code, err } = await scene.run("-x", option);
    assertEquals(code, 2);
    assertMatch(err, /^psync: Cannot hand "[^"]+" on to rsync: psync .*\n$/);
  }
  assertEquals(await scene.right.sh("ls -A"), "");
});

Deno.test("--srcroot and --dstroot name the roots as well", async () => {
  await using scene = await Scene.make({ left: { a: "1" } });
  const { code } = await scene.runWith(["-s", "--dstroot", scene.right.path, `--srcroot=${scene.left.path}`]);
  assertEquals(code, 0);
  assertEquals(await scene.right.read("a"), "1");
});
