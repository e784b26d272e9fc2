import { assertEquals } from "@std/assert";
import { absent, at } from "../../tests/support/brain.ts";
import { Evidence } from "./evidence.ts";

Deno.test("Evidence refuses what began before the last transition of its path or of a directory above", () => {
  const evidence = new Evidence();
  evidence.note(at("d"), 10);
  for (const path of ["d", "d/x", "d/x/y"]) {
    assertEquals(evidence.holds(absent(path, 9)), false, path);
    assertEquals(evidence.holds(absent(path, 10)), true, path);
  }
  assertEquals(evidence.holds(absent("dx", 1)), true);
  evidence.note(at("d"), 4); // a late answer takes nothing back
  assertEquals(evidence.holds(absent("d", 9)), false);
});

Deno.test("Evidence refuses what is older than what its path was decided from, and that path only", () => {
  const evidence = new Evidence();
  evidence.decided(absent("d", 10));
  assertEquals(evidence.holds(absent("d", 9)), false);
  assertEquals(evidence.holds(absent("d", 10)), true);
  assertEquals(evidence.holds(absent("d/x", 9)), true);
});

Deno.test("Evidence that was forgotten refuses too much, never too little", () => {
  const evidence = new Evidence();
  for (let i = 1; i <= 50_010; i++) evidence.note(at(`f${i}`), i);
  assertEquals(evidence.holds(absent("f3", 2)), false);
  assertEquals(evidence.holds(absent("f3", 9)), false, "below the floor nothing is known");
  assertEquals(evidence.holds(absent("f3", 10)), true);
  assertEquals(evidence.holds(absent("f50010", 50_009)), false);
});

Deno.test("Evidence remembers what was noted again as the youngest", () => {
  const evidence = new Evidence();
  evidence.note(at("old"), 1);
  for (let i = 2; i <= 50_000; i++) evidence.note(at(`f${i}`), i);
  evidence.note(at("old"), 50_001);
  for (let i = 0; i < 10; i++) evidence.note(at(`g${i}`), 50_002 + i);
  assertEquals(evidence.holds(absent("old", 50_000)), false);
  assertEquals(evidence.holds(absent("other", 20)), true, "the floor is that of what was forgotten");
});
