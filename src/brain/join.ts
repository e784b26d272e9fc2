/**
 * Makes two open endpoints a pair: checks who they are, opens the archive, takes the locks with a
 * new term. Nothing is written on either side before every check holds.
 * @module
 */
import { ArchiveError, SetupError } from "../base/errors.ts";
import { openArchive, quarantineArchive } from "../archive/archive.ts";
import { archivePath, createPair, findPair, listPairs, type Pair as KnownPair } from "../archive/pair_store.ts";
import type { Archive } from "../core/archive.ts";
import { type Lock, type PairId, printLock, printPair } from "../core/marks.ts";
import { showPath } from "../core/path.ts";
import { forgetIfOutdated } from "./archive_age.ts";
import { recordRenewed } from "./findings.ts";
import type { Sides } from "./context.ts";
import type { Endpoint, EndpointFacts, Findings } from "../core/endpoint.ts";
import type { Side } from "../core/problem.ts";
import {
  type BothFacts,
  forgetReplacedRoots,
  lockState,
  markedPair,
  nextTerm,
  noteRoots,
  requireDistinct,
  requireKnownRoots,
  takenMessage,
} from "./identity.ts";
import type { SessionContext, SessionSettings } from "./settings.ts";
import { followScope } from "./sum_scope.ts";
import { followTranslation } from "./translation_change.ts";

/** Where the archive keeps how ssh was called, for commands that reach the right root by themselves. */
export const SSH_COMMAND = "sshCommand";

const SIDES = ["left", "right"] as const;

/** A pair whose archive is open and whose locks are ours. */
export interface JoinedPair {
  readonly id: PairId;
  readonly archive: Archive;
  /** Counts the runs of psync on this pair. */
  readonly run: number;
  /** What each side found of an earlier life when it was adopted. */
  readonly found: Sides<Findings>;
}

/** What is known before the endpoints are adopted. */
type Opened = Omit<JoinedPair, "found">;

/** Joins; `before` is what an earlier life of this session joined. */
export async function joinPair(
  endpoints: Sides<Endpoint>,
  before: JoinedPair | null,
  settings: SessionSettings,
  context: SessionContext,
): Promise<JoinedPair> {
  const facts = { left: endpoints.left.facts, right: endpoints.right.facts };
  requireDistinct(facts);
  requireUnlocked(facts);
  const place = findPair(context.stateDir, spec(facts, settings));
  const marked = markedPair(facts, place?.id ?? null);
  requireWritable(facts);
  const joined = before ?? openJoined(place, marked, { facts, settings, context });
  try {
    return await takeOver(endpoints, joined, settings, context);
  } catch (error) {
    if (before === null) joined.archive[Symbol.dispose]();
    throw error;
  }
}

/** The last checks, which need the archive, and then the locks. */
async function takeOver(
  endpoints: Sides<Endpoint>,
  joined: Opened,
  settings: SessionSettings,
  context: SessionContext,
): Promise<JoinedPair> {
  const facts = { left: endpoints.left.facts, right: endpoints.right.facts };
  const restored = requireKnownRoots(facts, joined.archive);
  const compareOwners = facts.left.isRootUser && facts.right.isRootUser;
  await Promise.all(SIDES.map((side) => endpoints[side].setCompareOwners(compareOwners)));
  const found = await adopt(endpoints, joined, context);
  for (const side of forgetReplacedRoots(facts, joined.archive)) {
    context.report.notice({
      kind: "archive-lost",
      why: `the ${side} root is another object than before, under its old mark`,
    });
  }
  const outdated = forgetIfOutdated(facts, joined.archive, joined.id);
  if (outdated !== null) context.report.notice({ kind: "archive-lost", why: outdated });
  for (const side of restored) context.report.notice({ kind: "marker-restored", side });
  joined.archive.transact(() => {
    noteRoots(facts, joined.archive);
    joined.archive.setMeta(SSH_COMMAND, settings.sshCommand);
    followScope(joined.archive, { settings, build: facts.left.build });
  });
  return { ...joined, found };
}

function spec(facts: BothFacts, settings: SessionSettings) {
  return { leftRoot: facts.left.root, rightHost: settings.remoteHost, rightRoot: facts.right.root };
}

/** Whether these roots, as far as they can be told without opening them, were synced before. */
export function isKnownPair(settings: SessionSettings, stateDir: string): boolean {
  const absolute = (root: string) => root.startsWith("/") ? root : `${settings.cwd}/${root}`;
  const isRight = (pair: KnownPair) =>
    settings.remoteHost === null || settings.right.startsWith("/")
      ? pair.rightRoot === absolute(settings.right)
      : pair.rightRoot.endsWith(`/${settings.right}`);
  return listPairs(stateDir).pairs.some((pair) =>
    pair.leftRoot === absolute(settings.left) && pair.rightHost === settings.remoteHost && isRight(pair)
  );
}

/** Both roots before either is touched: one that cannot hold `.psync/` ends it here. */
function requireWritable(facts: BothFacts): void {
  for (const side of SIDES) {
    if (!facts[side].reduced.includes("write")) continue;
    const { root, hostName } = facts[side];
    throw new SetupError(
      `Cannot adopt root "${showPath(root)}" on ${showPath(hostName)}: it may not be written; let this user write in ` +
        `it, or run psync as another user`,
    );
  }
}

function requireUnlocked(facts: BothFacts): void {
  for (const side of SIDES) {
    const state = lockState(facts[side], { bootId: facts.left.bootId, isAlive });
    if (state.kind === "taken") throw new SetupError(takenMessage(facts[side], state.lock));
  }
}

/** Whether a process of this host still is the one that started at `start`. */
export function isAlive(pid: number, start: string): boolean {
  try {
    return startTime(Deno.readTextFileSync(`/proc/${pid}/stat`)) === start;
  } catch {
    return false; // no such process
  }
}

/** The 22nd field of /proc/<pid>/stat, counted behind the last parenthesis, since names may hold any. */
export function startTime(stat: string): string {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

interface Opening {
  readonly facts: BothFacts;
  readonly settings: SessionSettings;
  readonly context: SessionContext;
}

function openJoined(place: KnownPair | null, marked: PairId | null, opening: Opening): Opened {
  const { facts, settings, context } = opening;
  const wanted = place ?? createPair(context.stateDir, spec(facts, settings), marked === null ? {} : { id: marked });
  if (place === null && marked !== null) {
    context.report.notice({
      kind: "archive-lost",
      why: "the roots are a pair already, of which nothing is known here",
    });
  }
  const archive = openOrReplace(archivePath(context.stateDir, wanted.id), context);
  try {
    followTranslation(archive, settings.translate);
  } catch (error) {
    archive[Symbol.dispose]();
    throw error;
  }
  const run = Number(archive.meta("run") ?? "0") + 1;
  archive.transact(() => archive.setMeta("run", String(run)));
  return { id: wanted.id, archive, run };
}

/** A broken archive is put aside: the pair is then merged without removals. */
function openOrReplace(path: string, context: SessionContext): Archive {
  try {
    return openArchive(path);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    quarantineArchive(path);
    context.report.notice({ kind: "archive-lost", why: error.message });
    return openArchive(path);
  }
}

async function adopt(endpoints: Sides<Endpoint>, joined: Opened, context: SessionContext): Promise<Sides<Findings>> {
  const facts = { left: endpoints.left.facts, right: endpoints.right.facts };
  const term = nextTerm(facts, Number(joined.archive.meta("term") ?? "0"));
  joined.archive.transact(() => joined.archive.setMeta("term", String(term)));
  const found: Record<Side, Findings> = { left: { kept: [] }, right: { kept: [] } };
  for (const side of SIDES) {
    const { lock: oldLock } = facts[side];
    const lock = ownLock(facts[side], { term, brainHost: facts.left.hostName, brainBoot: facts.left.bootId });
    if (oldLock !== null) context.report.notice({ kind: "lock-taken", side });
    const adopted = await endpoints[side].adopt({ pair: printPair(joined.id), lock, oldLock });
    recordRenewed(joined.archive, side, adopted);
    found[side] = adopted;
  }
  return found;
}

/** The lock of a root for this process. */
export function ownLock(
  { processId, processStart }: EndpointFacts,
  brain: Pick<Lock, "term" | "brainHost" | "brainBoot">,
): string {
  const brainStart = startTime(Deno.readTextFileSync("/proc/self/stat"));
  return printLock({ processId, processStart, ...brain, brainPid: Deno.pid, brainStart });
}
