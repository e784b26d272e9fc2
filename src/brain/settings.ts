/**
 * What a session is started with, and what it is given to work with.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { NamePair } from "../core/translation.ts";
import type { PathRules } from "../core/ignore.ts";
import type { JournalSink } from "./chronicle.ts";
import type { ControlAnswer, ControlRequest } from "./control_requests.ts";
import type { Report } from "./report.ts";

/** What the user chose. */
export interface SessionSettings {
  /** As given, decoded as names are (core/path.ts); relative to `cwd`. */
  readonly left: string;
  /** As given; relative to `cwd`, or on another host to the login directory. */
  readonly right: string;
  readonly cwd: string;
  /** `[user@]host`; null: both roots are on this host. */
  readonly remoteHost: string | null;
  readonly sshCommand: string | null;
  readonly rules: PathRules;
  readonly translate: readonly NamePair[];
  /** Parts of the names of commands beside which psync does not run. */
  readonly banned: readonly string[];
  /** The hours of the day, 0 to 23, at which everything is compared. */
  readonly fullSync: readonly number[];
  readonly rsync: {
    /** Options that every rsync gets. */
    readonly options: readonly string[];
    readonly bytesPerSecond: number | null;
    /** Whether a link on the left is sent as the regular file that it leads to. */
    readonly followsLinks: boolean;
  };
  readonly dryRun: boolean;
  readonly syncOnly: boolean;
  readonly skipInitialSync: boolean;
  readonly force: boolean;
}

/** The file that psync is, and the helper in it. */
export interface SelfBinary {
  readonly path: string;
  /** SHA-256 of the file, hex. */
  readonly hash: string;
  readonly sizeBytes: number;
  /** Where psync-native lies. */
  readonly nativePath: string;
}

/** What a session works with. */
export interface SessionContext {
  readonly self: SelfBinary;
  readonly report: Report;
  readonly clock: Clock;
  /** Ends the session; it then stops within 5 s. */
  readonly signal: AbortSignal;
  /** Where archives lie (archive/location.ts). */
  readonly stateDir: string;
  /** Lets commands ask this session once the pair is ours (control/server.ts); null: they cannot. */
  readonly serveControl?: (
    pairId: string,
    answer: (request: ControlRequest) => Promise<ControlAnswer>,
  ) => AsyncDisposable | null;
  /** Opens the journal of a pair (archive/journal_file.ts); null: there is none. */
  readonly openJournal?: (pairId: string) => JournalSink | null;
}

/** How a session ended. */
export interface Outcome {
  readonly exitCode: number;
}
