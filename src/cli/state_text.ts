/**
 * A session's state as text, for SIGUSR1: each side, what is in flight, conflicts, held removals,
 * and every path that is not synchronised with its reason.
 *
 * Pure. Lists are cut at a length that a terminal can bear; the counts are whole.
 * @module
 */
import type { SessionPhase, SessionState, SideState } from "../brain/report.ts";
import type { ConflictRow, HoldRow } from "../core/archive.ts";
import { showPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import { bytesText, countText, oneLine, sampleText, spanText } from "./format.ts";
import { featuresText, reasonText } from "./report_text.ts";

/** How many lines of one list are shown. */
const MAX_LISTED = 100;
/** How many names of one hold are shown. */
const HOLD_SAMPLE = 10;

/** How much of a build's hash is shown, as --version does. */
const BUILD_SHOWN = 12;

const PHASE: Readonly<Record<SessionPhase, string>> = {
  "connecting": "connecting",
  "first-sync": "first sync is running",
  "live": "live",
  "link-lost": "link lost",
  "paused": "paused; go on with: psync resume",
  "halted": "halted",
  "stopping": "stopping",
};

/** The lines of a state, without line breaks. */
export function stateLines(state: SessionState): string[] {
  const { totals } = state;
  return [
    `State: ${PHASE[state.phase]}${state.why === null ? "" : `: ${oneLine(state.why)}`}, running for ${
      spanText(totals.runMs)
    }`,
    `  left   ${sideText(state.left)}`,
    `  right  ${sideText(state.right)}`,
    `  ${countText(state.archived, "path")} agreed, ${countText(state.waiting, "change")} waiting, ` +
    (state.lagMs === null ? "nothing behind" : `the oldest for ${spanText(state.lagMs)}`),
    ...lagLines(state.lag),
    `  since the start: ${countText(totals.files, "file")} (${bytesText(totals.bytes)}) copied, ` +
    `${countText(totals.conflicts, "conflict")}, ${countText(totals.reconnects, "reconnection")}`,
    ...section(
      "In flight",
      state.inFlight,
      ({ path, target, sizeBytes }) =>
        `${target === "right" ? "->" : "<-"} ${showPath(path)}${
          sizeBytes === null ? "" : ` (${bytesText(sizeBytes)})`
        }`,
    ),
    ...section("Conflicts", state.conflicts, (row) => conflictText(row, state)),
    ...section("Held removals", state.holds, holdText),
    ...section(
      "Not synchronised",
      state.problems,
      (problem) => `${showPath(problem.path) || "the root"}${reasonText(problem)}`,
    ),
  ];
}

/** How long the live changes of the last hour took; nothing where there were none. */
function lagLines(lag: SessionState["lag"]): string[] {
  const parts = (["right", "left"] as const).flatMap((side) => {
    const { changes, medianMs, p99Ms } = lag[side];
    if (medianMs === null || p99Ms === null) return [];
    const arrow = side === "right" ? "->" : "<-";
    return [`${arrow} half of ${countText(changes, "change")} within ${shortSpan(medianMs)}, 99 % ${shortSpan(p99Ms)}`];
  });
  return parts.length === 0 ? [] : [`  last hour: ${parts.join("; ")}`];
}

/** Times that are mostly parts of a second. */
function shortSpan(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : spanText(ms);
}

function sideText(side: SideState): string {
  const { facts } = side;
  const where = facts === null ? showPath(side.given) : `${oneLine(facts.hostName)}:${showPath(facts.root)}`;
  const parts = [
    side.isConnected ? "connected" : "not connected",
    ...(side.watches === null ? [] : [watchesText(side.watches, side.watchLimit)]),
    ...(side.unwatched === 0 ? [] : [`${countText(side.unwatched, "folder")} without a watch`]),
    ...(facts === null || facts.reduced.length === 0 ? [] : [`lacks ${featuresText(facts.reduced)}`]),
    ...(facts !== null && facts.rsync === null ? ["has no rsync"] : []),
    ...(facts === null || facts.build === "" ? [] : [`build ${oneLine(facts.build.slice(0, BUILD_SHOWN))}`]),
  ];
  return `${where}: ${parts.join(", ")}`;
}

function watchesText(watches: number, limit: number | null): string {
  const most = limit === null ? "" : ` of at most ${limit.toLocaleString("en")}`;
  return `${countText(watches, "folder")} watched${most}`;
}

function conflictText(row: ConflictRow, state: SessionState): string {
  const root = rootOf(row.loser, state);
  const size = row.loserSizeBytes === null ? "" : ` (${bytesText(row.loserSizeBytes)})`;
  const kept = `${root}/.psync/trash/${showPath(row.kept)}`;
  return `${showPath(row.path)}: the ${otherSide(row.loser)} version stays, the ${row.loser} one${size} is ${kept}`;
}

function rootOf(side: Side, state: SessionState): string {
  const { facts, given } = state[side];
  return showPath(facts?.root ?? given);
}

function holdText({ id, side, paths }: HoldRow): string {
  return `hold ${id}: ${countText(paths.length, "removal")} on the ${side}: ` +
    `${sampleText(paths.slice(0, HOLD_SAMPLE), paths.length)} (start psync with -f to carry them out)`;
}

/** A titled list; nothing where it is empty. */
function section<T>(title: string, items: readonly T[], show: (item: T) => string): string[] {
  if (items.length === 0) return [];
  const more = items.length - MAX_LISTED;
  return [
    `${title} (${items.length.toLocaleString("en")}):`,
    ...items.slice(0, MAX_LISTED).map((item) => `  ${show(item)}`),
    ...(more > 0 ? [`  ... and ${more.toLocaleString("en")} more`] : []),
  ];
}
