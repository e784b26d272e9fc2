import { assert, assertEquals } from "@std/assert";
import { allCases, type Case, type Outcome, ruleFor, RULES } from "./rules.ts";

Deno.test("ruleFor() decides every case", () => {
  let count = 0;
  for (const of of allCases()) {
    assert(RULES.includes(ruleFor(of)), JSON.stringify(of));
    count++;
  }
  assertEquals(count, 6 * 6 * 3);
});

Deno.test("ruleFor() does not know left from right", () => {
  for (const of of allCases()) {
    assertEquals(ruleFor(of), ruleFor({ ...of, left: of.right, right: of.left }), JSON.stringify(of));
  }
});

Deno.test("RULES has no row that never decides", () => {
  const hit = new Set(allCases().map((of) => ruleFor(of).id));
  assertEquals([...hit].sort(), RULES.map((rule) => rule.id).sort());
});

const CELLS: readonly (readonly [Case["left"], Case["right"], Case["likeness"], Outcome])[] = [
  ["blocked", "gone", "unlike", "wait"],
  ["blocked", "doubt", "unlike", "wait"],
  ["blocked", "edit", "unlike", "wait"],
  ["doubt", "none", "unlike", "compare"],
  ["doubt", "gone", "unlike", "compare"],
  ["doubt", "edit", "unlike", "compare"],
  ["none", "none", "unlike", "merge"],
  ["meta", "none", "unlike", "merge"],
  ["meta", "meta", "unlike", "merge"],
  ["edit", "none", "unlike", "merge"],
  ["edit", "meta", "unlike", "merge"],
  ["edit", "edit", "equal", "merge"],
  ["edit", "edit", "unsure", "compare"],
  ["edit", "edit", "unlike", "conflict"],
  ["edit", "gone", "unlike", "restore"],
  ["none", "gone", "unlike", "remove"],
  ["meta", "gone", "unlike", "remove"],
  ["gone", "gone", "unlike", "forget"],
];

Deno.test("ruleFor() answers for each cell", () => {
  for (const [left, right, likeness, outcome] of CELLS) {
    assertEquals(ruleFor({ left, right, likeness }).outcome, outcome, `${left} ${right} ${likeness}`);
  }
});

Deno.test("no removal wins over an edit, and nothing is done beside a blocked side", () => {
  for (const of of allCases()) {
    const news = [of.left, of.right];
    const { outcome } = ruleFor(of);
    if (news.includes("blocked")) assertEquals(outcome, "wait");
    if (news.includes("edit")) assert(outcome !== "remove" && outcome !== "forget", JSON.stringify(of));
    if (outcome === "remove") assert(news.includes("gone"), JSON.stringify(of));
  }
});
