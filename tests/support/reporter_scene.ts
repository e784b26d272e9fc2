/**
 * A reporter over a file system that is a map and a clock that stands.
 * @module
 */
import type { EndpointEvent } from "../../src/core/endpoint.ts";
import { compileIgnore, NO_RULES } from "../../src/core/ignore.ts";
import { parentOf, parseRelPath, rebase, type RelPath, ROOT } from "../../src/core/path.ts";
import { KnownStamps } from "../../src/replica/known_stamps.ts";
import type { SightOptions } from "../../src/replica/looker.ts";
import { KIND, NO_STAT, type RawLooked, type RawStat, STATUS } from "../../src/replica/native_format.ts";
import { observeLooked } from "../../src/replica/observe.ts";
import { Reporter } from "../../src/replica/reporter.ts";
import type { RawListing } from "../../src/replica/watcher.ts";
import { FakeClock } from "./fake_clock.ts";

const p = parseRelPath;
const ENOENT = 2;
/** Long ago on the fake clock's wall: not racy. */
const OLD_NS = 1_600_000_000_000_000_000n;

/** What a reporter sees, and what it says. */
export class Scene {
  readonly clock = new FakeClock();
  readonly known = new KnownStamps();
  readonly disk = new Map<RelPath, RawStat>();
  readonly busy = new Set<RelPath>();
  readonly looks: { readonly path: RelPath; readonly options: SightOptions }[] = [];
  readonly events: EndpointEvent[] = [];
  readonly listed: RelPath[] = [];
  readonly reporter: Reporter;
  /** Looks with the path "slow" wait for this. */
  slow = Promise.withResolvers<void>();
  /** Happens right before a listing. */
  beforeList = () => {};
  /** The counter with which looks begin. */
  began = 0;
  #inode = 100n;

  constructor() {
    this.reporter = new Reporter({
      clock: this.clock,
      known: this.known,
      ignore: compileIgnore({ ...NO_RULES, excludes: ["\\.tmp$"], rsyncExcludes: ["build/"] }),
      looker: {
        look: async (paths, options) => {
          if (paths.includes(p("slow"))) await this.slow.promise;
          return paths.map((path) => this.#look(path, options));
        },
      },
    });
    const list = (dirs: readonly RelPath[]) => {
      this.beforeList();
      return Promise.resolve(dirs.map((dir) => this.#list(dir)));
    };
    this.reporter.attach({ list, drop: () => {} });
    void this.#read();
  }

  async #read(): Promise<void> {
    for await (const event of this.reporter.events) this.events.push(event);
  }

  #look(path: RelPath, options: SightOptions) {
    this.looks.push({ path, options });
    const stat = this.disk.get(path) ?? null;
    const hasParent = parentOf(path) === ROOT || this.disk.has(parentOf(path));
    const isGrown = options.growing === "open" && this.busy.has(path);
    const found = this.busy.has(path) && !isGrown ? STATUS.busy : stat !== null ? STATUS.done : STATUS.absent;
    const raw: RawLooked = {
      status: hasParent ? found : STATUS.orphan,
      errno: 0,
      stat,
      target: "",
      digest: null,
      content: null,
      isPrefix: isGrown,
    };
    return { observation: observeLooked(path, raw, { began: this.began, ownerOf: () => null }), stat };
  }

  #list(dir: RelPath): RawListing {
    this.listed.push(dir);
    const entries = [...this.disk].filter(([path]) => parentOf(path) === dir && path !== dir).map(([path, stat]) => ({
      name: path.slice(dir.length + 1) as never,
      stat,
      target: "",
    }));
    return {
      path: dir,
      errno: this.disk.has(dir) ? 0 : ENOENT,
      isUnwatched: false,
      stat: this.disk.get(dir)!,
      entries,
    };
  }

  write(path: string, changes: Partial<RawStat> = {}): RawStat {
    const stat = { ...NO_STAT, kind: KIND.file, inode: this.#inode++, birthNs: 1n, ctimeNs: OLD_NS, ...changes };
    this.disk.set(p(path), stat);
    return stat;
  }

  /** Renames a directory with all that is in it. */
  rename(from: string, to: string): void {
    this.renameUntold(from, to);
    this.reporter.take({ kind: "move", isDir: true, from: p(from), to: p(to) });
  }

  /** The same, of which the event has not come yet. */
  renameUntold(from: string, to: string): void {
    const move = { from: p(from), to: p(to) };
    for (const [path, stat] of [...this.disk]) {
      if (rebase(path, move) === path) continue;
      this.disk.delete(path);
      this.disk.set(rebase(path, move), stat);
    }
  }

  async dirty(path: string, bits: number): Promise<void> {
    this.reporter.take({ kind: "dirty", names: [{ path: p(path), bits }] });
    await this.settle();
  }

  async settle(): Promise<void> {
    this.reporter.pump();
    await this.clock.advance(0);
    await this.clock.advance(0);
  }

  /** What was said since the last call, briefly. */
  said(): string[] {
    return this.events.splice(0).map((event) => {
      if (event.kind !== "observed") return `${event.kind} ${"path" in event ? event.path : ""}`.trim();
      const moves = event.moves.map(({ from, to }) => `${from}->${to}`);
      return [...event.observations.map(({ kind, path }) => `${kind} ${path}`), ...moves].join(", ");
    });
  }
}
