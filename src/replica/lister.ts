/**
 * Lists directories for the brain: watched first, filtered, owners named, in the words of the contract.
 *
 * What is listed is a hint, but for `self`. A directory that could not be listed to its end proves no
 * absence (I1); an ignored name is left out, and its presence is told (I6).
 * @module
 */
import type { Listing } from "../core/endpoint.ts";
import type { Ignore } from "../core/ignore.ts";
import type { Observation } from "../core/observation.ts";
import { joinPath, type RelPath } from "../core/path.ts";
import type { Counter } from "./counter.ts";
import { errnoName, lookReason } from "./errno.ts";
import type { Looker, OwnerNaming, Sighting } from "./looker.ts";
import { KIND, type RawListed, type RawStat } from "./native_format.ts";
import { observeListed, type OwnerOf } from "./observe.ts";
import type { RawListing, Watcher } from "./watcher.ts";

/** What a lister works with. */
export interface ListerParts {
  readonly watcher: Watcher;
  readonly looker: Looker;
  readonly counter: Counter;
  readonly naming: OwnerNaming;
  readonly ignore: Ignore;
}

/** A listing with what psync-native said of the directory itself, or of what is there instead; null: nothing. */
export interface Listed {
  readonly listing: Listing;
  readonly stat: RawStat | null;
  /** Of its entries, in their order. */
  readonly stats: readonly RawStat[];
}

/** The names of a listing that are not ignored. */
export function visibleEntries(
  raw: Pick<RawListing, "path" | "entries">,
  ignore: Ignore,
): { readonly path: RelPath; readonly entry: RawListed }[] {
  const out: { path: RelPath; entry: RawListed }[] = [];
  for (const entry of raw.entries) {
    const path = joinPath(raw.path, entry.name);
    if (!ignore.isIgnored(path, entry.stat.kind === KIND.dir)) out.push({ path, entry });
  }
  return out;
}

/** How often a directory is listed that is made and removed under our eyes. */
const LIST_ATTEMPTS = 5;

/** Lists directories. */
export class Lister {
  readonly #parts: ListerParts;

  constructor(parts: ListerParts) {
    this.#parts = parts;
  }

  /** Watches and lists each directory; one answer for each, in order. */
  async list(dirs: readonly RelPath[]): Promise<Listed[]> {
    return await this.#list(dirs, 1);
  }

  async #list(dirs: readonly RelPath[], attempt: number): Promise<Listed[]> {
    const began = this.#parts.counter.begin();
    const raws = await this.#parts.watcher.list(dirs);
    const ownerOf = await this.#parts.naming.of(statsOf(raws));
    const out: Listed[] = [];
    for (const raw of raws) {
      out.push(raw.errno === 0 ? this.#listed(raw, { began, ownerOf }) : await this.#unlisted(raw, attempt));
    }
    return out;
  }

  #listed(raw: RawListing, context: { readonly began: number; readonly ownerOf: OwnerOf }): Listed {
    const visible = visibleEntries(raw, this.#parts.ignore);
    const self = observeListed(raw.path, { stat: raw.stat, target: "" }, context);
    return {
      stat: raw.stat,
      stats: visible.map(({ entry }) => entry.stat),
      listing: {
        kind: "listed",
        path: raw.path,
        self,
        entries: visible.map(({ path, entry }) => observeListed(path, entry, context)),
        began: context.began,
        isWatched: !raw.isUnwatched,
        hasIgnored: visible.length < raw.entries.length,
      },
    };
  }

  /** Says by a look of its own why a directory could not be listed. */
  async #unlisted(raw: RawListing, attempt: number): Promise<Listed> {
    const [sighting] = await this.#parts.looker.look([raw.path], { contentLimitBytes: 0, digests: false });
    if (isBack(sighting!, raw.errno) && attempt < LIST_ATTEMPTS) {
      const [again] = await this.#list([raw.path], attempt + 1);
      return again!;
    }
    const self = explain(sighting!, raw.errno);
    return { listing: { kind: "unlisted", path: raw.path, self }, stat: sighting!.stat, stats: [] };
  }
}

/** RACE: a directory that was not there to be listed, and is there a moment later, was made again. */
function isBack({ observation }: Sighting, errno: number): boolean {
  const isGone = errnoName(errno) === "ENOENT" || errnoName(errno) === "ENOTDIR";
  return isGone && observation.kind === "present" && observation.entry.kind === "dir";
}

/** A directory that is there and could not be listed is unreadable, whatever its stat says. */
function explain({ observation }: Sighting, errno: number): Observation {
  if (observation.kind !== "present" || observation.entry.kind !== "dir") return observation;
  const { path, began } = observation;
  return { kind: "blocked", path, began, reason: lookReason(errno), detail: errnoName(errno) };
}

function* statsOf(raws: readonly RawListing[]): Generator<RawStat> {
  for (const raw of raws) {
    yield raw.stat;
    for (const { stat } of raw.entries) yield stat;
  }
}
