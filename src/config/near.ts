/**
 * The word that somebody probably meant.
 *
 * Pure.
 * @module
 */

/** At most so many letters may be wrong, and never more than a third of the word. */
const WRONG_MAX = 3;

/** The nearest of some words; null where none is near. */
export function nearest<W extends string>(word: string, words: readonly W[]): W | null {
  let best: W | null = null;
  let bestDistance = Math.min(WRONG_MAX, Math.ceil(word.length / 3)) + 1;
  for (const each of words) {
    const distance = distanceOf(word, each);
    if (distance < bestDistance) [best, bestDistance] = [each, distance];
  }
  return best;
}

/** How many letters must be added, removed or replaced. */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
