/**
 * Contract: `pack` and commits out of one: only what is as it was seen travels, and just as it is (I3).
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { ProtocolError } from "../../src/base/errors.ts";
import type { Endpoint, PackRequest } from "../../src/core/endpoint.ts";
import type { RelPath } from "../../src/core/path.ts";
import { ABSENT, fileEntry, LOOK, p, putFile, type RegisterTest, World } from "./world.ts";

/** Registers the tests of packs. */
export function packSuite(test: RegisterTest): void {
  readSuite(test);
  commitPackedSuite(test);
}

function readSuite(test: RegisterTest): void {
  test("pack brings the contents of small files, and their digests, as one piece", async (open) => {
    await using world = await World.open(open, { shape: { a: "one", d: { "b\n": "", c: "three!" } } });
    const paths = ["a", "d/b\n", "d/c"].map(p);
    const { digests, pieces } = await world.endpoint.pack(await requests(world.endpoint, paths));
    assertEquals(await textOf(pieces), "onethree!");
    const seen = await world.endpoint.look(paths, LOOK);
    assertEquals(
      digests,
      seen.map((one) => one.kind === "present" && one.entry.kind === "file" ? one.entry.digest : null),
    );
  });

  test("pack leaves out what is not as it was seen", async (open) => {
    await using world = await World.open(open, {
      shape: { a: "1", edited: "2", gone: "3", other: "4", d: {}, z: "5" },
    });
    const paths = ["a", "edited", "gone", "other", "d", "z"].map(p);
    const asked = await requests(world.endpoint, paths);
    await world.tree.write("edited", "two");
    await world.tree.sh("rm gone; cp -p other new; mv new other");
    const nowhere = [{ path: p("no/where"), stamp: asked[0]!.stamp }, { path: p("a/b"), stamp: asked[0]!.stamp }];
    const { digests, pieces } = await world.endpoint.pack([...asked, ...nowhere]);
    assertEquals(digests.map((digest) => digest !== null), [true, false, false, false, false, true, false, false]);
    assertEquals(await textOf(pieces), "15");
  });

  test("pack leaves out a file that somebody has open for writing", async (open) => {
    await using world = await World.open(open, { shape: { a: "1", f: "2" } });
    const asked = await requests(world.endpoint, ["a", "f"].map(p));
    using _writer = await Deno.open(world.tree.at("f"), { write: true });
    const { digests, pieces } = await world.endpoint.pack(asked);
    assertEquals([digests[0] !== null, digests[1], await textOf(pieces)], [true, null, "1"]);
  });

  test("pack refuses too much", async (open) => {
    await using world = await World.open(open, { shape: { a: "1" } });
    const [one] = await requests(world.endpoint, [p("a")]);
    const huge = { ...one!, stamp: { ...one!.stamp, sizeBytes: 3 << 20 } };
    await assertRejects(() => world.endpoint.pack([huge, huge]), ProtocolError, "too much");
  });
}

function commitPackedSuite(test: RegisterTest): void {
  test("commit takes contents out of a pack, wherever it is cut", async (open) => {
    await using world = await World.open(open, { shape: { there: "user's" } });
    const texts = ["first", "", "third", "x".repeat(300_000)];
    const bytes = new TextEncoder().encode(texts.join(""));
    const transitions = texts.map((text, i) => packed(p(`f${i}`), text));
    const pack = [bytes.subarray(0, 7), bytes.subarray(7)];
    const results = await world.endpoint.commit({ transitions, pack });
    assertEquals(results.map(({ kind }) => kind), texts.map(() => "done"));
    for (const [i, text] of texts.entries()) assertEquals(await world.tree.read(`f${i}`), text);
    // What is refused takes its part of the pack all the same.
    const again = await world.endpoint.commit({
      transitions: [packed(p("there"), "brain"), packed(p("new"), "content")],
      pack: [new TextEncoder().encode("braincontent")],
    });
    assertEquals(again.map(({ kind }) => kind), ["stale", "done"]);
    assertEquals([await world.tree.read("there"), await world.tree.read("new")], ["user's", "content"]);
  });

  test("a pack that does not fit its commit changes nothing", async (open) => {
    await using world = await World.open(open, { shape: { a: "1" } });
    for (const text of ["too short", "this one is far too long"]) {
      const commit = {
        transitions: [packed(p("f"), "just right"), putFile(p("g"), "g")],
        pack: [new TextEncoder().encode(text)],
      };
      await assertRejects(() => world.endpoint.commit(commit), ProtocolError);
      assertEquals(await world.tree.sh("ls"), "a\n");
    }
  });

  test("what a pack brought is not reported as a change", async (open) => {
    await using world = await World.open(open);
    await world.endpoint.list([p("")]);
    const transitions = Array.from({ length: 40 }, (_, i) => packed(p(`f${i}`), "content"));
    const pack = [new TextEncoder().encode("content".repeat(40))];
    const results = await world.endpoint.commit({ transitions, pack });
    assert(results.every(({ kind }) => kind === "done"));
    await world.tree.write("last", "a user's");
    await world.log.sawContent(p("last"), "a user's");
    assertEquals(world.log.observations.filter(({ path }) => path.startsWith("f")), []);
    await world.tree.write("f7", "edited");
    assertNotEquals(await world.log.sawContent(p("f7"), "edited"), null);
  });
}

/** A file that is made of the next bytes of a pack. */
export function packed(path: RelPath, text: string) {
  return {
    kind: "put" as const,
    path,
    expected: ABSENT,
    entry: { ...fileEntry(text), digest: null },
    content: { kind: "packed" as const },
    disposal: "drop" as const,
  };
}

/** Requests for what is at these paths now. */
export async function requests(endpoint: Endpoint, paths: readonly RelPath[]): Promise<PackRequest[]> {
  const seen = await endpoint.look(paths, LOOK);
  return seen.map((one) => {
    if (one.kind !== "present") throw new Error(`${one.path} is ${one.kind}`);
    return { path: one.path, stamp: one.stamp };
  });
}

function textOf(pieces: readonly Uint8Array[]): Promise<string> {
  return new Blob(pieces.map((piece) => piece.slice())).text();
}
