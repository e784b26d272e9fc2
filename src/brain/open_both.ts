/**
 * Opens the two endpoints of a pair: the left one in process, the right one in process or through
 * ssh, and with them the way by which rsync gets from one to the other.
 * @module
 */
import { SetupError } from "../base/errors.ts";
import { Together } from "../base/together.ts";
import type { Endpoint, EndpointOptions } from "../core/endpoint.ts";
import type { PathRules } from "../core/ignore.ts";
import { showPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import { compileTranslation, type NamePair } from "../core/translation.ts";
import { LocalEndpoint } from "../endpoint/local.ts";
import { BulkLink } from "../endpoint/bulk_link.ts";
import { Carrier, CarrierAhead } from "../endpoint/carrier.ts";
import { TranslatedEndpoint } from "../endpoint/translated.ts";
import { connectSsh } from "../endpoint/ssh.ts";
import { type RsyncEnd, runRsync } from "../transfer/rsync.ts";
import { requireNoneBanned } from "./banned.ts";
import type { RunRsync } from "./bulk.ts";
import type { Sides } from "./context.ts";
import type { SessionContext, SessionSettings } from "./settings.ts";

/** How long a first connection may take. */
const CONNECT_TIMEOUT_MS = 15_000;

/** What somebody is given who wants a carrier where there is to be none. */
const NO_CARRIER: Disposable = { [Symbol.dispose]: () => {} };

/** Both endpoints, open. Disposing of it ends everything that was started for them. */
export interface OpenedPair extends AsyncDisposable {
  readonly endpoints: Sides<Endpoint>;
  readonly runRsync: RunRsync;
  /** Sees to a carrier of packs between the two (endpoint/carrier.ts), where there may be one; returns at once. */
  readonly wantCarrier: () => Disposable;
  /** Whether psync was copied to the other host. */
  readonly deployed: boolean;
}

/** Opens both at once; where one fails the other is closed again, and the left's error goes first. */
export async function openBoth(
  settings: SessionSettings,
  context: SessionContext,
  options: Pick<EndpointOptions, "maxWatches"> = {},
): Promise<OpenedPair> {
  await using all = new Together();
  const aborted = new AbortController();
  all.use({ [Symbol.asyncDispose]: () => Promise.resolve(aborted.abort()) });
  const { nativePath } = context.self;
  // What has a limit goes through the frames, where it is kept.
  const mayCarry = settings.rsync.bytesPerSecond === null;
  const host = settings.remoteHost;
  let ahead: CarrierAhead | null = null;
  // All that a left root has which is in no pair yet will have to go to the other one.
  const onLeft = (left: LocalEndpoint) => {
    if (host === null || left.facts.pairMarker !== null) return;
    // What a link leads to is not watched. Owners are compared where both run as root, which is known of one.
    if (!settings.rsync.followsLinks) left.listAhead({ owners: left.facts.isRootUser });
    if (!mayCarry) return;
    ahead = CarrierAhead.begin({ host, ...reach(settings), nativePath });
    if (ahead !== null) all.use(ahead);
  };
  const { endpoints, deployed } = all.use(await openEndpoints(settings, context, { ...options, onLeft }));
  await requireNoneBanned(endpoints, settings.banned);
  if (settings.remoteHost !== null) requireRsync(endpoints, settings.remoteHost);
  const run = await makeRunRsync(endpoints, settings, context, { all, signal: aborted.signal });
  const carrier = all.use(
    new Carrier({
      ...endpoints,
      host,
      ...reach(settings),
      nativePath,
      clock: context.clock,
      ahead,
    }),
  );
  const wantCarrier = () => mayCarry ? carrier.want() : NO_CARRIER;
  const owned = all.move();
  return { endpoints, runRsync: run, wantCarrier, deployed, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** What is opened beside the roots' own settings. */
interface OpeningOptions extends Pick<EndpointOptions, "maxWatches"> {
  /** Called with the left endpoint while the right one is still being reached; must not throw. */
  readonly onLeft?: (left: LocalEndpoint) => void;
}

/** The two endpoints alone, whatever is missing beside them. */
export async function openEndpoints(
  settings: SessionSettings,
  context: SessionContext,
  { maxWatches = 0, onLeft }: OpeningOptions = {},
): Promise<Omit<OpenedPair, "runRsync" | "wantCarrier">> {
  await using all = new Together();
  let deployed = false;
  const given = new AbortController();
  // Reaching another host takes longest, so that it begins first; a left root that cannot be opened ends it.
  const signal = AbortSignal.any([context.signal, given.signal]);
  const reaching = settings.remoteHost === null ? null : openRemote(
    settings.remoteHost,
    settings,
    { ...context, signal },
    { maxWatches, onDeployed: () => deployed = true },
  );
  reaching?.catch(() => {}); // told when it is waited for
  const left = all.use(
    await openLocal(settings, context, {
      root: settings.left,
      rules: settings.rules,
      maxWatches,
      followLinks: settings.rsync.followsLinks,
    })
      .catch((error) => giveUp(error, reaching, given)),
  );
  onLeft?.(left);
  const right = all.use(
    await (reaching ??
      openLocal(settings, context, { root: settings.right, rules: rightRules(settings), maxWatches })),
  );
  const owned = all.move();
  return {
    endpoints: translated({ left, right }, settings.translate),
    deployed,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Ends what was begun with the other host, and then with the error. */
async function giveUp(error: unknown, reaching: Promise<Endpoint> | null, given: AbortController): Promise<never> {
  given.abort(error);
  await reaching?.then((right) => right[Symbol.asyncDispose](), () => {});
  throw error;
}

/** The replicas with the left's names. */
export function translated(endpoints: Sides<Endpoint>, translate: readonly NamePair[]): Sides<Endpoint> {
  if (translate.length === 0) return endpoints;
  const names = compileTranslation(translate);
  return {
    left: new TranslatedEndpoint(endpoints.left, names, { isRight: false }),
    right: new TranslatedEndpoint(endpoints.right, names, { isRight: true }),
  };
}

function rightRules({ rules, translate }: SessionSettings): PathRules {
  return { ...rules, names: translate };
}

async function openLocal(
  settings: SessionSettings,
  context: SessionContext,
  { root, rules, maxWatches = 0, followLinks = false }: EndpointOptions & { readonly followLinks?: boolean },
): Promise<LocalEndpoint> {
  const absolute = root.startsWith("/") ? root : `${settings.cwd}/${root}`;
  return await LocalEndpoint.open({
    root: absolute,
    rules,
    maxWatches,
    followLinks,
    nativePath: context.self.nativePath,
    build: context.self.hash,
    clock: context.clock,
  });
}

async function openRemote(
  host: string,
  settings: SessionSettings,
  context: SessionContext,
  options: Pick<EndpointOptions, "maxWatches"> & { readonly onDeployed: () => void },
): Promise<Endpoint> {
  return await connectSsh({
    host,
    ...reach(settings),
    root: settings.right,
    rules: rightRules(settings),
    maxWatches: options.maxWatches ?? 0,
    self: context.self,
    nativePath: context.self.nativePath,
    clock: context.clock,
    signal: context.signal,
    bytesPerSecond: settings.rsync.bytesPerSecond,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    onProgress: (sentBytes, totalBytes) => {
      options.onDeployed();
      context.report.deploying({ sentBytes, totalBytes });
    },
  });
}

/** How the other host is reached, beside its name. */
function reach({ sshCommand }: SessionSettings): { readonly sshCommand?: string } {
  return sshCommand === null ? {} : { sshCommand };
}

/** rsync is needed on both hosts. */
function requireRsync(endpoints: Sides<Endpoint>, host: string): void {
  const missing = endpoints.left.facts.rsync === null
    ? "this host"
    : endpoints.right.facts.rsync === null
    ? showPath(host)
    : null;
  if (missing !== null) {
    throw new SetupError(`Cannot find rsync on ${missing}: install it there (apt-get install rsync)`);
  }
}

async function makeRunRsync(
  endpoints: Sides<Endpoint>,
  settings: SessionSettings,
  context: SessionContext,
  life: { readonly all: Together; readonly signal: AbortSignal },
): Promise<RunRsync> {
  const { nativePath } = context.self;
  const hosts: Sides<string | null> = { left: null, right: settings.remoteHost };
  const end = (side: Side): RsyncEnd => ({ root: endpoints[side].facts.root, host: hosts[side] });
  const link = settings.remoteHost === null ? null : life.all.use(
    await BulkLink.open({
      host: settings.remoteHost,
      ...reach(settings),
      nativePath,
      clock: context.clock,
    }),
  );
  const { options: extra, bytesPerSecond } = settings.rsync;
  const run: RunRsync = async (batch, { from, patienceMs, onStart }) => {
    using use = link?.use() ?? null;
    const ends = { source: end(from), target: end(otherSide(from)) };
    const outcome = await runRsync({ ...ends, batch, shell: use?.shell ?? null, extra }, {
      nativePath,
      clock: context.clock,
      signal: life.signal,
      onStart,
      // A disk that is slow is not made faster by another try.
      patienceMs: link === null ? null : patienceMs,
    });
    if (outcome.stalledMs !== undefined) use?.retire();
    return outcome;
  };
  return bytesPerSecond === null ? run : oneByOne(run);
}

/** A limit holds for one rsync: two at once would have twice as much. */
function oneByOne(run: RunRsync): RunRsync {
  let last: Promise<unknown> = Promise.resolve();
  return (batch, options) => {
    const next = last.then(() => run(batch, options));
    last = next.catch(() => {}); // told to its own caller
    return next;
  };
}
