/**
 * Contract: `verify` says yes to a directory that is just as claimed, and to no other.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { DirClaim, Endpoint } from "../../src/core/endpoint.ts";
import type { Observation } from "../../src/core/observation.ts";
import { nameOf, type RelPath, ROOT } from "../../src/core/path.ts";
import { Sum, SumHash } from "../../src/core/sum.ts";
import { TempTree } from "../support/temp_tree.ts";
import { EventLog, p, type RegisterTest, World } from "./world.ts";

const KEY = "00112233445566778899aabbccddeeff";

const SCRIPT = `mkdir -p d/e empty "$(printf 'x\\377')"; printf one > d/f; ln -s none d/l; printf two > d/e/g
  printf three > "$(printf 'd/y\\376')"; printf x > "$(printf 'd/%0255d' 1)"`;
const DIRS = ["", "d", "d/e", "empty", "x\udcff"].map(p);

/** Registers the tests of `verify`; `never`: this door never says yes. */
export function verifySuite(test: RegisterTest, options: { readonly never: boolean }): void {
  if (!options.never) yesSuite(test);
  test("verify says no to every change of a directory", async (open) => {
    for (const [what, script] of Object.entries(CHANGES)) {
      await using world = await World.open(open, { script: SCRIPT });
      const claims = await claimsOf(world.endpoint, [p("d")]);
      await world.tree.sh(script);
      assertEquals(await world.endpoint.verify(KEY, claims), [false], what);
    }
  });

  test("verify says no where a directory is gone, or was none", async (open) => {
    await using world = await World.open(open, { script: SCRIPT });
    const [d] = await claimsOf(world.endpoint, [p("d")]);
    const claims = ["none", "d/f", "d/l", "none/below"].map((path) => ({ ...d!, path: p(path) }));
    assertEquals(await world.endpoint.verify(KEY, claims), [false, false, false, false]);
  });

  test("verify says no where something cannot be synchronised, or is ignored", async (open) => {
    await using world = await World.open(open, { script: SCRIPT, excludes: ["\\.o$"] });
    const claims = await claimsOf(world.endpoint, [p("d"), p("d/e"), p("empty")]);
    await world.tree.sh("mkfifo d/pipe; printf x > d/e/main.o; mkdir empty/sub");
    assertEquals(await world.endpoint.verify(KEY, claims), [false, false, false]);
  });
}

const CHANGES = {
  "a file is written to": "printf two > d/f",
  "a file is written to, and gets its times back": "touch -r d/f t; printf TWO > d/f; touch -r t d/f",
  "the mode of a file": "chmod 600 d/f",
  "a new file": "printf x > d/new",
  "a new directory": "mkdir d/new",
  "a file is gone": "rm d/f",
  "all is gone": "rm -r d/* ",
  "a file is renamed": "mv d/f d/g",
  "two names are exchanged": "mv d/f d/t; mv d/e d/f; mv d/t d/e",
  "a link is made again": "rm d/l; ln -s other d/l",
  "a file becomes a link": "rm d/f; ln -s one d/f",
  "a directory in it is made again": "mv d/e e; mkdir d/e",
  "its mode": "chmod 700 d",
  "it is another directory": "cp -a d d2; mv d d3; mv d2 d",
};

function yesSuite(test: RegisterTest): void {
  test("verify says yes to directories that are as they were listed", async (open) => {
    await using world = await World.open(open, { script: SCRIPT });
    const claims = await claimsOf(world.endpoint, DIRS);
    assertEquals(await world.endpoint.verify(KEY, claims), DIRS.map(() => true));
    await world.tree.sh("printf more >> d/e/g");
    const after = await world.endpoint.verify(KEY, claims);
    assertEquals(DIRS.filter((_, i) => !after[i]), [p("d/e")]);
    assertEquals(await world.endpoint.verify(KEY.replace("0", "1"), claims), [false, false, false, true, true]);
  });

  test("verify sets a watch first", async (open) => {
    await using tree = await TempTree.make();
    await tree.sh(SCRIPT);
    const claims: DirClaim[] = [];
    {
      await using before = await open(tree.path);
      claims.push(...await claimsOf(before, DIRS));
    }
    await using endpoint = await open(tree.path);
    const log = new EventLog(endpoint);
    assertEquals(await endpoint.verify(KEY, claims), DIRS.map(() => true));
    await tree.write("d/e/new", "new");
    await log.sawContent(p("d/e/new"), "new");
  });

  test("verify takes many directories at once", async (open) => {
    await using world = await World.open(open, { script: "mkdir $(seq 700); for i in *; do touch $i/a; done" });
    const dirs = Array.from({ length: 700 }, (_, i) => p(`${i + 1}`));
    const claims = await claimsOf(world.endpoint, dirs);
    await world.tree.sh("rm 300/a");
    const answers = await world.endpoint.verify(KEY, claims);
    assertEquals(dirs.filter((_, i) => !answers[i]), [p("300")]);
  });
}

/** What directories are now, as claims. */
async function claimsOf(endpoint: Endpoint, dirs: readonly RelPath[]): Promise<DirClaim[]> {
  const listings = await endpoint.list(dirs);
  return listings.map((listing) => {
    assert(listing.kind === "listed");
    const { path, self } = listing;
    assert(self.kind === "present" && self.entry.kind === "dir");
    const { mode, owner } = self.entry;
    const { inode, birthNs } = self.stamp;
    return { path, sum: sumOf(listing.entries), self: path === ROOT ? null : { mode, owner, inode, birthNs } };
  });
}

function sumOf(entries: readonly Observation[]): string {
  const sum = new Sum();
  const hash = new SumHash(KEY);
  for (const seen of entries) {
    assert(seen.kind === "present");
    sum.add(hash.of({ name: nameOf(seen.path), kind: seen.entry.kind, stamp: seen.stamp }));
  }
  return `${sum}`;
}
