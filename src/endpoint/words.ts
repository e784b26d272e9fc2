/**
 * Command lines as words: split as a shell splits them, joined as rsync's `-e` reads them.
 *
 * Starts nothing and expands nothing: no variables, no globs, no shell.
 * @module
 */
import { UsageError } from "../base/errors.ts";

/**
 * Splits a command line at blanks; single quotes keep all, double quotes all but `\"` and `\\`,
 * a backslash outside quotes keeps the next character.
 * @throws {UsageError} where it is empty or a quote is not closed.
 */
export function splitWords(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (char === "'" || char === '"') {
      const { text, end } = quoted(line, at);
      word = (word ?? "") + text;
      at = end;
    } else if (char === "\\" && at + 1 < line.length) {
      word = (word ?? "") + line[++at]!;
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== null) words.push(word);
  if (words.length === 0 || words[0] === "") {
    throw new UsageError(`Cannot use command ${JSON.stringify(line)}: it is empty`);
  }
  return words;
}

/** The text between the quote at `start` and its like, and where that stands. */
function quoted(line: string, start: number): { readonly text: string; readonly end: number } {
  const quote = line[start]!;
  let text = "";
  for (let at = start + 1; at < line.length; at++) {
    const char = line[at]!;
    if (char === quote) return { text, end: at };
    const isEscape = quote === '"' && char === "\\" && (line[at + 1] === '"' || line[at + 1] === "\\");
    text += isEscape ? line[++at]! : char;
  }
  throw new UsageError(`Cannot use command ${JSON.stringify(line)}: a quote is not closed`);
}

/**
 * Joins words for rsync's `-e`, which splits at blanks and takes a doubled quote within quotes for one.
 * @see rsync(1), --rsh
 */
export function joinForRsync(words: readonly string[]): string {
  return words.map((word) => /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "''")}'`).join(" ");
}
