/**
 * The trash of one root: lists it, and gives back, releases and purges what lies in it.
 *
 * Decides nothing; psync-native renames and unlinks (I2, I11). What is given back is seen by the
 * watcher like any change of a user's. Each purge is logged.
 * @module
 */
import { ProtocolError, SafetyHaltError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import type { Space, TrashAction, TrashItem, TrashPage, TrashQuery, TrashResult } from "../core/trash.ts";
import type { Applier } from "./applier.ts";
import type { TrashLabels } from "./committer.ts";
import { errnoName, writeReason } from "./errno.ts";
import { KIND, type RawCommitted, type RawTrashAction, type RawTrashed, STATUS, TRASH } from "./native_format.ts";

/** So many actions go into one record, below what native/format.h allows. */
const ACTIONS_AT_ONCE = 128;

/** So many items are asked for at once. */
const PAGE_ITEMS = 1_000;

const CLASS_BITS = { removed: 1, conflict: 2 } as const;
const BOTH_CLASSES = CLASS_BITS.removed | CLASS_BITS.conflict;

const log = logger("replica", "trash");

/** The trash of a root. */
export class TrashCan {
  readonly #applier: Applier;
  readonly #labels: TrashLabels;

  constructor(parts: { readonly applier: Applier; readonly labels: TrashLabels }) {
    this.#applier = parts.applier;
    this.#labels = parts.labels;
  }

  async list(query: TrashQuery): Promise<TrashPage> {
    const { items, hasMore } = await this.#applier.trashList({
      classes: query.only === null ? BOTH_CLASSES : CLASS_BITS[query.only],
      limit: PAGE_ITEMS,
      after: query.after ?? "",
    });
    return { items: items.map(itemOf), hasMore };
  }

  /** Does the actions in order; one result for each. */
  async act(actions: readonly TrashAction[]): Promise<TrashResult[]> {
    const label = this.#labels.next();
    const results: TrashResult[] = [];
    for (let at = 0; at < actions.length; at += ACTIONS_AT_ONCE) {
      const part = actions.slice(at, at + ACTIONS_AT_ONCE);
      const raw = await this.#applier.trash({ label, actions: part.map(rawAction) });
      guard(raw);
      for (const [i, each] of raw.entries()) {
        logPurge(part[i]!, each);
        results.push(resultOf(each));
      }
    }
    return results;
  }

  /** The space of the root's file system. */
  async space(neededBytes = 0): Promise<Space> {
    const { freeBytes, totalBytes } = await this.#applier.space(neededBytes);
    return { freeBytes: Number(freeBytes), totalBytes: Number(totalBytes) };
  }
}

const KINDS: Readonly<Record<number, TrashItem["kind"]>> = {
  [KIND.file]: "file",
  [KIND.dir]: "dir",
  [KIND.link]: "link",
};

function itemOf({ kept, stat }: RawTrashed): TrashItem {
  return { kept, kind: KINDS[stat.kind] ?? "other", sizeBytes: stat.sizeBytes, mtimeNs: stat.mtimeNs };
}

function rawAction(action: TrashAction): RawTrashAction {
  const { kept } = action;
  switch (action.kind) {
    case "restore":
      return { what: action.replaces ? TRASH.replace : TRASH.restore, kept, to: action.to };
    case "release":
      return { what: TRASH.release, kept, to: "" };
    case "purge":
      return { what: TRASH.purge, kept, to: "" };
  }
}

const REFUSED = {
  [STATUS.gone]: "gone",
  [STATUS.stale]: "taken",
  [STATUS.busy]: "busy",
  [STATUS.orphan]: "orphan",
  [STATUS.notEmpty]: "not-empty",
} as const;

function resultOf(raw: RawCommitted): TrashResult {
  if (raw.status === STATUS.done) return { kind: "done", kept: raw.kept === "" ? null : raw.kept };
  if (raw.status === STATUS.mount) return { kind: "failed", reason: "mount", detail: "mount point" };
  if (raw.status === STATUS.failed) {
    return { kind: "failed", reason: writeReason(raw.errno), detail: `${errnoName(raw.errno)} while ${raw.step}` };
  }
  const refused = (REFUSED as Readonly<Record<number, typeof REFUSED[keyof typeof REFUSED]>>)[raw.status];
  if (refused !== undefined) return { kind: refused };
  throw new ProtocolError(`Cannot use the trash: psync-native answered with status ${raw.status}`);
}

function logPurge(action: TrashAction, raw: RawCommitted): void {
  if (action.kind !== "purge") return;
  if (raw.status === STATUS.done) log.info("purged", { kept: action.kept, bytes: raw.stat.sizeBytes });
  else log.warning("cannot purge", { kept: action.kept, status: raw.status, errno: raw.errno });
}

function guard(raw: readonly RawCommitted[]): void {
  if (raw.some(({ status }) => status === STATUS.guard)) {
    throw new SafetyHaltError("Cannot use the trash: the root or its marks are not what they were");
  }
}
