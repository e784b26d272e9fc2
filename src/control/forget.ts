/**
 * Forgets what both sides of a pair agreed on, for `psync reset`: no tree is touched.
 *
 * The caller has made sure that no psync of this host runs on the pair; its archive is used by one.
 * @module
 */
import { openArchive } from "../archive/archive.ts";
import { archivePath } from "../archive/pair_store.ts";
import { forgetAgreements } from "../brain/identity.ts";

/** Forgets the agreements of a pair; conflicts stay listed. @returns how many paths were forgotten. */
export function forgetPair(stateDir: string, pairId: string): number {
  using archive = openArchive(archivePath(stateDir, pairId));
  const count = archive.count();
  forgetAgreements(archive);
  return count;
}
