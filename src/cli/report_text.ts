/**
 * The words for what a session reports: one line each, pure functions of the reported values.
 *
 * Decides nothing about when a line is shown (console_report.ts). Names are escaped by `showPath`;
 * text that comes from elsewhere goes through `oneLine`.
 * @module
 */
import type {
  Conflict,
  ConflictCause,
  Connected,
  Deploying,
  Hold,
  KindCounts,
  Notice,
  PlanLine,
  ScanProgress,
  SideChanges,
  SyncProgress,
  SyncSummary,
} from "../brain/report.ts";
import { showPath } from "../core/path.ts";
import { otherSide, type Problem, type ProblemReason, type Side } from "../core/problem.ts";
import type { Pace } from "./rate_meter.ts";
import { bytesText, countText, listText, oneLine, sampleText, spanText } from "./format.ts";

/** Where a root is, as it is shown: a path, with its host before it where that is another one. */
export type RootNames = Readonly<Record<Side, string>>;

/** The roots of a connected pair by name; `rightHost` is the host as the user gave it, null for this one. */
export function rootNames({ left, right }: Pick<Connected, "left" | "right">, rightHost: string | null): RootNames {
  const path = showPath(right.root);
  return { left: showPath(left.root), right: rightHost === null ? path : `${oneLine(rightHost)}:${path}` };
}

/** That the pair is connected. */
export function connectedLine({ left, right }: RootNames): string {
  return `Connected: ${left} <-> ${right}`;
}

/** That psync is on its way to the other host, or there. */
export function deployingLine({ sentBytes, totalBytes }: Deploying): string {
  return sentBytes >= totalBytes
    ? `Copied psync to the other host (${bytesText(totalBytes)})`
    : `Copying psync to the other host: ${bytesText(sentBytes)} of ${bytesText(totalBytes)}`;
}

/** How far a scan is. */
export function scanLine({ side, dirs, entries }: ScanProgress): string {
  const where = side === undefined ? "" : ` ${side}`;
  return `Scanning${where}: ${countText(dirs, "folder")}, ${countText(entries, "entry", "entries")}`;
}

/** How far the work is. */
export function syncLine(
  { files, bytes, totalFiles, totalBytes, lagMs }: SyncProgress,
  { bytesPerSecond, leftMs }: Pace = { bytesPerSecond: null, leftMs: null },
): string {
  const fileText = totalFiles === null
    ? countText(files, "file")
    : `${files.toLocaleString("en")} of ${countText(totalFiles, "file")}`;
  const byteText = totalBytes === null ? bytesText(bytes) : `${bytesText(bytes)} of ${bytesText(totalBytes)}`;
  const parts = [
    fileText,
    byteText,
    ...(bytesPerSecond === null ? [] : [`${bytesText(Math.round(bytesPerSecond))}/s`]),
    ...(leftMs === null ? [] : [`${spanText(leftMs)} left`]),
    ...(lagMs === null ? [] : [`${spanText(lagMs)} behind`]),
  ];
  return `Syncing: ${parts.join(", ")}`;
}

/** What a summary is told with. */
export interface SummaryOptions {
  /** A few of the paths in conflict. */
  readonly names: readonly string[];
  /** Of the psync that can be asked for lists; null where it ends now, and lists them itself. */
  readonly pid: number | null;
  /** On how many paths both sides agree now; null where that is not known. */
  readonly archived: number | null;
}

/** What the first sync did: at most five lines, whatever its size. */
export function summaryLines(summary: SyncSummary, { names, pid, archived }: SummaryOptions): string[] {
  const ask = pid === null ? "" : `; kill -USR1 ${pid} lists them`;
  const lines = [summaryHead(summary, archived)];
  for (const side of ["left", "right"] as const) {
    const did = changesText(summary[side]);
    if (did !== "") lines.push(`  ${side}: ${did}`);
  }
  if (summary.conflicts > 0) {
    lines.push(
      `  ${countText(summary.conflicts, "conflict")} (${sampleText(names, summary.conflicts)}): one version stays, ` +
        `the other is kept in .psync/trash${ask}`,
    );
  }
  const left = leftOverText(summary);
  if (left !== "") lines.push(`  not synchronised: ${left}${ask}`);
  return lines;
}

function summaryHead(summary: SyncSummary, archived: number | null): string {
  const changes = changeCount(summary.left) + changeCount(summary.right);
  const what = changes === 0 ? ["nothing had to be changed", ...equalText(archived ?? summary.agreed, "equal")] : [
    countText(changes, "change"),
    `${bytesText(summary.bytes)} copied`,
    ...equalText(summary.agreed, "equal before"),
  ];
  return `First sync done in ${spanText(summary.ms)}: ${what.join(", ")}`;
}

function equalText(count: number, how: string): string[] {
  return count === 0 ? [] : [`${countText(count, "path")} ${how}`];
}

function sum(counts: KindCounts): number {
  return counts.files + counts.dirs + counts.links;
}

function changeCount(changes: SideChanges): number {
  return sum(changes.created) + sum(changes.changed) + sum(changes.removed) + changes.renamed;
}

function kindsText({ files, dirs, links }: KindCounts): string {
  return listText([
    ...(files > 0 ? [countText(files, "file")] : []),
    ...(dirs > 0 ? [countText(dirs, "folder")] : []),
    ...(links > 0 ? [countText(links, "link")] : []),
  ]);
}

function changesText(changes: SideChanges): string {
  const parts: string[] = [];
  for (const deed of ["created", "changed", "removed"] as const) {
    if (sum(changes[deed]) > 0) parts.push(`${kindsText(changes[deed])} ${deed}`);
  }
  if (changes.renamed > 0) parts.push(`${countText(changes.renamed, "path")} renamed`);
  return parts.join(", ");
}

function leftOverText({ skipped, blocked, busy }: SyncSummary): string {
  return listText([
    ...(skipped > 0 ? [`${countText(skipped, "path")} left as they differ`] : []),
    ...(busy > 0 ? [`${countText(busy, "file")} open for writing`] : []),
    ...(blocked > 0 ? [`${countText(blocked, "path")} that cannot be`] : []),
  ]);
}

/** How a conflict came to be, in words that follow the path. */
export const CAUSE: Readonly<Record<ConflictCause, string>> = {
  "both-changed": "both sides changed it",
  "both-created": "both sides have it, and differ",
  "changed-and-removed": "one side changed it, the other removed it",
  "unexpected-find": "it was changed in the moment in which it was replaced",
  "late-write": "a program wrote to it after it was replaced",
  "rolled-back": "a crash took one side back",
};

/** One conflict, and where its loser lies. */
export function conflictLine(conflict: Conflict, names: RootNames): string {
  const where = conflict.kept === null
    ? `the removal on the ${conflict.loser} was undone`
    : `the ${conflict.loser} one is kept as ${names[conflict.loser]}/.psync/trash/${showPath(conflict.kept)}`;
  return `Conflict: ${showPath(conflict.path)}: ${CAUSE[conflict.why]}; the ${
    otherSide(conflict.loser)
  } version stays, ${where}`;
}

/** Removals that wait, and what releases them. */
export function heldLine(hold: Hold): string {
  return `Held back: ${countText(hold.count, "removal")} on the ${hold.side} (hold ${hold.id}): ` +
    `${sampleText(hold.sample, hold.count)}; end psync and start it with -f to carry them out, ` +
    `or bring the paths back on the ${otherSide(hold.side)}`;
}

/** Why a path is not synchronised, and what will happen to it. */
export const REASON: Readonly<Record<ProblemReason, string>> = {
  busy: "a program has it open for writing; it follows when that ends",
  special: "it is a special file, which psync leaves alone",
  mount: "another file system is mounted there, which psync does not enter",
  unreadable: "it cannot be read",
  "no-space": "there is no space for it; psync tries again",
  "read-only": "the file system is read-only; psync tries again",
  denied: "it may not be written; psync tries again",
  "name-too-long": "its name or path is too long for the other side",
  "not-empty": "it was removed on the other side and holds something unknown there; -f removes it",
  "too-large": "it is too large for the other side",
  io: "the disk or the system failed; psync tries again",
  skipped: "it differs and is left alone until one side changes it (-k)",
  excluded: "something that is excluded took its place there",
  "one-way": "-L sends links from left to right only, and what differs here would change one; the left stays as it is",
  translated: "-T gives this name to another path",
};

/** Reasons to which a detail adds nothing. */
const SAYS_ALL: ReadonlySet<ProblemReason> = new Set([
  "busy",
  "skipped",
  "not-empty",
  "excluded",
  "one-way",
  "translated",
]);

/** One path that is not synchronised. */
export function problemLine(problem: Problem): string {
  return `Not synchronised: ${showPath(problem.path) || "the root"}${reasonText(problem)}`;
}

/** Side, reason and detail, as they follow a path. */
export function reasonText({ side, reason, detail }: Problem): string {
  const where = side === null ? "" : ` (${side})`;
  const isTold = detail === "" || SAYS_ALL.has(reason);
  return `${where}: ${REASON[reason]}${isTold ? "" : ` [${oneLine(detail)}]`}`;
}

/** What a missing feature of a file system means. */
const FEATURE: Readonly<Record<string, string>> = {
  exchange: "exchange of two names (a replaced file is linked away first)",
  noreplace: "rename that never replaces",
  lease: "file leases (an open file is recognised by waiting)",
  tmpfile: "files without a name",
};

/** The missing features of a side in words. */
export function featuresText(features: readonly string[]): string {
  return listText(features.map((feature) => FEATURE[feature] ?? oneLine(feature)));
}

/** One notice. */
export function noticeLine(notice: Notice): string {
  switch (notice.kind) {
    case "reduced":
      return `The file system on the ${notice.side} lacks ${featuresText(notice.features)}`;
    case "masked":
      return `Set-user-id and set-group-id bits are left off on the ${notice.side}, first at ${
        showPath(notice.path)
      }: ` +
        `they are kept only where psync is root on both sides`;
    case "unwatched":
      return `Too many folders to watch on the ${notice.side}, first at ${
        showPath(notice.path) || "the root"
      }: those ` +
        `are listed every 30 s instead; raise fs.inotify.max_user_watches (psync doctor tells the command)`;
    case "rescan":
      return `Looking again at ${showPath(notice.path) || "everything"} on the ${notice.side}: ${oneLine(notice.why)}`;
    case "renamed-apart":
      return `Two names: ${showPath(notice.path)} was renamed to ${showPath(notice.left)} on the left and to ` +
        `${showPath(notice.right)} on the right; both stay on both sides`;
    case "rename-undone":
      return `Undone: ${showPath(notice.path)} was renamed to ${
        showPath(notice.undone)
      } on the right, while the left ` +
        `made ${showPath(notice.into)}: it is at ${showPath(notice.path)} again, with all that is in it`;
    case "archive-lost":
      return `The record of the last sync cannot be used (${oneLine(notice.why)}): both sides are merged, ` +
        `nothing is removed`;
    case "marker-restored":
      return `The pair's marker had vanished on the ${notice.side} and was made again`;
    case "lock-taken":
      return `A psync that ended without a word had locked the ${notice.side}: its lock was taken over`;
    case "hold-released":
      return `Hold ${notice.id} is released: ${countText(notice.count, "removal")}`;
    case "hold-gone":
      return `Hold ${notice.id} has nothing left to hold`;
    case "purged":
      return `Purged from the trash on the ${notice.side}: ${countText(notice.items, "item")}, ${
        bytesText(notice.bytes)
      }`;
    case "clock-offset":
      return `The right clock is ${spanText(Math.abs(notice.offsetMs))} ${
        notice.offsetMs < 0 ? "behind" : "ahead of"
      } the left one: psync allows for it`;
    case "full-sync":
      return notice.changes === 0
        ? "Full comparison done: nothing had to be repaired"
        : `Full comparison done: ${countText(notice.changes, "change")} made`;
    case "paused":
      return `Paused: nothing is synchronised until "psync resume"`;
    case "resumed":
      return "Resumed";
    case "connecting":
      return `Connecting to ${oneLine(notice.host)}`;
    default:
      return unreachable(notice);
  }
}

/** One line of a dry run: an arrow to the side that would change, the action, the path. */
export function planText(line: PlanLine): string {
  switch (line.kind) {
    case "create":
    case "change":
    case "metadata":
    case "remove": {
      const slash = line.entryKind === "dir" ? "/" : "";
      return `${arrow(line.target)} ${line.kind.padEnd(8)} ${showPath(line.path)}${slash}`;
    }
    case "rename":
      return `${arrow(line.target)} rename   ${showPath(line.from)} => ${showPath(line.path)}`;
    case "conflict":
      return `${arrow(line.loser)} conflict ${showPath(line.path)}: ${
        CAUSE[line.why]
      }; the ${line.loser} version goes ` +
        "to the trash";
    case "hold":
      return `${arrow(line.target)} hold     ${showPath(line.path)}`;
    case "leave":
      return `-- leave    ${showPath(line.path)}${reasonText(line.problem)}`;
    default:
      return unreachable(line);
  }
}

function arrow(target: Side): string {
  return target === "right" ? "->" : "<-";
}

function unreachable(value: never): never {
  throw new Error(`Cannot show report: found ${JSON.stringify(value)}`);
}
