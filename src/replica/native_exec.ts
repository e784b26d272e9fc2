/**
 * Commands that are started through `psync-native exec`.
 *
 * It hands on arguments that are bytes, where Deno knows text only, and opens SIGUSR1 again, which
 * psync keeps blocked (native/launcher/signals.h) and every child takes over: rsync and ssh get what
 * they would get from a shell. Starts nothing itself. Used by endpoint/ and transfer/.
 * @module
 */
import { encodeBytes } from "../core/path.ts";

/** What starts a command, for `Child.spawn`. */
export interface StartWords {
  readonly command: string;
  readonly args: readonly string[];
}

/**
 * How `words` are started. A command that cannot be run shows as exit code 126 or 127, with a line
 * on stderr that begins with "psync-native:". Without a psync-native (tests) they start directly.
 */
export function throughNative(nativePath: string | undefined, words: readonly string[]): StartWords {
  if (nativePath === undefined) return { command: words[0]!, args: words.slice(1) };
  return { command: nativePath, args: ["exec", ...words.map((word) => encodeBytes(word).toHex())] };
}
