import { assert, assertEquals } from "@std/assert";
import { at, pairParts, present } from "../../tests/support/brain.ts";
import { dir, file, newStamp } from "../../tests/support/entries.ts";
import type { Listing } from "../core/endpoint.ts";
import type { PresentObservation } from "../core/observation.ts";
import { ROOT } from "../core/path.ts";
import type { CommitBatch, TransitionResult } from "../core/transition.ts";
import { BundleLane } from "./bundles.ts";
import { BUNDLE_SLOTS, LANE_SLOTS } from "./intents.ts";
import type { MergedName } from "./merge.ts";

/** A lane from left to right that records what it asks of both sides. */
function make() {
  const parts = pairParts();
  const packed: string[][] = [];
  const committed: CommitBatch[] = [];
  const left = new Set<string>();
  let results: TransitionResult["kind"] = "done";
  parts.left.pack = (requests) => {
    packed.push(requests.map(({ path }) => path));
    const digests = requests.map(({ path }) => left.has(path) ? null : "a".repeat(64));
    return Promise.resolve({
      digests,
      carried: null,
      pieces: [new Uint8Array(digests.filter((one) => one !== null).length)],
    });
  };
  parts.right.commit = (batch) => {
    committed.push(batch);
    const result = results === "done"
      ? { kind: results, stamp: newStamp(file("x")), kept: null, masked: false, ended: 9 } as const
      : { kind: results, kept: null, ended: 9 } as TransitionResult;
    return Promise.resolve(batch.transitions.map(() => result));
  };
  const lane = new BundleLane({ ...parts.context, findsRenames: () => true }, "left");
  const offer = (seen: PresentObservation, changes: Partial<MergedName> = {}) =>
    lane.offer({ path: seen.path, row: null, left: seen, right: null, ...changes });
  const settle = async () => {
    lane.flush();
    for (let i = 0; i < 50; i++) await Promise.resolve();
  };
  const paths = () => committed.map(({ transitions }) => transitions.map((one) => "path" in one ? one.path : ""));
  return {
    ...parts,
    lane,
    offer,
    settle,
    packed,
    committed,
    paths,
    leaveOut: left,
    answer: (kind: typeof results) => results = kind,
  };
}

/** A directory as its own listing shows it. */
function listing(path: string): Listing {
  const self = present(path, dir());
  return { kind: "listed", path: at(path), self, entries: [], began: 1, isWatched: true, hasIgnored: false };
}

/** A file as a listing shows it: its content is not known. */
function listed(path: string, text = "x"): PresentObservation {
  const entry = { ...file(text), digest: null };
  return present(path, entry, { stamp: newStamp(entry) });
}

Deno.test("BundleLane makes new files by one pack and one commit, and records them with their digests", async () => {
  const { offer, settle, packed, committed, paths, archive, context } = make();
  for (const path of ["a", "b", "c"]) assert(offer(listed(path)));
  assertEquals([...context.flights.paths()], [at("a"), at("b"), at("c")], "nobody else may work on them");
  await settle();
  assertEquals([packed, paths()], [[["a", "b", "c"]], [[at("a"), at("b"), at("c")]]]);
  const [first] = committed[0]!.transitions;
  assert(first?.kind === "put" && first.expected.kind === "absent" && first.content?.kind === "packed");
  const row = archive.get(at("b"));
  assert(row?.entry.kind === "file" && row.entry.digest === "a".repeat(64));
  assertEquals([context.flights.size, context.status.totalFiles, context.sources.has("left")], [0, 3, true]);
});

Deno.test("BundleLane makes a directory with what is in it, once the scan has come there", async () => {
  const { lane, offer, settle, paths, archive } = make();
  assert(offer(present("d", dir())));
  await settle();
  assertEquals(paths(), []);
  lane.enter(at("d"), listing("d"));
  assert(offer(listed("d/f"), { right: undefined }));
  await settle();
  assertEquals(paths(), [[at("d"), at("d/f")]]);
  assertEquals([archive.isDir(at("d")), archive.get(at("d/f")) !== null], [true, true]);
});

Deno.test("BundleLane looks at both sides where a file was not as it was listed, or where something was in its way", async () => {
  for (const isRefused of [false, true]) {
    const { offer, settle, leaveOut, answer, archive, context, left, right } = make();
    if (isRefused) answer("stale");
    else leaveOut.add("f");
    assert(offer(listed("f")));
    await settle();
    const looks = (endpoint: typeof left) => endpoint.asked.filter(({ name }) => name === "look").length;
    assertEquals([looks(left), looks(right)], [1, 1]);
    assertEquals([archive.get(at("f")), context.flights.size], [null, 0]);
  }
});

Deno.test("BundleLane leaves to others what may be more than a new file", () => {
  const { offer, context, archive } = make();
  const known = listed("new name");
  archive.transact(() =>
    archive.put(at("old name"), { entry: file("x"), left: known.stamp, right: newStamp(file("x")) })
  );
  const large = listed("large");
  const isTaken = {
    "a file in a directory that nobody knows": offer(listed("d/f")),
    "a path that the archive knows": offer(listed("old name"), { row: archive.get(at("old name")) }),
    "a path where the other side has something": offer(listed("both"), { right: listed("both") }),
    "a large file": offer({ ...large, entry: { ...large.entry, sizeBytes: 100_000 } as typeof large.entry }),
    "a known object under a new name": offer(known),
  };
  context.board.add("left", listed("news"), { isLive: true });
  context.flights.begin({ path: at("flying"), shown: null, sinceMs: null });
  const later = { news: offer(listed("news")), flying: offer(listed("flying")), below: offer(listed("flying/f")) };
  assertEquals(Object.entries({ ...isTaken, ...later }).filter(([, taken]) => taken), []);
});

Deno.test("BundleLane makes the directories of other bundles first, and lets the scan wait while too much waits", async () => {
  const { lane, offer, settle, paths, right } = make();
  const gate = Promise.withResolvers<void>();
  const commit = right.commit;
  right.commit = async (batch) => {
    await gate.promise;
    return await commit(batch);
  };
  assert(offer(present("d", dir())));
  lane.enter(at("d"), listing("d"));
  lane.flush();
  for (let i = 0; !lane.isFull; i++) assert(offer(listed(`d/f${i}`, "x".repeat(40_000)), { right: undefined }));
  let hasRoom = false;
  const room = lane.room().then(() => hasRoom = true);
  await settle();
  assertEquals([hasRoom, paths()], [false, []]);
  gate.resolve();
  await room;
  await settle();
  assertEquals(paths()[0], [at("d")]);
  assertEquals(lane.isFull, false);
});

Deno.test("BundleLane leaves a directory to others that the archive has come to know, and its flights hold up nobody", async () => {
  const { lane, offer, settle, paths, archive, context } = make();
  assert(offer(present("d", dir())));
  archive.transact(() => archive.put(at("d"), { entry: dir(), left: newStamp(dir()), right: newStamp(dir()) }));
  lane.enter(at("d"), listing("d"));
  assertEquals([...context.board.paths()], [at("d")]);
  assert(offer(listed("f")));
  assertEquals([context.flights.size, context.flights.quickCount], [1, 0]);
  await settle();
  assertEquals([paths(), context.flights.size, context.flights.quickCount], [[[at("f")]], 0, 0]);
});

Deno.test("BundleLane writes down what it is about to make, and takes it back with the records", async () => {
  const { offer, settle, archive, right } = make();
  const slot = `intent.right.${LANE_SLOTS + BUNDLE_SLOTS - 1}`;
  let during = "";
  const commit = right.commit;
  right.commit = async (batch) => {
    during = archive.meta(slot) ?? "";
    return await commit(batch);
  };
  assert(offer(listed("f\n\udcff")));
  await settle();
  assert(during.includes("udcff"));
  assertEquals(archive.meta(slot), null);
});

Deno.test("BundleLane has nothing to do with the root", () => {
  const { lane } = make();
  lane.enter(ROOT, undefined);
  lane.exit();
});

Deno.test("BundleLane brings a changed file in a bundle, in the place of what the archive says is there", async () => {
  const { offer, settle, committed, archive } = make();
  const known = { entry: file("old"), left: newStamp(file("old")), right: newStamp(file("old")) };
  archive.transact(() => archive.put(at("f"), known));
  const changed = listed("f", "changed");
  assert(offer(changed, { row: archive.get(at("f")), right: undefined }));
  assert(offer(changed, { row: archive.get(at("f")), right: undefined }), "the same again is on its way");
  await settle();
  const [first] = committed[0]!.transitions;
  assertEquals(committed.map(({ transitions }) => transitions.length), [1]);
  assert(first?.kind === "put" && first.content?.kind === "packed");
  assertEquals([first.expected, first.disposal], [{ kind: "file", stamp: known.right }, "drop"]);
  const row = archive.get(at("f"));
  assert(row?.entry.kind === "file" && row.entry.digest === "a".repeat(64));
  assertEquals(row.left, changed.stamp);
});

Deno.test("BundleLane leaves to others a file that is changed on both sides, or of which the metadata alone is", () => {
  const { offer, archive } = make();
  const entry = file("old");
  const known = { entry, left: newStamp(entry), right: newStamp(entry) };
  archive.transact(() => archive.put(at("f"), known));
  const row = archive.get(at("f"));
  assert(!offer(listed("f", "changed"), { row, right: listed("f", "changed, too") }));
  assert(!offer(listed("f", "changed"), { row, right: null }));
  const touched = { ...entry, digest: null, mode: 0o600 };
  const stamp = { ...known.left, ctimeNs: known.left.ctimeNs + 1n };
  assert(!offer(present("f", touched, { stamp }), { row, right: undefined }));
  assert(offer(listed("f", "changed"), { row, right: present("f", entry, { stamp: known.right }) }));
});
