// Every combination of what the archive says, what each side really holds, and how much of it was
// read; then many more at random. The truth is a small world, so that nothing is believed that the
// reconciler says about itself.
import { assert, assertEquals } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { digestOf, dir, file, laterStamp, link, newStamp, T0_NS } from "../../tests/support/entries.ts";
import type { ArchiveRow } from "./archive.ts";
import { type Entry, sameEntry, type Stamp } from "./entry.ts";
import { otherSide, type Side } from "./problem.ts";
import {
  type Decision,
  explain,
  type Later,
  reconcile,
  type ReconcileInput,
  type Step,
  type View,
} from "./reconcile.ts";
import { RULES } from "./rules.ts";

const SIDES: readonly Side[] = ["left", "right"];
const LATERS: readonly Later[] = ["left", "right", "unknown"];

/** What really lies at the path of one side: the entry with its true digest. */
interface Thing {
  readonly entry: Entry;
  readonly stamp: Stamp;
}

type Truth = Thing | null;

/** How one side came to be what it is, and what the brain knows of it. */
interface Story {
  readonly name: string;
  /** Given what the archive knows of this side. */
  readonly tell: (archived: Truth) => { readonly truth: Truth; readonly view: View } | null;
}

/** One case with its truth. */
interface World {
  readonly name: string;
  readonly base: ArchiveRow | null;
  /** What truly lay on each side when the archive's row was written. */
  readonly archived: Readonly<Record<Side, Truth>>;
  readonly left: Truth;
  readonly right: Truth;
  readonly input: ReconcileInput;
}

const VOCABULARY: Readonly<Record<string, Entry>> = {
  a: file("a"),
  "a 600": file("a", { mode: 0o600 }),
  "a touched": file("a", { mtimeNs: T0_NS + 9_000_000_009n }),
  z: file("z"),
  "z touched": file("z", { mtimeNs: T0_NS + 9_000_000_009n }),
  "z round": file("z", { mtimeNs: 1_700_000_000_000_000_000n }),
  b: file("b"),
  "c 600": file("c", { mode: 0o600 }),
  x: link("x"),
  y: link("y"),
  dir: dir(),
  "dir 700": dir({ mode: 0o700 }),
};

function unread(entry: Entry): Entry {
  return entry.kind === "file" ? { ...entry, digest: null } : entry;
}

function contentOf(truth: Truth): string {
  if (truth === null) return "nothing";
  const { entry } = truth;
  return entry.kind === "file" ? `file ${entry.digest}` : entry.kind === "link" ? `link ${entry.target}` : "dir";
}

/**
 * C26: a change of mode explains a changed ctime, so that a write that kept inode, size and mtime
 * and came together with a chmod is not noticed. Accepted there; told apart here.
 */
function isHiddenWrite(was: Thing, is: Thing): boolean {
  return was.entry.kind === "file" && is.entry.kind === "file" && was.stamp.inode === is.stamp.inode &&
    was.entry.sizeBytes === is.entry.sizeBytes && was.entry.mtimeNs === is.entry.mtimeNs &&
    was.entry.digest !== is.entry.digest && was.entry.mode !== is.entry.mode;
}

function* stories(): Generator<Story> {
  yield { name: "unchanged", tell: (truth) => ({ truth, view: { kind: "unchanged" } }) };
  yield { name: "blocked", tell: (truth) => ({ truth, view: { kind: "blocked" } }) };
  yield { name: "absent", tell: () => ({ truth: null, view: { kind: "absent" } }) };
  for (const isRead of [true, false]) {
    const known = (entry: Entry) => isRead ? entry : unread(entry);
    const suffix = isRead ? "" : " unread";
    const see = (thing: Thing) => ({
      truth: thing,
      view: { kind: "present", entry: known(thing.entry), stamp: thing.stamp } as View,
    });
    yield { name: `seen again${suffix}`, tell: (truth) => truth === null ? null : see(truth) };
    for (const [name, entry] of Object.entries(VOCABULARY)) {
      if (!isRead && entry.kind !== "file") continue;
      yield { name: `new ${name}${suffix}`, tell: () => see({ entry, stamp: newStamp(entry) }) };
      yield {
        name: `worked ${name}${suffix}`,
        tell: (truth) => {
          if (truth === null || truth.entry.kind !== entry.kind || entry.kind === "link") return null;
          const thing = { entry, stamp: laterStamp(truth.stamp, entry) };
          return isHiddenWrite(truth, thing) ? null : see(thing);
        },
      };
    }
  }
}

/** What the archive says, and what truly lay there: an unverified agreement may have been wrong. */
function* bases(): Generator<{ name: string; base: ArchiveRow | null; left: Truth; right: Truth }> {
  yield { name: "no row", base: null, left: null, right: null };
  for (const [name, entry] of Object.entries(VOCABULARY)) {
    const left = { entry, stamp: newStamp(entry) };
    const right = { entry, stamp: newStamp(entry) };
    const base = { entry, left: left.stamp, right: right.stamp };
    yield { name, base, left, right };
    if (entry.kind === "file") yield { name: `${name} unread`, base: { ...base, entry: unread(entry) }, left, right };
  }
  // Agreed by size and time, and wrong.
  const [left, right] = ["a", "z"].map((content) => ({ entry: file(content), stamp: newStamp(file(content)) }));
  const base = { entry: unread(file("a")), left: left!.stamp, right: right!.stamp };
  yield { name: "a is z", base, left: left!, right: right! };
}

const STORIES = [...stories()];

function* worlds(): Generator<World> {
  for (const start of bases()) {
    for (const leftStory of STORIES) {
      const left = leftStory.tell(start.left);
      if (left === null) continue;
      for (const rightStory of STORIES) {
        const right = rightStory.tell(start.right);
        if (right === null) continue;
        for (const later of LATERS) {
          yield {
            name: `[${start.name}] left: ${leftStory.name}; right: ${rightStory.name}; later: ${later}`,
            base: start.base,
            archived: start,
            left: left.truth,
            right: right.truth,
            input: { base: start.base, left: left.view, right: right.view, later },
          };
        }
      }
    }
  }
}

/** Reads what a decision asks for, as the brain does, and asks again. */
function settle(world: World): { readonly input: ReconcileInput; readonly decision: Decision } {
  const first = reconcile(world.input);
  if (first.kind !== "compare") return { input: world.input, decision: first };
  assert(first.sides.length > 0, world.name);
  const read = (side: Side): View => {
    if (!first.sides.includes(side)) return world.input[side];
    const truth = world[side];
    assert(truth !== null && truth.entry.kind === "file", `${world.name}: asked to read ${contentOf(truth)}`);
    return { kind: "present", entry: truth.entry, stamp: truth.stamp };
  };
  const input = { ...world.input, left: read("left"), right: read("right") };
  return { input, decision: reconcile(input) };
}

/** What a decision leaves behind. */
interface Aftermath {
  readonly left: Truth;
  readonly right: Truth;
  readonly base: ArchiveRow | null;
  /** Contents that lie in the trash as losers of a conflict. */
  readonly kept: readonly string[];
}

function apply(world: World, decision: Decision): Aftermath {
  const same = { left: world.left, right: world.right, base: world.base, kept: [] };
  if (decision.kind === "forget") return { ...same, base: null };
  if (decision.kind !== "agree" && decision.kind !== "change") return same;
  const steps = decision.kind === "change" ? decision : { left: KEEP, right: KEEP };
  const kept: string[] = [];
  const left = applyStep(world, { side: "left", step: steps.left, kept });
  const right = applyStep(world, { side: "right", step: steps.right, kept });
  const { entry } = decision;
  if (entry === null) return { left, right, base: null, kept };
  assert(left !== null && right !== null, `${world.name}: recorded what is not there`);
  return { left, right, base: { entry, left: left.stamp, right: right.stamp }, kept };
}

const KEEP: Step = { kind: "keep" };

function applyStep(world: World, of: { side: Side; step: Step; kept: string[] }): Truth {
  const { side, step } = of;
  const here = world[side];
  switch (step.kind) {
    case "keep":
      return here;
    case "meta": {
      assert(here !== null && here.entry.kind === step.entry.kind, world.name);
      const mtimeNs = here.entry.kind === "file" ? step.entry.mtimeNs : here.entry.mtimeNs;
      const entry = { ...here.entry, mode: step.entry.mode, owner: step.entry.owner, mtimeNs };
      return { entry, stamp: laterStamp(here.stamp, entry) };
    }
    case "remove":
      assert(here !== null, world.name);
      if (step.disposal === "conflict") of.kept.push(contentOf(here));
      return null;
    case "put": {
      const source = world[step.from];
      assert(step.from === otherSide(side) && source !== null, world.name);
      if (here !== null && step.disposal === "conflict") of.kept.push(contentOf(here));
      const content = source.entry.kind === "file" && step.entry.kind === "file"
        ? { ...step.entry, digest: source.entry.digest, sizeBytes: source.entry.sizeBytes }
        : step.entry;
      assertEquals(contentOf({ ...source, entry: content }), contentOf(source), world.name);
      return { entry: content, stamp: newStamp(content) };
    }
  }
}

/** Whether size and time say that two files agree, and their bytes do not: agreed, by design, until they are read. */
function isTwin(world: World): boolean {
  const { left, right } = world;
  return left?.entry.kind === "file" && right?.entry.kind === "file" &&
    left.entry.sizeBytes === right.entry.sizeBytes && left.entry.mtimeNs === right.entry.mtimeNs &&
    left.entry.digest !== right.entry.digest;
}

function checkLoss(world: World, after: Aftermath): void {
  for (const side of SIDES) {
    const mine = contentOf(world[side]);
    if (mine === "nothing" || mine === contentOf(world.archived[side])) continue;
    const survives = mine === contentOf(after.left) || mine === contentOf(after.right) || after.kept.includes(mine);
    assert(survives, `${world.name}: ${side}'s ${mine} is lost`);
  }
}

function checkSettled(world: World, decision: Decision, after: Aftermath): void {
  if (decision.kind === "wait") return;
  if (!isTwin(world)) {
    assertEquals(contentOf(after.left), contentOf(after.right), `${world.name}: sides differ`);
    if (after.left !== null && after.right !== null) {
      assert(sameEntry(after.left.entry, after.right.entry), `${world.name}: metadata differs`);
    }
  }
  for (const isSeen of [true, false]) {
    const view = (side: Side): View => {
      const truth = after[side];
      if (!isSeen) return { kind: "unchanged" };
      return truth === null ? { kind: "absent" } : { kind: "present", entry: unread(truth.entry), stamp: truth.stamp };
    };
    const again = reconcile({ base: after.base, left: view("left"), right: view("right"), later: "unknown" });
    assertEquals(again, { kind: "nothing" }, `${world.name}: not settled after ${decision.kind}`);
  }
}

function checkNoResurrection(world: World, input: ReconcileInput, decision: Decision): void {
  if (world.base === null || decision.kind !== "change") return;
  for (const side of SIDES) {
    const other = otherSide(side);
    const isGone = input[side].kind === "absent";
    const seen = input[other];
    const isQuiet = seen.kind === "unchanged" || (seen.kind === "present" && seen.stamp === world.base[other]);
    if (isGone && isQuiet) assert(decision[side].kind !== "put", `${world.name}: resurrected`);
  }
}

function swapSide<T extends Later>(side: T): T {
  return (side === "unknown" ? side : otherSide(side as Side)) as T;
}

function swapStep(step: Step): Step {
  return step.kind === "put" ? { ...step, from: otherSide(step.from) } : step;
}

function swapDecision(decision: Decision): Decision {
  if (decision.kind === "compare") return { kind: "compare", sides: decision.sides.map(otherSide).sort() };
  if (decision.kind !== "change") return decision;
  const { clash } = decision;
  return {
    ...decision,
    left: swapStep(decision.right),
    right: swapStep(decision.left),
    clash: clash === null || clash.loser === null ? clash : { ...clash, loser: otherSide(clash.loser) },
  };
}

function checkSymmetry(input: ReconcileInput, name: string): void {
  // The two places where the left is preferred: nobody knows what is later, and metadata without an archive.
  if (input.later === "unknown") return;
  const { left, right, base } = input;
  if (base === null && left.kind === "present" && right.kind === "present") return;
  const swapped: ReconcileInput = {
    base: base === null ? null : { entry: base.entry, left: base.right, right: base.left },
    left: right,
    right: left,
    later: swapSide(input.later),
  };
  assertEquals(swapDecision(reconcile(swapped)), reconcile(input), `${name}: not symmetric`);
}

function check(world: World): void {
  const { input, decision } = settle(world);
  assert(decision.kind !== "compare", `${world.name}: asked twice`);
  const isBlocked = input.left.kind === "blocked" || input.right.kind === "blocked";
  assertEquals(decision.kind === "wait", isBlocked, world.name);
  const after = apply(world, decision);
  checkLoss(world, after);
  checkSettled(world, decision, after);
  checkNoResurrection(world, input, decision);
  checkSymmetry(world.input, world.name);
  checkSymmetry(input, world.name);
}

Deno.test("reconcile() is total, symmetric, settled at once, and loses and resurrects nothing, in every case", () => {
  let count = 0;
  for (const world of worlds()) {
    check(world);
    count++;
  }
  assert(count > 50_000, `only ${count} cases`);
});

Deno.test("reconcile() uses every row of the table", () => {
  const hit = new Set<string>();
  for (const world of worlds()) hit.add(explain(world.input).id);
  assertEquals([...hit].sort(), RULES.map((rule) => rule.id).sort());
});

Deno.test("reconcile() never removes or displaces a needed directory without keeping it", () => {
  for (const world of worlds()) {
    const decision = reconcile({ ...world.input, isNeeded: true });
    if (decision.kind !== "change") continue;
    for (const side of SIDES) {
      if (world[side]?.entry.kind !== "dir" || world[otherSide(side)]?.entry.kind === "dir") continue;
      const step = decision[side];
      assert(step.kind !== "remove", world.name);
      if (step.kind === "put") assertEquals(step.disposal, "conflict", world.name);
    }
  }
});

/** Entries beyond the vocabulary: any content of few, any mode, time and owner of few. */
const anyEntry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({
    content: fc.constantFrom("a", "z", "b", "c", "d"),
    mode: fc.constantFrom(0o600, 0o644, 0o4755),
    mtimeNs: fc.constantFrom(T0_NS, T0_NS + 1n, 1_000_000_000n),
  }).map(({ content, ...options }) => file(content, options)),
  fc.record({ mode: fc.constantFrom(0o700, 0o755, 0o2775) }).map((options) => dir(options)),
  fc.constantFrom("x", "y").map((target) => link(target)),
);

const anyBase = fc.option(
  fc.record({ entry: anyEntry, isRead: fc.boolean() }).map(({ entry, isRead }) => {
    const left = { entry, stamp: newStamp(entry) };
    const right = { entry, stamp: newStamp(entry) };
    const known = isRead ? entry : unread(entry);
    return { left, right, base: { entry: known, left: left.stamp, right: right.stamp } };
  }),
  { nil: null },
);

/** What befell one side. */
const anyFate = fc.record({
  kind: fc.constantFrom("unchanged", "blocked", "absent", "seen", "new", "worked"),
  entry: anyEntry,
  isRead: fc.boolean(),
});

function befall(archived: Truth, fate: { kind: string; entry: Entry; isRead: boolean }) {
  if (fate.kind === "unchanged" || fate.kind === "blocked") {
    return { truth: archived, view: { kind: fate.kind } as View };
  }
  if (fate.kind === "absent") return { truth: null, view: { kind: "absent" } as View };
  const isWorked = fate.kind === "worked" && archived !== null && archived.entry.kind === fate.entry.kind &&
    fate.entry.kind !== "link";
  const made = { entry: fate.entry, stamp: newStamp(fate.entry) };
  const worked = isWorked ? { entry: fate.entry, stamp: laterStamp(archived.stamp, fate.entry) } : made;
  const truth = fate.kind === "seen" && archived !== null
    ? archived
    : isWorked && isHiddenWrite(archived, worked)
    ? made
    : worked;
  const entry = fate.isRead ? truth.entry : unread(truth.entry);
  return { truth, view: { kind: "present", entry, stamp: truth.stamp } as View };
}

Deno.test("reconcile() keeps its promises at random", () => {
  fc.assert(
    fc.property(anyBase, anyFate, anyFate, fc.constantFrom(...LATERS), (start, leftFate, rightFate, later) => {
      const left = befall(start?.left ?? null, leftFate);
      const right = befall(start?.right ?? null, rightFate);
      const base = start?.base ?? null;
      const world: World = {
        name: JSON.stringify(
          { start, leftFate, rightFate, later },
          (_, value) => typeof value === "bigint" ? `${value}n` : value,
        ),
        base,
        archived: { left: start?.left ?? null, right: start?.right ?? null },
        left: left.truth,
        right: right.truth,
        input: { base, left: left.view, right: right.view, later },
      };
      const { input, decision } = settle(world);
      assert(decision.kind !== "compare", `${world.name}: asked twice`);
      const after = apply(world, decision);
      checkSettled(world, decision, after);
      checkNoResurrection(world, input, decision);
      checkSymmetry(input, world.name);
      checkLoss(world, after);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("the vocabulary tells contents apart", () => {
  assert(digestOf("a") !== digestOf("z"));
  assertEquals(file("a").sizeBytes, file("z").sizeBytes);
});
