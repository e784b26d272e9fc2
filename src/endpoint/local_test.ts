/**
 * Tests of the in-process door that the contract cannot see: the lives of its processes, the watch
 * limit, mounts.
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NO_RULES } from "../core/ignore.ts";
import { EventLog, LOOK, p, putFile, World } from "../../tests/contract/world.ts";
import { nativePath } from "../../tests/support/native_build.ts";
import { TempTree } from "../../tests/support/temp_tree.ts";
import { systemClock } from "../base/clock.ts";
import { EndpointLostError, SetupError } from "../base/errors.ts";
import type { DirClaim, Listing } from "../core/endpoint.ts";
import { nameOf, type RelPath, ROOT } from "../core/path.ts";
import { Sum, SumHash } from "../core/sum.ts";
import { LocalEndpoint, type LocalEndpointOptions } from "./local.ts";

async function openLocal(root: string, options: Partial<LocalEndpointOptions> = {}): Promise<LocalEndpoint> {
  return await LocalEndpoint.open({
    root,
    rules: NO_RULES,
    nativePath: await nativePath(),
    clock: systemClock,
    ...options,
  });
}

/** A world, and the endpoint in it as what it is. */
async function openWorld(
  options: { shape?: Record<string, string | Record<string, string>>; maxWatches?: number } = {},
): Promise<{ world: World; local: LocalEndpoint }> {
  let local: LocalEndpoint | null = null;
  const { maxWatches, ...rest } = options;
  const world = await World.open(
    async (root) => local = await openLocal(root, maxWatches === undefined ? {} : { maxWatches }),
    rest,
  );
  return { world, local: local! };
}

Deno.test("LocalEndpoint starts its watcher again, asks for a scan, and goes on", async () => {
  const { world, local } = await openWorld({ shape: { d: { f: "text" } } });
  await using _world = world;
  const [applier, watcher] = local.nativePids;
  Deno.kill(watcher!, "SIGKILL");
  const listing = world.endpoint.list([ROOT]);
  const { path } = await world.log.sawEvent("rescan");
  assertEquals(path, ROOT);
  assertEquals((await listing)[0]!.kind, "listed");
  await world.watchAll();
  await world.tree.write("d/f", "changed");
  await world.log.sawContent(p("d/f"), "changed");
  assertEquals(local.nativePids[0], applier);
  assert(local.nativePids[1] !== watcher);
});

Deno.test("LocalEndpoint is lost with its applier", async () => {
  const { world, local } = await openWorld({ shape: { f: "text" } });
  await using _world = world;
  Deno.kill(local.nativePids[0]!, "SIGKILL");
  await world.log.end();
  assert(world.log.ended instanceof EndpointLostError);
  await assertRejects(() => world.look(p("f")), EndpointLostError);
  await assertRejects(() => world.commit(putFile(p("g"), "x")), EndpointLostError);
});

Deno.test("LocalEndpoint leaves no process behind", async () => {
  const { world, local } = await openWorld();
  const pids = local.nativePids;
  assertEquals(pids.length, 2);
  await world[Symbol.asyncDispose]();
  for (const pid of pids) {
    await assertRejects(() => Deno.stat(`/proc/${pid}`), Deno.errors.NotFound);
  }
});

Deno.test("LocalEndpoint says which directories it cannot watch", async () => {
  const { world } = await openWorld({ shape: { a: { f: "1" }, b: { f: "2" }, c: { f: "3" } }, maxWatches: 2 });
  await using _world = world;
  const listings = await world.endpoint.list(["a", "b", "c"].map(p));
  assertEquals(listings.filter((each) => each.kind === "listed" && !each.isWatched).length, 2);
  await world.tree.sh("mkdir new");
  await world.log.sawEvent("unwatched", ({ path }) => path === p("new"));
});

Deno.test("LocalEndpoint says of a root that cannot be opened what it is, and what to do", async () => {
  await using tree = await TempTree.make({ file: "text", circle: { link: "circle" } });
  const rows = [
    ["none", `it is not there; make it: mkdir -p ${tree.at("none")}`],
    ["a b's", `make it: mkdir -p '${tree.path}/a b'"'"'s'`],
    ["file", "is a file and no folder"],
    ["file/below", "is a file and no folder"],
    ["circle", "lead in a circle"],
  ] as const;
  for (const [name, words] of rows) {
    const error = await assertRejects(() => openLocal(tree.at(name)), SetupError);
    assertStringIncludes(error.message, `Cannot open root "${tree.at(name)}": `);
    assertStringIncludes(error.message, words);
  }
});

Deno.test("LocalEndpoint refuses to open with what is no psync-native", async () => {
  const { world } = await openWorld();
  await using _world = world;
  for (const path of ["/bin/true", "/bin/cat", "/none"]) {
    await assertRejects(() => openLocal(world.tree.path, { nativePath: path }), Error);
  }
  await assertRejects(() => openLocal(world.tree.path, { nativePath: "/none" }), SetupError);
});

Deno.test("LocalEndpoint does not lose a change while its reader is slow", async () => {
  const { world } = await openWorld();
  await using _world = world;
  await using second = await openLocal(world.tree.path);
  await second.list([ROOT]);
  // Nobody reads the events of the second yet: 12,000 changes wait without an end to memory or order.
  await world.tree.sh("for i in $(seq 12000); do echo $i > f$i; done");
  const log = new EventLog(second);
  await log.until("12000 files", () => {
    if (log.events.some(({ kind }) => kind === "rescan" || kind === "crowd")) return true;
    const seen = new Set(log.observations.filter(({ kind }) => kind === "present").map(({ path }) => path));
    return seen.size === 12_000 ? true : undefined;
  });
  await second[Symbol.asyncDispose]();
  await log.end();
});

Deno.test({
  name: "LocalEndpoint blocks mounts that come and looks again when they go",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    const { world } = await openWorld({ shape: { d: { under: "text" } } });
    await using _world = world;
    await world.tree.sh("mount -t tmpfs tmpfs d");
    try {
      await world.log.saw(p("d"), (each) => each.kind === "blocked" && each.reason === "mount");
      assertEquals((await world.look(p("d"))).kind, "blocked");
      const [listing] = await world.endpoint.list([p("d")]);
      assertEquals([listing?.kind, listing?.self.kind], ["unlisted", "blocked"]);
      const [root] = await world.endpoint.list([ROOT]);
      assertEquals(root?.kind === "listed" && root.entries.map(({ kind }) => kind), ["blocked"]);
      const [below] = await world.endpoint.look([p("d/under")], LOOK);
      assertEquals(below?.kind, "blocked");
    } finally {
      await world.tree.sh("umount d");
    }
    await world.log.saw(p("d"), (each) => each.kind === "present");
    await world.log.sawEvent("rescan", ({ path }) => path === p("d"));
  },
});

Deno.test({
  name: "LocalEndpoint tells when its root is mounted over",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    const { world } = await openWorld({ shape: { f: "text" } });
    await using _world = world;
    await world.tree.sh(`mount -t tmpfs tmpfs "$PWD"`);
    try {
      await world.log.sawEvent("root-lost");
    } finally {
      await world.tree.sh(`cd /; umount "$OLDPWD"`);
    }
  },
});

Deno.test("LocalEndpoint that follows links never takes a directory with a link for verified", async () => {
  await using tree = await TempTree.make({ target: "text", d: { l: { link: "../target" } }, e: { f: "text" } });
  const claims: DirClaim[] = [];
  {
    await using plain = await openLocal(tree.path);
    for (const dir of ["d", "e"].map(p)) claims.push(await claimOf(plain, dir));
    assertEquals(await plain.verify(SUM_KEY, claims), [true, true]);
  }
  await using following = await openLocal(tree.path, { followLinks: true });
  assertEquals(await following.verify(SUM_KEY, claims), [false, true]);
});

const SUM_KEY = "00112233445566778899aabbccddeeff";

/** What a directory is now, as a claim. */
async function claimOf(endpoint: LocalEndpoint, dir: RelPath): Promise<DirClaim> {
  const [listing] = await endpoint.list([dir]);
  assert(listing?.kind === "listed");
  const sum = new Sum();
  const hash = new SumHash(SUM_KEY);
  for (const seen of listing.entries) {
    assert(seen.kind === "present");
    sum.add(hash.of({ name: nameOf(seen.path), kind: seen.entry.kind, stamp: seen.stamp }));
  }
  return { path: dir, sum: `${sum}`, self: null };
}

Deno.test("LocalEndpoint shows what changed since it was listed ahead", async () => {
  const { world, local } = await openWorld({ shape: { d: { f: "text" } } });
  await using _world = world;
  local.listAhead({ owners: local.facts.isRootUser });
  await local.setCompareOwners(local.facts.isRootUser);
  while ((await local.vitals()).watches < 2);
  assertEquals((await local.list([ROOT])).map(namesOf), [["d"]]);
  await world.tree.write("d/g", "more");
  await world.log.sawContent(p("d/g"), "more");
  assertEquals((await local.list([p("d"), ROOT])).map(namesOf), [["f", "g"], ["d"]]);
});

/** The names in a directory that was listed. */
function namesOf(listing: Listing): readonly string[] {
  return listing.kind === "listed" ? listing.entries.map(({ path }) => nameOf(path)) : [];
}

Deno.test("LocalEndpoint tells the mode that a user gave a directory just before psync renamed it", async () => {
  const { world, local } = await openWorld({ shape: { d: { f: "text" } } });
  await using _world = world;
  await world.watchAll();
  const { entry, stamp } = await world.present(p("d"));
  const watcher = local.nativePids[1]!;
  Deno.kill(watcher, "SIGSTOP");
  try {
    await world.tree.sh("chmod 700 d");
    const expectedFrom = { kind: "dir", mode: entry.mode, owner: null, stamp } as const;
    const move = { kind: "move", from: p("d"), to: p("n"), disposal: "drop" } as const;
    await world.commit({ ...move, expectedFrom, expectedTo: { kind: "absent" } });
  } finally {
    Deno.kill(watcher, "SIGCONT");
  }
  await world.log.saw(p("n"), (each) => each.kind === "present" && each.entry.mode === 0o700);
});
