/**
 * The other side of remote.ts: a local endpoint behind a connection.
 *
 * Has no logic of its own: it checks the first frame before anything is built, opens the endpoint,
 * and hands requests and events through. Called by cli/filter.ts and by tests.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, ProtocolError, type PsyncError, SetupError } from "../base/errors.ts";
import { logger } from "../base/log.ts";
import type { Endpoint, EndpointOptions, Pack } from "../core/endpoint.ts";
import { compileIgnore } from "../core/ignore.ts";
import { ECHO_MAX_BYTES } from "../core/checkup.ts";
import type { CommitBatch, Transition } from "../core/transition.ts";
import { Answerer, type Handler, type Handlers } from "../wire/answerer.ts";
import type { ByteStreams } from "../wire/channel.ts";
import { noiseOf } from "../wire/checkup_values.ts";
import { listingParts } from "../wire/message.ts";
import { requireProtocol } from "../wire/hello.ts";
import { CONTENT_MAX_BYTES, type OpenRequest, type PackPart, type PackPiece, packPieces } from "../wire/values.ts";

const log = logger("endpoint", "serve");

/** How long the endpoint may take to be disposed of before the service ends without it. */
const DISPOSE_MAX_MS = 4_000;

/** How an endpoint is served. */
export interface ServeOptions {
  readonly clock: Clock;
  /** The only root that may be opened, as an absolute path; any when left out. */
  readonly only?: string;
  /** The directory in which a relative root lies; null where it is gone. */
  readonly cwd: string | null;
  /** Ends the service cleanly. */
  readonly signal?: AbortSignal;
  /** How long the brain may be silent (tests); 30 s when left out. */
  readonly silenceLimitMs?: number;
}

/**
 * Serves one brain until the connection ends; the endpoint that `openLocal` gave is then disposed of.
 *
 * Settles to null after a clean end (BYE, or the signal), else to why it ended. Never rejects.
 */
export async function serveEndpoint(
  streams: ByteStreams,
  openLocal: (options: EndpointOptions) => Promise<Endpoint>,
  options: ServeOptions,
): Promise<PsyncError | null> {
  const service = new Service(openLocal, options);
  const answerer = new Answerer(streams, { ...options, handlers: service.handlers() });
  service.answerer = answerer;
  const onAbort = () => void answerer.close();
  if (options.signal?.aborted) onAbort();
  else options.signal?.addEventListener("abort", onAbort, { once: true });
  const error = await answerer.ended;
  options.signal?.removeEventListener("abort", onAbort);
  // WHY: a disk that hangs must not keep a filter alive; psync-native ends by itself, on EOF.
  const late = Promise.withResolvers<void>();
  const timer = options.clock.after(DISPOSE_MAX_MS, () => late.resolve());
  await Promise.race([service.end(), late.promise]);
  timer.cancel();
  return error;
}

/** One endpoint that is opened by the first request. */
class Service {
  /** Set right after the handlers were handed over, before any frame is read. */
  answerer: Answerer | null = null;
  readonly #openLocal: (options: EndpointOptions) => Promise<Endpoint>;
  readonly #options: ServeOptions;
  #opening: Promise<Endpoint> | null = null;
  #endpoint: Endpoint | null = null;
  #pumping: Promise<void> = Promise.resolve();

  constructor(openLocal: (options: EndpointOptions) => Promise<Endpoint>, options: ServeOptions) {
    this.#openLocal = openLocal;
    this.#options = options;
  }

  /** Disposes of the endpoint, also of one that is still being opened. */
  async end(): Promise<void> {
    const endpoint = await this.#opening?.catch(() => null); // why it failed was answered
    try {
      await endpoint?.[Symbol.asyncDispose]();
      await this.#pumping;
    } catch (error) {
      log.warn("cannot dispose of the endpoint", { error: String(error) });
    }
  }

  handlers(): Handlers {
    return {
      open: this.#open,
      list: this.#on(async (endpoint, { items }, signal) => listed(await endpoint.list(items, { signal }))),
      verify: this.#on(async (endpoint, { head, items }) => plain(await endpoint.verify(head.key, items))),
      look: this.#on(async (endpoint, { head, items }, signal) => {
        if (head.contentLimitBytes > CONTENT_MAX_BYTES) throw new ProtocolError("Cannot look: too much is asked for");
        return plain(await endpoint.look(items, { ...head, signal }));
      }),
      pack: this.#on(async (endpoint, { items }) => {
        const pack = await endpoint.pack(items);
        return { head: { carried: pack.carried }, items: packParts(pack) };
      }),
      carry: this.#on(async (endpoint) => ({ head: { place: await endpoint.carry() }, items: [] })),
      commit: this.#on(async (endpoint, { head, items }) =>
        plain(await endpoint.commit({ ...commitBatch(items), ...head }))
      ),
      supply: this.#on(async (endpoint, { head, items }) => plain(await endpoint.supply(head.batch, items))),
      prepare: this.#on(async (endpoint, { head, items }) => plain(await endpoint.prepare(head.batch, items))),
      release: this.#on(async (endpoint, { head }) => {
        const { stable, stamps } = await endpoint.release(head.batch);
        return { head: { stable }, items: stamps };
      }),
      adopt: this.#on(async (endpoint, { head }) => {
        const { kept, renewed } = await endpoint.adopt(head);
        return { head: { renewed }, items: kept };
      }),
      releaseLock: this.#on(async (endpoint) => done(await endpoint.releaseLock())),
      setCompareOwners: this.#on(async (endpoint, { head }) => done(await endpoint.setCompareOwners(head.on))),
      trashList: this.#on(async (endpoint, { head }) => {
        const { items, ...rest } = await endpoint.trashList(head);
        return { head: rest, items };
      }),
      trashAct: this.#on(async (endpoint, { items }) => plain(await endpoint.trashAct(items))),
      findProgram: this.#on(async (endpoint, { head }) => ({
        head: { found: await endpoint.findProgram(head.parts) },
        items: [],
      })),
      barrier: this.#on(async (endpoint, { head }) => done(await endpoint.barrier(head.id))),
      space: this.#on(async (endpoint, { head }) => ({
        head: await endpoint.space(head.neededBytes),
        items: [],
      })),
      checkup: this.#on(async (endpoint, _, signal) => ({ head: await endpoint.checkup({ signal }), items: [] })),
      echo: this.#on(async (endpoint, { head }) => {
        if (head.replyBytes > ECHO_MAX_BYTES) throw new ProtocolError("Cannot echo: too much is asked for");
        return { head: await endpoint.echo(head), items: noiseOf(head.replyBytes) };
      }),
      vitals: this.#on(async (endpoint) => ({ head: await endpoint.vitals(), items: [] })),
      sync: this.#on(async (endpoint, { head }) => plain((await endpoint.sync(head)).kept)),
    };
  }

  readonly #open: Handler<"open"> = async ({ head }) => {
    if (this.#opening !== null) throw new ProtocolError("Cannot open a root: one is open");
    const options = checkOpen(head, this.#options);
    if (head.bytesPerSecond !== null) this.answerer?.limit(head.bytesPerSecond);
    this.#opening = this.#openLocal(options);
    this.#endpoint = await this.#opening;
    this.#pumping = this.#pump(this.#endpoint);
    return { head: this.#endpoint.facts, items: [] };
  };

  #on<Q, A>(
    handle: (endpoint: Endpoint, request: Q, signal: AbortSignal) => Promise<A>,
  ): (request: Q, signal: AbortSignal) => Promise<A> {
    return (request, signal) => {
      if (this.#endpoint === null) {
        const error = new ProtocolError("Cannot answer: no root was opened");
        this.answerer?.fail(error);
        return Promise.reject(error);
      }
      return handle(this.#endpoint, request, signal);
    };
  }

  async #pump(endpoint: Endpoint): Promise<void> {
    try {
      for await (const event of endpoint.events()) await this.answerer?.sendEvent(event);
      // It ends by itself only when it is disposed of: else a brain would wait for events for ever.
      this.answerer?.fail(new EndpointLostError("Endpoint ended"));
    } catch (error) {
      this.answerer?.fail(error);
    }
  }
}

/**
 * What the brain asks to open, checked before anything is built.
 * @throws {ProtocolError} for what a brain of this build never sends; {UsageError} for a pattern; {SetupError}.
 */
function checkOpen(request: OpenRequest, options: ServeOptions): EndpointOptions {
  requireProtocol(request.protocol);
  if (request.bytesPerSecond === 0) throw new ProtocolError("Cannot open a root: its limit of bytes is 0");
  if (request.root === "") throw new ProtocolError("Cannot open a root: it has no name");
  compileIgnore(request.rules);
  const { rules, maxWatches } = request;
  const root = absolute(request.root, options.cwd);
  if (options.only !== undefined && tidy(root) !== tidy(absolute(options.only, options.cwd))) {
    throw new SetupError(
      `Cannot open root ${JSON.stringify(request.root)}: only ${JSON.stringify(options.only)} is allowed here`,
    );
  }
  return { root, rules, maxWatches };
}

/** @throws {SetupError} for a relative path where the directory that it lies in is gone. */
function absolute(path: string, cwd: string | null): string {
  if (path.startsWith("/")) return path;
  if (cwd !== null) return `${cwd}/${path}`;
  throw new SetupError(`Cannot open root ${JSON.stringify(path)}: the directory that psync was started in is gone`);
}

/** An absolute path as text, without `.`, empty names and trailing slashes; a `..` is kept, and so never equal. */
function tidy(path: string): string {
  return "/" + path.split("/").filter((name) => name !== "" && name !== ".").join("/");
}

function* packParts({ digests, pieces }: Pack): Generator<PackPart> {
  for (const digest of digests) yield { kind: "digest", digest };
  yield* packPieces(pieces);
}

function commitBatch(items: readonly (Transition | PackPiece)[]): CommitBatch {
  const transitions: Transition[] = [];
  const pack: Uint8Array[] = [];
  for (const item of items) {
    if (item.kind === "piece") pack.push(item.bytes);
    else transitions.push(item);
  }
  return { transitions, pack };
}

function plain<A>(items: Iterable<A>): { readonly head: null; readonly items: Iterable<A> } {
  return { head: null, items };
}

function listed(listings: Awaited<ReturnType<Endpoint["list"]>>) {
  return plain(listingParts(listings));
}

function done(_: void): { readonly head: null; readonly items: readonly never[] } {
  return { head: null, items: [] };
}
