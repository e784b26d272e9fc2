/**
 * Where the control socket of a pair lies, and whether its directory is private.
 *
 * The first place is the pair's own directory of state, since a command started by another way (cron,
 * sudo) finds the same there; $XDG_RUNTIME_DIR is for state directories whose path is too long for a
 * socket. The directory is the guard: whoever may enter it may ask. Does not open anything.
 * @module
 */
import { dirname, join } from "node:path";
import { encodeBytes } from "../core/path.ts";

/** sun_path holds 108 bytes with the NUL. @see unix(7) */
const SOCKET_PATH_MAX_BYTES = 107;

/** What the place depends on. */
export interface SocketSurroundings {
  /** Where archives lie. */
  readonly stateDir: string;
  /** $XDG_RUNTIME_DIR, where it is set. */
  readonly runtimeDir: string | undefined;
}

/** The paths at which the socket of a pair may lie, the preferred one first; none: there is no room. */
export function socketPaths(pairId: string, of: SocketSurroundings): string[] {
  const paths = [join(of.stateDir, pairId, "control.sock")];
  if (of.runtimeDir?.startsWith("/")) paths.push(join(of.runtimeDir, "psync", `${pairId}.sock`));
  // Deno takes paths as text.
  return paths.filter((path) => encodeBytes(path).length <= SOCKET_PATH_MAX_BYTES && path.isWellFormed());
}

/** Whether the directory of a socket is ours alone; false also where it is not there. */
export function isPrivate(socketPath: string): boolean {
  try {
    const { isDirectory, uid, mode } = Deno.lstatSync(dirname(socketPath));
    return isDirectory && uid === Deno.uid() && ((mode ?? 0o777) & 0o077) === 0;
  } catch {
    return false;
  }
}
