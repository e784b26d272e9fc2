/**
 * A scripted run in the box: a few verbs for two users, and a hand on the links, so that one thing
 * surely happens before another one whatever the seed.
 *
 * A held method of an endpoint is asked for but not carried out (`before`), or carried out but not
 * answered (`after`), until it is let go.
 * @module
 */
import type { Endpoint, Listing } from "../../src/core/endpoint.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { RelPath } from "../../src/core/path.ts";
import type { Side } from "../../src/core/problem.ts";
import type { CommitBatch, Transition, TransitionResult } from "../../src/core/transition.ts";
import type { Node } from "./tree.ts";
import { unpacked } from "./endpoint.ts";
import { World, type WorldOptions } from "./world.ts";

/** What can be held. */
export type Held = "commit" | "look" | "events";

interface Gate {
  readonly when: "before" | "after";
  readonly opened: Promise<void>;
  readonly open: () => void;
}

/** One scripted run. */
export class Script {
  readonly world: World;
  readonly #gates = new Map<string, Gate>();
  /** Paths that show something which cannot be synchronised, as `side path`. */
  readonly #special = new Set<string>();

  /** Directories that cannot be listed, as `side path`. */
  readonly #unreadable = new Set<string>();

  /** Paths that cannot be changed, as `side path`. */
  readonly #denied = new Set<string>();

  constructor(options: WorldOptions) {
    this.world = new World({ ...options, wrap: (side, endpoint) => this.#wrap(side, endpoint) });
  }

  /** Runs one script under many seeds. */
  static async everywhere(
    script: (run: Script) => Promise<void>,
    options: Omit<WorldOptions, "seed"> = {},
  ): Promise<void> {
    for (let seed = 1; seed <= 25; seed++) {
      const run = new Script({ ...options, seed });
      try {
        await script(run);
        const faults = run.world.faultsAtRest();
        if (faults.length > 0) throw new Error(faults.join("\n"));
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}\n${run.world.log.join("\n")}`);
      } finally {
        run.letAll();
        await run.world.kill();
      }
    }
  }

  // ---- users ---------------------------------------------------------------------------------------

  /** Writes a file: in place where there is one. */
  write(side: Side, path: string, text: string): void {
    const tree = this.world.trees[side];
    const node = tree.find(path as RelPath);
    this.#tell(side, `write ${path} ${text}`);
    this.world.written.add(text);
    if (node?.kind === "file") {
      this.world.retired.add(node.text);
      return tree.write(node, path as RelPath, text);
    }
    tree.put(path as RelPath, tree.make("file", text));
  }

  /** Makes a directory. */
  mkdir(side: Side, path: string): void {
    this.#tell(side, `mkdir ${path}`);
    const tree = this.world.trees[side];
    tree.put(path as RelPath, tree.make("dir"));
  }

  /** Removes a path with all that is below it, children first as rm -r does. */
  remove(side: Side, path: string): void {
    this.#tell(side, `remove ${path}`);
    const tree = this.world.trees[side];
    const node = tree.find(path as RelPath)!;
    for (const name of [...node.children.keys()]) this.remove(side, `${path}/${name}`);
    this.#retire(tree.take(path as RelPath)!);
    tree.free(node);
  }

  /** Moves a path out of the root: of what is in it no event tells. */
  moveOut(side: Side, path: string): void {
    this.#tell(side, `move out ${path}`);
    this.#retire(this.world.trees[side].take(path as RelPath)!);
  }

  /** Renames. */
  rename(side: Side, from: string, to: string): void {
    this.#tell(side, `rename ${from} ${to}`);
    const old = this.world.trees[side].rename(from as RelPath, to as RelPath);
    if (old !== null) this.#retire(old);
  }

  /** Sets a mode. */
  chmod(side: Side, path: string, mode: number): void {
    this.#tell(side, `chmod ${path}`);
    const tree = this.world.trees[side];
    tree.chmod(tree.find(path as RelPath)!, path as RelPath, mode);
  }

  /** From now on a path shows a FIFO; `no`: not any more. */
  special(side: Side, path: string, no?: "no"): void {
    this.#tell(side, `special ${path} ${no ?? ""}`);
    const key = `${side} ${path}`;
    if (no === undefined) this.#special.add(key);
    else this.#special.delete(key);
    this.world.trees[side].onChange(path as RelPath);
  }

  /** From now on psync may not change a path; `no`: it may again. */
  deny(side: Side, path: string, no?: "no"): void {
    this.#tell(side, `deny ${path} ${no ?? ""}`);
    if (no === undefined) this.#denied.add(`${side} ${path}`);
    else this.#denied.delete(`${side} ${path}`);
  }

  /** From now on a directory cannot be listed, or can again. */
  unreadable(side: Side, path: string, no?: "no"): void {
    if (no === "no") this.#unreadable.delete(`${side} ${path}`);
    else this.#unreadable.add(`${side} ${path}`);
  }

  #tell(side: Side, what: string): void {
    this.world.log.push(`${side} ${what}`);
  }

  #retire(node: Node): void {
    if (node.kind !== "dir") this.world.retired.add(node.text);
    for (const child of node.children.values()) this.#retire(child);
  }

  // ---- links ---------------------------------------------------------------------------------------

  /** Holds a method of one side from now on. */
  hold(side: Side, what: Held, when: Gate["when"] = "before"): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gates.set(`${side} ${what}`, { when, opened: promise, open: resolve });
  }

  /** Lets it go. */
  let(side: Side, what: Held): void {
    this.#gates.get(`${side} ${what}`)?.open();
    this.#gates.delete(`${side} ${what}`);
  }

  /** Lets everything go. */
  letAll(): void {
    for (const gate of this.#gates.values()) gate.open();
    this.#gates.clear();
  }

  /** What is held never comes: psync was killed. */
  dropAll(): void {
    this.#gates.clear();
  }

  async #pass<T>(side: Side, what: Held, work: () => Promise<T>): Promise<T> {
    const gate = this.#gates.get(`${side} ${what}`);
    if (gate?.when === "before") await gate.opened;
    const result = await work();
    const later = gate ?? this.#gates.get(`${side} ${what}`);
    if (later?.when === "after") await later.opened;
    return result;
  }

  #wrap(side: Side, endpoint: Endpoint): Endpoint {
    const show = (seen: Observation): Observation => this.#show(side, seen);
    const wrapped: Pick<Endpoint, "commit" | "look" | "list" | "events"> = {
      commit: (batch) => this.#pass(side, "commit", () => this.#commit(side, endpoint, batch)),
      look: (paths, options) => this.#pass(side, "look", async () => (await endpoint.look(paths, options)).map(show)),
      list: async (dirs, options) =>
        (await endpoint.list(dirs, options)).map((one) => this.#showListing(side, one, show)),
      events: () => this.#events(side, endpoint),
    };
    return new Proxy(endpoint, {
      get: (target, key) => {
        if (key in wrapped) return wrapped[key as keyof typeof wrapped];
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  async #commit(side: Side, endpoint: Endpoint, batch: CommitBatch): Promise<readonly TransitionResult[]> {
    const isDenied = (t: Transition) => t.kind !== "move" && this.#denied.has(`${side} ${t.path}`);
    if (!batch.transitions.some(isDenied)) return await endpoint.commit(batch);
    const results: TransitionResult[] = [];
    for (const one of unpacked(batch, this.world.scheduler.carried)) {
      if (isDenied(one)) results.push({ kind: "failed", reason: "denied", detail: "EACCES", ended: 0 });
      else results.push(...await endpoint.commit({ transitions: [one] }));
    }
    return results;
  }

  #showListing(side: Side, one: Listing, show: (seen: Observation) => Observation): Listing {
    if (one.kind === "unlisted") return one;
    if (!this.#unreadable.has(`${side} ${one.path}`)) return { ...one, entries: one.entries.map(show) };
    const { path, began } = one;
    return { kind: "unlisted", path, self: { kind: "blocked", path, began, reason: "unreadable", detail: "EACCES" } };
  }

  #show(side: Side, seen: Observation): Observation {
    if (!this.#special.has(`${side} ${seen.path}`)) return seen;
    return { kind: "blocked", path: seen.path, began: seen.began, reason: "special", detail: "FIFO" };
  }

  async *#events(
    side: Side,
    endpoint: Endpoint,
  ): ReturnType<Endpoint["events"]> extends AsyncIterable<infer T> ? AsyncGenerator<T>
    : never {
    for await (const event of endpoint.events()) {
      while (this.#gates.has(`${side} events`)) await this.#gates.get(`${side} events`)!.opened;
      yield event.kind === "observed"
        ? { ...event, observations: event.observations.map((seen) => this.#show(side, seen)) }
        : event;
    }
  }

  // ---- time ----------------------------------------------------------------------------------------

  /** Lets everything go on that can, without moving the clock. */
  async go(): Promise<void> {
    while (await this.world.scheduler.step());
  }

  /** Moves the clock. */
  async wait(ms: number): Promise<void> {
    await this.world.clock.advance(ms);
    await this.go();
  }

  /** Lets everything go, and come to rest. */
  async rest(): Promise<void> {
    this.letAll();
    await this.world.rest();
  }
}
