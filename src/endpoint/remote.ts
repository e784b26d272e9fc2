/**
 * A replica behind a byte stream: the Endpoint contract over one connection to a `psync filter`.
 *
 * Makes no decision and keeps no state but its connection. It holds every answer against its question:
 * one answer for each path, in order, for that path; a filter that answers otherwise is refused with
 * ProtocolError. Large questions are split so that neither end holds much (I13 is kept: commits are
 * split in order, one after another). Opened by pipe.ts and ssh.ts.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, type PsyncError } from "../base/errors.ts";
import type { Checkup, EchoSize, Vitals } from "../core/checkup.ts";
import type {
  Adopted,
  AgreedFile,
  BasisRequest,
  BasisResult,
  CarrierPlace,
  DirClaim,
  Endpoint,
  EndpointEvent,
  EndpointFacts,
  EndpointOptions,
  Findings,
  Listing,
  LookOptions,
  Pack,
  PackRequest,
  SupplyRequest,
  SupplyResult,
  SyncOptions,
} from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import { compareNames, comparePaths, nameOf, parentOf, type RelPath } from "../core/path.ts";
import type { CommitBatch, Transition, TransitionResult } from "../core/transition.ts";
import type { Space, TrashAction, TrashPage, TrashQuery, TrashResult } from "../core/trash.ts";
import { Caller } from "../wire/caller.ts";
import { noiseOf } from "../wire/checkup_values.ts";
import type { ByteStreams } from "../wire/channel.ts";
import { joinListings, PROTOCOL_HASH } from "../wire/message.ts";
import { type PackPart, packPieces } from "../wire/values.ts";

/** A question is split when its paths and contents are larger than this. */
const QUESTION_MAX_BYTES = 1 << 20;

/** A look is split when its answers may hold more content than this. */
const LOOKED_CONTENT_MAX_BYTES = 16 << 20;

/** So many pieces of one question are under way at once. */
const PIECES_AT_ONCE = 4;

/** What an item weighs beside its path and content. */
const ITEM_BYTES = 64;

/** What stands behind a connection and must be ended with it. */
export interface Peer {
  /** Ends it: asks first, then forces. Settles when nothing of it is left. Idempotent. */
  end(): Promise<void>;
  /** What it said before it ended, as one line, or "": added to the error of a lost connection. */
  lastWords(): Promise<string>;
}

/** How a remote endpoint is opened. */
export interface RemoteOptions extends EndpointOptions {
  readonly clock: Clock;
  /** Ends the opening, not what was opened. */
  readonly signal?: AbortSignal;
}

/** A replica behind a connection. */
export class RemoteEndpoint implements Endpoint {
  readonly facts: EndpointFacts;
  readonly #caller: Caller;
  readonly #peer: Peer | null;
  #disposed: Promise<void> | null = null;

  private constructor(caller: Caller, opened: { readonly facts: EndpointFacts; readonly peer: Peer | null }) {
    this.#caller = caller;
    this.facts = opened.facts;
    this.#peer = opened.peer;
  }

  /**
   * Opens a root over streams on which a filter waits for its first frame. Owns streams and peer from
   * here on, also when it fails.
   * @throws whatever the filter answers; {EndpointLostError} where it does not.
   */
  static async open(streams: ByteStreams, options: RemoteOptions, peer: Peer | null = null): Promise<RemoteEndpoint> {
    const caller = new Caller(streams, options);
    try {
      const head = {
        protocol: PROTOCOL_HASH,
        root: options.root,
        rules: options.rules,
        maxWatches: options.maxWatches ?? 0,
        bytesPerSecond: options.bytesPerSecond ?? null,
      };
      if (head.bytesPerSecond !== null) caller.limit(head.bytesPerSecond);
      const { head: facts } = await caller.call("open", { head, items: [] }, { signal: options.signal });
      return new RemoteEndpoint(caller, { facts, peer });
    } catch (cause) {
      const error = await explain(cause, peer);
      caller.fail(new EndpointLostError("Cannot open the root"));
      await peer?.end();
      throw error;
    }
  }

  /** Settles when the connection has ended: null after a clean end. Never rejects. */
  get ended(): Promise<PsyncError | null> {
    return this.#caller.ended;
  }

  async setCompareOwners(on: boolean): Promise<void> {
    await this.#call("setCompareOwners", { head: { on }, items: [] });
  }

  async list(dirs: readonly RelPath[], options: { readonly signal?: AbortSignal } = {}): Promise<readonly Listing[]> {
    return await this.#inPieces(dirs, { bytesOf: pathBytes, maxBytes: QUESTION_MAX_BYTES }, async (items) => {
      const { items: parts } = await this.#caller.call("list", { head: null, items }, options);
      const listings = joinListings(parts);
      requireAnswers(listings.map((listing) => listing.path), items);
      listings.forEach(requireListing);
      return listings;
    });
  }

  async verify(key: string, claims: readonly DirClaim[]): Promise<readonly boolean[]> {
    const bytesOf = ({ path }: DirClaim) => pathBytes(path);
    return await this.#inPieces(claims, { bytesOf, maxBytes: QUESTION_MAX_BYTES }, async (items) => {
      const { items: answers } = await this.#caller.call("verify", { head: { key }, items });
      requireCount(answers, items);
      return answers;
    });
  }

  async look(paths: readonly RelPath[], options: LookOptions): Promise<readonly Observation[]> {
    const { contentLimitBytes, digests, growing = false, agreed = [], signal } = options;
    const bytesOf = (path: RelPath) =>
      Math.max(pathBytes(path), contentLimitBytes * (QUESTION_MAX_BYTES / LOOKED_CONTENT_MAX_BYTES));
    return await this.#inPieces(paths, { bytesOf, maxBytes: QUESTION_MAX_BYTES }, async (items) => {
      const { items: answers } = await this.#caller.call(
        "look",
        { head: { contentLimitBytes, digests, growing, agreed: ofThese(agreed, items) }, items },
        { signal },
      );
      requireAnswers(answers.map((answer) => answer.path), items);
      for (const answer of answers) requireContent(answer, contentLimitBytes);
      return answers;
    });
  }

  async commit(batch: CommitBatch): Promise<readonly TransitionResult[]> {
    const { pack = [], carried = null } = batch;
    if (pack.length > 0 || carried !== null) return await this.#commitPacked(batch, { pack, carried });
    const pieces = { bytesOf: transitionBytes, maxBytes: QUESTION_MAX_BYTES, atOnce: 1 };
    return await this.#inPieces(batch.transitions, pieces, async (items) => {
      const { items: results } = await this.#caller.call("commit", { head: { carried: null }, items });
      requireCount(results, items);
      return results;
    });
  }

  /** A pack is not cut in two: the brain makes small ones. */
  async #commitPacked(
    { transitions }: CommitBatch,
    { pack, carried }: { readonly pack: readonly Uint8Array[]; readonly carried: number | null },
  ): Promise<readonly TransitionResult[]> {
    const parts = [...transitions, ...packPieces(pack)];
    const { items: results } = await this.#call("commit", { head: { carried }, items: parts });
    requireCount(results, transitions);
    return results;
  }

  async pack(requests: readonly PackRequest[]): Promise<Pack> {
    try {
      const { head, items } = await this.#caller.call("pack", { head: null, items: requests });
      return packOf(items, requests, head.carried);
    } catch (cause) {
      throw await this.#explained(cause);
    }
  }

  async carry(): Promise<CarrierPlace | null> {
    return (await this.#call("carry", { head: null, items: [] })).head.place;
  }

  async supply(batch: string, requests: readonly SupplyRequest[]): Promise<readonly SupplyResult[]> {
    const { items } = await this.#call("supply", { head: { batch }, items: requests });
    requireIds(items, requests);
    return items;
  }

  async prepare(batch: string, requests: readonly BasisRequest[]): Promise<readonly BasisResult[]> {
    const { items } = await this.#call("prepare", { head: { batch }, items: requests });
    requireIds(items, requests);
    return items;
  }

  async release(
    batch: string,
  ): Promise<{ readonly stable: readonly number[]; readonly stamps: readonly BasisResult[] }> {
    const { head, items } = await this.#call("release", { head: { batch }, items: [] });
    return { stable: head.stable, stamps: items };
  }

  async adopt(
    marks: { readonly pair: string; readonly lock: string; readonly oldLock: string | null },
  ): Promise<Adopted> {
    const { head, items } = await this.#call("adopt", { head: marks, items: [] });
    return { kept: items, renewed: head.renewed };
  }

  async releaseLock(): Promise<void> {
    await this.#call("releaseLock", { head: null, items: [] });
  }

  async sync(what: SyncOptions = { contents: false }): Promise<Findings> {
    const { items } = await this.#call("sync", { head: { contents: what.contents, age: what.age ?? null }, items: [] });
    return { kept: items };
  }

  async trashList(query: TrashQuery): Promise<TrashPage> {
    const { head, items } = await this.#call("trashList", { head: query, items: [] });
    requireRising(items.map(({ kept }) => kept), query.after);
    return { ...head, items };
  }

  async trashAct(actions: readonly TrashAction[]): Promise<readonly TrashResult[]> {
    const pieces = { bytesOf: actionBytes, maxBytes: QUESTION_MAX_BYTES, atOnce: 1 };
    return await this.#inPieces(actions, pieces, async (items) => {
      const { items: results } = await this.#caller.call("trashAct", { head: null, items });
      requireCount(results, items);
      return results;
    });
  }

  async space(neededBytes = 0): Promise<Space> {
    return (await this.#call("space", { head: { neededBytes }, items: [] })).head;
  }

  async findProgram(parts: readonly string[]): Promise<string | null> {
    return (await this.#call("findProgram", { head: { parts }, items: [] })).head.found;
  }

  async barrier(id: number): Promise<void> {
    await this.#call("barrier", { head: { id }, items: [] });
  }

  async checkup(options: { readonly signal?: AbortSignal } = {}): Promise<Checkup> {
    return (await this.#call("checkup", { head: null, items: [] }, options)).head;
  }

  async echo(size: EchoSize): Promise<{ readonly clockMs: number }> {
    const { head, items } = await this.#call("echo", { head: size, items: [...noiseOf(size.sendBytes)] });
    const gotBytes = items.reduce((sum, piece) => sum + piece.length, 0);
    if (gotBytes !== size.replyBytes) throw new ProtocolError("Cannot use echo: it has another size");
    return head;
  }

  async vitals(): Promise<Vitals> {
    return (await this.#call("vitals", { head: null, items: [] })).head;
  }

  async *events(): AsyncGenerator<EndpointEvent> {
    try {
      yield* this.#caller.events();
    } catch (cause) {
      throw await explain(cause, this.#peer);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#disposed ??= (async () => {
      await this.#caller.close();
      await this.#peer?.end();
    })();
  }

  /** A call whose error says what the peer said before it was gone. */
  readonly #call: Caller["call"] = async (name, request, options) => {
    try {
      return await this.#caller.call(name, request, options);
    } catch (cause) {
      throw await explain(cause, this.#peer);
    }
  };

  /** The error to be told; a filter that answers what was not asked is not spoken to any more. */
  async #explained(cause: unknown): Promise<unknown> {
    const error = await explain(cause, this.#peer);
    if (error instanceof ProtocolError) this.#caller.fail(error);
    return error;
  }

  async #inPieces<Q, A>(
    items: readonly Q[],
    pieces: { readonly bytesOf: (item: Q) => number; readonly maxBytes: number; readonly atOnce?: number },
    ask: (items: readonly Q[]) => Promise<readonly A[]>,
  ): Promise<readonly A[]> {
    try {
      const split = splitBy(items, pieces);
      if (split.length === 1) return await ask(split[0]!);
      const answers: (readonly A[])[] = [];
      let next = 0;
      const worker = async () => {
        while (next < split.length) {
          const at = next++;
          answers[at] = await ask(split[at]!);
        }
      };
      await Promise.all(Array.from({ length: Math.min(pieces.atOnce ?? PIECES_AT_ONCE, split.length) }, worker));
      return answers.flat();
    } catch (cause) {
      throw await this.#explained(cause);
    }
  }
}

/** What was packed; its contents must be just what the stamps say. */
function packOf(parts: readonly PackPart[], requests: readonly PackRequest[], carried: number | null): Pack {
  const digests: (string | null)[] = [];
  const pieces: Uint8Array[] = [];
  let missing = 0;
  for (const part of parts) {
    if (part.kind === "piece") {
      pieces.push(part.bytes);
      missing -= part.bytes.length;
    } else {
      const request = requests[digests.length];
      if (part.digest !== null) missing += request?.stamp.sizeBytes ?? 0;
      digests.push(part.digest);
    }
  }
  requireCount(digests, requests);
  if (carried === null ? missing !== 0 : pieces.length > 0) {
    throw new ProtocolError("Cannot use pack: it does not have the size of its files");
  }
  return { digests, pieces, carried };
}

/** Adds what the peer said to the error of a lost connection. */
async function explain(cause: unknown, peer: Peer | null): Promise<unknown> {
  if (!(cause instanceof EndpointLostError) || peer === null) return cause;
  const words = await peer.lastWords();
  return words === "" ? cause : new EndpointLostError(`${cause.message}: ${words}`, { cause });
}

function splitBy<Q>(
  items: readonly Q[],
  options: { readonly bytesOf: (item: Q) => number; readonly maxBytes: number },
): (readonly Q[])[] {
  const pieces: Q[][] = [];
  let piece: Q[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = options.bytesOf(item);
    if (piece.length > 0 && bytes + size > options.maxBytes) {
      pieces.push(piece);
      piece = [];
      bytes = 0;
    }
    piece.push(item);
    bytes += size;
  }
  if (piece.length > 0) pieces.push(piece);
  return pieces;
}

function pathBytes(path: RelPath): number {
  return path.length + ITEM_BYTES;
}

function transitionBytes(transition: Transition): number {
  if (transition.kind === "move") return transition.from.length + transition.to.length + 2 * ITEM_BYTES;
  const content = transition.kind === "put" && transition.content?.kind === "inline" ? transition.content.bytes : null;
  return transition.path.length + 2 * ITEM_BYTES + (content?.length ?? 0);
}

/** A page goes on behind the one before, in order: else its reader would never come to an end. */
function requireRising(places: readonly string[], after: string | null): void {
  let last = after;
  for (const place of places) {
    if (last !== null && comparePaths(last as RelPath, place as RelPath) >= 0) {
      throw new ProtocolError("Cannot use page of the trash: its items are not in order");
    }
    last = place;
  }
}

function actionBytes(action: TrashAction): number {
  return action.kept.length + (action.kind === "restore" ? action.to.length : 0) + ITEM_BYTES;
}

function requireCount(answers: readonly unknown[], questions: readonly unknown[]): void {
  if (answers.length === questions.length) return;
  throw new ProtocolError(`Cannot use answer as it must have ${questions.length} items: found ${answers.length}`);
}

function requireAnswers(answers: readonly RelPath[], questions: readonly RelPath[]): void {
  requireCount(answers, questions);
  for (let i = 0; i < answers.length; i++) {
    if (answers[i] !== questions[i]) throw new ProtocolError(`Cannot use answer ${i}: it is for another path`);
  }
}

function requireIds(answers: readonly { readonly id: number }[], questions: readonly { readonly id: number }[]): void {
  requireCount(answers, questions);
  const asked = new Set(questions.map((question) => question.id));
  for (const { id } of answers) {
    if (!asked.delete(id)) throw new ProtocolError(`Cannot use answer: id ${id} was not asked for, or answered before`);
  }
}

/** A listing's entries lie in it, in order, each once, and are hints without content. */
function requireListing(listing: Listing): void {
  if (listing.self.path !== listing.path) throw new ProtocolError("Cannot use listing: its head is of another path");
  if (listing.kind === "unlisted") return;
  let last: string | null = null;
  for (const entry of listing.entries) {
    const name = nameOf(entry.path);
    if (entry.kind !== "present" && entry.kind !== "blocked") {
      throw new ProtocolError(`Cannot use listing: an entry is "${entry.kind}"`);
    }
    if (parentOf(entry.path) !== listing.path || (last !== null && compareNames(last, name) >= 0)) {
      throw new ProtocolError("Cannot use listing: its entries are not in order");
    }
    requireContent(entry, 0);
    last = name;
  }
}

/** A content is one that was asked for, of a file of that size. */
function requireContent(observation: Observation, limitBytes: number): void {
  if (observation.kind !== "present" || observation.content === null) return;
  const { entry, content } = observation;
  const isFitting = entry.kind === "file" && entry.digest !== null && entry.sizeBytes === content.length;
  if (!isFitting || content.length > limitBytes) {
    throw new ProtocolError("Cannot use observation: its content does not fit its entry, or was not asked for");
  }
}

/** What is known of these paths. */
function ofThese(agreed: readonly AgreedFile[], paths: readonly RelPath[]): readonly AgreedFile[] {
  if (agreed.length === 0) return agreed;
  const wanted = new Set(paths);
  return agreed.filter(({ path }) => wanted.has(path));
}
