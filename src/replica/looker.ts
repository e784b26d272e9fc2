/**
 * Looks at paths: exact, in requests that fit, with owners named and the counter's value (I13).
 *
 * Remembers no stamps (known_stamps.ts) and reports nothing (reporter.ts). Only what it returns is an
 * observation; listings are hints.
 * @module
 */
import { SafetyHaltError } from "../base/errors.ts";
import type { AgreedFile } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import { AgreedFiles } from "./agreed_files.ts";
import type { Applier } from "./applier.ts";
import type { Counter } from "./counter.ts";
import { type RawLooked, type RawStat, RECORD_MAX_BYTES, STATUS } from "./native_format.ts";
import { observeLooked, type OwnerOf } from "./observe.ts";
import type { Owners } from "./owners.ts";

/** The most paths of one request: its answer then comes soon, and others get their turn. */
const REQUEST_PATHS_MAX = 256;
/** What one answer may hold of content, with room for stats and targets. */
const ANSWER_CONTENT_BYTES = RECORD_MAX_BYTES - (4 << 20);
/** The largest content that a look returns. */
export const CONTENT_LIMIT_BYTES_MAX = 1 << 20;

/** An observation, with what psync-native said of it. */
export interface Sighting {
  readonly observation: Observation;
  /** Of what is there, where something is. */
  readonly stat: RawStat | null;
}

/** What a look asks for. */
export interface SightOptions {
  readonly contentLimitBytes: number;
  readonly digests: boolean;
  /** Which file that only grows is shown as it was for a moment: one that nobody has open for long, or any. */
  readonly growing?: "closed" | "open" | null;
  /** Of files the stat alone, for a comparison with what is known: a writer is not noticed. */
  readonly stampOnly?: boolean;
  /** What both sides held last of some paths; remembered (agreed_files.ts). */
  readonly agreed?: readonly AgreedFile[];
}

/** Names owners where they are compared. */
export class OwnerNaming {
  readonly owners: Owners;
  isOn: boolean;

  constructor(owners: Owners, isOn: boolean) {
    this.owners = owners;
    this.isOn = isOn;
  }

  /** The function that names the owners of these stats; null for each where owners are not compared. */
  async of(stats: Iterable<RawStat>): Promise<OwnerOf> {
    return this.isOn ? await this.owners.namer(stats) : () => null;
  }
}

/** The eyes of an endpoint. */
export class Looker {
  readonly #applier: Applier;
  readonly #counter: Counter;
  readonly #naming: OwnerNaming;
  readonly #onSeen: (seen: Observation) => void;
  readonly #agreed = new AgreedFiles();
  /** Paths that are being looked at, and when that ends. */
  readonly #looking = new Map<RelPath, Promise<void>>();

  /** `onSeen` is told of everything that is seen. */
  constructor(
    parts: {
      readonly applier: Applier;
      readonly counter: Counter;
      readonly naming: OwnerNaming;
      readonly onSeen?: (seen: Observation) => void;
    },
  ) {
    this.#onSeen = parts.onSeen ?? (() => {});
    this.#applier = parts.applier;
    this.#counter = parts.counter;
    this.#naming = parts.naming;
  }

  /**
   * Looks at each path; one sighting for each, in order.
   * @throws {SafetyHaltError} where the root is not the root that was opened.
   */
  async look(paths: readonly RelPath[], options: SightOptions): Promise<Sighting[]> {
    for (const each of options.agreed ?? []) this.#agreed.note(each);
    const limit = Math.min(options.contentLimitBytes, CONTENT_LIMIT_BYTES_MAX);
    const each = requestPaths(limit);
    const out: Sighting[] = [];
    for (let from = 0; from < paths.length; from += each) {
      out.push(...await this.#lookOnce(paths.slice(from, from + each), { ...options, contentLimitBytes: limit }));
    }
    return out;
  }

  /** Two looks at one path never overlap: otherwise the one that began later could have seen less. */
  async #lookOnce(paths: readonly RelPath[], options: SightOptions): Promise<Sighting[]> {
    for (let busy = this.#busy(paths); busy.length > 0; busy = this.#busy(paths)) await Promise.all(busy);
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const path of paths) this.#looking.set(path, promise);
    try {
      return await this.#lookAlone(paths, options);
    } finally {
      for (const path of paths) this.#looking.delete(path);
      resolve();
    }
  }

  #busy(paths: readonly RelPath[]): Promise<void>[] {
    if (this.#looking.size === 0) return [];
    return paths.map((path) => this.#looking.get(path)).filter((one) => one !== undefined);
  }

  async #lookAlone(paths: readonly RelPath[], options: SightOptions): Promise<Sighting[]> {
    const began = this.#counter.begin();
    const { contentLimitBytes, digests, growing = null, stampOnly = false } = options;
    const agreed = growing === "open" ? { agreed: this.#agreed.of(paths) } : {};
    const looked = await this.#applier.look({ contentLimitBytes, digests, growing, stampOnly, paths, ...agreed });
    guard(looked);
    const ownerOf = await this.#naming.of(statsOf(looked));
    return looked.map((raw, i) => {
      const observation = observeLooked(paths[i]!, raw, { began, ownerOf });
      this.#onSeen(observation);
      this.#agreed.saw(observation);
      return { observation, stat: raw.stat };
    });
  }
}

/** How many paths one request may hold, so that the answer fits into a record. */
function requestPaths(contentLimitBytes: number): number {
  if (contentLimitBytes === 0) return REQUEST_PATHS_MAX;
  return Math.max(1, Math.min(REQUEST_PATHS_MAX, Math.floor(ANSWER_CONTENT_BYTES / contentLimitBytes)));
}

function guard(looked: readonly RawLooked[]): void {
  if (looked.some(({ status }) => status === STATUS.guard)) {
    throw new SafetyHaltError("Cannot look: the root is not the root that was opened");
  }
}

function* statsOf(looked: readonly RawLooked[]): Generator<RawStat> {
  for (const { stat } of looked) {
    if (stat !== null) yield stat;
  }
}
