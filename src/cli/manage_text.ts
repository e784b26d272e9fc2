/**
 * The words of `psync conflicts` and `psync trash`. Pure; paths are escaped here.
 * @module
 */
import type { Pair } from "../archive/pair_store.ts";
import type { Deed, Keep } from "../brain/control_requests.ts";
import type { ConflictRow } from "../core/archive.ts";
import { showPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import type { PlacedItem } from "../core/trash.ts";
import { bytesText, oneLine } from "./format.ts";

/** A time of this host's clock and zone, to the second. */
export function timeText(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A root as people find it. */
export function rootText({ leftRoot, rightHost, rightRoot }: Pair, side: Side): string {
  if (side === "left") return showPath(leftRoot);
  return `${rightHost === null ? "" : `${showPath(rightHost)}:`}${showPath(rightRoot)}`;
}

/** The lines of one conflict. */
export function conflictLines(row: ConflictRow, pair: Pair): string[] {
  const winner = otherSide(row.loser);
  return [
    `#${row.id} ${showPath(row.path)}, since ${timeText(row.atMs)}`,
    `   ${winner.padEnd(5)} stays: ${versionText(row.winnerSizeBytes, row.winnerMtimeNs)}`,
    `   ${row.loser.padEnd(5)} lost:  ${versionText(row.loserSizeBytes, row.loserMtimeNs)}, in ` +
    `${rootText(pair, row.loser)}/.psync/trash/${showPath(row.kept)}`,
  ];
}

/** More of one conflict: what each command would do. */
export function conflictDetails(row: ConflictRow, pair: Pair): string[] {
  const winner = otherSide(row.loser);
  return [
    ...conflictLines(row, pair),
    `   psync conflicts keep ${winner} ${row.id}`,
    `      ${keepText(row, winner)}`,
    `   psync conflicts keep ${row.loser} ${row.id}`,
    `      ${keepText(row, row.loser)}`,
    `   psync conflicts keep both ${row.id}`,
    `      ${keepText(row, "both")}`,
  ];
}

/** What keeping one version will do, exactly. */
export function keepText({ loser, path }: Pick<ConflictRow, "loser" | "path">, keep: Keep): string {
  if (keep === "both") return `puts the ${loser} version beside the other one, under a name with "psync-conflict"`;
  if (keep === loser) {
    return `puts the ${loser} version back at ${showPath(path)}; what stands there on the ${loser} goes to its trash`;
  }
  return `leaves ${
    showPath(path)
  } as it is; the ${loser} version stays in the trash as a removed file, and is purged in time`;
}

/** A line of the list. */
export function itemText({ kept, sizeBytes, kind, atMs }: PlacedItem, side: Side): string {
  const size = kind === "file" ? bytesText(sizeBytes) : kind;
  return `${side.padEnd(5)}  ${timeText(atMs)}  ${size.padStart(9)}  ${showPath(kept)}`;
}

/** What became of something, where it did not work. */
export function troubleText(deed: Deed): string {
  switch (deed.outcome) {
    case "done":
      return "done";
    case "unknown":
      return "not found; it may be resolved already";
    case "gone":
      return "its file is not in the trash any more";
    case "taken":
      return "something stands there; move that away first";
    case "busy":
      return "a program has the file there open; try again when it is closed";
    case "orphan":
      return "a folder above it is a file or a link now";
    case "not-empty":
      return "something is in it";
    case "failed":
      return `failed: ${oneLine(deed.detail ?? "")}`;
  }
}

function versionText(sizeBytes: number | null, mtimeNs: bigint | null): string {
  const size = sizeBytes === null ? "size unknown" : bytesText(sizeBytes);
  return mtimeNs === null ? size : `${size}, changed ${timeText(Number(mtimeNs / 1_000_000n))}`;
}
