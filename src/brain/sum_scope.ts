/**
 * What the sums of the archive hold for.
 *
 * A sum says that a directory is as its rows say; a listing says besides that none of these rows is of a
 * name that is ignored now (scan.ts forgets such a row). A directory has a sum only once it was gone through
 * under the patterns, the translation and the psync of today: under others all sums are dropped, and each
 * comes back when its directory was listed. Called by join.ts.
 * @module
 */
import { createHash } from "node:crypto";
import type { Archive } from "../core/archive.ts";
import type { SessionSettings } from "./settings.ts";

/** Where the archive keeps what its sums hold for, as a hash. */
const SUM_SCOPE = "sum.scope";

/** Drops the sums where they are not of these patterns, this translation and this build of psync; within a transaction. */
export function followScope(
  archive: Archive,
  { settings, build }: { readonly settings: Pick<SessionSettings, "rules" | "translate">; readonly build: string },
): void {
  const parts = JSON.stringify([build, settings.rules, settings.translate]);
  const scope = createHash("sha256").update(parts).digest("hex");
  if (archive.meta(SUM_SCOPE) === scope) return;
  archive.dropSums();
  archive.setMeta(SUM_SCOPE, scope);
}
