/**
 * The vocabulary of tests of the brain's parts: observations, news, and a pair whose parts can be
 * tried one by one, over endpoints without a disk.
 * @module
 */
import type { PairContext } from "../../src/brain/context.ts";
import type { News, Sighting } from "../../src/brain/news.ts";
import { Pair, type PairOptions } from "../../src/brain/pair.ts";
import type { Report } from "../../src/brain/report.ts";
import { Status } from "../../src/brain/status.ts";
import type { Entry, Stamp } from "../../src/core/entry.ts";
import { compileIgnore, NO_RULES } from "../../src/core/ignore.ts";
import type { AbsentObservation, Observation, PresentObservation } from "../../src/core/observation.ts";
import type { RelPath } from "../../src/core/path.ts";
import { newStamp } from "./entries.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeEndpoint } from "./fake_endpoint.ts";
import { MemoryArchive } from "./memory_archive.ts";

/** A path that was not checked. */
export function at(path: string): RelPath {
  return path as RelPath;
}

/** What is seen of something that is there. */
export function present(
  path: string,
  entry: Entry,
  options: { readonly stamp?: Stamp; readonly began?: number; readonly content?: Uint8Array } = {},
): PresentObservation {
  const { stamp = newStamp(entry), began = 1, content = null } = options;
  return { kind: "present", path: at(path), began, entry, stamp, content };
}

/** What is seen of nothing. */
export function absent(path: string, began = 1): AbsentObservation {
  return { kind: "absent", path: at(path), began };
}

/** An observation as it reached the brain. */
export function sighting(observation: Observation, options: Partial<Sighting> = {}): Sighting {
  return { observation, order: 0, isLive: false, isListed: false, atMs: 0, ...options };
}

/** News of one path; a side that is not given has none. */
export function news(
  path: string,
  seen: { readonly left?: Observation | Sighting; readonly right?: Observation | Sighting },
): News {
  const of = (one: Observation | Sighting | undefined) =>
    one === undefined ? null : "observation" in one ? one : sighting(one);
  return { path: at(path), left: of(seen.left), right: of(seen.right) };
}

/** What was told to a report, by the name of its method. */
export interface Told {
  readonly name: string;
  readonly what: unknown;
}

/** A report that remembers what it was told. */
export function toldReport(told: Told[] = []): Report {
  const tell = (name: string) => (what: unknown) => {
    told.push({ name, what });
    return Promise.resolve();
  };
  return new Proxy({}, { get: (_, name) => tell(String(name)) }) as unknown as Report;
}

/** A pair over fake endpoints, and what a test wants of it. */
export interface PairParts {
  readonly pair: Pair;
  readonly context: PairContext;
  readonly clock: FakeClock;
  readonly archive: MemoryArchive;
  readonly left: FakeEndpoint;
  readonly right: FakeEndpoint;
  readonly told: Told[];
}

/** Makes a pair that does not run. */
export function pairParts(given: Partial<PairOptions> = {}): PairParts {
  const told: Told[] = [];
  const report = toldReport(told);
  const parts = {
    clock: new FakeClock(),
    archive: new MemoryArchive(),
    left: new FakeEndpoint(),
    right: new FakeEndpoint(),
  };
  const pair = new Pair({
    endpoints: { left: parts.left, right: parts.right },
    archive: parts.archive,
    status: new Status(report),
    report,
    ignore: compileIgnore(NO_RULES),
    clock: parts.clock,
    offsetNs: 0n,
    settings: { force: false, skipInitialSync: false, followsLinks: false, run: 1 },
    runRsync: () => Promise.resolve({ exitCode: 0, stderr: "" }),
    onFirstSync: () => {},
    ...given,
  });
  return { ...parts, pair, context: pair.context, told };
}
