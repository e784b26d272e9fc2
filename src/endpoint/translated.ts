/**
 * A replica with other names (`-T`): every path that goes in or out is translated, and what would meet
 * another path is blocked.
 *
 * The left replica is wrapped as well, without a translation, since names on it can be taken, too.
 * Opened by brain/open_both.ts and control/direct.ts; owns what it wraps.
 * @module
 */
import type { Checkup, EchoSize, Vitals } from "../core/checkup.ts";
import type {
  Adopted,
  BasisRequest,
  BasisResult,
  CarrierPlace,
  DirClaim,
  Endpoint,
  EndpointEvent,
  EndpointFacts,
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
import { compareNames, nameOf, parseRelPath, type RelPath } from "../core/path.ts";
import type { CommitBatch, Transition, TransitionResult } from "../core/transition.ts";
import type { Translation } from "../core/translation.ts";
import type { Space, TrashAction, TrashPage, TrashQuery, TrashResult } from "../core/trash.ts";

/** A replica whose paths are translated. */
export class TranslatedEndpoint implements Endpoint {
  readonly #inner: Endpoint;
  readonly #names: Translation;
  readonly #to: (path: RelPath) => RelPath;

  /** `isRight`: whether its names are the other ones. */
  constructor(inner: Endpoint, names: Translation, options: { readonly isRight: boolean }) {
    this.#inner = inner;
    this.#names = names;
    this.#to = options.isRight ? names.translate : (path) => path;
  }

  get facts(): EndpointFacts {
    return this.#inner.facts;
  }

  setCompareOwners(on: boolean): Promise<void> {
    return this.#inner.setCompareOwners(on);
  }

  async list(dirs: readonly RelPath[], options?: { readonly signal?: AbortSignal }): Promise<readonly Listing[]> {
    return (await this.#inner.list(dirs.map(this.#to), options)).map((listing) => this.#listing(listing));
  }

  /** Sums are of the left's names, and know nothing of names that are taken: what they say is not asked. */
  verify(_key: string, claims: readonly DirClaim[]): Promise<readonly boolean[]> {
    return Promise.resolve(claims.map(() => false));
  }

  async look(paths: readonly RelPath[], options: LookOptions): Promise<readonly Observation[]> {
    const agreed = (options.agreed ?? []).map((each) => ({ ...each, path: this.#to(each.path) }));
    return (await this.#inner.look(paths.map(this.#to), { ...options, agreed })).map((seen) => this.#seen(seen));
  }

  pack(requests: readonly PackRequest[]): Promise<Pack> {
    return this.#inner.pack(requests.map((request) => ({ ...request, path: this.#to(request.path) })));
  }

  carry(): Promise<CarrierPlace | null> {
    return this.#inner.carry();
  }

  async commit(batch: CommitBatch): Promise<readonly TransitionResult[]> {
    const transitions = batch.transitions.map((each) => this.#transition(each));
    const results = await this.#inner.commit({ ...batch, transitions });
    return results.map((result) =>
      "kept" in result && result.kept !== null ? { ...result, kept: this.#kept(result.kept) } : result
    );
  }

  supply(batch: string, requests: readonly SupplyRequest[]): Promise<readonly SupplyResult[]> {
    return this.#inner.supply(batch, requests.map((request) => ({ ...request, path: this.#to(request.path) })));
  }

  prepare(batch: string, requests: readonly BasisRequest[]): Promise<readonly BasisResult[]> {
    return this.#inner.prepare(batch, requests.map((request) => ({ ...request, path: this.#to(request.path) })));
  }

  release(batch: string): Promise<{ readonly stable: readonly number[]; readonly stamps: readonly BasisResult[] }> {
    return this.#inner.release(batch);
  }

  async adopt(
    marks: { readonly pair: string; readonly lock: string; readonly oldLock: string | null },
  ): Promise<Adopted> {
    const adopted = await this.#inner.adopt(marks);
    const renewed = adopted.renewed.map((each) => ({ ...each, path: this.#to(each.path) }));
    return { ...this.#findings(adopted), renewed };
  }

  releaseLock(): Promise<void> {
    return this.#inner.releaseLock();
  }

  async sync(what?: SyncOptions): Promise<Findings> {
    return this.#findings(await this.#inner.sync(what));
  }

  async trashList(query: TrashQuery): Promise<TrashPage> {
    const after = query.after === null ? null : this.#kept(query.after);
    const page = await this.#inner.trashList({ ...query, after });
    return { ...page, items: page.items.map((item) => ({ ...item, kept: this.#kept(item.kept) })) };
  }

  async trashAct(actions: readonly TrashAction[]): Promise<readonly TrashResult[]> {
    const results = await this.#inner.trashAct(actions.map((action) => {
      const kept = this.#kept(action.kept);
      return action.kind === "restore" ? { ...action, kept, to: this.#to(action.to) } : { ...action, kept };
    }));
    return results.map((result) =>
      result.kind === "done" && result.kept !== null ? { ...result, kept: this.#kept(result.kept) } : result
    );
  }

  space(neededBytes?: number): Promise<Space> {
    return this.#inner.space(neededBytes);
  }

  findProgram(parts: readonly string[]): Promise<string | null> {
    return this.#inner.findProgram(parts);
  }

  barrier(id: number): Promise<void> {
    return this.#inner.barrier(id);
  }

  async checkup(options?: { readonly signal?: AbortSignal }): Promise<Checkup> {
    const { host, root } = await this.#inner.checkup(options);
    return { host, root: { ...root, mounts: root.mounts.map(this.#to) } };
  }

  echo(size: EchoSize): Promise<{ readonly clockMs: number }> {
    return this.#inner.echo(size);
  }

  vitals(): Promise<Vitals> {
    return this.#inner.vitals();
  }

  async *events(): AsyncGenerator<EndpointEvent> {
    for await (const event of this.#inner.events()) {
      const translated = this.#event(event);
      if (translated !== null) yield translated;
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }

  #listing(listing: Listing): Listing {
    const path = this.#to(listing.path);
    if (listing.kind === "unlisted") return { ...listing, path, self: this.#seen(listing.self) };
    const entries = listing.entries.map((seen) => this.#seen(seen));
    entries.sort((a, b) => compareNames(nameOf(a.path), nameOf(b.path)));
    return { ...listing, path, self: this.#seen(listing.self), entries };
  }

  /** A path in the left's names; one that would meet another is blocked, if anything is there. */
  #seen(seen: Observation): Observation {
    const path = this.#to(seen.path);
    if (!this.#names.isTaken(path) || seen.kind === "absent" || seen.kind === "orphan") return { ...seen, path };
    return { kind: "blocked", path, began: seen.began, reason: "translated", detail: "" };
  }

  #event(event: EndpointEvent): EndpointEvent | null {
    if (event.kind === "root-lost" || event.kind === "barrier") return event;
    if (event.kind !== "observed") return { ...event, path: this.#to(event.path) };
    const isFree = (path: RelPath) => !this.#names.isTaken(path) && !this.#names.isBelowTaken(path);
    const observations = event.observations.map((seen) => this.#seen(seen))
      .filter(({ path }) => !this.#names.isBelowTaken(path));
    const moves = event.moves.map(({ from, to }) => ({ from: this.#to(from), to: this.#to(to) }))
      .filter(({ from, to }) => isFree(from) && isFree(to));
    return observations.length + moves.length === 0 ? null : { ...event, observations, moves };
  }

  #transition(transition: Transition): Transition {
    if (transition.kind !== "move") return { ...transition, path: this.#to(transition.path) };
    return { ...transition, from: this.#to(transition.from), to: this.#to(transition.to) };
  }

  #findings({ kept }: Findings): Findings {
    return { kept: kept.map((each) => this.#kept(each)) };
  }

  /** The first part of a place in the trash is a time, the rest a path. */
  #kept(kept: string): string {
    const slash = kept.indexOf("/");
    return slash < 0 ? kept : `${kept.slice(0, slash)}/${this.#to(parseRelPath(kept.slice(slash + 1)))}`;
  }
}
