/**
 * The contract of a replica as the brain sees it: one contract with three doors (in process, a
 * `psync filter` behind a pipe, a `psync filter` behind ssh) and one test suite for all (tests/contract).
 *
 * An endpoint makes no decisions: it looks, reports and makes the transitions that it is asked to
 * make. Every method rejects with `EndpointLostError` when the endpoint is gone, with
 * `SafetyHaltError` when its root is not the root that was opened, and may be called concurrently;
 * batches that touch the same paths must not overlap, which is the brain's duty.
 * @module
 */
import type { Checkup, EchoSize, Vitals } from "./checkup.ts";
import type { DirEntry, Stamp } from "./entry.ts";
import type { PathRules } from "./ignore.ts";
import type { Observation } from "./observation.ts";
import type { RelPath } from "./path.ts";
import type { CommitBatch, Expected, TransitionResult } from "./transition.ts";
import type { SumText } from "./sum.ts";
import type { Space, TrashAction, TrashPage, TrashQuery, TrashResult } from "./trash.ts";

/** How the message of a `SetupError` begins when a root cannot be opened at all: missing, no directory. */
export const CANNOT_OPEN_ROOT = "Cannot open root";

/** What an endpoint is opened with. */
export interface EndpointOptions {
  /**
   * The root as the user wrote it, decoded as names are: absolute, or relative to the working
   * directory (local) or the login directory (remote). `~` is not expanded by psync.
   */
  readonly root: string;
  /** What is ignored (I6). */
  readonly rules: PathRules;
  /** The most inotify watches; 0 (default): the kernel's limit alone. Listed is what is not watched as well. */
  readonly maxWatches?: number;
  /** The most that contents take of a link in a second, in each direction; null (default): no limit. */
  readonly bytesPerSecond?: number | null;
}

/** Which name and number the root has, and what its host is. */
export interface EndpointFacts {
  readonly hostName: string;
  readonly bootId: string;
  /** The canonical absolute path of the root, symlinks resolved. */
  readonly root: string;
  readonly isRootUser: boolean;
  /** The process that holds the lock there once it is adopted, and its start time in clock ticks (proc(5)). */
  readonly processId: number;
  readonly processStart: string;
  /** f_fsid of statfs(2), as hex; the same across remounts on most file systems. */
  readonly fsId: string;
  readonly fsType: string;
  readonly rootInode: bigint;
  readonly rootDevice: bigint;
  readonly mountId: bigint;
  /** Device and inode of the root's ancestors, nearest first, as `dev:ino`: for nested roots. */
  readonly ancestors: readonly string[];
  /** Whether the root holds anything but `.psync`. */
  readonly isEmpty: boolean;
  /** Content of `.psync/pair`, or null. */
  readonly pairMarker: string | null;
  /** Content of `.psync/lock`, or null; and whether its holder still lives on that host. */
  readonly lock: string | null;
  readonly lockHolderLives: boolean;
  /** Content of `.psync/age`, or null. */
  readonly age: string | null;
  /** What this file system lacks: `exchange`, `noreplace`, `lease`, `tmpfile`. */
  readonly reduced: readonly string[];
  /** The version line of this host's rsync, or null where there is none. */
  readonly rsync: string | null;
  /** The SHA-256 of the psync that serves it, hex; empty: not known. */
  readonly build: string;
  /** Wall clock at the answer, ms since 1970: for the clock offset. */
  readonly clockMs: number;
}

/** One directory as it was listed, watch first. `entries` are sorted by bytes; ignored names are left out. */
export type Listing =
  | {
    readonly kind: "listed";
    readonly path: RelPath;
    /** The directory itself. */
    readonly self: Observation;
    /** `present` or `blocked`; without content. Hints: what differs is looked at before it decides. */
    readonly entries: readonly Observation[];
    /** The endpoint's counter when the listing began. */
    readonly began: number;
    /** False where the directory could not be watched (watch limit): it must be polled. */
    readonly isWatched: boolean;
    /** Whether ignored names are in it (such a directory cannot be removed without force). */
    readonly hasIgnored: boolean;
  }
  | {
    /** The directory is not there, is no directory, or could not be read to its end: proves nothing (I1). */
    readonly kind: "unlisted";
    readonly path: RelPath;
    readonly self: Observation;
  };

/** A directory as the archive has it. */
export interface DirClaim {
  readonly path: RelPath;
  /** What is in it adds up to this (core/sum.ts). */
  readonly sum: SumText;
  /** The directory itself; `null`: the root, of which nothing is compared. */
  readonly self: Pick<DirEntry, "mode" | "owner"> & Pick<Stamp, "inode" | "birthNs"> | null;
}

/** What an endpoint reports by itself, in order. */
export type EndpointEvent =
  /** Looks caused by events; a look that equals what was last reported or made is left out. */
  | {
    readonly kind: "observed";
    readonly observations: readonly Observation[];
    /** Renames within the root that were seen as pairs, oldest first; hints. */
    readonly moves: readonly Move[];
  }
  /** Events were lost: everything at and below `path` must be listed again (I8). */
  | { readonly kind: "rescan"; readonly path: RelPath; readonly why: string }
  /**
   * So much happened in a directory, or in a storm it is new, that nobody looked at it name by name: it is to be
   * listed, and what is new in it gone through.
   */
  | { readonly kind: "crowd"; readonly path: RelPath }
  /** The root was moved, removed, unmounted or mounted over: halt until it is back. */
  | { readonly kind: "root-lost"; readonly why: string }
  /** The watch limit is reached: `path` and below are not watched. */
  | { readonly kind: "unwatched"; readonly path: RelPath }
  /** All that had happened when `barrier` was called has been reported before this. */
  | { readonly kind: "barrier"; readonly id: number };

/** A rename within the root. */
export interface Move {
  readonly from: RelPath;
  readonly to: RelPath;
}

/** The most files of one pack. */
export const PACK_FILES_MAX = 1_024;
/** The most bytes of one pack. */
export const PACK_BYTES_MAX = 4 << 20;

/** A small file to be packed: it must still be what `stamp` says. */
export interface PackRequest {
  readonly path: RelPath;
  readonly stamp: Stamp;
}

/** Small files as one piece. */
export interface Pack {
  /** SHA-256 as 64 hex digits for each request; null: not in the pack, look at it. */
  readonly digests: readonly (string | null)[];
  /** The contents of those that are in it, in order, as one piece that is cut anywhere. */
  readonly pieces: readonly Uint8Array[];
  /** The number under which the carrier brings them to the other endpoint; `pieces` are empty then. */
  readonly carried: number | null;
}

/** Where an endpoint waits for a carrier, on its own host. */
export interface CarrierPlace {
  /** The name of a socket, for `psync-native carry`. */
  readonly socket: string;
  /** The psync-native of that host; decoded as names are. */
  readonly nativePath: string;
}

/** A file that the brain wants rsync to send: it must still be what `stamp` says. */
export interface SupplyRequest {
  readonly id: number;
  readonly path: RelPath;
  /** One of a file that grows (core/entry.ts): it may have grown since, and its first bytes count. */
  readonly stamp: Stamp;
  /** Of the content, where the stamp is such a one. */
  readonly digest: string | null;
}

/** Whether each file of a supply was still as expected, by id. */
export interface SupplyResult {
  readonly id: number;
  readonly kind: "supplied" | "stale" | "busy";
  /** What it takes on its disk: less than its size where it is sparse; 0 where it was not supplied. */
  readonly diskBytes: number;
}

/** A file that rsync may use as basis: the live file where a put will come to stand. */
export interface BasisRequest {
  readonly id: number;
  readonly path: RelPath;
  readonly expected: Expected;
  /** The size of the file that is to arrive. */
  readonly incomingBytes: number;
}

/** What the target knows after it linked the basis: linking changes a live file's ctime. */
export interface BasisResult {
  readonly id: number;
  /** The live file's stamp after the link, to be recorded and expected from now on; null: no basis. */
  readonly stamp: Stamp | null;
  /** The endpoint's counter after it (I13): an older look may show the ctime from before it. */
  readonly ended: number;
}

/** The options of `look`. */
export interface LookOptions {
  /** Content of files up to this size is read and returned; 0: none. At most 1 MiB. */
  readonly contentLimitBytes: number;
  /** Whether the digest of larger files is computed as well. */
  readonly digests: boolean;
  /**
   * Whether a file to which somebody appends, without having it open for long, is shown as it was for a
   * moment, with the stamp of a file that grows. One that was busy for ten seconds is in any case.
   */
  readonly growing?: boolean;
  /**
   * What both sides held last of files that somebody has open: one that begins with that has only grown,
   * and may be shown as it grows, whoever writes to it. Kept until something else is seen there.
   */
  readonly agreed?: readonly AgreedFile[];
  readonly signal?: AbortSignal;
}

/** The content of a file: the size is not 0, the digest is SHA-256 in lower-case hex. */
export interface AgreedContent {
  readonly sizeBytes: number;
  readonly digest: string;
}

/** A file of which both sides held the same. */
export interface AgreedFile extends AgreedContent {
  readonly path: RelPath;
}

/** What `sync` makes durable. */
export interface SyncOptions {
  /** The text that `.psync/age` is to have; null (default): it stays. */
  readonly age?: string | null;
  /** Besides all that was committed: what users wrote, as far as it was seen. */
  readonly contents: boolean;
}

/** Versions that nobody expected, and that went to the trash as losers of conflicts. */
export interface Findings {
  /** Below `.psync/trash/`. */
  readonly kept: readonly string[];
}

/** What adopting a root found in it. */
export interface Adopted extends Findings {
  /** Files of which an earlier life changed the ctime, as it linked them as basis; nobody else touched them. */
  readonly renewed: readonly Renewed[];
}

/** The stamp of an untouched file, before psync came to it and now. */
export interface Renewed {
  readonly path: RelPath;
  readonly before: Stamp;
  readonly now: Stamp;
}

/** One replica. Whoever opened it disposes of it. */
export interface Endpoint extends AsyncDisposable {
  readonly facts: EndpointFacts;

  /**
   * Whether entries carry owners and transitions set them; off until it is called. The brain switches
   * it on, on both endpoints and before it lists, where both run as root.
   */
  setCompareOwners(on: boolean): Promise<void>;

  /** Sets a watch on each directory, then lists it; one answer for each path, in order. */
  list(dirs: readonly RelPath[], options?: { readonly signal?: AbortSignal }): Promise<readonly Listing[]>;

  /**
   * Sets a watch on each directory, then holds it against a claim; one answer for each, in order. True: a
   * listing would show just what is claimed, nothing that is ignored or blocked among it, and the directory
   * is watched. False says nothing at all: it is to be listed.
   * `key`: the 32 hex digits under which the sums were made.
   */
  verify(key: string, claims: readonly DirClaim[]): Promise<readonly boolean[]>;

  /** Looks at each path now; one observation for each path, in order. */
  look(paths: readonly RelPath[], options: LookOptions): Promise<readonly Observation[]>;

  /**
   * Reads small files whole, each proven to be what belongs to its stamp (I3, I14): at most
   * `PACK_FILES_MAX` files of `PACK_BYTES_MAX` bytes. What is not as expected is left out.
   */
  pack(requests: readonly PackRequest[]): Promise<Pack>;

  /**
   * Waits from now on for the stream by which packs go from one endpoint to the other and no further
   * (endpoint/carrier.ts). Where it is up, `pack` uses it; each pack is then to be taken by a commit of the
   * other endpoint. null: this endpoint can have none.
   */
  carry(): Promise<CarrierPlace | null>;

  /** Makes the transitions in order; one result for each. A failed one does not stop the rest. */
  commit(batch: CommitBatch): Promise<readonly TransitionResult[]>;

  /** Opens files for rsync under `.psync/supply/<batch>/<id>`, held until `release`. */
  supply(batch: string, requests: readonly SupplyRequest[]): Promise<readonly SupplyResult[]>;

  /**
   * Makes `.psync/stage/<batch>/` and `.psync/basis/<batch>/`, with links to what is live; what an earlier
   * transfer under the same id had brought goes to rsync in its stead, with the rest of the live file.
   */
  prepare(batch: string, requests: readonly BasisRequest[]): Promise<readonly BasisResult[]>;

  /**
   * Ends a batch. On the source: tells for each supplied file whether it is still what was opened
   * (I3), and closes it. On the target: removes the basis links, and what is left of the stage; the
   * stamps of files that are still live come back, as after `prepare`.
   */
  release(batch: string): Promise<{ readonly stable: readonly number[]; readonly stamps: readonly BasisResult[] }>;

  /**
   * Adopts the pair: writes `.psync/pair`, `.psync/lock` (a swap: fails where the lock is not what
   * `facts` said) and `.psync/.gitignore`; what an earlier life left there that may be a user's is kept
   * and told. Every later batch is refused once either file differs.
   * @throws {SetupError} where somebody else was faster.
   */
  adopt(marks: { readonly pair: string; readonly lock: string; readonly oldLock: string | null }): Promise<Adopted>;

  /** Gives the lock back (removes `.psync/lock` where it is still ours). */
  releaseLock(): Promise<void>;

  /**
   * Makes all that was committed durable and drops what was displaced as expected (an epoch's end); by
   * default without `contents`. What a program wrote to after it was displaced is kept and told.
   */
  sync(what?: SyncOptions): Promise<Findings>;

  /** A page of what lies in the trash; needs no `adopt`, and is empty where there is no trash. */
  trashList(query: TrashQuery): Promise<TrashPage>;

  /**
   * Does what is asked for with what lies in the trash, in order; one result for each. What is given
   * back is reported by `events`, as if a user had put it there.
   */
  trashAct(actions: readonly TrashAction[]): Promise<readonly TrashResult[]>;

  /**
   * The space of the root's file system; where less than `neededBytes` are free, what is kept of
   * interrupted transfers is given up first.
   */
  space(neededBytes?: number): Promise<Space>;

  /** The name of a command that runs on this host and holds one of `parts`; null: none does. */
  findProgram(parts: readonly string[]): Promise<string | null>;

  /**
   * Has a `barrier` event with this id (32 bits) reported behind all that has happened in the tree
   * until now; resolves when it will be. What a program has open for writing is not waited for.
   */
  barrier(id: number): Promise<void>;

  /** Examines host and root for `psync doctor`; walks the whole tree, and changes nothing. */
  checkup(options?: { readonly signal?: AbortSignal }): Promise<Checkup>;

  /** Takes so many meaningless bytes and sends so many back, each at most ECHO_MAX_BYTES; tells its wall clock, ms since 1970. */
  echo(size: EchoSize): Promise<{ readonly clockMs: number }>;

  /** What it can say of itself at any time. */
  vitals(): Promise<Vitals>;

  /** What this endpoint reports by itself. Read by one reader; ends when the endpoint is disposed of. */
  events(): AsyncIterable<EndpointEvent>;
}
