/**
 * The symbolic links of a replica that shows what they lead to (-L), looked at by the clock: no event of
 * the root tells that a target was changed, or that a link came to lead elsewhere.
 *
 * Looks at stamps alone, and hands what changed on as a hint, as an event would. Told by whatever sees a
 * link (looker.ts, lister.ts); memory grows with the number of links. Owned by LocalEndpoint.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Listing } from "../core/endpoint.ts";
import { isFollowed, sameStamp, type Stamp } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";
import type { Looker } from "./looker.ts";
import { DIRTY } from "./native_format.ts";
import type { Reporter } from "./reporter.ts";

/** How long a change of a target goes unnoticed at most, but for what a look takes. */
export const FOLLOW_POLL_MS = 5_000;
/** How many links are looked at before others get their turn. */
const PART_PATHS = 256;

/** What links are looked at with. */
export interface FollowedLinksParts {
  readonly clock: Clock;
  readonly looker: Pick<Looker, "look">;
  /** Takes the hints. */
  readonly reporter: Pick<Reporter, "take" | "pump">;
}

/** The links of one replica. */
export class FollowedLinks {
  readonly #parts: FollowedLinksParts;
  /** What each led to. */
  readonly #links = new Map<RelPath, Stamp | "no file">();
  #timer: Timer | null = null;
  #isEnded = false;

  constructor(parts: FollowedLinksParts) {
    this.#parts = parts;
  }

  /** Takes what was seen at a path. */
  note(seen: Observation): void {
    const stamp = linkStamp(seen);
    if (stamp === "unknown") return;
    if (stamp === null) this.#links.delete(seen.path);
    else this.#links.set(seen.path, stamp);
    if (this.#links.size > 0) this.#startTimer();
  }

  /** Takes what was seen in a directory. */
  noteListing(listing: Listing): void {
    if (listing.kind === "listed") { for (const seen of listing.entries) this.note(seen); }
  }

  /** Looks at every link now; what changed until then was handed on when it resolves. */
  async poll(): Promise<void> {
    const paths = [...this.#links.keys()];
    for (let from = 0; from < paths.length && !this.#isEnded; from += PART_PATHS) {
      await this.#pollPart(paths.slice(from, from + PART_PATHS));
    }
  }

  /** No link is looked at any more. */
  end(): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#links.clear();
  }

  async #pollPart(paths: readonly RelPath[]): Promise<void> {
    const { looker, reporter } = this.#parts;
    const before = new Map(paths.map((path) => [path, this.#links.get(path)]));
    const seen = await looker.look(paths, { contentLimitBytes: 0, digests: false, stampOnly: true });
    const changed = seen.map((sighting) => sighting.observation)
      .filter((observation) => !isSame(before.get(observation.path) ?? null, linkStamp(observation)))
      .map(({ path }) => path);
    if (changed.length === 0 || this.#isEnded) return;
    reporter.take({ kind: "dirty", names: changed.map((path) => ({ path, bits: DIRTY.attrib })) });
    reporter.pump();
  }

  #startTimer(): void {
    if (this.#timer !== null || this.#isEnded) return;
    this.#timer = this.#parts.clock.after(FOLLOW_POLL_MS, () => {
      // A look that fails is told by the endpoint's own.
      void this.poll().catch(() => {}).finally(() => {
        this.#timer = null;
        if (this.#links.size > 0) this.#startTimer();
      });
    });
  }
}

/** What the link that was seen leads to; null: there is no link; unknown: that was not to be seen. */
function linkStamp(seen: Observation): Stamp | "no file" | "unknown" | null {
  if (seen.kind === "busy" || seen.kind === "blocked") return "unknown";
  if (seen.kind !== "present") return null;
  if (seen.entry.kind === "link") return "no file";
  return isFollowed(seen.stamp) ? seen.stamp : null;
}

function isSame(was: Stamp | string | null, is: Stamp | string | null): boolean {
  if (was === null || is === null || typeof was === "string" || typeof is === "string") return was === is;
  return sameStamp("file", was, is);
}
