import { assertEquals } from "@std/assert";
import { absent, at, type PairParts, pairParts } from "../../tests/support/brain.ts";
import { dir, file, row } from "../../tests/support/entries.ts";
import type { RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { Absences } from "./absences.ts";

interface Made extends PairParts {
  readonly absences: Absences;
  /** What was looked at, as `side path`. */
  readonly looked: string[];
}

/** Knows `d` with `count` files, and `other`; what scans say of renames comes in `whileQuiet`. */
function make(count: number, given: { run?: number; force?: boolean; whileQuiet?: (made: Made) => void } = {}): Made {
  const { run = 1, force = false } = given;
  const parts = pairParts({ settings: { force, skipInitialSync: false, followsLinks: false, run } });
  const { archive, context } = parts;
  archive.transact(() => {
    archive.put(at("d"), row(dir()));
    for (let i = 0; i < count; i++) archive.put(at(`d/f${i}`), row(file("a")));
    archive.put(at("other"), row(file("b")));
  });
  const looked: string[] = [];
  for (const side of ["left", "right"] as const) {
    parts[side].look = (paths) => {
      looked.push(...paths.map((path) => `${side} ${path}`));
      return Promise.resolve(paths.map((path) => absent(path)));
    };
  }
  const made: Made = {
    ...parts,
    looked,
    absences: new Absences(context, () => Promise.resolve(given.whileQuiet?.(made))),
  };
  return made;
}

const held = ({ archive }: Made): [Side, readonly RelPath[]][] =>
  archive.holds().map(({ side, paths }) => [side, paths]);
const notices = ({ told }: Made) =>
  told.filter(({ name }) => name === "notice").map(({ what }) => (what as { kind: string }).kind);

Deno.test("Absences looks at each missing path itself, on the side where it is missing (I1)", async () => {
  const made = make(5);
  made.absences.note("left", at("d/f1"));
  made.absences.note("right", at("other"));
  await made.absences.judge({ brake: true });
  assertEquals(made.looked, ["left d/f1", "right other"]);
  assertEquals([...made.context.board.paths()].sort(), ["d/f1", "other"]);
  assertEquals(held(made), []);
  await made.absences.judge({ brake: true });
  assertEquals(made.looked.length, 2, "judged once");
});

Deno.test("Absences looks at both sides of what is gone from both", async () => {
  const made = make(1);
  made.absences.gone(at("d"));
  await made.absences.judge({ brake: true });
  assertEquals(made.looked, ["left d", "right d"]);
});

Deno.test("Absences holds what is too much, counted with what is below, and lets the rest of a scan be", async () => {
  const made = make(120);
  made.absences.note("left", at("d"));
  made.absences.gone(at("other"));
  await made.absences.judge({ brake: true });
  assertEquals(held(made), [["right", [at("d")]]]);
  assertEquals(made.looked, ["left other", "right other"]);
  assertEquals(made.told.find(({ name }) => name === "held")?.what, {
    id: 1,
    side: "right",
    count: 121,
    sample: [at("d")],
  });
});

Deno.test("Absences holds nothing after an overflow, and nothing that a rename explains", async () => {
  const overflow = make(120);
  overflow.absences.note("left", at("d"));
  await overflow.absences.judge({ brake: false });
  assertEquals([held(overflow), overflow.looked], [[], ["left d"]]);
  const renamed = make(120, {
    whileQuiet: ({ archive }) => archive.transact(() => archive.move(at("d"), at("e"))),
  });
  renamed.absences.note("left", at("d"));
  await renamed.absences.judge({ brake: true });
  assertEquals([held(renamed), renamed.looked], [[], []]);
});

Deno.test("Absences leaves alone what is held, in the same run and the next, until the hold is void", async () => {
  const made = make(120);
  for (const brake of [true, false, true]) {
    made.absences.note("left", at("d"));
    await made.absences.judge({ brake });
  }
  assertEquals([held(made), made.looked], [[["right", [at("d")]]], []]);
  await made.absences.judge({ brake: true });
  assertEquals([held(made), notices(made)], [[], ["hold-gone"]]);
});

Deno.test("Absences releases with --force what an earlier run held, and nothing of this run", async () => {
  for (const [heldBy, looked] of [[1, ["left d"]], [2, []]] as const) {
    const made = make(120, { run: 2, force: true });
    made.archive.transact(() => made.archive.addHold({ run: heldBy, atMs: 0, side: "right", paths: [at("d")] }));
    made.absences.note("left", at("d"));
    await made.absences.judge({ brake: true });
    assertEquals(made.looked, [...looked], `held by run ${heldBy}`);
    assertEquals(held(made).length, heldBy === 1 ? 0 : 1);
  }
});
