/**
 * Who the two roots are: whether they may be a pair at all, to which pair they belong, and the lock
 * that keeps a second psync away.
 *
 * The checks are pure over the facts of both endpoints; nothing is written before all of them hold.
 * @module
 */
import { SafetyHaltError, SetupError } from "../base/errors.ts";
import type { Archive } from "../core/archive.ts";
import type { EndpointFacts } from "../core/endpoint.ts";
import { type Lock, type PairId, parseLock, parsePair } from "../core/marks.ts";
import { joinPath, ROOT, showPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { Sides } from "./context.ts";
import { bootOf, closeEpoch } from "./rolled_back.ts";
import { isSuspiciouslyEmpty } from "./safety.ts";
import { forgetIntents } from "./intents.ts";

const SIDES = ["left", "right"] as const;

/** The facts of both roots. */
export type BothFacts = Sides<EndpointFacts>;

/**
 * Refuses two roots of which one is, or holds, the other: also through a bind mount, or ssh to oneself.
 * @throws {SetupError} that names them.
 */
export function requireDistinct(facts: BothFacts): void {
  const { left, right } = facts;
  if (left.bootId !== right.bootId) return;
  const key = (of: EndpointFacts) => `${of.rootDevice}:${of.rootInode}`;
  const show = (of: EndpointFacts) => `"${showPath(of.root)}"`;
  if (key(left) === key(right)) {
    throw new SetupError(`Cannot sync ${show(left)} with ${show(right)}: they are the same directory; name two`);
  }
  for (const [inner, outer] of [[left, right], [right, left]] as const) {
    if (inner.ancestors.includes(key(outer))) {
      throw new SetupError(`Cannot sync ${show(inner)} with ${show(outer)}: one lies in the other; name two apart`);
    }
  }
}

/**
 * Finds the pair's id in the marks; null where neither root has one.
 * @throws {SetupError} where a root belongs to another pair than `known` or the other root.
 */
export function markedPair(facts: BothFacts, known: PairId | null): PairId | null {
  const ids = { left: idOf(facts.left), right: idOf(facts.right) };
  for (const side of SIDES) {
    const wanted = known ?? ids[side === "left" ? "right" : "left"] ?? ids[side];
    if (ids[side] !== null && ids[side] !== wanted) throw new SetupError(otherPair(facts[side]));
  }
  if (known === null && (ids.left === null) !== (ids.right === null)) {
    throw new SetupError(otherPair(ids.left === null ? facts.right : facts.left));
  }
  return known ?? ids.left;
}

function idOf(facts: EndpointFacts): PairId | null {
  return facts.pairMarker === null ? null : parsePair(facts.pairMarker);
}

function otherPair(facts: EndpointFacts): string {
  const root = showPath(facts.root);
  return `Cannot sync "${root}" on ${
    showPath(facts.hostName)
  }: it belongs to another pair; end that pair by removing "${root}/.psync/pair"`;
}

/**
 * Compares the roots with what the archive knows of them from the last run.
 * @returns the sides whose mark was lost though the root is the same: it is made again.
 * @throws {SafetyHaltError} where a root is not the one that was synced, or is empty.
 */
export function requireKnownRoots(facts: BothFacts, archive: Pick<Archive, "meta" | "count" | "epochChanges">): Side[] {
  const restored: Side[] = [];
  for (const side of SIDES) {
    const known = archive.count() - countUndurable(facts[side], side, archive);
    const root = `the ${side} root "${showPath(facts[side].root)}"`;
    if (isSuspiciouslyEmpty(facts[side], known)) {
      throw new SafetyHaltError(`Cannot go on: ${root} is empty, and ${known} paths are known in it`);
    }
    // What a power cut took back excuses an empty root and a lost mark, never another directory.
    if (facts[side].pairMarker !== null || archive.count() === 0) continue;
    if (!isSameRoot(facts[side], side, archive)) {
      throw new SafetyHaltError(`Cannot go on: ${root} is another directory than before; is it mounted?`);
    }
    restored.push(side);
  }
  return restored;
}

/** How many known paths a power cut may have taken back, so that they prove nothing of this root. */
function countUndurable(facts: EndpointFacts, side: Side, archive: Pick<Archive, "meta" | "epochChanges">): number {
  if (archive.meta(`${side}.boot`) === bootOf(facts)) return 0;
  const made = archive.epochChanges().filter((change) => change.kind === "set" && change.before === null);
  return new Set(made.map((change) => change.kind === "set" ? change.path : change.to)).size;
}

function isSameRoot(facts: EndpointFacts, side: Side, archive: Pick<Archive, "meta">): boolean {
  return archive.meta(`${side}.fsId`) === facts.fsId && archive.meta(`${side}.rootInode`) === String(facts.rootInode);
}

/**
 * Forgets every agreement where a root carries its mark and is another object than before, such as a
 * copy that was put back: what it holds may be older than what the archive says, and taken for an edit
 * it would displace the newer version. The pair is then merged without removals; conflicts stay listed.
 * @returns the sides that are another object.
 */
export function forgetReplacedRoots(facts: BothFacts, archive: Archive): Side[] {
  if (archive.count() === 0) return [];
  const replaced = SIDES.filter((side) => facts[side].pairMarker !== null && !isSameRoot(facts[side], side, archive));
  if (replaced.length === 0) return [];
  forgetAgreements(archive);
  return replaced;
}

/** Forgets every agreement: the next join merges both sides without removals. Conflicts stay listed. */
export function forgetAgreements(archive: Archive): void {
  archive.transact(() => {
    for (const { name } of archive.children(ROOT)) archive.remove(joinPath(ROOT, name));
    for (const { id } of archive.holds()) archive.removeHold(id);
    // Nothing of an open epoch may be held against a root that it is not about.
    closeEpoch(archive, archive.epochEnd());
    forgetIntents(archive);
  });
}

/** Notes which roots the archive is about. */
export function noteRoots(facts: BothFacts, archive: Pick<Archive, "setMeta">): void {
  for (const side of SIDES) {
    archive.setMeta(`${side}.fsId`, facts[side].fsId);
    archive.setMeta(`${side}.rootInode`, String(facts[side].rootInode));
  }
}

/** Whether the lock of a root stands in the way, and for how long that may be. */
export type LockState =
  | { readonly kind: "free" }
  /** Its brain is dead on this very host: what is left of it ends by itself. */
  | { readonly kind: "ending" }
  | { readonly kind: "taken"; readonly lock: Lock };

/** Judges the lock of one root; `isAlive` tells of a process of this boot of this host. */
export function lockState(
  facts: EndpointFacts,
  here: { readonly bootId: string; readonly isAlive: (pid: number, start: string) => boolean },
): LockState {
  if (facts.lock === null || !facts.lockHolderLives) return { kind: "free" };
  const lock = parseLock(facts.lock);
  if (lock === null) return { kind: "free" };
  const isOurs = lock.brainBoot === here.bootId;
  // Of an earlier life of this very psync, which could not give it back: its root was gone, or the link.
  if (isOurs && lock.brainPid === Deno.pid) {
    return { kind: lock.processId === facts.processId ? "free" : "ending" };
  }
  return isOurs && !here.isAlive(lock.brainPid, lock.brainStart) ? { kind: "ending" } : { kind: "taken", lock };
}

/** What is said of a lock that is taken. */
export function takenMessage(facts: EndpointFacts, lock: Lock): string {
  return `Cannot sync "${showPath(facts.root)}" on ${showPath(facts.hostName)}: ` +
    `psync with pid ${lock.brainPid} on ${showPath(lock.brainHost)} works on it; stop that one first`;
}

/** The term that a new psync takes: higher than every one that either root has seen. */
export function nextTerm(facts: BothFacts, archived: number): number {
  const terms = SIDES.map((side) => facts[side].lock === null ? 0 : parseLock(facts[side].lock)?.term ?? 0);
  return Math.max(archived, ...terms) + 1;
}
