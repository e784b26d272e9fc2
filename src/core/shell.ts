/**
 * Words as a shell reads them, for commands that people copy.
 *
 * Pure. psync itself gives no name to a shell.
 * @module
 */
import { encodeBytes } from "./path.ts";

/** A word that bash, zsh and ksh read as this text, whatever bytes are in it. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  // What a terminal might take for more than text is written as bytes.
  if (/^[\x20-\x7e\u00a1-\u1fff\u2c00-\ud7ff]*$/.test(text)) return `'${text.replaceAll("'", `'\\''`)}'`;
  const bytes = Array.from(encodeBytes(text), (byte) => {
    const char = String.fromCharCode(byte);
    return /[\w@%+=:,./ -]/.test(char) ? char : `\\x${byte.toString(16).padStart(2, "0")}`;
  });
  return `$'${bytes.join("")}'`;
}
