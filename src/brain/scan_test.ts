// What a scan asks for, and what it lists: nothing of what both sides show as the archive has it.
import { assertEquals } from "@std/assert";
import { at, type PairParts, pairParts, present } from "../../tests/support/brain.ts";
import { dir, file, newStamp, row } from "../../tests/support/entries.ts";
import type { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { compileIgnore, NO_RULES } from "../core/ignore.ts";
import type { DirClaim, Listing } from "../core/endpoint.ts";
import { isBelow, parentOf, type RelPath, ROOT } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { Absences } from "./absences.ts";
import { Scanner } from "./scan.ts";
import { WANTED_CHARS_MAX } from "./wanted_dirs.ts";

const SIDES = ["left", "right"] as const;

interface Made extends PairParts {
  readonly scanner: Scanner;
  /** The directories that were asked about, and that were listed, on each side. */
  readonly verified: Record<Side, RelPath[]>;
  readonly listed: Record<Side, RelPath[]>;
  /** How many requests were made, of both sides together. */
  readonly requests: { verify: number; list: number };
}

/** What both sides show is what the archive says, but for directories in `different`. */
function make(given: {
  readonly different?: Partial<Record<Side, readonly string[]>>;
  readonly excludes?: readonly string[];
  readonly whileVerifying?: (archive: MemoryArchive) => void;
  readonly skipInitialSync?: boolean;
} = {}): Made {
  const ignore = compileIgnore({ ...NO_RULES, excludes: given.excludes ?? [] });
  const { skipInitialSync = false } = given;
  const parts = pairParts({ ignore, settings: { force: false, skipInitialSync, followsLinks: false, run: 1 } });
  const { archive, context } = parts;
  const verified: Made["verified"] = { left: [], right: [] };
  const listed: Made["listed"] = { left: [], right: [] };
  const requests = { verify: 0, list: 0 };
  archive.transact(() => {
    for (const path of ["d", "d/e", "d/e/deep", "o"]) archive.put(at(path), row(dir()));
    for (const path of ["f", "d/f", "d/e/f", "d/e/deep/f", "o/f"]) archive.put(at(path), row(file("a")));
  });
  for (const side of SIDES) {
    parts[side].verify = (key: string, claims: readonly DirClaim[]) => {
      assertEquals(key, archive.sumKey);
      requests.verify++;
      verified[side].push(...claims.map(({ path }) => path));
      if (side === "right") given.whileVerifying?.(archive);
      return Promise.resolve(claims.map(({ path }) => given.different?.[side]?.includes(path) !== true));
    };
    parts[side].list = (dirs) => {
      listed[side].push(...dirs);
      requests.list++;
      return Promise.resolve(dirs.map((path) => listingOf(archive, path, side)));
    };
  }
  const scanner = new Scanner(context, new Absences(context, () => Promise.resolve()), () => Promise.resolve());
  return { ...parts, scanner, verified, listed, requests };
}

function listingOf(archive: MemoryArchive, path: RelPath, side: Side): Listing {
  const own = archive.get(path);
  const entries = [...archive.below(ROOT)].filter((each) => parentOf(each.path) === path)
    .map((each) => present(each.path, each.row.entry, { stamp: each.row[side] }))
    .sort((a, b) => a.path < b.path ? -1 : 1);
  const self = own === null ? present(path, dir()) : present(path, own.entry, { stamp: own[side] });
  return { kind: "listed", path, self, entries, began: 1, isWatched: true, hasIgnored: false };
}

const ALL = ["", "d", "d/e", "d/e/deep", "o"];

Deno.test("a scan lists nothing where both sides are as the archive says, and asks about every directory", async () => {
  const made = make();
  await made.scanner.runFirst();
  for (const side of SIDES) {
    assertEquals(made.verified[side].toSorted(), ALL.map(at));
    assertEquals(made.listed[side], []);
  }
  assertEquals([made.scanner.dirs, made.scanner.entries, made.context.board.size], [5, 9, 0]);
});

Deno.test("a scan lists on both sides what differs on one, and goes on below it", async () => {
  const made = make({ different: { right: ["d"] } });
  await made.scanner.runFirst();
  for (const side of SIDES) {
    assertEquals(made.verified[side].toSorted(), ALL.map(at));
    assertEquals(made.listed[side], [at("d")]);
  }
  assertEquals([made.scanner.dirs, made.scanner.entries], [5, 9]);
});

Deno.test("a scan lists a directory whose rows changed while the sides were asked", async () => {
  const made = make({ whileVerifying: (archive) => archive.transact(() => archive.put(at("o/f"), row(file("b")))) });
  await made.scanner.runFirst();
  assertEquals(made.listed.left, [at("o")]);
});

Deno.test("a scan lists a directory whose own row changed while the sides were asked", async () => {
  let asked = 0;
  const mode = (archive: MemoryArchive) =>
    archive.transact(() => {
      const { left, right } = archive.get(at("o"))!;
      archive.put(at("o"), { entry: dir({ mode: 0o700 + ++asked }), left, right });
    });
  const made = make({ whileVerifying: mode });
  await made.scanner.runFirst();
  assertEquals(made.listed.left, [at("o")]);
});

Deno.test("a scan lists what has no sum, forgets what is ignored there, and sums it up", async () => {
  const made = make({ excludes: ["^/d/e$"] });
  made.archive.transact(() => made.archive.dropSums());
  await made.scanner.runFirst();
  assertEquals(made.verified.left, []);
  assertEquals(made.listed.left.filter((path) => !isBelow(path, at("d/e"))).toSorted(), ["", "d", "d/e", "o"].map(at));
  assertEquals(made.archive.get(at("d/e")), null);
  for (const path of ["", "d", "o"]) assertEquals(made.archive.dirState(at(path))?.sums !== null, true, path);
  await made.scanner.runFirst();
  assertEquals(made.verified.left.toSorted(), ["", "d", "o"].map(at));
});

Deno.test("directories that are asked for one by one are asked about and listed many at once, each of them once", async () => {
  const dirs = Array.from({ length: 160 }, (_, i) => `many/${i}`);
  const made = make({ different: { left: dirs } });
  made.archive.transact(() => {
    for (const path of ["many", ...dirs]) made.archive.put(at(path), row(dir()));
  });
  await made.scanner.runFirst();
  for (const side of SIDES) made.listed[side].length = 0;
  made.requests.verify = made.requests.list = 0;
  for (const path of dirs) made.scanner.request(at(path));
  for (const path of ["d/e/deep", "d/e", "d/e/deep"]) made.scanner.request(at(path));
  await made.scanner.idle();
  for (const side of SIDES) assertEquals(made.listed[side].toSorted(), dirs.map(at).toSorted());
  assertEquals(made.verified.left.filter((path) => path === at("d/e/deep")).length, 2, "at first, and below d/e");
  // A request takes 1,024 directories to ask about, and 16 to list; the first one that was asked for went alone.
  assertEquals([made.requests.verify <= 2 * 4, made.requests.list <= 2 * (160 / 16 + 3)], [true, true]);
});

Deno.test("a crowd is listed on its side alone, and of what is below what is new; what is missing is looked at", async () => {
  const made = make();
  await made.scanner.runFirst();
  const { archive, context } = made;
  const shown = [...archive.below(ROOT)].find(({ path }) => path === at("o/f"))!;
  // The left shows another file and a directory in "o", and not what is in flight or was told there.
  made.left.list = (dirs) => {
    made.listed.left.push(...dirs);
    return Promise.resolve(dirs.map((path): Listing => {
      const listing = listingOf(archive, path, "left");
      const news = path === at("o") ? [present("o/n", dir())] : [];
      return listing.kind === "listed" ? { ...listing, entries: news } : listing;
    }));
  };
  context.flights.begin({ path: at("o/flying"), shown: null, sinceMs: null });
  context.board.add("left", present("o/told", file("a")), { isLive: true });
  made.scanner.crowd("left", at("o"));
  await made.scanner.idle();
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assertEquals(made.listed, { left: [at("o"), at("o/n")], right: [] });
  const looked = made.left.asked.flatMap(({ name, what }) =>
    name === "look" ? (what as { paths: RelPath[] }).paths : []
  );
  assertEquals(looked.toSorted(), [shown.path, at("o/flying"), at("o/told")]);
  assertEquals(made.right.asked.filter(({ name }) => name === "look"), []);
});

/** Of many files in `m` only what is in `there` is on the left; much happens in `m` while the first walk goes on. */
function makeMissing(there: readonly string[]) {
  let onVerify = () => {};
  const made = make({ whileVerifying: () => onVerify(), different: { left: ["m"] } });
  const { archive, context } = made;
  const names = Array.from({ length: 300 }, (_, i) => `f${i}`);
  archive.transact(() => {
    archive.put(at("m"), row(dir()));
    for (const name of names) archive.put(at(`m/${name}`), row(file("a")));
  });
  const { list } = made.left;
  made.left.list = async (dirs) => {
    const isThere = ({ path }: { path: RelPath }) =>
      parentOf(path) !== at("m") || there.some((one) => path === at(one));
    return (await list.call(made.left, dirs)).map((listing) =>
      listing.kind === "listed" ? { ...listing, entries: listing.entries.filter(isThere) } : listing
    );
  };
  const looked: RelPath[] = [];
  context.looks.left.want = ({ path }) => void looked.push(path);
  onVerify = () => made.scanner.crowd("left", at("m"));
  return { ...made, looked };
}

Deno.test("what a crowded directory missed before the first walk came there is braked as ever, and stays held", async () => {
  const { scanner, archive, looked, listed } = makeMissing([]);
  await scanner.runFirst();
  await scanner.idle();
  assertEquals(archive.holds().map(({ side, paths }) => [side, paths.length]), [["right", 300]]);
  listed.left.length = 0;
  scanner.crowd("left", at("m"));
  await scanner.idle();
  assertEquals([looked, listed.left], [[], [at("m")]]);
});

Deno.test("what a crowded directory misses is looked at without brakes where the first walk had seen it", async () => {
  const there: string[] = Array.from({ length: 300 }, (_, i) => `m/f${i}`);
  const { scanner, archive, looked, listed } = makeMissing(there);
  const running = scanner.runFirst();
  while (!listed.left.includes(at("m"))) await Promise.resolve();
  await running;
  there.splice(0);
  scanner.crowd("left", at("m"));
  await scanner.idle();
  assertEquals([looked.length, archive.holds()], [300, []]);
});

Deno.test("what neither side shows of a directory that is crowded on both is looked at on both", async () => {
  const made = make();
  const { context, scanner } = made;
  const looked: string[] = [];
  for (const side of SIDES) {
    context.looks[side].want = ({ path }) => void looked.push(`${side} ${path}`);
    const { list } = made[side];
    made[side].list = async (dirs) =>
      (await list.call(made[side], dirs)).map((listing) => {
        return listing.kind === "listed" && listing.path === at("o") ? { ...listing, entries: [] } : listing;
      });
  }
  await scanner.runFirst();
  for (const side of SIDES) scanner.crowd(side, at("o"));
  await scanner.idle();
  assertEquals([...new Set(looked)].sort(), ["left o/f", "right o/f"]);
});

Deno.test("a crowd leaves alone what -k left alone, until somebody touches that", async () => {
  const made = make({ skipInitialSync: true, different: { left: ["o"] } });
  const { clock, context, scanner } = made;
  const stampAt = (ctimeNs: bigint) => ({ stamp: { ...newStamp(file("l")), ctimeNs } });
  const [untouched, touched] = [stampAt(1n), stampAt(BigInt(clock.wallMs()) * 1_000_000n)];
  let isTouched = false;
  for (const side of SIDES) {
    const { list } = made[side];
    made[side].list = async (dirs) =>
      (await list.call(made[side], dirs)).map((listing) => {
        if (listing.kind !== "listed" || listing.path !== at("o")) return listing;
        const y = present("o/y", file(side), side === "left" && isTouched ? touched : untouched);
        return { ...listing, entries: [...listing.entries, present("o/x", file(side), untouched), y] };
      });
  }
  const running = scanner.runFirst();
  scanner.crowd("left", at("o"));
  await running;
  await scanner.idle();
  const skipped = () => ["o/x", "o/y"].map((path) => context.status.problems.get(at(path))?.reason);
  assertEquals([skipped(), [...context.board.paths()]], [["skipped", "skipped"], []]);
  isTouched = true;
  scanner.crowd("left", at("o"));
  await scanner.idle();
  assertEquals([...context.board.paths()], [at("o/y")]);
});

Deno.test("crowds that are ignored are not listed, and too many of them are one walk through everything", async () => {
  const made = make({ excludes: ["^/d/e$"] });
  await made.scanner.runFirst();
  for (const side of SIDES) for (const asked of [made.listed, made.verified]) asked[side].length = 0;
  for (const path of ["d/e", "d/e/deep"]) made.scanner.crowd("right", at(path));
  await made.scanner.idle();
  assertEquals([made.listed.right, made.verified.right], [[], []]);
  made.scanner.request(at("o"));
  for (let i = 0; i <= 20_000; i++) made.scanner.crowd("right", at(`new/${i}`));
  await made.scanner.idle();
  assertEquals([made.listed.right, made.verified.right.includes(ROOT)], [[], true]);
});

Deno.test("a scan of very many directories that were asked for is one walk through everything", async () => {
  const made = make();
  await made.scanner.runFirst();
  for (const asked of [made.listed, made.verified]) for (const side of SIDES) asked[side].length = 0;
  for (let i = 0; i < WANTED_CHARS_MAX / 100; i++) made.scanner.request(at(`new/${i}/${"n".repeat(100)}`));
  await made.scanner.idle();
  assertEquals([made.listed.right, made.verified.right.toSorted()], [
    [],
    ALL.map(at),
  ]);
});

Deno.test("a scan tells what a directory without a row shows when it is listed itself, where it is on its way", async () => {
  const made = make();
  for (const side of SIDES) {
    // Its mode is set on the left when its parent was listed.
    const stamp = newStamp(dir());
    const shown = (mode: number) => present(at("new"), dir({ mode }), { stamp });
    made[side].list = (dirs) =>
      Promise.resolve(dirs.map((path): Listing => {
        const self = path === ROOT ? present(ROOT, dir()) : shown(side === "left" ? 0o700 : 0o755);
        const entries = path === ROOT ? [shown(0o755)] : [];
        return { kind: "listed", path, self, entries, began: 1, isWatched: true, hasIgnored: false };
      }));
  }
  made.archive.transact(() => made.archive.remove(at("o")));
  made.archive.transact(() => made.archive.dropSums());
  await made.scanner.runFirst();
  const seen = made.context.board.peek(at("new"))?.left?.observation;
  assertEquals(seen?.kind === "present" && seen.entry.mode, 0o700);
});
