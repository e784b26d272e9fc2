/**
 * Builds psync-native with ASan and UBSan, and drives `psync-native watch` as a test wants it:
 * requests in, records out, reading that can be paused.
 *
 * Not for use outside tests/native. Whoever starts a driver disposes of it; disposal fails the test
 * where a sanitizer has said anything.
 * @module
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { systemClock } from "../../src/base/clock.ts";
import { parseRelPath, type RelPath, ROOT } from "../../src/core/path.ts";
import {
  decodeWatchRecord,
  DIRTY,
  encodeWatchCount,
  encodeWatchDrop,
  encodeWatchList,
  encodeWatchOpen,
  encodeWatchSync,
  type RawListed,
  RecordSplitter,
  type WatchListing,
  type WatchReady,
  type WatchRecord,
} from "../../src/replica/native_format.ts";
import { canShortenQueue, withShortQueue } from "../support/short_queue.ts";
import { signalIfThere } from "../support/signal.ts";

const NATIVE = fromFileUrl(new URL("../../native/", import.meta.url));
const SOURCES = ["main.c", "exec.c", "notify.c", "tree.c", "table.c", "record.c", "open.c", "follow.c"];
const SANITIZERS = "-fsanitize=address,undefined";
/** How long any answer may take; a test that waits longer fails. */
const DEADLINE_MS = 60_000;

let built: Promise<string> | null = null;

async function build(): Promise<string> {
  const out = `${await Deno.makeTempDir({ prefix: "psync-watch-build-" })}/psync-native`;
  const watch = [...Deno.readDirSync(NATIVE)].map((e) => e.name).filter((name) => /^watch.*\.c$/.test(name));
  const flags = ["-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", SANITIZERS];
  const { code, stderr } = await new Deno.Command("gcc", {
    args: [...flags, "-fno-sanitize-recover=all", ...[...SOURCES, ...watch].map((name) => NATIVE + name), "-o", out],
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  globalThis.addEventListener("unload", () => Deno.removeSync(out.slice(0, out.lastIndexOf("/")), { recursive: true }));
  return out;
}

/** The path of a psync-native with sanitizers; PSYNC_TEST_NATIVE names another one to be tested. */
export function nativePath(): Promise<string> {
  const given = Deno.env.get("PSYNC_TEST_NATIVE");
  return built ??= given ? Promise.resolve(given) : build();
}

/** A listing with its parts joined. */
export interface WholeListing extends Omit<WatchListing, "isLast"> {
  /** How many records it came in. */
  readonly parts: number;
}

/** What came until a barrier. */
export interface Events {
  readonly records: readonly WatchRecord[];
  /** All DIRTY bits that came for each path. */
  readonly dirty: ReadonlyMap<string, number>;
}

/** How a root is opened. */
interface WatchOptions {
  readonly maxWatches?: number;
  /** Whether links to regular files are listed as those. */
  readonly followLinks?: boolean;
}

/** One running `psync-native watch`. */
export class WatchDriver implements AsyncDisposable {
  readonly root: string;
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stderr: Promise<string>;
  readonly #reading: Promise<void>;
  #gate: Promise<void> = Promise.resolve();
  #open: () => void = () => {};
  #wake: () => void = () => {};
  #records: WatchRecord[] = [];
  #ids = new Map<WatchRecord, number>();
  #raw: Uint8Array[] = [];
  #rawType = -1;
  #isEnded = false;
  #lastId = 0;

  private constructor(root: string, child: Deno.ChildProcess) {
    this.root = root;
    this.#child = child;
    this.pid = child.pid;
    this.status = child.status;
    this.#stdin = child.stdin.getWriter();
    this.#stderr = new Response(child.stderr).text();
    this.#reading = this.#read();
  }

  /** Starts a process and does not open a root. */
  static async spawn(root: string): Promise<WatchDriver> {
    const command = new Deno.Command(await nativePath(), {
      args: ["watch"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
    return new WatchDriver(root, command.spawn());
  }

  /** Starts a process on a root and lists all of it. */
  static async start(root: string, options: WatchOptions = {}): Promise<WatchDriver> {
    const driver = await WatchDriver.spawn(root);
    const ready = await driver.open(options);
    assertEquals(ready.errno, 0);
    await driver.walk();
    return driver;
  }

  /** Starts a process whose queue in the kernel takes 16 events, and opens the root; null where that is not permitted. */
  static async openWithShortQueue(root: string): Promise<WatchDriver | null> {
    if (!canShortenQueue()) return null;
    const driver = await WatchDriver.spawn(root);
    await withShortQueue(() => driver.open());
    return driver;
  }

  async #read(): Promise<void> {
    const splitter = new RecordSplitter();
    for await (const chunk of this.#child.stdout) {
      for (const raw of splitter.push(chunk)) {
        if (raw.type === this.#rawType) {
          this.#raw.push(raw.body.slice());
          continue;
        }
        const record = decodeWatchRecord({ ...raw, body: raw.body.slice() });
        this.#records.push(record);
        this.#ids.set(record, raw.id);
      }
      this.#wake();
      await this.#gate;
    }
    this.#isEnded = true;
    this.#wake();
  }

  /** Stops reading stdout (what was read ahead is still there), until `resume`. */
  pause(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    this.#open = resolve;
  }

  resume(): void {
    this.#open();
    this.#gate = Promise.resolve();
  }

  /** Writes bytes to stdin as they are. */
  send(bytes: Uint8Array): Promise<void> {
    return this.#stdin.write(bytes);
  }

  /** Ends stdin, and waits for the process. */
  async end(): Promise<Deno.CommandStatus> {
    await this.#stdin.close().catch(() => {});
    await this.#reading;
    return await this.status;
  }

  /** Waits until `accept` takes a record, which is then taken out; the others wait on. */
  async take<T extends WatchRecord>(accept: (record: WatchRecord, id: number) => record is T): Promise<T> {
    const deadline = systemClock.nowMs() + DEADLINE_MS;
    for (let from = 0;;) {
      for (; from < this.#records.length; from++) {
        const record = this.#records[from]!;
        if (!accept(record, this.#ids.get(record)!)) continue;
        this.#records.splice(from, 1);
        this.#ids.delete(record);
        return record;
      }
      if (this.#isEnded) throw new Error(`psync-native ended: ${await this.#stderr}`);
      await this.#more(deadline - systemClock.nowMs());
    }
  }

  /** The body of the next record of a type that the codec would refuse; from now on none is decoded. */
  async raw(type: number): Promise<Uint8Array> {
    this.#rawType = type;
    while (this.#raw.length === 0) await this.#more(DEADLINE_MS);
    return this.#raw.shift()!;
  }

  async #more(withinMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = systemClock.after(withinMs, () => reject(new Error("Cannot go on: no record came in time")));
    await promise.finally(() => timer.cancel());
  }

  async open({ maxWatches = 0, followLinks = false }: WatchOptions = {}): Promise<WatchReady> {
    await this.send(encodeWatchOpen(++this.#lastId, { root: this.root, maxWatches, followLinks }));
    return await this.take((r): r is WatchReady => r.kind === "ready");
  }

  /** Lists directories; one result for each, in order. */
  async list(...dirs: readonly string[]): Promise<WholeListing[]> {
    const id = ++this.#lastId;
    await this.send(encodeWatchList(id, dirs.map(parseRelPath)));
    const out: WholeListing[] = [];
    for (const dir of dirs) {
      const entries: RawListed[] = [];
      for (let parts = 1;; parts++) {
        const part = await this.take((r, of): r is WatchListing => r.kind === "listing" && of === id);
        assertEquals(part.path, dir);
        entries.push(...part.entries);
        if (!part.isLast) continue;
        out.push({ ...part, entries, parts });
        break;
      }
    }
    return out;
  }

  /** Lists `from` and everything below it; returns the listings by path. */
  async walk(from: RelPath = ROOT): Promise<Map<string, WholeListing>> {
    const found = new Map<string, WholeListing>();
    for (let level: string[] = [from]; level.length > 0;) {
      const next: string[] = [];
      for (const listing of await this.list(...level)) {
        found.set(listing.path, listing);
        for (const { name, stat } of listing.entries) {
          if (stat.kind === 2 && stat.flags === 0) next.push(listing.path === "" ? name : `${listing.path}/${name}`);
        }
      }
      level = next;
    }
    return found;
  }

  async drop(path: string): Promise<void> {
    await this.send(encodeWatchDrop(parseRelPath(path)));
  }

  /** How many directories are watched. */
  async count(): Promise<number> {
    const id = ++this.#lastId;
    await this.send(encodeWatchCount(id));
    const { watches } = await this.take((r, of): r is WatchRecord & { kind: "counted" } =>
      r.kind === "counted" && of === id
    );
    return watches;
  }

  /** Asks for a barrier; returns all events that came before it and were not taken. */
  async sync(): Promise<Events> {
    const id = ++this.#lastId;
    await this.send(encodeWatchSync(id));
    const barrier = await this.take((r, of): r is WatchRecord & { kind: "barrier" } =>
      r.kind === "barrier" && of === id
    );
    assertEquals(barrier.kind, "barrier");
    const records = this.#records;
    this.#records = [];
    this.#ids.clear();
    return { records, dirty: dirtyOf(records) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    if (!this.#isEnded) signalIfThere(this.pid, "SIGCONT"); // a test that failed may have left it stopped
    const { code } = await this.end();
    const stderr = await this.#stderr;
    assertEquals(stderr, "");
    assertEquals(code === 0 || code === 2 || code === 3, true, `psync-native ended with ${code}`);
  }
}

/** The bits of each dirty path, or-ed. */
export function dirtyOf(records: readonly WatchRecord[]): Map<string, number> {
  const dirty = new Map<string, number>();
  for (const record of records) {
    if (record.kind !== "dirty") continue;
    for (const { path, bits } of record.names) dirty.set(path, (dirty.get(path) ?? 0) | bits);
  }
  return dirty;
}

/** The names of DIRTY bits, for assertions that people can read. */
export function bitNames(bits: number | undefined): string[] {
  return Object.entries(DIRTY).filter(([, bit]) => ((bits ?? 0) & bit) !== 0).map(([name]) => name);
}
