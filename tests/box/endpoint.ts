/**
 * An endpoint over a tree in memory, as slow, as interleaved and as exact as the real one: every
 * step of a method waits for its turn, so that users and both endpoints meet in any order.
 *
 * Transitions follow core/transition.ts: what is not as expected is not changed, what is displaced
 * against expectation is kept (here: in `trash`).
 * @module
 */
import { joinBytes } from "../../src/base/bytes.ts";
import { BoundedQueue } from "../../src/base/queue.ts";
import { EndpointLostError } from "../../src/base/errors.ts";
import type { Checkup, Vitals } from "../../src/core/checkup.ts";
import type {
  Adopted,
  BasisResult,
  DirClaim,
  Endpoint,
  EndpointEvent,
  EndpointFacts,
  Findings,
  Listing,
  LookOptions,
  Move,
  Pack,
  PackRequest,
  SupplyRequest,
  SupplyResult,
  SyncOptions,
} from "../../src/core/endpoint.ts";
import type { FileEntry, Stamp } from "../../src/core/entry.ts";
import type { Observation } from "../../src/core/observation.ts";
import { compareNames, joinPath, type Name, parentOf, rebase, type RelPath, ROOT } from "../../src/core/path.ts";
import { Sum, SumHash } from "../../src/core/sum.ts";
import type { CommitBatch, Transition, TransitionResult } from "../../src/core/transition.ts";
import type { Space, TrashAction, TrashPage, TrashResult } from "../../src/core/trash.ts";
import { BoxCrowds } from "./crowds.ts";
import type { Scheduler } from "./scheduler.ts";
import { entryOf, isExpected, sameAll, stampOf } from "./shown.ts";
import { rawStat, Told } from "./told.ts";
import type { MemoryTree, Node } from "./tree.ts";

/** What was displaced and kept: the texts of its files. */
export interface Kept {
  readonly path: RelPath;
  readonly disposal: string;
  readonly node: Node;
}

/** Faults that a test may switch on, to see that its checks see them. */
export interface Faults {
  readonly ignoreCounter?: boolean;
  readonly blindCommit?: boolean;
}

/** How often a directory is listed that is made and removed under our eyes. */
const LIST_ATTEMPTS = 5;

/** A rename, whether a directory was renamed, and the new name after the renames that were seen since. */
interface SeenMove extends Move {
  readonly now: RelPath;
  readonly isDir: boolean;
}

/** What came of one transition. */
type Made = "stale" | "orphan" | "not-empty" | "gone" | { readonly stamp: Stamp | null; readonly kept: string | null };

/** An endpoint in the box. */
export class MemoryEndpoint implements Endpoint {
  readonly facts: EndpointFacts;
  readonly tree: MemoryTree;
  readonly trash: Kept[] = [];
  readonly #scheduler: Scheduler;
  readonly #faults: Faults;
  readonly #trace: (line: string) => void;
  #counter = 0;
  #dirty = new Set<RelPath>();
  readonly #crowds: BoxCrowds;
  #moves: SeenMove[] = [];
  /** Looked at now, or without finding a parent. */
  readonly #astray = new Set<RelPath>();
  readonly #looking = new Set<RelPath>();
  readonly #told = new Told();
  #events = new BoundedQueue<EndpointEvent>(1_000_000);
  #isReporting = false;
  #watching = false;
  #dead = false;

  constructor(
    tree: MemoryTree,
    scheduler: Scheduler,
    options: {
      readonly name: string;
      readonly boot?: number;
      readonly isPaired?: boolean;
      readonly faults?: Faults;
      /** What part of what happens is told by listings; none by default. */
      readonly crowds?: number;
      readonly trace?: (line: string) => void;
    },
  ) {
    this.#trace = options.trace ?? (() => {});
    this.tree = tree;
    this.#scheduler = scheduler;
    this.#crowds = new BoxCrowds(scheduler.random, options.crowds ?? 0);
    this.#faults = options.faults ?? {};
    this.facts = {
      hostName: options.name,
      isRootUser: false,
      bootId: `${options.name} ${options.boot ?? 0}`,
      fsId: options.name,
      mountId: 1n,
      pairMarker: options.isPaired === true ? "pair" : null,
    } as unknown as EndpointFacts;
    tree.onChange = (path, move) => this.#changed(path, move);
  }

  /** Ends the endpoint as a cut link does: nothing of what it was asked for is answered any more. */
  die(): void {
    this.#dead = true;
    this.tree.onChange = () => {};
    this.#events.close(new EndpointLostError("cut"));
  }

  /** No box empties its trash. */
  trashList(): Promise<TrashPage> {
    return Promise.resolve({ items: [], hasMore: false });
  }

  trashAct(actions: readonly TrashAction[]): Promise<readonly TrashResult[]> {
    return Promise.resolve(actions.map(() => ({ kind: "gone" })));
  }

  findProgram(): Promise<string | null> {
    return Promise.resolve(null);
  }

  checkup(): Promise<Checkup> {
    return Promise.reject(new Error("No box has a doctor"));
  }

  echo(): Promise<{ readonly clockMs: number }> {
    return Promise.resolve({ clockMs: 0 });
  }

  vitals(): Promise<Vitals> {
    return Promise.resolve({ watches: 0, watchLimit: null });
  }

  space(): Promise<Space> {
    return Promise.resolve({ freeBytes: 1e9, totalBytes: 1e9 });
  }

  async barrier(id: number): Promise<void> {
    while (this.#dirty.size > 0 || this.#crowds.size > 0 || this.#isReporting) await this.#turn();
    this.#events.tryPush({ kind: "barrier", id });
  }

  setCompareOwners(): Promise<void> {
    return Promise.resolve();
  }

  async list(dirs: readonly RelPath[]): Promise<readonly Listing[]> {
    this.#watching = true;
    const listings: Listing[] = [];
    const began = ++this.#counter;
    for (const dir of dirs) listings.push(await this.#list(dir, began));
    await this.#turn();
    for (const listing of listings) this.#told.listed(listing);
    return listings;
  }

  /** Of what is no directory to list a look of its own is told, which overlaps no other one (replica/lister.ts). */
  async #list(dir: RelPath, began: number, attempt = 1): Promise<Listing> {
    await this.#turn();
    const listing = this.#listing(dir, began);
    if (listing.kind === "listed") return listing;
    const [self] = await this.#look([dir], { contentLimitBytes: 0, digests: false });
    const isBack = self!.kind === "present" && self!.entry.kind === "dir";
    return isBack && attempt < LIST_ATTEMPTS
      ? await this.#list(dir, ++this.#counter, attempt + 1)
      : { ...listing, self: self! };
  }

  async verify(key: string, claims: readonly DirClaim[]): Promise<readonly boolean[]> {
    this.#watching = true;
    const seen: (Observation | null)[] = [];
    const began = ++this.#counter;
    for (const claim of claims) {
      await this.#turn();
      seen.push(this.#isAsClaimed(key, claim) ? { ...this.#observe(claim.path, false), began } : null);
    }
    await this.#turn();
    for (const one of seen) if (one !== null) this.#told.sawDir(one);
    return seen.map((one) => one !== null);
  }

  #isAsClaimed(key: string, { path, sum, self }: DirClaim): boolean {
    const node = this.tree.find(path);
    if (node?.kind !== "dir") return false;
    const hash = new SumHash(key);
    const found = new Sum();
    for (const [name, child] of node.children) {
      found.add(hash.of({ name: name as Name, kind: child.kind, stamp: stampOf(child) }));
    }
    const { inode, birthNs, mode } = node;
    return `${found}` === sum &&
      (self === null || (self.inode === inode && self.birthNs === birthNs && self.mode === mode));
  }

  #listing(path: RelPath, began: number): Listing {
    const observe = (at: RelPath) => ({ ...this.#observe(at, false), began });
    const self = observe(path);
    const node = this.tree.find(path);
    if (node?.kind !== "dir") return { kind: "unlisted", path, self };
    const names = [...node.children.keys()].sort(compareNames);
    const entries = names.map((name) => observe(joinPath(path, name as Name)));
    return { kind: "listed", path, self, entries, began, isWatched: true, hasIgnored: false };
  }

  async look(paths: readonly RelPath[], options: LookOptions): Promise<readonly Observation[]> {
    for (const path of paths) this.#astray.add(path);
    const seen = await this.#look(paths, options);
    for (const { kind, path } of seen) if (kind !== "orphan") this.#astray.delete(path);
    // What the brain was told is what later looks are compared with.
    for (const one of seen) this.#told.remember(one);
    return seen;
  }

  async #look(paths: readonly RelPath[], options: LookOptions): Promise<readonly Observation[]> {
    const seen: Observation[] = [];
    while (paths.some((path) => this.#looking.has(path))) await this.#turn();
    for (const path of paths) this.#looking.add(path);
    const began = ++this.#counter;
    for (const path of paths) {
      if (this.#scheduler.random.next() < 0.2) await this.#turn();
      seen.push({ ...this.#observe(path, options.contentLimitBytes > 0 || options.digests), began });
    }
    await this.#turn();
    for (const path of paths) this.#looking.delete(path);
    return seen;
  }

  #observe(path: RelPath, content: boolean): Observation {
    const began = this.#faults.ignoreCounter ? Number.MAX_SAFE_INTEGER : this.#counter;
    if (path !== ROOT && this.tree.parent(path) === null) return { kind: "orphan", path, began };
    const node = this.tree.find(path);
    if (node === null) return { kind: "absent", path, began };
    const bytes = new TextEncoder().encode(node.text);
    return {
      kind: "present",
      path,
      began,
      entry: entryOf(node, content),
      stamp: stampOf(node),
      content: content && node.kind === "file" ? bytes : null,
    };
  }

  async pack(requests: readonly PackRequest[]): Promise<Pack> {
    const digests: (string | null)[] = [];
    const pieces: Uint8Array[] = [];
    await this.#turn();
    for (const { path, stamp } of requests) {
      if (this.#scheduler.random.next() < 0.3) await this.#turn();
      const seen = this.#observe(path, true);
      const isThere = seen.kind === "present" && seen.entry.kind === "file" && sameAll(seen.stamp, stamp);
      digests.push(isThere ? (seen.entry as FileEntry).digest : null);
      if (isThere) pieces.push(seen.content!);
    }
    await this.#turn();
    return this.#scheduler.random.next() < 0.5 ? { digests, pieces, carried: null } : this.#carry(digests, pieces);
  }

  /** Some are lost on their way. */
  #carry(digests: Pack["digests"], pieces: Pack["pieces"]): Pack {
    const number = ++this.#scheduler.sent;
    if (this.#scheduler.random.next() < 0.9) this.#scheduler.carried.set(number, joinBytes(pieces));
    return { digests, pieces: [], carried: number };
  }

  /** Whoever asks for a carrier finds that there is one. */
  carry(): Promise<null> {
    return Promise.resolve(null);
  }

  async commit(batch: CommitBatch): Promise<readonly TransitionResult[]> {
    const results: TransitionResult[] = [];
    await this.#turn();
    for (const transition of unpacked(batch, this.#scheduler.carried)) {
      if (this.#scheduler.random.next() < 0.3) await this.#turn();
      const result = this.#transition(transition);
      this.tree.mark();
      this.#trace(describe(transition, result));
      results.push(result);
    }
    await this.#turn();
    return results;
  }

  #transition(t: Transition): TransitionResult {
    const made = this.#make(t);
    const ended = ++this.#counter;
    const result: TransitionResult = typeof made === "string"
      ? { kind: made, kept: null, ended }
      : { kind: "done", stamp: made.stamp, kept: made.kept, masked: false, ended };
    const node = this.tree.find(t.kind === "move" ? t.to : t.path);
    const isThere = result.kind === "done" && t.kind !== "remove" && node !== null;
    this.#told.committed(t, result, isThere ? rawStat(node.kind, node.mode, stampOf(node)) : null);
    return result;
  }

  #make(t: Transition): Made {
    const path = t.kind === "move" ? t.to : t.path;
    if (this.tree.parent(path) === null) return "orphan";
    if (t.kind === "move") return this.#makeMove(t);
    const live = this.tree.find(path);
    if (!this.#faults.blindCommit && !isExpected(live, t.expected)) return "stale";
    if (t.kind === "meta") {
      this.tree.chmod(live!, path, t.entry.mode);
      if (t.entry.kind === "file") live!.mtimeNs = t.entry.mtimeNs;
      return { stamp: stampOf(live!), kept: null };
    }
    const isForced = t.kind === "remove" && t.force;
    if (live?.kind === "dir" && live.children.size > 0 && !isForced) return "not-empty";
    if (t.kind === "remove") {
      const node = this.tree.take(path);
      return { stamp: null, kept: this.#dispose(path, t.disposal, node) };
    }
    const node = this.#staged(t);
    if (node === null) return "gone";
    const old = this.tree.put(path, node);
    return { stamp: stampOf(node), kept: this.#dispose(path, t.disposal, old) };
  }

  #makeMove(t: Extract<Transition, { kind: "move" }>): Made {
    if (!isExpected(this.tree.find(t.from), t.expectedFrom) || !isExpected(this.tree.find(t.to), t.expectedTo)) {
      return "stale";
    }
    if (t.to.startsWith(`${t.from}/`)) return "stale";
    const old = this.tree.rename(t.from, t.to);
    return { stamp: stampOf(this.tree.find(t.to)!), kept: this.#dispose(t.to, t.disposal, old) };
  }

  #staged(t: Extract<Transition, { kind: "put" }>): Node | null {
    const { entry, content } = t;
    const node = this.tree.make(entry.kind, entry.kind === "link" ? entry.target : "");
    node.mode = entry.mode;
    if (entry.kind !== "file") return node;
    if (content?.kind !== "inline") return null;
    node.text = new TextDecoder().decode(content.bytes);
    node.isFlushed = true;
    node.mtimeNs = entry.mtimeNs;
    return node;
  }

  #dispose(path: RelPath, disposal: string, node: Node | null): string | null {
    if (node === null || disposal === "drop") {
      if (node !== null) this.tree.free(node);
      return null;
    }
    this.trash.push({ path, disposal, node });
    this.tree.trash.push(node);
    return `${this.trash.length}.${disposal}/${path}`;
  }

  #changed(path: RelPath, move?: Move): void {
    if (!this.#watching) return;
    const node = this.tree.find(path);
    if (move === undefined && this.#crowds.take(path, node?.kind === "dir")) return void this.#startReport();
    this.#dirty.add(path);
    if (move !== undefined) {
      if (node?.kind === "dir") {
        this.#told.followMove(move);
        this.#moves = this.#moves.map((seen) => ({ ...seen, now: rebase(seen.now, move) }));
      }
      this.#moves.push({ ...move, now: move.to, isDir: node?.kind === "dir" });
      this.#crowds.followMove(move);
      // A look that was under way, or found no parent, was led astray: it is made again under the new name.
      for (const hint of [...this.#dirty, ...this.#astray]) this.#dirty.add(rebase(hint, move));
    }
    if (node?.kind === "dir" && move === undefined) {
      for (const [below] of this.tree.walk(node, `${path}/`)) this.#dirty.add(below);
    }
    this.#startReport();
  }

  #startReport(): void {
    void this.#report().catch(() => {}); // only a cut link ends it, and the cut is told by events()
  }

  async #report(): Promise<void> {
    if (this.#isReporting) return;
    this.#isReporting = true;
    while (this.#dirty.size + this.#crowds.size > 0 && !this.#dead) {
      await this.#turn();
      for (const dir of this.#crowds.drain()) this.#events.tryPush({ kind: "crowd", path: dir });
      const paths = [...this.#dirty].sort();
      const moves = this.#moves;
      this.#dirty.clear();
      this.#moves = [];
      for (const path of paths) this.#astray.add(path);
      const seen = await this.#look(paths, { contentLimitBytes: 65_536, digests: false });
      for (const { kind, path } of seen) if (kind !== "orphan") this.#astray.delete(path);
      this.#tell(seen, moves);
    }
    this.#isReporting = false;
  }

  /** Says what is new, as replica/reporter.ts does; `moves` are those that were seen before the looks. */
  #tell(seen: readonly Observation[], moves: readonly SeenMove[]): void {
    const reported = new Set<RelPath>();
    for (const one of seen) {
      if (this.#told.isOutdated(one)) continue;
      const { isNews, isOther } = this.#told.judge(one);
      if (one.kind === "orphan") this.#dirty.add(parentOf(one.path));
      if (isOther) this.#events.tryPush({ kind: "rescan", path: one.path, why: "another directory took this name" });
      if (isNews) reported.add(one.path);
    }
    const isNewDir = ({ now, isDir }: SeenMove) => isDir && !this.#told.isOwn(now);
    const told = moves.filter((move) => reported.has(move.from) || reported.has(move.now) || isNewDir(move));
    const names = new Set(told.flatMap(({ from, now }) => [from, now]));
    const news = seen.filter(({ path, kind }) => reported.has(path) || (names.has(path) && kind !== "orphan"));
    if (news.length === 0) return;
    this.#trace(`sees ${news.map((one) => `${one.kind} ${one.path}`).join(", ")}`);
    const bare = told.map(({ from, to }) => ({ from, to }));
    this.#events.tryPush({ kind: "observed", observations: news, moves: bare });
  }

  supply(_batch: string, requests: readonly SupplyRequest[]): Promise<readonly SupplyResult[]> {
    return Promise.resolve(requests.map(({ id }) => ({ id, kind: "stale" as const, diskBytes: 0 })));
  }
  prepare(): Promise<readonly BasisResult[]> {
    return Promise.resolve([]);
  }
  release(): Promise<{ stable: readonly number[]; stamps: readonly BasisResult[] }> {
    return Promise.resolve({ stable: [], stamps: [] });
  }
  adopt(): Promise<Adopted> {
    return Promise.resolve({ kept: [], renewed: [] });
  }
  releaseLock(): Promise<void> {
    return Promise.resolve();
  }
  async sync(what: SyncOptions = { contents: false }): Promise<Findings> {
    const { newest } = this.tree;
    await this.#turn();
    this.tree.flush(newest, what);
    await this.#turn();
    return { kept: [] };
  }
  events(): AsyncIterable<EndpointEvent> {
    return this.#events;
  }
  [Symbol.asyncDispose](): Promise<void> {
    this.die();
    return Promise.resolve();
  }

  async #turn(): Promise<void> {
    await this.#scheduler.turn();
    if (this.#dead) throw new EndpointLostError("cut");
  }
}

function describe(t: Transition, result: TransitionResult): string {
  const path = t.kind === "move" ? `${t.from} -> ${t.to}` : t.path;
  return `${t.kind} ${path} ${t.kind === "put" ? t.entry.kind : ""} ${
    "disposal" in t ? t.disposal : ""
  } => ${result.kind}`;
}

/** The transitions of a batch, each with its own content. */
export function unpacked(batch: CommitBatch, onTheirWay: ReadonlyMap<number, Uint8Array>): Transition[] {
  const { transitions, pack = [], carried = null } = batch;
  const whole = carried === null ? joinBytes(pack) : onTheirWay.get(carried);
  if (whole === undefined) return [...transitions]; // what is packed is then gone
  let at = 0;
  return transitions.map((each) => {
    if (each.kind !== "put" || each.entry.kind !== "file" || each.content?.kind !== "packed") return each;
    return { ...each, content: { kind: "inline", bytes: whole.subarray(at, at += each.entry.sizeBytes) } };
  });
}
