import { assertEquals } from "@std/assert";
import type { RelPath } from "../core/path.ts";
import type { Problem, ProblemReason } from "../core/problem.ts";
import { ProblemMemory } from "./problem_memory.ts";

function problem(path: string, reason: ProblemReason): Problem {
  return { path: path as RelPath, side: "left", reason, detail: "" };
}

Deno.test("ProblemMemory tells each path and reason once", () => {
  const memory = new ProblemMemory();
  const seen = [problem("a", "busy"), problem("a", "busy"), problem("a", "io"), problem("b", "io")]
    .map((one) => memory.isNews(one, 0));
  assertEquals(seen, [true, false, true, true]);
});

Deno.test("ProblemMemory tells what comes and goes again after ten minutes only", () => {
  const memory = new ProblemMemory();
  const busy = problem("a", "busy");
  memory.isNews(busy, 0);
  memory.gone(busy.path);
  assertEquals(memory.standing(), []);
  assertEquals(memory.isNews(busy, 599_999), false);
  assertEquals(memory.standing(), [busy]);
  assertEquals(memory.isNews(busy, 700_000), false, "it never went away since");
  memory.gone(busy.path);
  assertEquals(memory.isNews(busy, 700_000), true);
});

Deno.test("ProblemMemory forgets the oldest beyond its size", () => {
  const memory = new ProblemMemory();
  for (let i = 0; i <= 10_000; i++) memory.isNews(problem(`p${i}`, "io"), 0);
  assertEquals(memory.standing().length, 10_000);
  assertEquals(memory.isNews(problem("p0", "io"), 0), true);
});
