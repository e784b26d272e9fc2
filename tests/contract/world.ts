/**
 * What every test of the endpoint contract stands on: a root, an endpoint of it, a record of what it
 * reports, and short words for transitions.
 *
 * Knows only the contract (core/endpoint.ts), so that it serves every door.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { NO_RULES } from "../../src/core/ignore.ts";
import type { Endpoint, EndpointEvent, EndpointOptions, Listing, Move } from "../../src/core/endpoint.ts";
import type { DirEntry, FileEntry, LinkEntry } from "../../src/core/entry.ts";
import { printLock, printPair } from "../../src/core/marks.ts";
import type { Observation, PresentObservation } from "../../src/core/observation.ts";
import { parseRelPath, type RelPath, ROOT } from "../../src/core/path.ts";
import type {
  CommitBatch,
  Disposal,
  DoneResult,
  Expected,
  PutTransition,
  TransitionResult,
} from "../../src/core/transition.ts";
import { TempTree, type TreeShape } from "../support/temp_tree.ts";

/** How a suite opens an endpoint of a root. */
export type OpenEndpoint = (root: string, options?: Partial<Omit<EndpointOptions, "root">>) => Promise<Endpoint>;

/** Registers one test of a suite. */
export type RegisterTest = (name: string, run: (open: OpenEndpoint) => Promise<void>) => void;

/** How long a test waits for something that must come. */
const PATIENCE_MS = 30_000;
const PAIR = printPair("0123456789abcdef0123456789abcdef");

export const p = parseRelPath;

/** What a test looks at by default: small contents, no digests of large files. */
export const LOOK = { contentLimitBytes: 65_536, digests: false };

/** What an endpoint has reported so far; tests wait for what must come. */
export class EventLog {
  readonly events: EndpointEvent[] = [];
  readonly #waiters = new Set<() => void>();
  readonly #reading: Promise<void>;
  /** The error with which the events ended; undefined while they go on. */
  ended: unknown = undefined;

  constructor(endpoint: Endpoint) {
    this.#reading = this.#read(endpoint.events());
  }

  async #read(events: AsyncIterable<EndpointEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.events.push(event);
        this.#wake();
      }
      this.ended = null;
    } catch (error) {
      this.ended = error;
    }
    this.#wake();
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Every observation so far, in order. */
  get observations(): Observation[] {
    return this.events.flatMap((event) => event.kind === "observed" ? event.observations : []);
  }

  get moves(): Move[] {
    return this.events.flatMap((event) => event.kind === "observed" ? event.moves : []);
  }

  /** What was reported of one path. */
  of(path: RelPath): Observation[] {
    return this.observations.filter((observation) => observation.path === path);
  }

  /** Waits until `find` finds something in what was reported. */
  async until<T>(what: string, find: () => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const check = () => {
      const found = find();
      if (found !== undefined) resolve(found);
    };
    const timer = systemClock.after(PATIENCE_MS, () => reject(new Error(`${what} did not come:\n${this.#show()}`)));
    this.#waiters.add(check);
    try {
      check();
      return await promise;
    } finally {
      timer.cancel();
      this.#waiters.delete(check);
    }
  }

  /** Waits for an observation of a path. */
  saw(path: RelPath, is: (observation: Observation) => boolean): Promise<Observation> {
    return this.until(`the observation of "${path}"`, () => this.of(path).find(is));
  }

  /** Waits until a path was reported present with this content. */
  async sawContent(path: RelPath, text: string): Promise<PresentObservation> {
    return await this.saw(path, (each) => contentOf(each) === text) as PresentObservation;
  }

  sawKind(path: RelPath, kind: Observation["kind"]): Promise<Observation> {
    return this.saw(path, (each) => each.kind === kind);
  }

  /** Waits for an event that is no observation. */
  async sawEvent<K extends EndpointEvent["kind"]>(
    kind: K,
    is: (event: Extract<EndpointEvent, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<EndpointEvent, { kind: K }>> {
    const found = await this.until(
      `the event "${kind}"`,
      () => this.events.find((each) => isOf(each, kind) && is(each)),
    );
    return found as Extract<EndpointEvent, { kind: K }>;
  }

  /** Settles when the events have ended. */
  async end(): Promise<void> {
    await this.#reading;
  }

  #show(): string {
    return this.events.map((event) =>
      event.kind === "observed"
        ? `observed ${event.observations.map(({ kind, path }) => `${kind} ${path}`).join(", ")}; moves ${
          event.moves.map(({ from, to }) => `${from} -> ${to}`).join(", ")
        }`
        : Deno.inspect(event)
    ).join("\n");
  }
}

function isOf<K extends EndpointEvent["kind"]>(
  event: EndpointEvent,
  kind: K,
): event is Extract<EndpointEvent, { kind: K }> {
  return event.kind === kind;
}

/** The text of a present file whose content was read; undefined for everything else. */
export function contentOf(observation: Observation): string | undefined {
  if (observation.kind !== "present" || observation.content === null) return undefined;
  return new TextDecoder().decode(observation.content);
}

/** A root with an endpoint. */
export class World implements AsyncDisposable {
  readonly tree: TempTree;
  readonly endpoint: Endpoint;
  readonly log: EventLog;
  #cookies = 0;

  private constructor(tree: TempTree, endpoint: Endpoint) {
    this.tree = tree;
    this.endpoint = endpoint;
    this.log = new EventLog(endpoint);
  }

  /** Opens a root of a shape, adopted and watched. */
  static async open(
    open: OpenEndpoint,
    options: { readonly shape?: TreeShape; readonly script?: string; readonly excludes?: readonly string[] } = {},
  ): Promise<World> {
    const tree = await TempTree.make(options.shape);
    try {
      if (options.script !== undefined) await tree.sh(options.script);
      const world = new World(
        tree,
        await open(tree.path, { rules: { ...NO_RULES, excludes: options.excludes ?? [] } }),
      );
      await world.endpoint.adopt({ pair: PAIR, lock: lockOf(world.endpoint, 1), oldLock: null });
      await world.watchAll();
      return world;
    } catch (error) {
      await tree[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Lists every directory, so that everything is watched. */
  async watchAll(dirs: readonly RelPath[] = [ROOT]): Promise<void> {
    if (dirs.length === 0) return;
    const listings = await this.endpoint.list(dirs);
    await this.watchAll(listings.flatMap(subdirectories));
  }

  /** Looks at one path. */
  async look(path: RelPath): Promise<Observation> {
    const [observation] = await this.endpoint.look([path], LOOK);
    return observation!;
  }

  /** Looks at a path at which something must be. */
  async present(path: RelPath): Promise<PresentObservation> {
    const observation = await this.look(path);
    if (observation.kind !== "present") throw new Error(`Nothing is present at "${path}": ${observation.kind}`);
    return observation;
  }

  /** What a transition of what is there now must expect. */
  async expected(path: RelPath): Promise<Expected> {
    const { entry, stamp } = await this.present(path);
    switch (entry.kind) {
      case "file":
        return { kind: "file", stamp };
      case "link":
        return { kind: "link", stamp, target: entry.target };
      case "dir":
        return { kind: "dir", stamp, mode: entry.mode, owner: entry.owner };
    }
  }

  async commit(...transitions: CommitBatch["transitions"]): Promise<readonly TransitionResult[]> {
    return await this.endpoint.commit({ transitions });
  }

  /** Commits one transition. */
  async commitOne(transition: CommitBatch["transitions"][number]): Promise<TransitionResult> {
    const [result] = await this.commit(transition);
    return result!;
  }

  /** Commits one transition that must be done. */
  async done(transition: CommitBatch["transitions"][number]): Promise<DoneResult> {
    const result = await this.commitOne(transition);
    if (result.kind !== "done") throw new Error(`Not done: ${Deno.inspect(result)}`);
    return result;
  }

  /** Settles when everything that happened before was reported, or will never be. */
  async quiet(): Promise<void> {
    const cookie = p(`cookie-${++this.#cookies}`);
    await this.tree.write(cookie, `cookie ${this.#cookies}`);
    await this.log.sawKind(cookie, "present");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endpoint[Symbol.asyncDispose]();
    await this.log.end();
    await this.tree[Symbol.asyncDispose]();
  }
}

function subdirectories(listing: Listing): RelPath[] {
  if (listing.kind === "unlisted") return [];
  return listing.entries.flatMap((each) => each.kind === "present" && each.entry.kind === "dir" ? [each.path] : []);
}

/** A lock that this endpoint's process holds. */
export function lockOf(endpoint: Endpoint, term: number): string {
  const { processId, processStart, bootId, hostName } = endpoint.facts;
  const brain = { brainHost: hostName, brainBoot: bootId, brainPid: processId, brainStart: processStart };
  return printLock({ processId, processStart, term, ...brain });
}

export { PAIR };

/** 2023 and a bit, with nanoseconds. */
export const MTIME_NS = 1_700_000_000_123_456_789n;

export function fileEntry(text: string, changes: Partial<FileEntry> = {}): FileEntry {
  const sizeBytes = new TextEncoder().encode(text).length;
  return { kind: "file", mode: 0o640, owner: null, sizeBytes, mtimeNs: MTIME_NS, digest: null, ...changes };
}

export function dirEntry(mode = 0o750): DirEntry {
  return { kind: "dir", mode, owner: null, mtimeNs: MTIME_NS };
}

export function linkEntry(target: string): LinkEntry {
  return { kind: "link", mode: 0o777, owner: null, mtimeNs: MTIME_NS, target };
}

export const ABSENT: Expected = { kind: "absent" };

/** Puts a small file. */
export function putFile(
  path: RelPath,
  text: string,
  options: { readonly expected?: Expected; readonly disposal?: Disposal; readonly mode?: number } = {},
): PutTransition {
  return {
    kind: "put",
    path,
    expected: options.expected ?? ABSENT,
    entry: fileEntry(text, { mode: options.mode ?? 0o640 }),
    content: { kind: "inline", bytes: new TextEncoder().encode(text) },
    disposal: options.disposal ?? "drop",
  };
}
