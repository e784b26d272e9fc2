/**
 * Contract: what `look` and `list` show.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ROOT } from "../../src/core/path.ts";
import { contentOf, LOOK, p, type RegisterTest, World } from "./world.ts";

const DIGEST_OF_HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/** Registers the tests of looks and listings. */
export function lookSuite(test: RegisterTest): void {
  kindSuite(test);
  contentSuite(test);
  listSuite(test);
}

function kindSuite(test: RegisterTest): void {
  test("look shows a file with its content, digest, mode and time", async (open) => {
    await using world = await World.open(open, {
      script: "printf hello > f; chmod 4751 f; touch -d '2023-11-14 22:13:20.123456789 UTC' f",
    });
    const { entry, stamp, content } = await world.present(p("f"));
    assertEquals(entry, {
      kind: "file",
      mode: 0o4751,
      owner: null,
      sizeBytes: 5,
      mtimeNs: 1_700_000_000_123_456_789n,
      digest: DIGEST_OF_HELLO,
    });
    assertEquals(new TextDecoder().decode(content!), "hello");
    const [inode, sizeBytes] = (await world.tree.sh("stat -c '%i %s' f")).trim().split(" ");
    assertEquals([stamp.inode, stamp.sizeBytes], [BigInt(inode!), Number(sizeBytes)]);
  });

  test("look tells present, absent, orphan, blocked and busy apart, in order", async (open) => {
    await using world = await World.open(open, {
      shape: { file: "f", dir: { sub: {} }, link: { link: "no/where" }, open: "o", toDir: { link: "dir" } },
      script: "mkfifo pipe",
    });
    using _writer = await Deno.open(world.tree.at("open"), { write: true });
    const paths = ["file", "dir", "link", "none", "none/below", "file/below", "toDir/sub", "pipe", "open", "dir/sub"];
    const observations = await world.endpoint.look(paths.map(p), LOOK);
    assertEquals(observations.map(({ kind, path }) => `${path} ${kind}`), [
      "file present",
      "dir present",
      "link present",
      "none absent",
      "none/below orphan",
      "file/below orphan",
      "toDir/sub orphan",
      "pipe blocked",
      "open busy",
      "dir/sub present",
    ]);
    const [, dir, link, , , , , pipe] = observations;
    assertEquals(dir?.kind === "present" && [dir.entry.kind, dir.content], ["dir", null]);
    assertEquals(link?.kind === "present" && link.entry.kind === "link" && link.entry.target, "no/where");
    assertEquals(pipe?.kind === "blocked" && [pipe.reason, pipe.detail], ["special", "FIFO"]);
  });
}

function contentSuite(test: RegisterTest): void {
  test("look reads content up to its limit, and digests above it where asked", async (open) => {
    await using world = await World.open(open, { shape: { f: "hello", empty: "" } });
    const look = async (contentLimitBytes: number, digests: boolean) => {
      const [found] = await world.endpoint.look([p("f")], { contentLimitBytes, digests });
      return found?.kind === "present" && found.entry.kind === "file" && [contentOf(found), found.entry.digest];
    };
    assertEquals(await look(5, false), ["hello", DIGEST_OF_HELLO]);
    assertEquals(await look(4, false), [undefined, null]);
    assertEquals(await look(4, true), [undefined, DIGEST_OF_HELLO]);
    assertEquals(contentOf(await world.present(p("empty"))), "");
  });

  test("look takes names that are not UTF-8, and every other hostile name", async (open) => {
    await using world = await World.open(open, {
      script: `printf 1 > "$(printf 'a\\377b')"; printf 2 > 'new
line'; printf 3 > '-rf'; printf 4 > "quote'\\"# *"; printf 5 > "$(printf 'x%.0s' $(seq 255))"`,
    });
    const names = ["a\udcffb", "new\nline", "-rf", `quote'"# *`, "x".repeat(255)];
    const found = await world.endpoint.look(names.map(p), LOOK);
    assertEquals(found.map(contentOf), ["1", "2", "3", "4", "5"]);
    const [listing] = await world.endpoint.list([ROOT]);
    assertEquals(listing?.kind === "listed" && listing.entries.map(({ path }) => path as string).sort(), names.sort());
  });

  test("look answers for thousands of paths, in order", async (open) => {
    await using world = await World.open(open, { script: "for i in $(seq 0 2 2999); do printf $i > f$i; done" });
    const paths = Array.from({ length: 3_000 }, (_, i) => p(`f${i}`));
    const found = await world.endpoint.look(paths, LOOK);
    assertEquals(found.map(({ path }) => path), paths);
    assert(found.every((each, i) => i % 2 === 0 ? contentOf(each) === `${i}` : each.kind === "absent"));
  });

  test("look returns more content than one record holds", async (open) => {
    await using world = await World.open(open, {
      script: "for i in 1 2 3 4 5 6 7 8; do head -c 1048576 /dev/zero > $i; done",
    });
    const paths = Array.from({ length: 24 }, (_, i) => p(`${i % 8 + 1}`));
    const found = await world.endpoint.look(paths, { contentLimitBytes: 1 << 20, digests: false });
    assertEquals(found.map((each) => each.kind === "present" && each.content?.length), paths.map(() => 1 << 20));
  });

  test("look rejects with the reason of its signal", async (open) => {
    await using world = await World.open(open);
    const reason = new Error("enough");
    const rejected = await world.endpoint.look([p("f")], { ...LOOK, signal: AbortSignal.abort(reason) })
      .then(() => null, (error) => error);
    assertEquals(rejected, reason);
  });
}

function listSuite(test: RegisterTest): void {
  test("list shows a directory sorted by bytes, without psync's own", async (open) => {
    await using world = await World.open(open, {
      shape: { b: "1", a: {}, "a.b": "2", "é": "3", Z: { link: "a" }, "x.psync.ignore": "4" },
      script: "mkfifo pipe",
    });
    const [listing] = await world.endpoint.list([ROOT]);
    assert(listing?.kind === "listed");
    assertEquals(listing.entries.map(({ path, kind }) => `${path} ${kind}`), [
      "Z present",
      "a present",
      "a.b present",
      "b present",
      "pipe blocked",
      "é present",
    ]);
    assertEquals([listing.self.kind, listing.isWatched, listing.hasIgnored], ["present", true, true]);
    assert(listing.entries.every((each) => each.kind !== "present" || each.content === null));
  });

  test("list proves nothing of what is no directory", async (open) => {
    await using world = await World.open(open, { shape: { file: "f", dir: { in: "x" }, link: { link: "dir" } } });
    const listings = await world.endpoint.list(["none", "none/below", "file", "link", "dir"].map(p));
    assertEquals(listings.map(({ kind, path, self }) => `${path} ${kind} ${self.kind}`), [
      "none unlisted absent",
      "none/below unlisted orphan",
      "file unlisted present",
      "link unlisted present",
      "dir listed present",
    ]);
  });

  test("list leaves excluded names out and says so", async (open) => {
    await using world = await World.open(open, {
      shape: { keep: "1", "skip.tmp": "2", cache: { inner: "3" } },
      excludes: ["\\.TMP$", "^/cache$"],
    });
    const [listing] = await world.endpoint.list([ROOT]);
    assert(listing?.kind === "listed");
    assertEquals([listing.entries.map(({ path }) => path as string), listing.hasIgnored], [["keep"], true]);
  });

  test("list watches before it lists", async (open) => {
    await using world = await World.open(open, { shape: { dir: {} } });
    await world.tree.write("dir/f", "seen");
    await world.log.sawContent(p("dir/f"), "seen");
  });

  test("list shows a large directory whole", async (open) => {
    await using world = await World.open(open, { script: "seq -f 'name-%06g' 20000 | xargs touch" });
    const [listing] = await world.endpoint.list([ROOT]);
    assert(listing?.kind === "listed");
    assertEquals(listing.entries.length, 20_000);
    assertEquals(listing.entries[19_999]!.path as string, "name-020000");
  });
}
