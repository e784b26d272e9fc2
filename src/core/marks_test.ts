/** Tests of the marks in `.psync/`. @module */
import { assertEquals } from "@std/assert";
import { type Lock, parseLock, parsePair, printLock, printPair } from "./marks.ts";

const LOCK: Lock = {
  processId: 17,
  processStart: "123456",
  term: 3,
  brainHost: "alpha",
  brainBoot: "b-o-o-t",
  brainPid: 5,
  brainStart: "99",
};

Deno.test("parseLock() gives back what printLock() took", () => {
  assertEquals(parseLock(printLock(LOCK)), LOCK);
});

Deno.test("parseLock() takes nothing that is cut short or of another kind", () => {
  for (const text of ["", "psync lock 1\n", "psync lock 2\npid 1\n", printLock(LOCK).replace("term 3", "term x")]) {
    assertEquals(parseLock(text), null);
  }
});

Deno.test("parsePair() takes nothing but a whole mark", () => {
  const id = "0123456789abcdef0123456789abcdef";
  assertEquals(parsePair(printPair(id)), id);
  for (const text of ["", id, `psync pair 1\nid ${id}`, `psync pair 1\nid ${id}\nmore\n`]) {
    assertEquals(parsePair(text), null);
  }
});
