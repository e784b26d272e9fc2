/**
 * Contract: the batches of rsync, the marks of a root, durability, and the facts.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { EndpointLostError, SafetyHaltError, SetupError } from "../../src/base/errors.ts";
import { growingStamp } from "../../src/core/entry.ts";
import { ABSENT, contentOf, fileEntry, lockOf, LOOK, p, PAIR, putFile, type RegisterTest, World } from "./world.ts";

/** Registers the tests of batches, marks and facts. */
export function batchesSuite(test: RegisterTest): void {
  supplySuite(test);
  growingSuite(test);
  partialSuite(test);
  prepareSuite(test);
  marksSuite(test);
  syncSuite(test);
  factsSuite(test);
}

function supplySuite(test: RegisterTest): void {
  test("supply opens files under numbers, and release says which were stable", async (open) => {
    await using world = await World.open(open, { shape: { a: "stable", b: "will change", c: "gone", d: "open" } });
    const stamps = await Promise.all(["a", "b", "c", "d"].map(async (name) => (await world.present(p(name))).stamp));
    await world.tree.sh("rm c");
    using _writer = await Deno.open(world.tree.at("d"), { write: true });
    const requests = ["a", "b", "c", "d"].map((name, id) => ({ id, path: p(name), stamp: stamps[id]!, digest: null }));
    const supplied = await world.endpoint.supply("batch", requests);
    assertEquals(supplied.map(({ kind }) => kind), ["supplied", "supplied", "stale", "busy"]);
    assertEquals(await world.tree.read(".psync/supply/batch/0"), "stable");
    await world.tree.write("b", "changed meanwhile");
    assertEquals((await world.endpoint.release("batch")).stable, [0]);
    assertEquals(await world.tree.exists(".psync/supply/batch"), false);
  });
}

function growingSuite(test: RegisterTest): void {
  test("supply takes a file that grows, which is stable as long as its first bytes are what they were", async (open) => {
    await using world = await World.open(open, { shape: { log: "one\n", torn: "one\n", cut: "one\n" } });
    const looks = await world.endpoint.look(["log", "torn", "cut"].map(p), LOOK);
    const requests = looks.map((seen, id) => {
      assert(seen.kind === "present" && seen.entry.kind === "file");
      return { id, path: seen.path, stamp: growingStamp(seen.stamp), digest: seen.entry.digest };
    });
    using log = await Deno.open(world.tree.at("log"), { append: true });
    using _torn = await Deno.open(world.tree.at("torn"), { append: true });
    await log.write(new TextEncoder().encode("two\n"));
    const supplied = await world.endpoint.supply("batch", requests);
    assertEquals(supplied.map(({ kind }) => kind), ["supplied", "supplied", "supplied"]);
    await log.write(new TextEncoder().encode("three\n"));
    await world.tree.sh("printf 0 1<>torn; truncate -s 3 cut");
    assertEquals((await world.endpoint.release("batch")).stable, [0]);
  });

  test("a put takes no more of what was staged than it wants, and nothing that is too short", async (open) => {
    await using world = await World.open(open);
    await world.endpoint.prepare("batch", []);
    await world.tree.write(".psync/stage/batch/0", "one\ntwo\n");
    await world.tree.write(".psync/stage/batch/1", "one");
    const put = (name: string, id: number) => ({
      kind: "put" as const,
      path: p(name),
      expected: ABSENT,
      entry: fileEntry("one\n"),
      content: { kind: "staged" as const, batch: "batch", id },
      disposal: "drop" as const,
    });
    const results = await world.endpoint.commit({ transitions: [put("log", 0), put("short", 1)] });
    assertEquals(results.map(({ kind }) => kind), ["done", "gone"]);
    assertEquals([await world.tree.read("log"), await world.tree.exists("short")], ["one\n", false]);
  });
}

function partialSuite(test: RegisterTest): void {
  const requests = [7, 8, 9].map((id) => ({ id, path: p(`f${id}`), expected: ABSENT, incomingBytes: 1 }));
  const kept = (world: World) => world.tree.sh("cd .psync/partial && stat -c '%s %n' * 2>/dev/null || true");

  test("what an interrupted transfer left is given to the next one, whatever became of rsync", async (open) => {
    await using world = await World.open(open);
    await world.endpoint.prepare("b1", requests);
    await world.tree.sh(`cd .psync/stage/b1; mkdir .partial; head -c 2000000 /dev/zero >.partial/7
      head -c 3000000 /dev/zero >.7.Ab3dEf; head -c 2000000 /dev/zero >.8.xxxxxx; head -c 1000 /dev/zero >.partial/9
      ln -s /etc/passwd .partial/10; head -c 2000000 /dev/zero >.x.xxxxxx`);
    await world.endpoint.release("b1");
    assertEquals(await kept(world), "3000000 7\n2000000 8\n");
    await world.endpoint.prepare("b2", requests.slice(0, 1));
    assertEquals(await world.tree.sh("cd .psync/stage/b2/.partial; stat -c '%s %n' *"), "3000000 7\n");
    assertEquals(await kept(world), "2000000 8\n");
    // It was not finished this time either.
    await world.endpoint.release("b2");
    assertEquals(await kept(world), "3000000 7\n2000000 8\n");
  });

  test("what an interrupted transfer left of an edited file is given with what the live one has more", async (open) => {
    const live = "0123456789".repeat(300_000);
    await using world = await World.open(open, { shape: { f7: live } });
    let expected = await world.expected(p("f7"));
    const prepare = async (batch: string, incomingBytes: number) => {
      const [basis] = await world.endpoint.prepare(batch, [{ id: 7, path: p("f7"), expected, incomingBytes }]);
      return basis!.stamp;
    };
    const given = (batch: string) => world.tree.read(`.psync/stage/${batch}/.partial/7`);
    assert(await prepare("b1", live.length) !== null);
    await world.tree.sh("cd .psync/stage/b1; mkdir .partial; head -c 2000000 /dev/zero >.partial/7");
    await world.endpoint.release("b1");
    expected = await world.expected(p("f7"));
    const sent = "\0".repeat(2_000_000);
    // The new file is 1,000 bytes longer: what was sent may be so much ahead.
    assertEquals(await prepare("b2", live.length + 1_000), null);
    assertEquals(await given("b2"), sent + live.slice(2_000_000 - 1_000));
    await world.endpoint.release("b2");
    assertEquals(await kept(world), "3001000 7\n");
    // All of the live file is in it now.
    assertEquals(await prepare("b3", live.length + 1_000), null);
    assertEquals(await given("b3"), sent + live.slice(2_000_000 - 1_000));
    assertEquals(await world.tree.read("f7"), live);
  });

  test("what is left of a transfer goes for a better basis, and for room", async (open) => {
    const live = "live".repeat(20_000_000);
    await using world = await World.open(open, { shape: { f7: live } });
    const expected = await world.expected(p("f7"));
    await world.endpoint.prepare("b1", requests);
    await world.tree.sh(`cd .psync/stage/b1; mkdir .partial
      for i in 7 8; do head -c 2000000 /dev/zero >.partial/$i; done`);
    await world.endpoint.release("b1");
    await world.endpoint.prepare("b2", [{ id: 7, path: p("f7"), expected, incomingBytes: live.length }]);
    assertEquals([await world.tree.exists(".psync/stage/b2/.partial/7"), await kept(world)], [false, "2000000 8\n"]);
    await world.endpoint.release("b2");
    assert((await world.endpoint.space(1)).freeBytes > 0);
    assertEquals(await kept(world), "2000000 8\n");
    await world.endpoint.space(Number.MAX_SAFE_INTEGER);
    assertEquals(await kept(world), "");
  });
}

function prepareSuite(test: RegisterTest): void {
  test("prepare links what is live, a put takes what was staged, and nobody hears of it", async (open) => {
    await using world = await World.open(open, { shape: { f: "old content", g: "edited" } });
    const [f, g] = [await world.expected(p("f")), await world.expected(p("g"))];
    await world.tree.write("g", "edited by a user");
    const prepared = await world.endpoint.prepare("batch", [
      { id: 1, path: p("f"), expected: f, incomingBytes: 1 },
      { id: 2, path: p("g"), expected: g, incomingBytes: 1 },
      { id: 3, path: p("none"), expected: ABSENT, incomingBytes: 1 },
    ]);
    assertEquals(prepared.map(({ id, stamp }) => [id, stamp !== null]), [[1, true], [2, false], [3, false]]);
    assertEquals(await world.tree.read(".psync/basis/batch/1"), "old content");
    assertEquals(prepared[0]!.stamp, (await world.present(p("f"))).stamp);
    await world.tree.write(".psync/stage/batch/1", "new content of it");
    const done = await world.done({
      kind: "put",
      path: p("f"),
      expected: { kind: "file", stamp: prepared[0]!.stamp! },
      entry: fileEntry("new content of it"),
      content: { kind: "staged", batch: "batch", id: 1 },
      disposal: "drop",
    });
    assertEquals((await world.present(p("f"))).stamp, done.stamp);
    await world.endpoint.release("batch");
    assertEquals(await world.tree.read("f"), "new content of it");
    assertEquals([await world.tree.exists(".psync/stage/batch"), await world.tree.exists(".psync/basis/batch")], [
      false,
      false,
    ]);
    await world.quiet();
    assertEquals(world.log.of(p("f")), []);
  });

  test("release tells the new stamp of a basis that is still live, and which looks are older", async (open) => {
    await using world = await World.open(open, { shape: { f: "content" } });
    const { began: before } = await world.present(p("f"));
    const [prepared] = await world.endpoint.prepare("batch", [{
      id: 7,
      path: p("f"),
      expected: await world.expected(p("f")),
      incomingBytes: 1,
    }]);
    const { began: between } = await world.present(p("f"));
    const { stamps } = await world.endpoint.release("batch");
    const { stamp, began: after } = await world.present(p("f"));
    const times = [before, prepared!.ended, between, stamps[0]!.ended, after];
    assertEquals(times, times.toSorted((a, b) => a - b));
    assertEquals(new Set(times).size, times.length, "none at the same count");
    assertEquals(stamps, [{ id: 7, stamp, ended: stamps[0]!.ended }]);
    await world.done(putFile(p("f"), "new", { expected: { kind: "file", stamp: stamps[0]!.stamp! } }));
  });

  test("commit says that staged content is gone", async (open) => {
    await using world = await World.open(open);
    await world.endpoint.prepare("batch", [{ id: 1, path: p("f"), expected: ABSENT, incomingBytes: 1 }]);
    const entry = fileEntry("x");
    const content = { kind: "staged", batch: "batch", id: 1 } as const;
    const result = await world.commitOne({
      kind: "put",
      path: p("f"),
      expected: ABSENT,
      entry,
      content,
      disposal: "drop",
    });
    assertEquals(result.kind, "gone");
  });
}

function marksSuite(test: RegisterTest): void {
  test("open changes nothing in the root", async (open) => {
    await using world = await World.open(open);
    await world.tree.sh("rm -r .psync");
    await using other = await open(world.tree.path);
    await other.list([p("")]);
    await other.look([p("none")], LOOK);
    assertEquals(await world.tree.exists(".psync"), false);
  });

  test("adopt writes the marks for nobody else to read", async (open) => {
    await using world = await World.open(open);
    assertEquals(await world.tree.read(".psync/pair"), PAIR);
    assertEquals(await world.tree.read(".psync/lock"), lockOf(world.endpoint, 1));
    assertEquals(await world.tree.read(".psync/.gitignore"), "*\n");
    assertEquals((await world.tree.sh("stat -c %a .psync")).trim(), "700");
  });

  test("adopt refuses a root that somebody else was faster with", async (open) => {
    await using world = await World.open(open);
    await using second = await open(world.tree.path);
    assertEquals(second.facts.lock, lockOf(world.endpoint, 1));
    assertEquals([second.facts.pairMarker, second.facts.lockHolderLives], [PAIR, true]);
    const marks = { pair: PAIR, lock: lockOf(second, 2) };
    await assertRejects(() => second.adopt({ ...marks, oldLock: null }), SetupError);
    await assertRejects(() => second.adopt({ ...marks, oldLock: "another" }), SetupError);
    await world.done(putFile(p("f"), "still ours"));
  });

  test("an endpoint whose lock was taken over commits nothing more", async (open) => {
    await using world = await World.open(open);
    await using second = await open(world.tree.path);
    await second.adopt({ pair: PAIR, lock: lockOf(second, 2), oldLock: second.facts.lock });
    await assertRejects(() => world.commit(putFile(p("f"), "late")), SafetyHaltError);
    assertEquals(await world.tree.exists("f"), false);
    const [result] = await second.commit({ transitions: [putFile(p("f"), "new owner")] });
    assertEquals(result?.kind, "done");
    await world.endpoint.releaseLock();
    assertEquals(await world.tree.read(".psync/lock"), lockOf(second, 2));
  });

  test("adopt tells what an earlier life's links did to files that nobody has touched", async (open) => {
    await using world = await World.open(open, { shape: { same: "s", edited: "e", moved: "m" } });
    const names = ["same", "edited", "moved"];
    const before = await Promise.all(names.map((name) => world.expected(p(name))));
    const { stamp } = await world.present(p("same"));
    const requests = names.map((name, id) => ({ id, path: p(name), expected: before[id]!, incomingBytes: 1 }));
    assert((await world.endpoint.prepare("b", requests)).every((basis) => basis.stamp !== null));
    await world.tree.sh(
      "touch -r edited .at; echo E >edited; truncate -s 1 edited; touch -r .at edited; mv moved gone",
    );
    await using second = await open(world.tree.path);
    const { renewed } = await second.adopt({ pair: PAIR, lock: lockOf(second, 2), oldLock: second.facts.lock });
    const now = (await world.present(p("same"))).stamp;
    assertEquals(renewed, [{ path: p("same"), before: stamp, now }]);
    assertEquals(await world.tree.exists(".psync/basis/b"), false);
  });

  test("releaseLock gives the lock back", async (open) => {
    await using world = await World.open(open);
    await world.endpoint.releaseLock();
    assertEquals([await world.tree.exists(".psync/lock"), await world.tree.exists(".psync/pair")], [false, true]);
  });
}

function syncSuite(test: RegisterTest): void {
  test("sync drops what was displaced as expected", async (open) => {
    await using world = await World.open(open, { shape: { f: "old" } });
    await world.done(putFile(p("f"), "new", { expected: await world.expected(p("f")) }));
    assertEquals(await world.tree.sh("grep -rlx old .psync | wc -l"), "1\n");
    assertEquals(await world.endpoint.sync(), { kept: [] });
    assertEquals(await world.tree.sh("grep -rlx old .psync || true"), "");
    assertEquals(await world.tree.read("f"), "new");
  });

  test("sync keeps and tells what was written to after it was displaced", async (open) => {
    await using world = await World.open(open, { shape: { f: "old" } });
    await world.done(putFile(p("f"), "new", { expected: await world.expected(p("f")) }));
    await world.tree.sh('echo late >> "$(grep -rlx old .psync)"');
    const { kept } = await world.endpoint.sync({ contents: true });
    assertEquals(kept.map((place) => place.replace(/^[^/]*\.conflict\//, "")), ["f"]);
    assertEquals(await world.tree.read(`.psync/trash/${kept[0]}`), "oldlate\n");
    assertEquals(await world.endpoint.sync(), { kept: [] });
  });
}

function factsSuite(test: RegisterTest): void {
  test("facts describe the root and its host", async (open) => {
    await using world = await World.open(open, { shape: { f: "x" } });
    const { facts } = world.endpoint;
    const [inode, boot] = (await world.tree.sh("stat -c %i .; cat /proc/sys/kernel/random/boot_id")).trim().split("\n");
    assertEquals([facts.root, facts.rootInode, facts.bootId], [world.tree.path, BigInt(inode!), boot]);
    assertEquals([facts.isEmpty, facts.pairMarker, facts.lock], [false, null, null]);
    assertEquals(facts.isRootUser, Deno.uid() === 0);
    assert(facts.rsync === null || facts.rsync.startsWith("rsync  version"));
    assert(facts.ancestors.length >= 2);
    await using again = await open(`${world.tree.path}/../${world.tree.path.split("/").pop()}/`);
    assertEquals(again.facts.root, world.tree.path);
  });

  test("facts call a root empty that holds nothing but psync's own", async (open) => {
    await using world = await World.open(open);
    await using again = await open(world.tree.path);
    assertEquals(again.facts.isEmpty, true);
  });

  test("open refuses what is no directory", async (open) => {
    await using world = await World.open(open, { shape: { f: "x" } });
    await assertRejects(() => open(world.tree.at("none")), SetupError, "none");
    await assertRejects(() => open(world.tree.at("f")), SetupError, "/f");
  });

  test("owners are named where they are compared", async (open) => {
    await using world = await World.open(open, { shape: { f: "x" } });
    assertEquals((await world.present(p("f"))).entry.owner, null);
    await world.endpoint.setCompareOwners(true);
    const [user, group] = (await world.tree.sh("stat -c '%U %G' f")).trim().split(" ");
    assertEquals((await world.present(p("f"))).entry.owner, { user: user!, group: group! });
  });

  test("every method rejects once the endpoint is disposed of", async (open) => {
    await using world = await World.open(open);
    await world.endpoint[Symbol.asyncDispose]();
    await assertRejects(() => world.look(p("f")), EndpointLostError);
    await assertRejects(() => world.endpoint.list([p("")]), EndpointLostError);
    await assertRejects(() => world.commit(putFile(p("f"), "x")), EndpointLostError);
    await assertRejects(() => world.endpoint.sync(), EndpointLostError);
  });

  test("looks and commits may run at the same time", async (open) => {
    await using world = await World.open(open, { shape: { f: "x" } });
    const work = Array.from({ length: 50 }, async (_, i) => {
      await world.done(putFile(p(`f${i}`), `text ${i}`));
      assertEquals(contentOf(await world.look(p(`f${i}`))), `text ${i}`);
    });
    await Promise.all(work);
  });
}
