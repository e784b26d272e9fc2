/**
 * The version of psync, and the line that `--version` prints. Builds of one version are told apart
 * by their hash, which is also what both hosts compare.
 *
 * @module
 */

/** Changes with a release, together with CHANGELOG.md. */
export const VERSION = "0.1.0";

/** The line of `psync --version`; `hash` is the content hash of the running file, or null in a source tree. */
export function versionLine(hash: string | null): string {
  return `psync ${VERSION} (${hash === null ? "from source" : `build ${hash.slice(0, 12)}`})`;
}
