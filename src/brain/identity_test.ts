import { assertEquals, assertThrows } from "@std/assert";
import { FAKE_FACTS } from "../../tests/support/fake_endpoint.ts";
import { file, row } from "../../tests/support/entries.ts";
import { at } from "../../tests/support/brain.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { SafetyHaltError, SetupError } from "../base/errors.ts";
import type { EndpointFacts } from "../core/endpoint.ts";
import { type Lock, printLock, printPair } from "../core/marks.ts";
import { bootOf } from "./rolled_back.ts";
import {
  forgetReplacedRoots,
  lockState,
  markedPair,
  nextTerm,
  noteRoots,
  requireDistinct,
  requireKnownRoots,
} from "./identity.ts";

const ONE = "1".repeat(32);
const TWO = "2".repeat(32);
const LOCK: Lock = {
  processId: 7,
  processStart: "70",
  term: 3,
  brainHost: "hub",
  brainBoot: "boot",
  brainPid: Deno.pid + 1,
  brainStart: "80",
};

function facts(left: Partial<EndpointFacts>, right: Partial<EndpointFacts> = {}) {
  return {
    left: { ...FAKE_FACTS, root: "/l", ...left },
    right: { ...FAKE_FACTS, root: "/r", rootInode: 99n, ...right },
  };
}

Deno.test("requireDistinct() refuses one directory under two names, and one root in the other", () => {
  requireDistinct(facts({}));
  assertThrows(() => requireDistinct(facts({ rootInode: 99n })), SetupError, "same directory");
  assertThrows(() => requireDistinct(facts({ ancestors: ["3:99", "3:1"] })), SetupError, '"/l" with "/r"');
  assertThrows(() => requireDistinct(facts({}, { ancestors: ["3:2"] })), SetupError, '"/r" with "/l"');
  requireDistinct(facts({ rootInode: 99n, bootId: "another host" }));
});

Deno.test("markedPair() takes two roots without a mark, or with the same, and no other", () => {
  const marks = (left: string | null, right: string | null) =>
    facts(
      { pairMarker: left === null ? null : printPair(left) },
      { pairMarker: right === null ? null : printPair(right) },
    );
  assertEquals(markedPair(marks(null, null), null), null);
  assertEquals(markedPair(marks(null, null), ONE), ONE);
  assertEquals(markedPair(marks(ONE, ONE), null), ONE);
  assertEquals(markedPair(marks(ONE, null), ONE), ONE); // a lost mark: judged by requireKnownRoots
  for (const [left, right, known] of [[ONE, TWO, null], [ONE, null, null], [null, ONE, null], [ONE, ONE, TWO]]) {
    assertThrows(() => markedPair(marks(left!, right!), known!), SetupError, "belongs to another pair");
  }
});

function archiveWith(count: number): MemoryArchive {
  const archive = new MemoryArchive();
  archive.transact(() => {
    for (let i = 0; i < count; i++) archive.put(at(`f${i}`), row(file("a")));
    noteRoots(facts({}), archive);
    for (const side of ["left", "right"] as const) archive.setMeta(`${side}.boot`, bootOf(FAKE_FACTS));
  });
  return archive;
}

Deno.test("requireKnownRoots() halts at an empty or replaced root, and restores the mark of the same one", () => {
  const full = { isEmpty: false };
  const marked = { ...full, pairMarker: printPair(ONE) };
  assertEquals(requireKnownRoots(facts(marked, marked), archiveWith(20)), []);
  assertEquals(requireKnownRoots(facts(marked, full), archiveWith(20)), ["right"]);
  assertEquals(requireKnownRoots(facts(full, full), archiveWith(0)), []);
  assertThrows(
    () => requireKnownRoots(facts({ ...marked, isEmpty: true }, marked), archiveWith(20)),
    SafetyHaltError,
    "left",
  );
  for (const other of [{ rootInode: 5n }, { fsId: "other" }]) {
    assertThrows(() => requireKnownRoots(facts(marked, { ...full, ...other }), archiveWith(20)), SafetyHaltError);
  }
});

Deno.test("lockState() lets a living psync work, and no dead one and no earlier life of its own stand in the way", () => {
  const judge = (lock: Partial<Lock> | null, given: Partial<EndpointFacts> = {}, alive = true) =>
    lockState(
      { ...FAKE_FACTS, lock: lock === null ? null : printLock({ ...LOCK, ...lock }), lockHolderLives: true, ...given },
      { bootId: "boot", isAlive: (pid, start) => alive && pid === LOCK.brainPid && start === LOCK.brainStart },
    ).kind;
  assertEquals(judge(null), "free");
  assertEquals(judge({}, { lockHolderLives: false }), "free");
  assertEquals(judge({}, { lock: "rubbish" }), "free");
  assertEquals(judge({}), "taken");
  assertEquals(judge({}, {}, false), "ending");
  assertEquals(judge({ brainBoot: "other host" }, {}, false), "taken");
  assertEquals(judge({ brainPid: Deno.pid }, { processId: 7 }), "free");
  assertEquals(judge({ brainPid: Deno.pid }, { processId: 8 }), "ending");
});

Deno.test("nextTerm() is higher than every term that anybody has seen", () => {
  const lock = printLock(LOCK);
  assertEquals(nextTerm(facts({}), 0), 1);
  assertEquals(nextTerm(facts({ lock }, { lock: "rubbish" }), 0), 4);
  assertEquals(nextTerm(facts({}, { lock }), 9), 10);
});

Deno.test("forgetReplacedRoots() forgets what was agreed with a root that was put back as a copy, and nothing else", () => {
  const marked = { isEmpty: false, pairMarker: printPair(ONE) };
  const same = archiveWith(3);
  assertEquals(forgetReplacedRoots(facts(marked, marked), same), []);
  assertEquals(same.count(), 3);
  for (const other of [{ rootInode: 5n }, { fsId: "other" }]) {
    const archive = archiveWith(3);
    assertEquals(forgetReplacedRoots(facts(marked, { ...marked, ...other }), archive), ["right"]);
    assertEquals([archive.count(), archive.epochChanges()], [0, []]);
  }
});
