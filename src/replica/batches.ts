/**
 * The batches of rsync on one replica: what it sends (supply), what it may use and where it writes
 * (prepare), and their end (release).
 *
 * Starts no rsync (transfer/). Linking a live file as basis changes its ctime: whoever asks gets the
 * new stamp, and the reporter is told that the change was psync's own.
 * @module
 */
import { SafetyHaltError } from "../base/errors.ts";
import type { BasisRequest, BasisResult, SupplyRequest, SupplyResult } from "../core/endpoint.ts";
import { isGrowing } from "../core/entry.ts";
import type { RelPath } from "../core/path.ts";
import type { Applier } from "./applier.ts";
import type { Counter } from "./counter.ts";
import { statOfStamp } from "./committer.ts";
import { KIND, NO_STAT, type RawResult, type RawStat, STATUS } from "./native_format.ts";
import { stampOf } from "./observe.ts";

/** The unit of st_blocks (stat(3type)). */
const BLOCK_BYTES = 512;

/** What a batch tells about live files that it touches. */
export interface BatchesParts {
  /** The canonical path of the root. */
  readonly root: string;
  readonly applier: Applier;
  readonly counter: Counter;
  readonly hold: (paths: readonly RelPath[]) => void;
  readonly release: (paths: readonly RelPath[]) => void;
  /** Remembers a stamp that psync itself made, and the counter after that. */
  readonly remember: (path: RelPath, stat: RawStat, ended: number) => void;
}

interface Batch {
  readonly kind: "supply" | "prepare";
  readonly paths: ReadonlyMap<number, RelPath>;
}

/** The open batches of an endpoint. */
export class Batches {
  readonly #parts: BatchesParts;
  readonly #open = new Map<string, Batch>();

  constructor(parts: BatchesParts) {
    this.#parts = parts;
  }

  /** Opens files for rsync to send; one result for each, in order. */
  async supply(batch: string, requests: readonly SupplyRequest[]): Promise<SupplyResult[]> {
    const files = requests.map(({ id, path, stamp, digest }) => ({
      id,
      path,
      stat: statOfStamp(KIND.file, stamp),
      growing: isGrowing(stamp) ? digest : null,
    }));
    this.#remember(batch, { kind: "supply", paths: pathsById(requests) });
    const results = byId(await this.#parts.applier.supply({ batch, files }));
    return await Promise.all(requests.map(async ({ id }) => {
      const kind = supplyKind(results.get(id));
      return { id, kind, diskBytes: kind === "supplied" ? await this.#diskBytes(batch, id) : 0 };
    }));
  }

  /** Makes the stage of a batch and links what is live as basis; one result for each, in order. */
  async prepare(batch: string, requests: readonly BasisRequest[]): Promise<BasisResult[]> {
    const files = requests.map(({ id, path, expected, incomingBytes }) => ({
      id,
      path,
      incomingBytes,
      stat: expected.kind === "file" ? statOfStamp(KIND.file, expected.stamp) : NO_STAT,
    }));
    const paths = pathsById(requests);
    this.#remember(batch, { kind: "prepare", paths });
    return await this.#whileHeld([...paths.values()], async () => {
      const results = byId(await this.#parts.applier.prepare({ batch, files }));
      const ended = this.#parts.counter.end();
      return requests.map(({ id }) => this.#basisResult({ id, paths, ended, raw: results.get(id) }));
    });
  }

  /** Ends a batch. */
  async release(
    batch: string,
  ): Promise<{ readonly stable: readonly number[]; readonly stamps: readonly BasisResult[] }> {
    const open = this.#open.get(batch);
    this.#open.delete(batch);
    if (open === undefined || open.kind === "supply") {
      const results = await this.#parts.applier.release(batch);
      guard(results);
      return { stable: results.filter(({ status }) => status === STATUS.done).map(({ id }) => id), stamps: [] };
    }
    const { paths } = open;
    return await this.#whileHeld([...paths.values()], async () => {
      const results = await this.#parts.applier.release(batch);
      guard(results);
      const ended = this.#parts.counter.end();
      return { stable: [], stamps: results.map((raw) => this.#basisResult({ id: raw.id, paths, ended, raw })) };
    });
  }

  /** What an open file takes on its disk; the link to it is psync's own, so it has a plain name. */
  async #diskBytes(batch: string, id: number): Promise<number> {
    try {
      const { blocks } = await Deno.stat(`${this.#parts.root}/.psync/supply/${batch}/${id}`);
      return blocks === null ? Number.MAX_SAFE_INTEGER : blocks * BLOCK_BYTES;
    } catch {
      return Number.MAX_SAFE_INTEGER; // the root has a name that is no text: its size alone counts
    }
  }

  #remember(batch: string, opened: Batch): void {
    const before = this.#open.get(batch);
    const paths = new Map([...before?.paths ?? [], ...opened.paths]);
    this.#open.set(batch, { kind: opened.kind, paths });
  }

  #basisResult(
    { id, paths, ended, raw }: {
      id: number;
      paths: ReadonlyMap<number, RelPath>;
      ended: number;
      raw: RawResult | undefined;
    },
  ): BasisResult {
    const stat = raw?.status === STATUS.done ? raw.stat : null;
    const path = paths.get(id);
    if (path !== undefined && stat !== null) this.#parts.remember(path, stat, ended);
    return { id, stamp: stat === null ? null : stampOf(stat), ended };
  }

  async #whileHeld<T>(paths: readonly RelPath[], work: () => Promise<T>): Promise<T> {
    this.#parts.hold(paths);
    try {
      return await work();
    } finally {
      this.#parts.release(paths);
    }
  }
}

function pathsById(
  requests: readonly { readonly id: number; readonly path: RelPath }[],
): ReadonlyMap<number, RelPath> {
  return new Map(requests.map(({ id, path }) => [id, path]));
}

function byId(results: readonly RawResult[]): ReadonlyMap<number, RawResult> {
  guard(results);
  return new Map(results.map((result) => [result.id, result]));
}

function supplyKind(raw: RawResult | undefined): SupplyResult["kind"] {
  if (raw?.status === STATUS.done) return "supplied";
  return raw?.status === STATUS.busy ? "busy" : "stale";
}

function guard(results: readonly RawResult[]): void {
  if (results.some(({ status }) => status === STATUS.guard)) {
    throw new SafetyHaltError("Cannot go on with a batch: the root or its marks are not what they were");
  }
}
