/**
 * What the parts of one pair share during one life of its two endpoints.
 *
 * Made by pair.ts and handed down; the parts know each other only through it. Nothing of it but the
 * archive and the status survives a lost link (I8).
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { Archive } from "../core/archive.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { Ignore } from "../core/ignore.ts";
import type { RelPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import type { CrossedRenames } from "./crossed.ts";
import type { Evidence } from "./evidence.ts";
import type { LookLane } from "./fetch.ts";
import type { FlightDeck } from "./in_flight.ts";
import type { CommitLane } from "./lane.ts";
import type { NewsBoard } from "./news.ts";
import type { RecentMoves } from "./recent_moves.ts";
import type { RenamedApart } from "./renamed_apart.ts";
import type { Report } from "./report.ts";
import type { RetryList } from "./retry.ts";
import type { Recovery } from "./rolled_back.ts";
import type { Status } from "./status.ts";

/** One value for each side. */
export type Sides<T> = Readonly<Record<Side, T>>;

/** The shared parts of one pair. */
export interface PairContext {
  readonly endpoints: Sides<Endpoint>;
  readonly archive: Archive;
  readonly board: NewsBoard;
  readonly flights: FlightDeck;
  readonly evidence: Sides<Evidence>;
  readonly looks: Sides<LookLane>;
  readonly lanes: Sides<CommitLane>;
  readonly retry: RetryList;
  /** Whether renames are looked for: in the first sync of all there is nothing to rename. */
  readonly findsRenames: () => boolean;
  readonly moves: RecentMoves;
  readonly apart: RenamedApart;
  readonly crossed: CrossedRenames;
  /** Directories that were missing when something was to be put below them, and where that lives (revive.ts). */
  readonly needed: Map<RelPath, ReadonlySet<Side>>;
  /** What a power cut left to be known. */
  readonly recovery: Recovery;
  readonly status: Status;
  readonly report: Report;
  readonly ignore: Ignore;
  readonly clock: Clock;
  /** Added to the right's times to compare them with the left's. */
  readonly offsetNs: bigint;
  readonly settings: PairSettings;
  /** Whatever started in the background and failed for good comes here; the pair then ends. */
  readonly fail: (error: unknown) => void;
  /** Asks for a new listing of everything at and below a directory, on both sides. */
  readonly rescan: (dir: RelPath) => void;
  /** Resolves when what had happened on a side has been reported, and what is being walked was gone through. */
  readonly told: (side: Side) => Promise<void>;
  /** Tells that a directory could not be watched: it is polled. */
  readonly notWatched: (side: Side, path: RelPath) => void;
  /** The same while a walk is under way: it may have passed, or not reached yet, what was renamed. */
  readonly rescanIfWalking: (dir: RelPath) => void;
  /** Sides whose users' files were recorded in the open epoch: there it ends with the contents on disk. */
  readonly sources: Set<Side>;
  /**
   * Tells that there is enough for packs to go from one psync-native to the other and no further, until what
   * this gives is disposed of.
   */
  readonly wantCarrier: () => Disposable;
  /** Tells that something was committed: an epoch is open. */
  readonly touched: () => void;
  /** Whether this life of the pair is at its end: nothing is begun any more. */
  readonly isStopped: () => boolean;
  /** Tells the cycle that something may go on. */
  readonly wake: () => void;
}

/** What the user chose that the pair has to know. */
export interface PairSettings {
  readonly force: boolean;
  readonly skipInitialSync: boolean;
  /** Whether the left shows links as the files that they lead to (core/one_way.ts). */
  readonly followsLinks: boolean;
  /** A number for this run of psync: a hold of this run is not released by it. */
  readonly run: number;
}
