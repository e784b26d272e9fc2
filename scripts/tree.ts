/**
 * Finds the files of this repository, for the checks.
 *
 * Does not ask git: a file that is not committed yet is checked, too.
 * @module
 */

/** The top of the repository, absolute, no slash at its end. */
export const REPO = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");

const SKIPPED = new Set([".git", ".cache", "dist", "node_modules"]);

/** The files below `dir` whose names end with `suffix`, relative to REPO, sorted; none where there is no such directory. */
export function filesBelow(dir: string, suffix: string, maxDepth = 32): string[] {
  const found: string[] = [];
  const visit = (at: string, depth: number) => {
    for (const entry of listDir(at)) {
      const path = at === "." ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory && depth < maxDepth && !SKIPPED.has(entry.name)) visit(path, depth + 1);
      if (entry.isFile && entry.name.endsWith(suffix)) found.push(path);
    }
  };
  visit(dir, 1);
  return found.sort();
}

function listDir(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(`${REPO}/${path}`)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Prints what a check found and ends with its exit status. */
export function report(found: readonly string[]): never {
  for (const line of found) console.error(line);
  Deno.exit(found.length === 0 ? 0 : 1);
}
