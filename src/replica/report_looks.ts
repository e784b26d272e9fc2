/**
 * The looks at paths that have settled: as little of each is read as tells what is new.
 *
 * Judges nothing and remembers nothing; called by reporter.ts.
 * @module
 */
import type { RelPath } from "../core/path.ts";
import type { KnownStamps } from "./known_stamps.ts";
import type { Looker, Sighting } from "./looker.ts";
import { KIND, type RawStat } from "./native_format.ts";
import { type Due, LOOK_DEEP, LOOK_FOLLOWED, type Settle } from "./settle.ts";

/** Content of files up to this size travels with a report. */
export const REPORT_CONTENT_BYTES = 64 << 10;
/** With more paths than this none of it does: they are in one report where they were renamed, all at once. */
export const REPORT_CONTENT_PATHS = 512;

/** A path that was looked at. */
export interface Look {
  readonly due: Due;
  readonly sighting: Sighting;
}

/** What these looks are made with. */
interface Parts {
  readonly looker: Pick<Looker, "look">;
  readonly known: KnownStamps;
  readonly settle: Pick<Settle, "isDueToGrow">;
}

/** Looks at each path: first at the stamp alone where probably nobody changed what psync knows of it. */
export async function lookAtDues(dues: readonly Due[], parts: Parts): Promise<Look[]> {
  const { known, looker } = parts;
  const isQuiet = ({ path, bits }: Due) => known.isOwn(path) || bits === LOOK_FOLLOWED;
  const deep = dues.filter(({ bits }) => (bits & LOOK_DEEP) !== 0);
  const own = dues.filter((due) => isQuiet(due) && (due.bits & LOOK_DEEP) === 0);
  const rest = dues.filter((due) => !isQuiet(due) && (due.bits & LOOK_DEEP) === 0);
  const look = (part: readonly Due[], digests: boolean, contentLimitBytes: number, stampOnly = false) =>
    looker.look(part.map(({ path }) => path), { digests, contentLimitBytes, stampOnly });
  const lookWithContent = (part: readonly Due[]) =>
    look(part, false, part.length > REPORT_CONTENT_PATHS ? 0 : REPORT_CONTENT_BYTES);
  const [owns, deeps, rests] = await Promise.all([
    look(own, false, 0, true),
    look(deep, true, REPORT_CONTENT_BYTES),
    lookWithContent(rest),
  ]);
  const changed = own.filter(({ path }, i) => isFile(owns[i]!) && known.match(path, owns[i]!.stat) === "different");
  const changes = await lookWithContent(changed);
  const found = new Map<RelPath, Sighting>();
  for (const sighting of [...owns, ...deeps, ...rests, ...changes]) found.set(sighting.observation.path, sighting);
  for (const sighting of await lookAtGrowing(found, parts)) found.set(sighting.observation.path, sighting);
  return dues.map((due) => ({ due, sighting: found.get(due.path)! }));
}

/** Files that a writer has had open for long, as they are for a moment; not where nothing was written since. */
async function lookAtGrowing(
  found: ReadonlyMap<RelPath, Sighting>,
  { looker, known, settle }: Parts,
): Promise<readonly Sighting[]> {
  const paths = [...found.keys()].filter((path) => {
    const { observation, stat } = found.get(path)!;
    return observation.kind === "busy" && settle.isDueToGrow(path) && !isToldAsItGrew(known, path, stat);
  });
  return await looker.look(paths, { digests: false, contentLimitBytes: REPORT_CONTENT_BYTES, growing: "open" });
}

/** Whether what a writer has open is what was last shown of it. */
export function isToldAsItGrew(known: KnownStamps, path: RelPath, stat: RawStat | null): boolean {
  return stat !== null && known.match(path, stat) !== "different";
}

function isFile({ observation, stat }: Sighting): boolean {
  return observation.kind === "present" && stat?.kind === KIND.file;
}
