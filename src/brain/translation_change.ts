/**
 * What the archive may still say once other names are translated than before.
 *
 * Rows have the left's names. Under another translation the same row would stand for another path on
 * the right, and what is missing there would look like a removal: rows of names that are concerned are
 * forgotten, so that both sides meet there as in a first sync. Called by join.ts and dry_run.ts.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Archive } from "../core/archive.ts";
import { isBelow, nameOf, type RelPath, ROOT } from "../core/path.ts";
import { type NamePair, parseTranslations } from "../core/translation.ts";
import { closeEpoch } from "./rolled_back.ts";

/** Where the archive keeps the translation that its rows are of, as JSON. */
const TRANSLATE = "translate";

/** The translation that the rows of an archive are of. */
export function translationOf(archive: Pick<Archive, "meta">): NamePair[] {
  return parseTranslations(JSON.parse(archive.meta(TRANSLATE) ?? "[]") as string[]);
}

/**
 * Makes the rows those of another translation.
 * @throws {UsageError} where a crash left an open epoch, whose paths have the former names.
 */
export function followTranslation(archive: Archive, wanted: readonly NamePair[]): void {
  const [before, now] = [translationOf(archive).map(wordOf), wanted.map(wordOf)];
  if (before.toSorted().join() === now.toSorted().join()) return;
  if (archive.epochEnd() !== 0) {
    const words = before.map((word) => ` -T ${word}`).join("");
    throw new UsageError(
      `Cannot translate other names now: psync did not end in order; start it once ${
        words === "" ? "without -T" : `with${words}`
      }`,
    );
  }
  const names = new Set([...before, ...now].flatMap((word) => word.split(":")));
  const concerned = [...archive.below(ROOT)].flatMap(({ path }) => names.has(nameOf(path)) ? [path] : []);
  archive.transact(() => {
    for (const path of topmost(concerned)) archive.remove(path);
    archive.setMeta(TRANSLATE, JSON.stringify(now));
    // What was forgotten is nothing that a disk could take back.
    closeEpoch(archive, archive.epochEnd());
  });
}

function topmost(paths: readonly RelPath[]): RelPath[] {
  return paths.filter((path) => !paths.some((other) => isBelow(path, other)));
}

function wordOf({ left, right }: NamePair): string {
  return `${left}:${right}`;
}
