/**
 * Builds psync-native with ASan and UBSan, and drives `psync-native apply` as a test wants it: typed
 * requests in, answers out, under any command (strace, setpriv) and in any number at once.
 *
 * Not for use outside tests/native. Whoever starts a driver disposes of it; disposal fails the test
 * where a sanitizer has said anything.
 * @module
 */
import type { AgreedContent } from "../../src/core/endpoint.ts";
import { joinBytes } from "../../src/base/bytes.ts";
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { parseRelPath, type RelPath } from "../../src/core/path.ts";
import {
  type ApplyReady,
  type ApplyRecord,
  decodeApplyRecord,
  DISPOSE,
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
  KIND,
  LEAVE_ID,
  NO_STAT,
  type RawCommitted,
  type RawExpected,
  type RawFile,
  type RawLooked,
  type RawMeta,
  type RawOp,
  type RawPacked,
  type RawResult,
  type RawStat,
  type RawTrashAction,
  RecordSplitter,
  STATUS,
} from "../../src/replica/native_format.ts";

const HERE = fromFileUrl(new URL("./", import.meta.url));
const NATIVE = fromFileUrl(new URL("../../native/", import.meta.url));
const FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** The label that commits use. */
export const LABEL = "20260101T000000-1";
/** An mtime that no clock gives by itself. */
export const MTIME_NS = 1_600_000_000_123_456_789n;

const built = new Map<string, Promise<string>>();

/** The path of a psync-native with sanitizers (default), or as it is shipped but for musl. */
export function nativePath(isPlain = false): Promise<string> {
  const given = Deno.env.get("PSYNC_TEST_NATIVE");
  if (given) return Promise.resolve(given);
  const key = isPlain ? "plain" : "sanitized";
  if (!built.has(key)) built.set(key, build(`psync-native-${key}`, isPlain ? ["-O2"] : SANITIZERS));
  return built.get(key)!;
}

/** Builds a C helper of these tests from tests/native and native. */
export function helperPath(name: string, sources: readonly string[] = []): Promise<string> {
  const files = [`${HERE}${name}.c`, ...sources.map((source) => NATIVE + source)];
  if (!built.has(name)) built.set(name, compile(name, [...SANITIZERS, ...files]));
  return built.get(name)!;
}

async function build(name: string, flags: readonly string[]): Promise<string> {
  const sources = [...Deno.readDirSync(NATIVE)].map((e) => e.name).filter((source) => source.endsWith(".c"));
  return await compile(name, [...flags, ...sources.map((source) => NATIVE + source)]);
}

/** Compiles once for each state of the sources; whoever is later replaces the same by the same. */
async function compile(name: string, args: readonly string[]): Promise<string> {
  const command = ["gcc", ...FLAGS, ...args];
  const dir = `${Deno.env.get("TMPDIR") ?? "/tmp"}/psync-apply-build-${Deno.uid() ?? 0}`;
  await Deno.mkdir(dir, { recursive: true, mode: 0o755 });
  const preprocessed = await new Deno.Command("gcc", { args: [...FLAGS, ...args, "-E", "-P"] }).output();
  if (!preprocessed.success) throw new Error(new TextDecoder().decode(preprocessed.stderr));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", preprocessed.stdout)).toHex().slice(0, 16);
  const target = `${dir}/${name}-${digest}`;
  if (await Deno.stat(target).then(() => true, () => false)) return target;
  const aside = await Deno.makeTempFile({ dir });
  await run(command[0]!, [...command.slice(1), "-o", aside]);
  await Deno.chmod(aside, 0o755);
  await Deno.rename(aside, target);
  return target;
}

/** Runs a command to its end and returns its stdout; fails where it fails. */
export async function run(command: string, args: readonly string[], stdin?: Uint8Array): Promise<string> {
  const child = new Deno.Command(command, { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const writer = child.stdin.getWriter();
  if (stdin !== undefined) await writer.write(stdin);
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  if (code !== 0) throw new Error(`Cannot run "${command}": ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** A path of a test. */
export function path(text: string): RelPath {
  return parseRelPath(text);
}

/** Metadata of new objects. */
export function meta(part: Partial<RawMeta> = {}): RawMeta {
  return { mode: 0o644, uid: LEAVE_ID, gid: LEAVE_ID, mtimeNs: MTIME_NS, ...part };
}

/** Nothing may be there. */
export const ABSENT: RawExpected = { stat: NO_STAT, target: "" };

/** What a look showed must be there. */
export function expected(looked: RawLooked): RawExpected {
  return looked.stat === null ? ABSENT : { stat: looked.stat, target: looked.target };
}

/** An OP_PUT_FILE with this content. */
export function putFile(name: string, content: string | Uint8Array, part: Partial<RawOp> = {}): RawOp {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const source = { kind: "inline" as const, bytes };
  const base = { op: "put-file" as const, path: path(name), expected: ABSENT, disposal: DISPOSE.drop };
  return { ...base, meta: meta(), source, ...part } as RawOp;
}

/** An OP_PUT_DIR. */
export function putDir(name: string, part: Partial<RawOp> = {}): RawOp {
  const base = { op: "put-dir" as const, path: path(name), expected: ABSENT, disposal: DISPOSE.drop };
  return { ...base, meta: meta({ mode: 0o755 }), ...part } as RawOp;
}

/** An OP_PUT_LINK. */
export function putLink(name: string, target: string, part: Partial<RawOp> = {}): RawOp {
  const base = { op: "put-link" as const, path: path(name), expected: ABSENT, disposal: DISPOSE.drop };
  return { ...base, meta: meta({ mode: 0o777 }), target, ...part } as RawOp;
}

/** An OP_REMOVE of what a look showed. */
export function remove(name: string, looked: RawLooked, part: Partial<RawOp> = {}): RawOp {
  const base = { op: "remove" as const, path: path(name), expected: expected(looked), disposal: DISPOSE.removed };
  return { ...base, force: false, ...part } as RawOp;
}

/** An OP_MOVE of what a look showed to a name that is free, unless `part` says otherwise. */
export function move(from: string, to: string, looked: RawLooked, part: Partial<RawOp> = {}): RawOp {
  const base = { op: "move" as const, path: path(from), to: path(to), expected: expected(looked) };
  return { ...base, expectedTo: ABSENT, disposal: DISPOSE.drop, ...part } as RawOp;
}

/** An OP_META of what a look showed. */
export function setMeta(name: string, looked: RawLooked, to: Partial<RawMeta>): RawOp {
  const base = { op: "meta" as const, path: path(name), expected: expected(looked), disposal: DISPOSE.drop };
  return { ...base, meta: meta(to) };
}

/** How a driver is started. */
export interface DriverOptions {
  /** Whether links to regular files are shown as those. */
  readonly followLinks?: boolean;
  /** A command and its arguments, in front of psync-native's. */
  readonly under?: readonly string[];
  /** Without sanitizers: for races, figures, and under strace. */
  readonly isPlain?: boolean;
  /** The working directory. */
  readonly cwd?: string;
}

type Answer<K extends ApplyRecord["kind"]> = Extract<ApplyRecord, { kind: K }>;

/** One running `psync-native apply`. */
export class ApplyDriver implements AsyncDisposable {
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stderr: Promise<string>;
  readonly #reading: Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<ApplyRecord>>();
  #fatal = Promise.withResolvers<ApplyRecord>();
  #lastId = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.pid = child.pid;
    this.status = child.status;
    this.#stdin = child.stdin.getWriter();
    this.#stderr = new Response(child.stderr).text();
    this.#fatal.promise.catch(() => {});
    this.#reading = this.#read();
  }

  /** Starts a process; no root is opened. */
  static async spawn(options: DriverOptions = {}): Promise<ApplyDriver> {
    const native = await nativePath(options.isPlain);
    const [command, ...args] = [...options.under ?? [], native, "apply"];
    const child = new Deno.Command(command!, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    return new ApplyDriver(child.spawn());
  }

  /** Starts a process on a root and adopts it. */
  static async start(root: string, options: DriverOptions = {}): Promise<ApplyDriver> {
    const driver = await ApplyDriver.spawn(options);
    const ready = await driver.open(root, options);
    assertEquals(ready.errno, 0);
    assertEquals(await driver.adopt("pair 1\n", "lock 1\n", ready.lock), {
      kind: "done",
      errno: 0,
      status: STATUS.done,
    });
    return driver;
  }

  async #read(): Promise<void> {
    const splitter = new RecordSplitter();
    for await (const chunk of this.#child.stdout) {
      for (const raw of splitter.push(chunk)) {
        const record = decodeApplyRecord({ ...raw, body: raw.body.slice() });
        if (record.kind === "fatal") this.#fatal.resolve(record);
        this.#waiting.get(raw.id)?.resolve(record);
        this.#waiting.delete(raw.id);
      }
    }
    const gone = new Error("psync-native apply has ended");
    this.#fatal.reject(gone);
    for (const { reject } of this.#waiting.values()) reject(gone);
    this.#waiting.clear();
  }

  /** Sends bytes as they are. */
  async sendRaw(bytes: Uint8Array): Promise<void> {
    try {
      await this.#stdin.write(bytes);
    } catch {
      // It has ended; who waits for an answer is told.
    }
  }

  /** The R_FATAL that the process ends with; rejects where it ends without. */
  get fatal(): Promise<ApplyRecord> {
    return this.#fatal.promise;
  }

  async #call<K extends ApplyRecord["kind"]>(kind: K, encode: (id: number) => Uint8Array): Promise<Answer<K>> {
    const id = ++this.#lastId;
    const waiting = Promise.withResolvers<ApplyRecord>();
    this.#waiting.set(id, waiting);
    await this.sendRaw(encode(id));
    const answer = await waiting.promise;
    assertEquals(answer.kind, kind);
    return answer as Answer<K>;
  }

  open(root: string, { followLinks = false }: DriverOptions = {}): Promise<ApplyReady> {
    return this.#call("ready", (id) => encodeApplyOpen(id, { root, followLinks }));
  }

  adopt(pair: string, lock: string, oldLock: string | null): Promise<Answer<"done">> {
    return this.#call("done", (id) => encodeAdopt(id, { pair, lock, oldLock }));
  }

  unlock(): Promise<Answer<"done">> {
    return this.#call("done", encodeUnlock);
  }

  sync(contents = false): Promise<Answer<"synced">> {
    return this.#call("synced", (id) => encodeApplySync(id, contents));
  }

  space(): Promise<Answer<"space">> {
    return this.#call("space", encodeStatfs);
  }

  swept(label = LABEL): Promise<Answer<"swept">> {
    return this.#call("swept", (id) => encodeSweep(id, label));
  }

  async sweep(label = LABEL): Promise<readonly string[]> {
    return (await this.swept(label)).kept;
  }

  looks(names: readonly string[], contentLimitBytes = 65_536, digests = false): Promise<readonly RawLooked[]> {
    return this.looksAt(names.map(path), contentLimitBytes, digests);
  }

  /** Looks at paths that were not parsed. */
  async looksAt(paths: readonly RelPath[], contentLimitBytes = 65_536, digests = false): Promise<readonly RawLooked[]> {
    return (await this.#call("looked", (id) => encodeLook(id, { contentLimitBytes, digests, paths }))).looked;
  }

  /** Looks at one file that may grow. */
  async lookGrowing(
    name: string,
    growing: "closed" | "open",
    contentLimitBytes = 65_536,
    agreed: AgreedContent | null = null,
  ): Promise<RawLooked> {
    const wanted = { contentLimitBytes, digests: contentLimitBytes === 0, growing, paths: [name as RelPath] };
    const look = agreed === null ? wanted : { ...wanted, agreed: [agreed] };
    const { looked } = await this.#call("looked", (id) => encodeLook(id, look));
    return looked[0]!;
  }

  async look(name: string, contentLimitBytes = 65_536, digests = false): Promise<RawLooked> {
    return (await this.looks([name], contentLimitBytes, digests))[0]!;
  }

  async commit(ops: readonly RawOp[], label = LABEL, carried: number | null = null): Promise<readonly RawCommitted[]> {
    return (await this.#call("committed", (id) => joinBytes(encodeCommit(id, { label, ops, carried })))).committed;
  }

  /** Makes one transition. */
  async make(op: RawOp): Promise<RawCommitted> {
    return (await this.commit([op]))[0]!;
  }

  async pack(files: readonly { readonly path: RelPath; readonly stat: RawStat }[]): Promise<RawPacked> {
    return await this.#call("packed", (id) => encodePack(id, files));
  }

  /** The name at which a carrier is waited for. */
  async carry(): Promise<string> {
    return (await this.#call("carrying", encodeCarry)).socket;
  }

  async supply(batch: string, files: readonly RawFile[]): Promise<readonly RawResult[]> {
    return (await this.#call("results", (id) => encodeSupply(id, { batch, files }))).results;
  }

  async prepare(batch: string, files: readonly RawFile[]): Promise<readonly RawResult[]> {
    return (await this.#call("results", (id) => encodePrepare(id, { batch, files }))).results;
  }

  async release(batch: string): Promise<readonly RawResult[]> {
    return (await this.#call("results", (id) => encodeRelease(id, batch))).results;
  }

  /** Does actions on the trash, `to` empty where it is left out. */
  async trash(
    actions: readonly (Omit<RawTrashAction, "to"> & { readonly to?: string })[],
    label = LABEL,
  ): Promise<readonly RawCommitted[]> {
    const whole = actions.map((action) => ({ to: "", ...action }));
    return (await this.#call("committed", (id) => encodeTrash(id, { label, actions: whole }))).committed;
  }

  /** The places of all items in the trash, in pages of `limit`. */
  async trashPlaces(limit = 0): Promise<string[]> {
    const places: string[] = [];
    for (;;) {
      const query = { classes: 3, limit, after: places.at(-1) ?? "" };
      const page = await this.#call("trashed", (id) => encodeTrashList(id, query));
      places.push(...page.items.map(({ kept }) => kept));
      if (!page.hasMore || page.items.length === 0) return places;
    }
  }

  /** Kills it and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.status;
  }

  /** Ends its input; returns its exit code. */
  async end(): Promise<number> {
    await this.#stdin.close().catch(() => {});
    await this.#reading;
    return (await this.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    const stderr = await this.#stderr;
    if (/Sanitizer|runtime error/.test(stderr)) throw new Error(stderr);
  }
}

/** Runs `use` with an empty directory that is removed afterwards. */
export async function withRoot(use: (root: string) => Promise<void>, parent?: string): Promise<void> {
  const made = await Deno.makeTempDir({ prefix: "psync-apply-", ...(parent === undefined ? {} : { dir: parent }) });
  const root = await Deno.realPath(made);
  try {
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Runs `use` with an adopted root. */
export async function withReplica(
  use: (root: string, driver: ApplyDriver) => Promise<void>,
  options: DriverOptions = {},
  parent?: string,
): Promise<void> {
  await withRoot(async (root) => {
    await using driver = await ApplyDriver.start(root, options);
    await use(root, driver);
  }, parent);
}

/** The names in the stage of a root. */
export function staged(root: string): string[] {
  return [...Deno.readDirSync(`${root}/.psync/stage`)].map((entry) => entry.name).sort();
}

/** Everything below a root's trash: path to content (of directories: "/"; of links: "-> target"). */
export function trash(root: string): Record<string, string> {
  return tree(`${root}/.psync/trash`);
}

/** Everything below a directory, `.psync` left out. */
export function tree(dir: string, prefix = ""): Record<string, string> {
  const out: Record<string, string> = {};
  for (const entry of [...Deno.readDirSync(dir)].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = prefix + entry.name;
    if (name === ".psync") continue;
    if (entry.isSymlink) out[name] = `-> ${Deno.readLinkSync(`${dir}/${entry.name}`)}`;
    else if (entry.isDirectory) Object.assign(out, { [name]: "/" }, tree(`${dir}/${entry.name}`, `${name}/`));
    else out[name] = entry.isFile ? Deno.readTextFileSync(`${dir}/${entry.name}`) : "special";
  }
  return out;
}

/** The kind of STAT for `expected` literals. */
export { DISPOSE, KIND, STATUS };
