/**
 * `psync doctor`: shows what was found, each finding with the command that mends it.
 *
 * Finds and judges nothing itself (brain/diagnosis.ts). Called by about.ts.
 * @module
 */
import type { Finding } from "../brain/diagnosis.ts";
import type { Diagnosis } from "../control/doctor.ts";
import { exitCodeOf } from "./exit_code.ts";
import { countText, oneLine } from "./format.ts";

const EXIT_FINE = 0;
const EXIT_TO_MEND = 1;

const LEVEL_WIDTH = 6;
const CHECK_WIDTH = 12;

/** What the doctor works with. */
export interface DoctorWorld {
  examine(): Promise<Diagnosis>;
  /** A line of the report; resolves when it was written. */
  out(line: string): Promise<void>;
  err(line: string): void;
}

/** Shows the report; returns the exit code. */
export async function doctor({ examine, out, err }: DoctorWorld): Promise<number> {
  const { findings, error } = await examine();
  for (const line of findings.flatMap(findingLines)) await out(line);
  const toMend = findings.filter(({ level }) => level === "mend").length;
  const notes = findings.filter(({ level }) => level === "note").length;
  const sum = `${countText(toMend, "thing")} to mend, ${countText(notes, "note")}`;
  if (toMend + notes > 0) await out(sum);
  else if (error === null) await out("Nothing to mend");
  if (error === null) return toMend === 0 ? EXIT_FINE : EXIT_TO_MEND;
  err(`psync: ${oneLine(error.message)}`);
  err("psync: Only this host could be examined");
  return exitCodeOf(error);
}

/** A finding, and below it what mends it. */
export function findingLines({ level, check, text, command }: Finding): string[] {
  const head = `${level.padEnd(LEVEL_WIDTH)}${check.padEnd(CHECK_WIDTH)}${text}`;
  return command === null ? [head] : [head, `${" ".repeat(LEVEL_WIDTH)}  $ ${command}`];
}
