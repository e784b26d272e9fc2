/**
 * `psync-native apply` as typed calls: one request, one answer, of the kind that was asked for.
 *
 * Gives no meaning to statuses (looker.ts, committer.ts, batches.ts do). When its process ends, every
 * call rejects with `EndpointLostError`; it is not started again.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, type PsyncError, SetupError } from "../base/errors.ts";
import { CANNOT_OPEN_ROOT, type SyncOptions } from "../core/endpoint.ts";
import { type RelPath, showPath } from "../core/path.ts";
import { errnoName } from "./errno.ts";
import {
  type ApplyReady,
  type ApplyRecord,
  decodeApplyRecord,
  encodeAdopt,
  encodeApplyOpen,
  encodeApplySync,
  encodeCarry,
  encodeCommit,
  encodeLook,
  encodePack,
  encodePrepare,
  encodeRelease,
  encodeStatfs,
  encodeSupply,
  encodeSweep,
  encodeTrash,
  encodeTrashList,
  encodeUnlock,
  FORMAT_VERSION,
  type RawCommit,
  type RawCommitted,
  type RawFile,
  type RawLook,
  type RawLooked,
  type RawOpen,
  type RawPacked,
  type RawResult,
  type RawStat,
  type RawTrashAction,
} from "./native_format.ts";
import { NativeProcess } from "./native_process.ts";

/** How an applier is opened. */
export interface ApplierOptions {
  readonly nativePath: string;
  /** Absolute, or relative to the working directory. */
  readonly root: string;
  /** Whether what is read is read through links to regular files. */
  readonly followLinks: boolean;
  readonly clock: Clock;
  /** Called once when the process ended though nobody wanted it to. */
  readonly onLost: (error: PsyncError) => void;
}

/** The files of a supply or prepare. */
export interface RawBatch {
  readonly batch: string;
  readonly files: readonly RawFile[];
}

/** How a request without a result of its own ended: a status and an errno. */
export interface RawDone {
  readonly status: number;
  readonly errno: number;
}

/** A running `psync-native apply` on one root. */
export class Applier implements AsyncDisposable {
  readonly #process: NativeProcess;

  private constructor(process: NativeProcess) {
    this.#process = process;
  }

  /**
   * Starts the process and opens the root; nothing in the root is changed.
   * @throws {SetupError} where the root cannot be opened or the executable cannot be run.
   */
  static async open(options: ApplierOptions): Promise<{ readonly applier: Applier; readonly ready: ApplyReady }> {
    const process = NativeProcess.start({
      nativePath: options.nativePath,
      mode: "apply",
      clock: options.clock,
      onLost: options.onLost,
      onEvent: ({ type }) => {
        throw new ProtocolError(`Cannot read record of psync-native apply: type ${type} answers nothing`);
      },
    });
    const applier = new Applier(process);
    try {
      return { applier, ready: await applier.#open(options) };
    } catch (error) {
      await applier[Symbol.asyncDispose]();
      throw error instanceof EndpointLostError ? new SetupError(error.message, { cause: error }) : error;
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  async #open({ root, followLinks }: RawOpen): Promise<ApplyReady> {
    const ready = await this.#call("ready", (id) => encodeApplyOpen(id, { root, followLinks: followLinks ?? false }));
    if (ready.version !== FORMAT_VERSION) {
      throw new SetupError(`Cannot use psync-native as its format must be ${FORMAT_VERSION}: found ${ready.version}`);
    }
    if (ready.errno !== 0) {
      throw new SetupError(`${CANNOT_OPEN_ROOT} "${showPath(root)}": ${rootTrouble(root, ready.errno)}`);
    }
    return ready;
  }

  /** Looks at paths; one answer for each, in order. */
  async look(look: RawLook): Promise<readonly RawLooked[]> {
    const { looked } = await this.#call("looked", (id) => encodeLook(id, look));
    return sameCount(looked, look.paths.length);
  }

  /** Makes transitions in order; one answer for each. */
  async commit(commit: RawCommit): Promise<readonly RawCommitted[]> {
    const { committed } = await this.#call("committed", (id) => encodeCommit(id, commit));
    return sameCount(committed, commit.ops.length);
  }

  /** Reads files that are still as their stat says; one answer for each, and their contents, or where they went. */
  async pack(files: readonly { readonly path: RelPath; readonly stat: RawStat }[]): Promise<RawPacked> {
    const packed = await this.#call("packed", (id) => encodePack(id, files));
    sameCount(packed.files, files.length);
    return packed;
  }

  /** The name of the socket at which a carrier of packs is waited for; null: there can be none. */
  async carry(): Promise<string | null> {
    const { socket } = await this.#call("carrying", encodeCarry);
    return socket === "" ? null : socket;
  }

  async supply(batch: RawBatch): Promise<readonly RawResult[]> {
    return (await this.#call("results", (id) => encodeSupply(id, batch))).results;
  }

  async prepare(batch: RawBatch): Promise<readonly RawResult[]> {
    return (await this.#call("results", (id) => encodePrepare(id, batch))).results;
  }

  async release(batch: string): Promise<readonly RawResult[]> {
    return (await this.#call("results", (id) => encodeRelease(id, batch))).results;
  }

  adopt(marks: { readonly pair: string; readonly lock: string; readonly oldLock: string | null }): Promise<RawDone> {
    return this.#call("done", (id) => encodeAdopt(id, marks));
  }

  unlock(): Promise<RawDone> {
    return this.#call("done", encodeUnlock);
  }

  /** Ends an epoch; `kept` tells what was written to after it was displaced, and lies in the trash. */
  sync({ contents, age = null }: SyncOptions): Promise<Extract<ApplyRecord, { kind: "synced" }>> {
    return this.#call("synced", (id) => encodeApplySync(id, contents, age ?? ""));
  }

  /** Clears leftovers of an earlier life; says where unknown finds were kept, below the trash. */
  sweep(label: string): Promise<Extract<ApplyRecord, { kind: "swept" }>> {
    return this.#call("swept", (id) => encodeSweep(id, label));
  }

  /** The free space of the root's file system. */
  space(neededBytes = 0): Promise<Extract<ApplyRecord, { kind: "space" }>> {
    return this.#call("space", (id) => encodeStatfs(id, neededBytes));
  }

  /** Lists a part of the trash. */
  trashList(
    query: { readonly classes: number; readonly limit: number; readonly after: string },
  ): Promise<Extract<ApplyRecord, { kind: "trashed" }>> {
    return this.#call("trashed", (id) => encodeTrashList(id, query));
  }

  /** Does what is asked for with what lies in the trash; one answer for each, in order. */
  async trash(
    request: { readonly label: string; readonly actions: readonly RawTrashAction[] },
  ): Promise<readonly RawCommitted[]> {
    const { committed } = await this.#call("committed", (id) => encodeTrash(id, request));
    return sameCount(committed, request.actions.length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  async #call<K extends ApplyRecord["kind"]>(
    kind: K,
    encode: (id: number) => Uint8Array | readonly Uint8Array[],
  ): Promise<Extract<ApplyRecord, { kind: K }>> {
    let answer: ApplyRecord | null = null;
    await this.#process.request(encode, (record) => {
      answer = decodeApplyRecord(record);
      return true;
    });
    return expectKind(answer, kind);
  }
}

/** Why a root cannot be opened, and what to do. */
function rootTrouble(root: string, errno: number): string {
  const name = errnoName(errno);
  switch (name) {
    case "ENOENT":
      return `it is not there; make it: mkdir -p ${showPath(shellWord(root))}`;
    case "ENOTDIR":
      return `it, or something above it, is a file and no folder; name a folder`;
    case "EACCES":
    case "EPERM":
      return `it may not be read (${name}); let this user read, write and enter it, or run psync as another user`;
    case "ELOOP":
      return `its symbolic links lead in a circle; name the folder itself`;
    default:
      return name;
  }
}

/** A word as a shell takes it, without backslashes, which `showPath` would double. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

function expectKind<K extends ApplyRecord["kind"]>(
  answer: ApplyRecord | null,
  kind: K,
): Extract<ApplyRecord, { kind: K }> {
  if (answer?.kind !== kind) {
    throw new ProtocolError(`Cannot read answer of psync-native: expected "${kind}", found "${answer?.kind}"`);
  }
  return answer as Extract<ApplyRecord, { kind: K }>;
}

function sameCount<T>(answers: readonly T[], count: number): readonly T[] {
  if (answers.length !== count) {
    throw new ProtocolError(`Cannot read answer of psync-native: ${count} results expected, ${answers.length} found`);
  }
  return answers;
}
