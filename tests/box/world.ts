/**
 * Two users, two trees and a whole brain in one process, under one seed.
 *
 * Every version that a user writes is a text that is written once. What a user destroys he has seen:
 * it counts as retired. Everything else must be found at the end, live or in a trash.
 * @module
 */
import { isBelow, type RelPath } from "../../src/core/path.ts";
import { otherSide, type Side } from "../../src/core/problem.ts";
import type { Endpoint } from "../../src/core/endpoint.ts";
import { compileIgnore, NO_RULES } from "../../src/core/ignore.ts";
import type { PairSettings } from "../../src/brain/context.ts";
import type { RunRsync } from "../../src/brain/bulk.ts";
import { Pair } from "../../src/brain/pair.ts";
import type { Notice, Report } from "../../src/brain/report.ts";
import { Status } from "../../src/brain/status.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MemoryArchive } from "../support/memory_archive.ts";
import { type Faults, MemoryEndpoint } from "./endpoint.ts";
import { Random, Scheduler } from "./scheduler.ts";
import { MemoryTree, type Node } from "./tree.ts";

const SIDES = ["left", "right"] as const;

/** A report that tells nobody, and remembers notices. */
function silentReport(notices: Notice[]): Report {
  const notice = (told: Notice) => void notices.push(told);
  return new Proxy({}, { get: (_, name) => name === "notice" ? notice : () => Promise.resolve() }) as unknown as Report;
}

/** What may be set for one run. */
export interface WorldOptions {
  readonly seed: number;
  readonly names?: readonly string[];
  readonly faults?: Faults;
  /** What part of what happens is told by listings; none by default. */
  readonly crowds?: number;
  /** Stands between the brain and an endpoint. */
  readonly wrap?: (side: Side, endpoint: Endpoint) => Endpoint;
  readonly settings?: Partial<PairSettings>;
  readonly runRsync?: RunRsync;
}

/** The archive on the left's disk: a power cut takes back its last transactions. */
export class BoxArchive extends MemoryArchive {
  #images: unknown[] = [this.save()];
  #isOpen = false;

  override transact<T>(work: () => T): T {
    if (this.#isOpen) return super.transact(work);
    this.#isOpen = true;
    try {
      return super.transact(work);
    } finally {
      this.#isOpen = false;
      this.#images.push(this.save());
    }
  }

  /** Makes durable all but so many of the last transactions. */
  flush(but: number): void {
    this.#images.splice(0, this.#images.length - 1 - but);
  }

  cut(random: Pick<Random, "below">): void {
    this.#images = this.#images.slice(0, 1 + random.below(this.#images.length));
    this.restore(this.#images.at(-1));
    this.#images = this.#images.slice(-1);
  }
}

/** Content whose blocks were never written. */
function isTorn(text: string): boolean {
  return /^\0*$/.test(text);
}

/** One run. */
export class World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly clock = new FakeClock();
  readonly trees: Record<Side, MemoryTree> = { left: new MemoryTree(), right: new MemoryTree() };
  readonly archive = new BoxArchive();
  readonly log: string[] = [];
  /** What people were told, of all lives of psync. */
  readonly notices: Notice[] = [];
  readonly written = new Set<string>();
  readonly retired = new Set<string>();
  /** What took the place of a version that a user destroyed; what is not here was removed. */
  readonly #successors = new Map<string, Set<string>>();
  readonly #boots: Record<Side, number> = { left: 0, right: 0 };
  readonly status = new Status(silentReport([]));
  readonly #options: WorldOptions;
  #endpoints: Record<Side, MemoryEndpoint> | null = null;
  #ended: Promise<unknown> = Promise.resolve();
  #stop = new AbortController();
  #count = 0;
  #run = 0;
  isFirstSynced = false;
  /** Why psync ended by itself. */
  failure: unknown = null;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.scheduler = new Scheduler(this.random);
  }

  /** Starts psync: new endpoints, the old archive. */
  start(): void {
    const open = (side: Side) =>
      new MemoryEndpoint(this.trees[side], this.scheduler, {
        name: side,
        boot: this.#boots[side],
        isPaired: this.#run > 0,
        faults: this.#options.faults ?? {},
        crowds: this.#options.crowds ?? 0,
        trace: (line) => this.log.push(`    ${side}: ${line}`),
      });
    const endpoints = { left: open("left"), right: open("right") };
    this.#endpoints = endpoints;
    this.#stop = new AbortController();
    this.isFirstSynced = false;
    const { wrap = (_, endpoint) => endpoint, settings } = this.#options;
    const pair = new Pair({
      endpoints: { left: wrap("left", endpoints.left), right: wrap("right", endpoints.right) },
      archive: this.archive,
      status: this.status,
      report: silentReport(this.notices),
      ignore: compileIgnore(NO_RULES),
      clock: this.clock,
      offsetNs: 0n,
      settings: { force: false, skipInitialSync: false, followsLinks: false, run: ++this.#run, ...settings },
      runRsync: this.#options.runRsync ?? (() => Promise.resolve({ exitCode: 23, stderr: "" })),
      onFirstSync: () => this.isFirstSynced = true,
    });
    this.failure = null;
    this.#ended = pair.run(this.#stop.signal).then(() => null, (error) => this.failure = error);
    this.#pair = pair;
  }
  #pair: Pair | null = null;

  /** The pair at work. */
  get pair(): Pair {
    if (this.#pair === null) throw new Error("psync was not started");
    return this.#pair;
  }

  /** Cuts both links wherever things are. */
  async kill(): Promise<unknown> {
    this.log.push("kill");
    for (const side of SIDES) this.#endpoints![side].die();
    this.#stop.abort();
    while (await this.scheduler.step());
    await this.clock.advance(10);
    return await this.#ended;
  }

  /** Lets everything come to rest. */
  async rest(): Promise<void> {
    let steps = 0;
    for (let i = 0; i < 400; i++) {
      while (await this.scheduler.step()) {
        if (this.failure !== null) throw this.failure;
        if (++steps > 20_000) throw new Error(`seed ${this.#options.seed}: no end: ${this.#describe()}`);
      }
      if (this.#pair!.isQuiet && this.isFirstSynced && this.#pair!.context.retry.size === 0 && i > 3) return;
      await this.clock.advance(700);
    }
    throw new Error(`seed ${this.#options.seed}: no rest: ${this.#describe()}`);
  }

  #describe(): string {
    const { board, flights, retry } = this.#pair!.context;
    return `board ${board.size} (${
      [...board.below("" as RelPath)].map(({ path }) => path).slice(0, 5)
    }) flights ${flights.size} retry ${retry.size} first ${this.isFirstSynced}`;
  }

  /**
   * Cuts the power of these hosts, after `kill`; psync lives on the left, and so does its archive. A
   * version that is nowhere afterwards is lost to the cut; what it had replaced and is back must live.
   */
  powerCut(sides: readonly Side[], random: Pick<Random, "below" | "next"> = this.random): void {
    this.log.push(`power cut ${sides.join(" and ")}`);
    const before = this.#found();
    for (const side of sides) {
      this.trees[side].cut(random);
      this.#boots[side]++;
    }
    if (sides.includes("left") && random.next() < 0.7) this.archive.cut(random);
    const after = this.#found();
    for (const text of this.retired) {
      const successors = this.#successors.get(text);
      if (successors === undefined || !after.has(text)) continue;
      if (![...successors].every((next) => this.#isGone(next, after))) continue;
      this.log.push(`    back: ${text}`);
      this.retired.delete(text);
      this.#successors.delete(text);
    }
    for (const text of before) {
      if (!after.has(text)) this.log.push(`    not durable: ${text}`);
      if (!after.has(text)) this.retired.add(text);
    }
  }

  #isGone(text: string, found: ReadonlySet<string>): boolean {
    if (found.has(text)) return false;
    const successors = this.#successors.get(text);
    return !this.retired.has(text) ||
      (successors !== undefined && [...successors].every((next) => this.#isGone(next, found)));
  }

  /** The kernel writes something out by itself. */
  flushSome(): void {
    for (const side of SIDES) {
      const { newest } = this.trees[side];
      this.trees[side].flush(newest - this.random.below(20), { contents: this.random.next() < 0.5 });
    }
    this.archive.flush(this.random.below(20));
  }

  /** One thing that one user does. */
  act(): void {
    this.#act();
    for (const side of SIDES) this.trees[side].mark();
  }

  #act(): void {
    const side = this.random.pick(SIDES);
    const tree = this.trees[side];
    const path = this.#path();
    const node = tree.find(path);
    const dice = this.random.below(100);
    if (dice < 35) return this.#write(side, path, node);
    if (dice < 45) return this.#makeDir(side, path, node);
    if (dice < 60) return this.#remove(side, path, node);
    if (dice < 85) return this.#rename(side, path, node);
    if (dice < 92) return this.#link(side, path, node);
    if (node === null || node.kind === "link") return;
    this.log.push(`${side} chmod ${path}`);
    tree.chmod(node, path, this.random.pick([0o600, 0o644, 0o755, 0o700]));
  }

  #path(): RelPath {
    const names = this.#options.names ?? ["a", "b", "c", "d"];
    const depth = 1 + this.random.below(3);
    return Array.from({ length: depth }, () => this.random.pick(names)).join("/") as RelPath;
  }

  #token(): string {
    const token = `v${++this.#count}-${"x".repeat(this.#count % 7)}`;
    this.written.add(token);
    return token;
  }

  #write(side: Side, path: RelPath, node: Node | null): void {
    const tree = this.trees[side];
    if (tree.parent(path) === null || node?.kind === "dir") return;
    const text = this.#token();
    this.log.push(`${side} write ${path} ${text}`);
    this.#giveUpTorn(side, path, text);
    if (node?.kind === "file" && this.random.next() < 0.5) {
      this.#supersede(node.text, text);
      return tree.write(node, path, text);
    }
    this.#retire(tree.put(path, tree.make("file", text)), tree, text);
  }

  #link(side: Side, path: RelPath, node: Node | null): void {
    const tree = this.trees[side];
    if (tree.parent(path) === null || node?.kind === "dir") return;
    const text = this.#token();
    this.log.push(`${side} link ${path} ${text}`);
    this.#giveUpTorn(side, path, text);
    this.#retire(tree.put(path, tree.make("link", text)), tree, text);
  }

  #makeDir(side: Side, path: RelPath, node: Node | null): void {
    const tree = this.trees[side];
    if (tree.parent(path) === null || node !== null) return;
    this.log.push(`${side} mkdir ${path}`);
    tree.put(path, tree.make("dir"));
  }

  #remove(side: Side, path: RelPath, node: Node | null): void {
    if (node === null) return;
    this.log.push(`${side} remove ${path}`);
    this.#giveUpTorn(side, path, null);
    this.#retire(this.trees[side].take(path), this.trees[side]);
  }

  #rename(side: Side, from: RelPath, node: Node | null): void {
    const tree = this.trees[side];
    const to = this.#path();
    const target = tree.find(to);
    if (
      node === null || tree.parent(to) === null || to === from || to.startsWith(`${from}/`) || from.startsWith(`${to}/`)
    ) return;
    if (target !== null && this.random.next() < 0.3) {
      this.log.push(`${side} exchange ${from} ${to}`);
      return tree.exchange(from, to);
    }
    const fits = target === null ||
      (node.kind === "dir" ? target.kind === "dir" && target.children.size === 0 : target.kind !== "dir");
    if (!fits) return;
    this.log.push(`${side} rename ${from} ${to}`);
    this.#giveUpTorn(side, to, null);
    this.#retire(tree.rename(from, to), tree);
  }

  /** A user who destroys a torn file gives up what it once was: the version that the other side has. */
  #giveUpTorn(side: Side, path: RelPath, by: string | null): void {
    for (const [at, node] of this.trees[side].walk()) {
      if (node.kind === "dir" || !isTorn(node.text) || (at !== path && !isBelow(at, path))) continue;
      const other = this.trees[otherSide(side)].find(at);
      if (other !== null && other.kind !== "dir") this.#supersede(other.text, by);
    }
  }

  #supersede(old: string, by: string | null): void {
    if (by === null) this.#successors.delete(old);
    else if (!this.retired.has(old)) this.#successors.set(old, new Set([by]));
    else this.#successors.get(old)?.add(by);
    this.retired.add(old);
  }

  #retire(node: Node | null, tree: MemoryTree, by: string | null = null): void {
    if (node === null) return;
    const walk = (one: Node) => {
      if (one.kind !== "dir") this.#supersede(one.text, by);
      for (const child of one.children.values()) walk(child);
    };
    walk(node);
    tree.free(node);
  }

  /** Where losers of conflicts lie, as this life of the endpoints told it. */
  keptConflicts(): string[] {
    return SIDES.flatMap((side) => this.#endpoints![side].trash.map((kept, i) => ({ kept, i })))
      .filter(({ kept }) => kept.disposal === "conflict")
      .map(({ kept, i }) => `${i + 1}.${kept.disposal}/${kept.path}`);
  }

  /** What was kept as the loser of a conflict in this life of the endpoints. */
  losers(): Node[] {
    return SIDES.flatMap((side) => this.#endpoints![side].trash)
      .filter(({ disposal }) => disposal === "conflict").map(({ node }) => node);
  }

  /** What is wrong at rest; empty: nothing. */
  faultsAtRest(): string[] {
    const faults: string[] = [];
    const [left, right] = [this.trees.left.show(), this.trees.right.show()];
    if (left !== right) faults.push(`not equal:\n--left\n${left}\n--right\n${right}`);
    const found = this.#found();
    for (const text of this.written) if (!this.retired.has(text) && !found.has(text)) faults.push(`lost ${text}`);
    for (const text of found) if (!this.written.has(text) && !isTorn(text)) faults.push(`unknown ${text}`);
    return faults;
  }

  #found(): Set<string> {
    const found = new Set<string>();
    const walk = (node: Node) => {
      if (node.kind !== "dir") found.add(node.text);
      for (const child of node.children.values()) walk(child);
    };
    for (const side of SIDES) walk(this.trees[side].root);
    for (const side of SIDES) this.trees[side].trash.forEach(walk);
    return found;
  }
}
