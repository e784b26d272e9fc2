/**
 * A copy of an archive to look things up in, so that the archive itself stays as it is, down to its
 * indexes and its time stamps. For a dry run; whoever made it disposes of it.
 * @module
 */
import { join } from "node:path";

/** A copy, in a directory of its own that goes with it. */
export interface ArchiveCopy extends Disposable {
  readonly path: string;
}

/** Copies the archive at `path`, with what has not been written back into it yet. */
export function copyArchive(path: string): ArchiveCopy {
  const dir = Deno.makeTempDirSync({ prefix: "psync-plan-" });
  const copy = join(dir, "archive.db");
  const dispose = () => Deno.removeSync(dir, { recursive: true });
  try {
    for (const suffix of ["", "-wal"]) copyIfThere(path + suffix, copy + suffix);
  } catch (error) {
    dispose();
    throw error;
  }
  return { path: copy, [Symbol.dispose]: dispose };
}

function copyIfThere(from: string, to: string): void {
  try {
    Deno.copyFileSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
