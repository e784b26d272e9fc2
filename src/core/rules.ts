/**
 * The one decision table of psync: what happens to a path, given what is new on each replica.
 *
 * Pure data and its lookup; what is new on a side is found by reconcile.ts, which also turns the
 * outcome into steps. The table names each combination once: it is read with the sides in both
 * orders, so that no rule can favour a side (I9 is kept by the rows "conflict" and "restore").
 * @module
 */

/** What is new on one replica, compared with the archive. Without an archive row, absent is `none`. */
export type News =
  | "blocked" // nothing can be said (I6)
  | "doubt" // may have been edited: a digest is missing
  | "none" // as the archive says
  | "meta" // content as the archive says; mode, owner or a file's mtime are not
  | "edit" // other content, another kind, something where nothing was; a directory with news below
  | "gone"; // nothing where something was

/** How two edits compare. */
export type Likeness =
  | "equal"
  | "unsure" // digests are missing
  | "unlike";

/** What is done. */
export type Outcome =
  | "wait" // until both sides can be seen
  | "compare" // read the content first
  | "forget" // gone from both: drop the row
  | "merge" // both sides live: content from the edited side, metadata three-way
  | "conflict" // two unlike edits: the later one wins, the other is kept
  | "remove" // gone on one side, not edited on the other
  | "restore"; // gone on one side, edited on the other: the edit wins

/** One row. A condition that is not given holds always. */
export interface Rule {
  /** Named in tests and in the log. */
  readonly id: string;
  readonly one: readonly News[];
  readonly other: readonly News[];
  /** Looked at where both sides are edited. */
  readonly likeness?: Likeness;
  readonly outcome: Outcome;
}

/** All news, for "whatever the other side shows". */
export const ALL_NEWS: readonly News[] = ["blocked", "doubt", "none", "meta", "edit", "gone"];

/** All likenesses. */
export const ALL_LIKENESSES: readonly Likeness[] = ["equal", "unsure", "unlike"];

/** The table; the first row that fits decides. Every combination has one (rules_test.ts). */
export const RULES: readonly Rule[] = [
  { id: "blocked", one: ["blocked"], other: ALL_NEWS, outcome: "wait" },
  { id: "doubt", one: ["doubt"], other: ALL_NEWS, outcome: "compare" },
  { id: "quiet", one: ["none", "meta"], other: ["none", "meta"], outcome: "merge" },
  { id: "edit", one: ["edit"], other: ["none", "meta"], outcome: "merge" },
  { id: "same edit", one: ["edit"], other: ["edit"], likeness: "equal", outcome: "merge" },
  { id: "edits to be read", one: ["edit"], other: ["edit"], likeness: "unsure", outcome: "compare" },
  { id: "edit against edit", one: ["edit"], other: ["edit"], likeness: "unlike", outcome: "conflict" },
  { id: "gone from both", one: ["gone"], other: ["gone"], outcome: "forget" },
  { id: "edit against removal", one: ["edit"], other: ["gone"], outcome: "restore" },
  { id: "removal", one: ["none", "meta"], other: ["gone"], outcome: "remove" },
];

/** The facts that the table is asked with. */
export interface Case {
  readonly left: News;
  readonly right: News;
  /** `unlike` where not both sides are edited. */
  readonly likeness: Likeness;
}

/** The row that decides a case. */
export function ruleFor(of: Case): Rule {
  const rule = INDEX.get(keyOf(of));
  if (rule === undefined) throw new Error(`Cannot decide ${keyOf(of)}: found no rule`);
  return rule;
}

function keyOf(of: Case): string {
  return `${of.left} ${of.right} ${of.likeness}`;
}

function fits(rule: Rule, of: Case): boolean {
  const { one, other } = rule;
  const isPair = (one.includes(of.left) && other.includes(of.right)) ||
    (one.includes(of.right) && other.includes(of.left));
  return isPair && (rule.likeness ?? of.likeness) === of.likeness;
}

/** Every case there is. */
export function* allCases(): Generator<Case> {
  for (const left of ALL_NEWS) {
    for (const right of ALL_NEWS) {
      for (const likeness of ALL_LIKENESSES) yield { left, right, likeness };
    }
  }
}

/** WHY: a million paths ask at a first sync; one lookup instead of a walk through the rows. */
const INDEX: ReadonlyMap<string, Rule> = new Map(
  allCases().flatMap((of) => {
    const rule = RULES.find((row) => fits(row, of));
    return rule === undefined ? [] : [[keyOf(of), rule] as const];
  }),
);
