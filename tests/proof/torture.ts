/**
 * The long runs of the proofs:
 *
 *     ./scripts/torture [PROOF] [--seeds N | --hours N] [--seed FIRST] [--ops N] [--record FILE]
 *                       [--ssh | --local] [--kill] [--trouble] [--dir DIR] [--quiet]
 *     ./scripts/torture record [--record FILE]
 *
 * Without PROOF all of them in rotation (courses.ts). Without `--seed` it goes on behind the last seed
 * of the record, and adds to it (record.ts); with it just those seeds are run, and nothing is recorded.
 *
 * Prints one line for each seed; for a failed one what was wrong, where everything lies, and how to
 * run it again. The last line counts; exit status 1 when a seed failed or proved nothing.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { binary } from "../support/scene.ts";
import { type Outcome, PROOFS, ROTATION, type Way } from "./courses.ts";
import { addToRecord, nextSeed, readRecord, summary, usualRecord } from "./record.ts";

/** What the command line asks for. */
interface Wishes extends Omit<Way, "proof"> {
  /** Null: all of them in rotation. */
  readonly proof: string | null;
  readonly seeds: number;
  readonly hours: number | null;
  /** Null: where the record stopped. */
  readonly first: number | null;
  readonly record: string;
}

const USAGE = `torture [${Object.keys(PROOFS).join("|")}|record] [--seeds N | --hours N] [--seed FIRST] [--ops N] ` +
  "[--record FILE] [--ssh | --local] [--kill] [--trouble] [--dir DIR] [--quiet]";

function usage(why: string): never {
  console.error(`torture: ${why}\n${USAGE}`);
  Deno.exit(2);
}

function parse(args: readonly string[]): Wishes {
  const isNamed = args[0] !== undefined && !args[0].startsWith("--");
  const proof = isNamed ? args[0]! : null;
  if (proof !== null && proof !== "record" && !Object.hasOwn(PROOFS, proof)) usage(`no proof "${proof}"`);
  const wishes = {
    ...{ proof, seeds: 10, hours: null as number | null, first: null as number | null, operations: 300 },
    ...{ isSsh: false, isKilling: false, isTroubled: false, record: usualRecord() },
    ...{ dir: null as string | null, debugLevel: 3 as number | null },
  };
  const rest = isNamed ? args.slice(1) : args;
  const number = (text: string | undefined) => {
    const value = Number(text);
    return Number.isFinite(value) && text !== undefined ? value : usage(`"${text ?? ""}" is no number`);
  };
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!;
    if (word === "--seeds") wishes.seeds = number(rest[++i]);
    else if (word === "--hours") wishes.hours = number(rest[++i]);
    else if (word === "--seed") wishes.first = number(rest[++i]);
    else if (word === "--ops") wishes.operations = number(rest[++i]);
    else if (word === "--record") wishes.record = rest[++i] ?? usage("--record wants a file");
    else if (word === "--dir") wishes.dir = rest[++i] ?? usage("--dir wants a directory");
    else if (word === "--ssh") wishes.isSsh = true;
    else if (word === "--local") wishes.isSsh = false;
    else if (word === "--kill") wishes.isKilling = true;
    else if (word === "--trouble") wishes.isTroubled = true;
    else if (word === "--quiet") wishes.debugLevel = null;
    else usage(`no option "${word}"`);
  }
  if (wishes.isTroubled && (wishes.isSsh || Deno.uid() !== 0)) usage("--trouble is for root, and two folders");
  if (proof === null && wishes.first !== null) usage("--seed wants a PROOF");
  return wishes;
}

/** The course of a command line, and what the rotation says about one. */
function courseOf(way: Pick<Way, "proof" | "isSsh" | "isKilling" | "isTroubled">): string {
  const { proof, isSsh, isKilling, isTroubled } = way;
  return [proof, isSsh && "--ssh", isKilling && "--kill", isTroubled && "--trouble"].filter(Boolean).join(" ");
}

function wayOf(course: string, wishes: Wishes): Way {
  const [proof, ...flags] = course.split(" ");
  const has = (flag: string) => flags.includes(flag);
  return { ...wishes, proof: proof!, isSsh: has("--ssh"), isKilling: has("--kill"), isTroubled: has("--trouble") };
}

/** Where one seed stands in the whole run. */
interface Turn {
  readonly course: string;
  readonly seed: number;
}

/** What is run one after another, for ever. */
function* turns(wishes: Wishes): Generator<Turn> {
  const { proof, first } = wishes;
  const courses = proof === null ? ROTATION : [courseOf({ ...wishes, proof })];
  const lines = first === null ? readRecord(wishes.record) : [];
  const next = new Map(courses.map((course) => [course, first ?? nextSeed(lines, course)]));
  // The rotation goes on as well: with what was run least.
  const place = (lines.length % courses.length) || 0;
  for (let i = place;; i++) {
    const course = courses[i % courses.length]!;
    const seed = next.get(course)!;
    next.set(course, seed + 1);
    yield { course, seed };
  }
}

async function runAll(wishes: Wishes): Promise<readonly (Outcome & Turn)[]> {
  const outcomes: (Outcome & Turn)[] = [];
  const endMs = wishes.hours === null ? null : systemClock.nowMs() + wishes.hours * 3_600_000;
  const build = await buildHash();
  for (const turn of turns(wishes)) {
    if (endMs === null ? outcomes.length >= wishes.seeds : systemClock.nowMs() >= endMs) break;
    const beginMs = systemClock.nowMs();
    const way = wayOf(turn.course, wishes);
    const outcome = await PROOFS[way.proof]!.run(turn.seed, way);
    const seconds = (systemClock.nowMs() - beginMs) / 1000;
    const again = `./scripts/torture ${turn.course} --seeds 1 --seed ${turn.seed} --ops ${way.operations}`;
    tell(turn, outcome, { seconds, again, isOneCourse: wishes.proof !== null });
    outcomes.push({ ...outcome, ...turn });
    if (wishes.first !== null) continue;
    const { faults, counts, dir } = outcome;
    const kept = faults.length > 0 && dir !== undefined ? { dir } : {};
    addToRecord(wishes.record, {
      ...turn,
      at: new Date().toISOString(),
      seconds,
      build,
      counts,
      faults,
      again,
      ...kept,
    });
  }
  return outcomes;
}

async function buildHash(): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(binary()));
  return new Uint8Array(digest).toHex().slice(0, 12);
}

function tell(
  turn: Turn,
  outcome: Outcome,
  run: { readonly seconds: number; readonly again: string; readonly isOneCourse: boolean },
): void {
  const { faults, counts, dir } = outcome;
  const verdict = faults.length === 0 ? "ok" : "FAILED";
  const name = run.isOneCourse ? "" : `${turn.course}, `;
  console.log(`${name}seed ${turn.seed}: ${verdict}, ${countText(counts)}, ${run.seconds.toFixed(1)} s`);
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length === 0) return;
  if (dir !== undefined) console.log(`  kept: ${dir}`);
  console.log(`  again: ${run.again}`);
}

function countText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ");
}

/** Runs what the command line asks for. */
async function main(args: readonly string[]): Promise<number> {
  const wishes = parse(args);
  if (wishes.proof === "record") {
    for (const text of summary(readRecord(wishes.record))) console.log(text);
    return 0;
  }
  const outcomes = await runAll(wishes);
  const failed = outcomes.filter(({ faults }) => faults.length > 0).length;
  const total: Record<string, number> = {};
  for (const { counts } of outcomes) {
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
  }
  console.log(`${outcomes.length} seeds, ${countText(total)}: ${failed} failed`);
  if (wishes.first === null) console.log(`recorded in ${wishes.record}`);
  const provedNothing = wishes.proof !== null && total[PROOFS[wishes.proof]!.mustCount] === 0;
  return failed > 0 || provedNothing ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
