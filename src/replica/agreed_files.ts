/**
 * What both sides held last of files that somebody has open: a file that still begins with that has only
 * grown.
 *
 * The brain says what they held (LookOptions); what is shown as it grows is what they hold next.
 * @module
 */
import type { AgreedContent, AgreedFile } from "../core/endpoint.ts";
import { isGrowing } from "../core/entry.ts";
import type { Observation } from "../core/observation.ts";
import type { RelPath } from "../core/path.ts";

/** How many files are remembered; the brain says it again of what is busy. */
const REMEMBERED = 10_000;

/** The files of one root of which something is known. */
export class AgreedFiles {
  readonly #files = new Map<RelPath, AgreedContent>();

  /** Takes what both sides held of a file. */
  note({ path, sizeBytes, digest }: AgreedFile): void {
    this.#files.delete(path);
    if (sizeBytes === 0) return;
    this.#files.set(path, { sizeBytes, digest });
    if (this.#files.size <= REMEMBERED) return;
    const [oldest] = this.#files.keys();
    this.#files.delete(oldest!);
  }

  /** What is known of each path, in order. */
  of(paths: readonly RelPath[]): (AgreedContent | null)[] {
    return paths.map((path) => this.#files.get(path) ?? null);
  }

  /** Follows what was seen: what is shown as it grows is held next; where nobody writes, nothing is known. */
  saw(seen: Observation): void {
    if (seen.kind === "busy" || !this.#files.has(seen.path)) return;
    this.#files.delete(seen.path);
    if (seen.kind !== "present" || seen.entry.kind !== "file" || !isGrowing(seen.stamp)) return;
    const { sizeBytes, digest } = seen.entry;
    if (digest !== null) this.note({ path: seen.path, sizeBytes, digest });
  }
}
