/** Tests of a replica behind a connection: what goes through, what is split, what is refused. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NO_RULES } from "../core/ignore.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FAKE_FACTS, FakeEndpoint } from "../../tests/support/fake_endpoint.ts";
import { connectedPair } from "../../tests/support/pipes.ts";
import { EndpointLostError, ProtocolError, SafetyHaltError, SetupError, UsageError } from "../base/errors.ts";
import type { Endpoint, EndpointEvent, Listing } from "../core/endpoint.ts";
import type { Observation } from "../core/observation.ts";
import { parseRelPath, type RelPath, ROOT } from "../core/path.ts";
import type { Transition } from "../core/transition.ts";
import { Caller } from "../wire/caller.ts";
import { PROTOCOL_HASH } from "../wire/message.ts";
import { type Peer, RemoteEndpoint } from "./remote.ts";
import { serveEndpoint, type ServeOptions } from "./serve.ts";

const LOOK = { contentLimitBytes: 0, digests: false, growing: false, agreed: [] };

/** A remote endpoint in front of `local`, both in this process. */
async function connect(
  local: Endpoint,
  options: { root?: string; excludes?: string[]; peer?: Peer } & Partial<ServeOptions> = {},
) {
  const clock = new FakeClock();
  const { left, right } = connectedPair();
  const opened: string[] = [];
  const serving = serveEndpoint(right, ({ root }) => {
    opened.push(root);
    return Promise.resolve(local);
  }, { clock, cwd: "/home/u", ...options });
  const opening = { root: options.root ?? "/srv/a", rules: { ...NO_RULES, excludes: options.excludes ?? [] }, clock };
  try {
    return { remote: await RemoteEndpoint.open(left, opening, options.peer ?? null), serving, opened, clock };
  } catch (error) {
    await serving;
    assertEquals(opened.length === 0, true, "nothing was built");
    throw error;
  }
}

Deno.test("every method goes through, with its arguments and its answer", async () => {
  const local = new FakeEndpoint();
  const { remote, serving, opened } = await connect(local, { root: "notes" });
  assertEquals(remote.facts, FAKE_FACTS);
  assertEquals(opened, ["/home/u/notes"]);
  const path = parseRelPath("a/\udcff");
  const stamp = { inode: 1n, birthNs: 2n, sizeBytes: 3, mtimeNs: 4n, ctimeNs: 5n };
  const expected = { kind: "file" as const, stamp };
  const marks = { pair: "p", lock: "l", oldLock: null };
  await remote.setCompareOwners(true);
  const [listing] = await remote.list([path]);
  assertEquals(listing?.kind === "listed" && listing.path, path);
  assertEquals(await remote.look([path, ROOT], LOOK), [
    { kind: "absent", path, began: 1 },
    { kind: "absent", path: ROOT, began: 2 },
  ]);
  const remove: Transition = { kind: "remove", path, expected, disposal: "removed", force: false };
  assertEquals(await remote.commit({ transitions: [remove] }), [
    { kind: "done", ended: 3, stamp: null, kept: null, masked: false },
  ]);
  assertEquals(await remote.supply("b1", [{ id: 7, path, stamp, digest: null }]), [{
    id: 7,
    kind: "supplied",
    diskBytes: 0,
  }]);
  assertEquals(await remote.prepare("b1", [{ id: 8, path, expected, incomingBytes: 9 }]), [{
    id: 8,
    stamp: null,
    ended: 4,
  }]);
  assertEquals(await remote.release("b1"), { stable: [1, 2], stamps: [{ id: 3, stamp: null, ended: 5 }] });
  assertEquals(await remote.adopt(marks), { kept: ["2.conflict/found/x"], renewed: [] });
  assertEquals(await remote.sync({ contents: true, age: "a" }), { kept: ["1.conflict/late"] });
  await remote.releaseLock();
  assertEquals(local.asked, [
    { name: "setCompareOwners", what: true },
    { name: "list", what: [path] },
    { name: "look", what: { paths: [path, ROOT], options: LOOK } },
    { name: "commit", what: [remove] },
    { name: "supply", what: { batch: "b1", requests: [{ id: 7, path, stamp, digest: null }] } },
    { name: "prepare", what: { batch: "b1", requests: [{ id: 8, path, expected, incomingBytes: 9 }] } },
    { name: "release", what: "b1" },
    { name: "adopt", what: marks },
    { name: "sync", what: { contents: true, age: "a" } },
    { name: "releaseLock", what: null },
  ]);
  await remote[Symbol.asyncDispose]();
  assertEquals(await serving, null);
  assert(local.isDisposed);
});

Deno.test("events go through in order and end with the endpoint", async () => {
  const local = new FakeEndpoint();
  const { remote, serving } = await connect(local);
  const events: EndpointEvent[] = [
    { kind: "observed", observations: [{ kind: "busy", path: parseRelPath("x"), began: 1 }], moves: [] },
    { kind: "rescan", path: ROOT, why: "overflow" },
    { kind: "unwatched", path: parseRelPath("y") },
    { kind: "root-lost", why: "umount" },
  ];
  events.forEach((event) => local.report(event));
  const got: EndpointEvent[] = [];
  for await (const event of remote.events()) {
    got.push(event);
    if (got.length === events.length) await remote[Symbol.asyncDispose]();
  }
  assertEquals(got, events);
  assertEquals(await serving, null);
});

Deno.test("an endpoint whose events fail takes the connection with it", async () => {
  const local = new FakeEndpoint();
  const { remote, serving } = await connect(local);
  local.failEvents(new SafetyHaltError("root replaced"));
  await assertRejects(() => Array.fromAsync(remote.events()), SafetyHaltError, "root replaced");
  await serving;
  assert(local.isDisposed);
});

Deno.test("large questions are split, and their answers stand in order", async () => {
  const local = new FakeEndpoint();
  const { remote, serving } = await connect(local);
  const paths = Array.from({ length: 50_000 }, (_, i) => parseRelPath(`some/directory/with/a/name/${i}`));
  assertEquals((await remote.look(paths, LOOK)).map(({ path }) => path), paths);
  assertEquals((await remote.list(paths)).map(({ path }) => path), paths);
  assert(local.asked.filter(({ name }) => name === "look").length > 3);
  const bytes = new Uint8Array(300_000);
  const entry = { kind: "file" as const, mode: 0, owner: null, sizeBytes: 300_000, mtimeNs: 0n, digest: null };
  const transitions = paths.slice(0, 20).map((path): Transition => ({
    kind: "put",
    path,
    expected: { kind: "absent" },
    entry,
    content: { kind: "inline", bytes },
    disposal: "drop",
  }));
  const ended = (await remote.commit({ transitions })).map((result) => result.ended);
  assertEquals(ended, ended.toSorted((a, b) => a - b));
  const committed = local.asked.filter(({ name }) => name === "commit").map(({ what }) => what as Transition[]);
  assert(committed.length >= 6);
  assertEquals(committed.flat().map((one) => one.kind === "put" && one.path), paths.slice(0, 20));
  await remote[Symbol.asyncDispose]();
  await serving;
});

Deno.test("looks with contents are split so that neither end holds much", async () => {
  const local = new FakeEndpoint();
  const { remote, serving } = await connect(local);
  const paths = Array.from({ length: 1_000 }, (_, i) => parseRelPath(`${i}`));
  await remote.look(paths, { contentLimitBytes: 65_536, digests: false });
  for (const { what } of local.asked) assert((what as { paths: unknown[] }).paths.length <= 256);
  await assertRejects(() => remote.look(paths, { contentLimitBytes: 2 << 20, digests: false }), ProtocolError);
  await remote[Symbol.asyncDispose]();
  await serving;
});

const OPENINGS: readonly [
  string,
  Parameters<typeof connect>[1],
  typeof SetupError | typeof ProtocolError | typeof UsageError,
  string,
][] = [
  ["another root than the allowed one", { root: "/srv/b", only: "/srv/a" }, SetupError, 'only "/srv/a" is allowed'],
  ["a climb out of the allowed root", { root: "/srv/a/../b", only: "/srv/b" }, SetupError, "is allowed here"],
  ["no root", { root: "" }, ProtocolError, "it has no name"],
  ["a pattern that does not compile", { excludes: ["("] }, UsageError, "Cannot use exclude pattern"],
];

for (const [what, options, type, message] of OPENINGS) {
  Deno.test(`the first frame is refused before anything is built: ${what}`, async () => {
    await assertRejects(() => connect(new FakeEndpoint(), options), type, message);
  });
}

Deno.test("the allowed root may be written with slashes, dots, or below the login directory", async () => {
  for (const root of ["/home/u/a", "/home//u/a/", "a", "./a/"]) {
    const { remote, serving } = await connect(new FakeEndpoint(), { root, only: "/home/u/a" });
    await remote[Symbol.asyncDispose]();
    await serving;
  }
});

Deno.test("a request before the root is opened ends the connection", async () => {
  const clock = new FakeClock();
  const { left, right } = connectedPair();
  const serving = serveEndpoint(right, () => Promise.reject(new Error("never")), { clock, cwd: "/" });
  const caller = new Caller(left, { clock });
  await assertRejects(
    () => caller.call("sync", { head: { contents: false, age: null }, items: [] }),
    ProtocolError,
    "no root was opened",
  );
  await serving;
});

Deno.test("a root that was opened is not opened again, and another protocol not at all", async () => {
  const clock = new FakeClock();
  const { left, right } = connectedPair();
  const serving = serveEndpoint(right, () => Promise.resolve(new FakeEndpoint()), { clock, cwd: "/" });
  const caller = new Caller(left, { clock });
  const open = (protocol: string) =>
    caller.call("open", {
      head: { protocol, root: "/a", rules: NO_RULES, maxWatches: 0, bytesPerSecond: null },
      items: [],
    });
  await assertRejects(() => open("0123456789abcdef"), ProtocolError, "its protocol must be");
  await open(PROTOCOL_HASH);
  await assertRejects(() => open(PROTOCOL_HASH), ProtocolError, "one is open");
  await caller.close();
  await serving;
});

Deno.test("an endpoint that is opened while the connection ends is disposed of", async () => {
  const clock = new FakeClock();
  const { left, right } = connectedPair();
  const local = new FakeEndpoint();
  const slow = Promise.withResolvers<Endpoint>();
  const begun = Promise.withResolvers<void>();
  const serving = serveEndpoint(right, () => {
    begun.resolve();
    return slow.promise;
  }, { clock, cwd: "/" });
  const abort = new AbortController();
  const opening = RemoteEndpoint.open(left, { root: "/a", rules: NO_RULES, clock, signal: abort.signal });
  await begun.promise;
  abort.abort(new Error("stop"));
  await assertRejects(() => opening, Error, "stop");
  slow.resolve(local);
  await serving;
  assert(local.isDisposed);
});

Deno.test("what the peer said before it died stands in the error", async () => {
  const peer: Peer = { end: () => Promise.resolve(), lastWords: () => Promise.resolve("out of memory") };
  const local = new FakeEndpoint();
  const stop = new AbortController();
  const { remote, serving } = await connect(local, { peer, signal: stop.signal });
  stop.abort();
  await serving;
  await assertRejects(() => remote.sync(), EndpointLostError, "out of memory");
  await assertRejects(() => remote.look([ROOT], LOOK), EndpointLostError, "out of memory");
  await remote[Symbol.asyncDispose]();
});

/** Lies of a filter, and that each ends the connection. */
const a = parseRelPath("a");
const file = { kind: "file" as const, mode: 0, owner: null, sizeBytes: 3, mtimeNs: 0n, digest: "0".repeat(64) };
const stamp = { inode: 1n, birthNs: 0n, sizeBytes: 3, mtimeNs: 0n, ctimeNs: 0n };
const present = (path: RelPath, content: Uint8Array | null, sizeBytes = 3): Observation => ({
  kind: "present",
  path,
  began: 1,
  entry: { ...file, sizeBytes },
  stamp,
  content,
});
const listing = (entries: Observation[], self: RelPath = ROOT): Listing => ({
  kind: "listed",
  path: ROOT,
  self: { kind: "busy", path: self, began: 0 },
  entries,
  began: 0,
  isWatched: true,
  hasIgnored: false,
});

const LOOK_LIES: readonly [string, Observation[]][] = [
  ["another path", [{ kind: "absent", path: parseRelPath("b"), began: 1 }]],
  ["no answer", []],
  ["two answers", [present(a, null), present(a, null)]],
  ["content that was not asked for", [present(a, new Uint8Array(3))]],
];

for (const [what, answer] of LOOK_LIES) {
  Deno.test(`a look that is answered by ${what} is a protocol error and ends the connection`, async () => {
    const local = new FakeEndpoint();
    local.look = () => Promise.resolve(answer);
    const { remote, serving } = await connect(local);
    await assertRejects(() => remote.look([a], LOOK), ProtocolError);
    await assertRejects(() => remote.sync(), ProtocolError);
    await serving;
  });
}

Deno.test("content of another size than its entry says is a protocol error", async () => {
  const local = new FakeEndpoint();
  local.look = () => Promise.resolve([present(a, new Uint8Array(3), 4)]);
  const { remote, serving } = await connect(local);
  await assertRejects(() => remote.look([a], { contentLimitBytes: 10, digests: false }), ProtocolError);
  await serving;
});

const LIST_LIES: readonly [string, Listing[]][] = [
  ["another path", [{ kind: "unlisted", path: a, self: { kind: "absent", path: a, began: 0 } }]],
  ["a head of another path", [listing([], a)]],
  ["entries out of order", [listing([present(parseRelPath("b"), null), present(a, null)])]],
  ["an entry twice", [listing([present(a, null), present(a, null)])]],
  ["an absent entry", [listing([{ kind: "absent", path: a, began: 0 }])]],
  ["an entry with content", [listing([present(a, new Uint8Array(3))])]],
];

for (const [what, answer] of LIST_LIES) {
  Deno.test(`a listing with ${what} is a protocol error`, async () => {
    const local = new FakeEndpoint();
    local.list = () => Promise.resolve(answer);
    const { remote, serving } = await connect(local);
    await assertRejects(() => remote.list([ROOT]), ProtocolError);
    await serving;
  });
}

Deno.test("ids that were not asked for, or twice, are a protocol error", async () => {
  for (const ids of [[2], [1, 1], []]) {
    const local = new FakeEndpoint();
    local.supply = () => Promise.resolve(ids.map((id) => ({ id, kind: "supplied" as const, diskBytes: 0 })));
    const { remote, serving } = await connect(local);
    await assertRejects(() => remote.supply("b", [{ id: 1, path: a, stamp, digest: null }]), ProtocolError);
    await remote[Symbol.asyncDispose]();
    await serving;
  }
});
