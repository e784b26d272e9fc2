/**
 * The record of the long runs: one line of JSON for each seed that was run, so that the next run goes
 * on where the last one stopped, and a failed seed stays known with the command that runs it again.
 *
 * Lines are only ever added, and only whole: one that a kill cut off is left out when it is read.
 * @module
 */
import { dirname } from "@std/path";

/** One seed that was run. */
export interface RecordLine {
  /** The proof with its flags, as in the rotation. */
  readonly course: string;
  readonly seed: number;
  /** RFC 3339. */
  readonly at: string;
  readonly seconds: number;
  /** The first digits of the SHA-256 of dist/psync. */
  readonly build: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
  /** The command that runs it again. */
  readonly again: string;
  /** Where a failed seed left everything. */
  readonly dir?: string;
}

/** Where the record lies unless it is said: `$XDG_STATE_HOME/psync-torture/record.jsonl`. */
export function usualRecord(): string {
  const home = Deno.env.get("XDG_STATE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.local/state`;
  return `${home}/psync-torture/record.jsonl`;
}

/** What was recorded; nothing where there is no file. */
export function readRecord(path: string): readonly RecordLine[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as RecordLine];
    } catch {
      return [];
    }
  });
}

/** Adds a line. It begins with a line feed of its own, should the last one have been cut off. */
export function addToRecord(path: string, line: RecordLine): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  Deno.writeTextFileSync(path, `\n${JSON.stringify(line)}`, { append: true });
}

/** The seed that comes next in a course. */
export function nextSeed(lines: readonly RecordLine[], course: string): number {
  return lines.reduce((next, line) => line.course === course ? Math.max(next, line.seed + 1) : next, 1);
}

/** The whole record for people: a line for each course and build, then every failed seed. */
export function summary(lines: readonly RecordLine[]): readonly string[] {
  const groups = Map.groupBy(lines, ({ course, build }) => `${course}, build ${build}`);
  const totals = [...groups].map(([name, group]) => {
    const counts: Record<string, number> = {};
    for (const line of group) {
      for (const [what, count] of Object.entries(line.counts)) counts[what] = (counts[what] ?? 0) + count;
    }
    const failed = group.filter(({ faults }) => faults.length > 0).length;
    const hours = group.reduce((sum, { seconds }) => sum + seconds, 0) / 3600;
    const words = Object.entries(counts).map(([what, count]) => `${count} ${what}`).join(", ");
    const seeds = group.map(({ seed }) => seed);
    return `${name}: ${group.length} seeds (${Math.min(...seeds)} to ${Math.max(...seeds)}), ${words}, ` +
      `${hours.toFixed(2)} h: ${failed} failed`;
  });
  const failures = lines.filter(({ faults }) => faults.length > 0).flatMap((line) => [
    `FAILED ${line.course}, seed ${line.seed}, build ${line.build}, ${line.at}: ${line.faults[0]}`,
    `  again: ${line.again}`,
  ]);
  return [...totals, ...failures];
}
