/**
 * The attacks of a hostile brain on a filter, one by one.
 * @module
 */
import { joinBytes } from "../../src/base/bytes.ts";
import { parseRelPath, type RelPath } from "../../src/core/path.ts";
import type { Expected, Transition } from "../../src/core/transition.ts";
import { type MethodName, METHODS } from "../../src/wire/message.ts";
import { type Answer, type HostileBrain, openHead } from "./hostile_brain.ts";
import { type Hostile, MARK, rawFrame, requestBytes } from "./hostile_frames.ts";
import type { HostileWorld } from "./hostile_world.ts";

/** One attack on a filter that has a root open. Gives what was wrong with the answers. */
export interface RequestAttack {
  readonly name: string;
  /** `fresh`: on a filter that was only started. */
  readonly on?: "fresh";
  readonly play: (brain: HostileBrain, world: HostileWorld) => Promise<string[]>;
}

const LOOK = { contentLimitBytes: 65_536, digests: true, growing: false, agreed: [] };
const ABSENT: Expected = { kind: "absent" };
const STAMP = { inode: 1n, birthNs: 0n, sizeBytes: 1, mtimeNs: 1n, ctimeNs: 1n };
const ENTRY = { kind: "file" as const, mode: 0o4777, owner: null, sizeBytes: 4, mtimeNs: 1n, digest: null };
const EVIL = new TextEncoder().encode("evil");

/** Forms that are no path of the tree, or psync's own. */
const FORMS: Readonly<Record<string, Hostile>> = {
  "..": "..",
  "a way up": "../outside/secret",
  "a way up from within": "dir/../../outside/secret",
  "a way up at the end": "dir/..",
  "an absolute path": "/etc/passwd",
  "a dot": "./mine",
  "an empty name": "dir//x",
  "a slash at the end": "out/",
  "a NUL": "mine\0.txt",
  "psync's own": ".psync",
  "psync's marks": ".psync/pair",
  "psync's trash": ".psync/trash/x",
  "a name of 256 bytes": "n".repeat(256),
  "a path of 64 KB": "d/".repeat(40_000) + "f",
};

function put(path: RelPath, part: Partial<Extract<Transition, { kind: "put" }>> = {}): Transition {
  const content = { kind: "inline" as const, bytes: EVIL };
  return { kind: "put", path, expected: ABSENT, entry: ENTRY, content, disposal: "drop", ...part };
}

function remove(path: RelPath, expected: Expected): Transition {
  return { kind: "remove", path, expected, disposal: "removed", force: true };
}

function move(from: RelPath, to: RelPath): Transition {
  const expectedFrom: Expected = { kind: "dir", mode: 0o755, owner: null, stamp: null };
  return { kind: "move", from, to, expectedFrom, expectedTo: ABSENT, disposal: "drop" };
}

/** What must become of it: the connection is ended by an error. */
function refused(answer: Answer): string[] {
  return answer.error === null ? [`it was answered: ${JSON.stringify(answer.items, text)}`] : [];
}

function text(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

/** Each hostile form in each request that takes a path or a name. */
function formAttacks(): RequestAttack[] {
  const requests: readonly [string, MethodName, unknown, readonly unknown[]][] = [
    ["look", "look", LOOK, [MARK]],
    ["put", "commit", { carried: null }, [put(MARK)]],
  ];
  const all = requests.flatMap(([what, method, head, items]) =>
    Object.entries(FORMS).map(([name, form]) => ({
      name: `${what} ${name}`,
      play: async (brain: HostileBrain) => refused(await brain.ask(method, head, items, form)),
    }))
  );
  const up = "../outside/secret";
  const own = ".psync/lock";
  const some: readonly [string, MethodName, unknown, readonly unknown[], Hostile][] = [
    ["list outside", "list", null, [MARK], "../outside"],
    ["list psync's own", "list", null, [MARK], ".psync"],
    ["remove outside", "commit", { carried: null }, [remove(MARK, ABSENT)], up],
    ["remove psync's lock", "commit", { carried: null }, [remove(MARK, ABSENT)], own],
    ["move from outside", "commit", { carried: null }, [move(MARK, parseRelPath("stolen"))], "../outside/dir"],
    ["move to outside", "commit", { carried: null }, [move(parseRelPath("dir"), MARK)], "../outside/new"],
    ["move psync's trash into the tree", "commit", { carried: null }, [move(MARK, parseRelPath("t"))], ".psync/trash"],
    ["set metadata outside", "commit", { carried: null }, [{
      kind: "meta",
      path: MARK,
      expected: ABSENT,
      entry: ENTRY,
    }], up],
    ["remove the root", "commit", { carried: null }, [remove(MARK, ABSENT)], ""],
    ["supply outside", "supply", { batch: "b" }, [{ id: 1, path: MARK, stamp: STAMP, digest: null }], up],
    ["supply psync's lock", "supply", { batch: "b" }, [{ id: 1, path: MARK, stamp: STAMP, digest: null }], own],
    ["a batch that climbs", "supply", { batch: MARK }, [], "../../x"],
    ["a batch with slashes", "prepare", { batch: MARK }, [], "a/b"],
    ["a batch of dots", "release", { batch: MARK }, [], ".."],
    ["a basis outside", "prepare", { batch: "b" }, [{ id: 1, path: MARK, expected: ABSENT, incomingBytes: 4 }], up],
    [
      "an agreed file outside",
      "look",
      { ...LOOK, growing: true, agreed: [{ path: MARK, sizeBytes: 1, digest: "0".repeat(64) }] },
      [parseRelPath("new")],
      up,
    ],
    ["staged content of a batch that climbs", "commit", { carried: null }, [
      put(parseRelPath("new"), { content: { kind: "staged", batch: MARK, id: 1 } }),
    ], "../../../outside"],
    ["give back what lies outside", "trashAct", null, [
      { kind: "restore", kept: MARK, to: parseRelPath("new"), replaces: false },
    ], "../../../outside/secret"],
    ["give back to outside", "trashAct", null, [{ kind: "restore", kept: "x", to: MARK, replaces: true }], "../../x"],
    ["give back over psync's lock", "trashAct", null, [{ kind: "restore", kept: "x", to: MARK, replaces: true }], own],
    ["purge what lies outside", "trashAct", null, [{ kind: "purge", kept: MARK }], "../pair"],
    ["a page of the trash from outside", "trashList", { only: null, after: MARK }, [], "../../../outside"],
  ];
  return [
    {
      name: "none at all: the same frames with a lawful path are answered",
      play: async (brain) => {
        const [look, commit] = [
          await brain.ask("look", LOOK, [MARK], "mine"),
          await brain.ask("commit", { carried: null }, [put(MARK)], "new"),
        ];
        return [look, commit].flatMap(({ items, error }) => items?.length === 1 ? [] : [`it was refused: ${error}`]);
      },
    },
    ...all,
    ...some.map(([name, method, head, items, form]) => ({
      name,
      play: async (brain: HostileBrain) => refused(await brain.ask(method, head, items, form)),
    })),
  ];
}

/** Packs that do not come. */
const CARRIER_ATTACKS: readonly RequestAttack[] = [{
  name: "a pack that no carrier brings",
  play: async (brain) => {
    const items = [put(parseRelPath("new"), { content: { kind: "packed" } })];
    const answer = await brain.ask("commit", { carried: 2 ** 40 }, items);
    const kind = (answer.items?.[0] as { kind: unknown } | undefined)?.kind;
    return kind === "gone" ? [] : [`it is ${kind}: ${answer.error}`];
  },
}];

/** Paths whose form is fine, and which lead outside by what lies in the tree. */
function linkAttacks(): RequestAttack[] {
  const inside = parseRelPath("out/secret");
  const kinds = (answer: Answer) => (answer.items ?? []).map((item) => (item as { kind: string }).kind);
  const mustBe = (answer: Answer, ...wanted: string[]) =>
    kinds(answer).every((kind) => wanted.includes(kind)) && answer.items?.length !== 0
      ? []
      : [`answered ${kinds(answer).join()}${answer.error ?? ""}, not ${wanted.join()}`];
  const commit = (transition: Transition, ...wanted: string[]) => async (brain: HostileBrain) =>
    mustBe(await brain.ask("commit", { carried: null }, [transition]), ...wanted);
  const file: Expected = { kind: "file", stamp: STAMP };
  return [
    { name: "look through a link", play: async (brain) => mustBe(await brain.ask("look", LOOK, [inside]), "orphan") },
    {
      name: "list a link",
      play: async (brain) => mustBe(await brain.ask("list", null, [parseRelPath("out")]), "unlisted"),
    },
    { name: "put through a link", play: commit(put(parseRelPath("out/new")), "orphan") },
    { name: "put over what lies behind a link", play: commit(put(inside, { expected: file }), "orphan") },
    { name: "put over a link to a file", play: commit(put(parseRelPath("out-file"), { expected: file }), "stale") },
    { name: "put over a FIFO", play: commit(put(parseRelPath("fifo"), { expected: file }), "stale", "failed") },
    { name: "remove through a link", play: commit(remove(inside, file), "orphan") },
    { name: "move through a link", play: commit(move(parseRelPath("dir"), parseRelPath("out/dir")), "orphan") },
    { name: "move out of a link", play: commit(move(parseRelPath("out/dir"), parseRelPath("d2")), "orphan") },
    {
      name: "set metadata through a link",
      play: commit({ kind: "meta", path: inside, expected: file, entry: ENTRY }, "orphan"),
    },
    {
      name: "supply through a link",
      play: async (brain) =>
        mustBe(
          await brain.ask("supply", { batch: "b" }, [{ id: 1, path: inside, stamp: STAMP, digest: null }]),
          "stale",
        ),
    },
    {
      name: "a basis through a link",
      play: async (brain) => {
        const answer = await brain.ask("prepare", { batch: "b" }, [{
          id: 1,
          path: inside,
          expected: file,
          incomingBytes: 4,
        }]);
        return (answer.items?.[0] as { stamp: unknown } | undefined)?.stamp === null ? [] : ["it was linked"];
      },
    },
    {
      name: "a link to outside, then a child of it, in one batch",
      play: async (brain) => {
        const link = { kind: "link" as const, mode: 0o777, owner: null, target: "../outside", mtimeNs: 1n };
        const items = [put(parseRelPath("way"), { entry: link, content: null }), put(parseRelPath("way/new"))];
        return mustBe(await brain.ask("commit", { carried: null }, items), "done", "orphan");
      },
    },
    {
      name: "put over a hard link to outside",
      play: async (brain, world) => {
        const seen = await brain.ask("look", LOOK, [parseRelPath("hard")]);
        const { stamp } = seen.items?.[0] as { stamp: typeof STAMP };
        const answer = await brain.ask("commit", { carried: null }, [
          put(parseRelPath("hard"), { expected: { kind: "file", stamp } }),
        ]);
        const isEvil = (await world.read("outside/both")) === "evil";
        return [...mustBe(answer, "done"), ...(isEvil ? ["the other name of it was written to"] : [])];
      },
    },
    {
      name: "staged content that was never staged",
      play: commit(put(parseRelPath("new"), { content: { kind: "staged", batch: "b", id: 7 } }), "gone", "failed"),
    },
    {
      name: "a lie about the size of content",
      play: commit(put(parseRelPath("new"), { entry: { ...ENTRY, sizeBytes: 2 ** 52 } }), "done", "dirty", "failed"),
    },
  ];
}

/** Frames that are none, counts that cannot be, and talk out of turn. */
function frameAttacks(): RequestAttack[] {
  const ends = (bytes: (id: number) => Uint8Array) => async (brain: HostileBrain) => {
    await brain.send(bytes(1_000));
    return await brain.hasRefused() ? [] : ["it goes on, or ended for another reason"];
  };
  const { type } = METHODS.look;
  const u32 = (value: number) => new Uint8Array(new Uint32Array([value]).buffer);
  const release = (count: number) => joinBytes([u32(1), new Uint8Array([98]), u32(count)]);
  return [
    { name: "a frame of 4 GB", play: ends((id) => rawFrame(type, id, EVIL, 0xffff_ffff)) },
    { name: "a frame just above the limit", play: ends((id) => rawFrame(type, id, EVIL, (4 << 20) + 1)) },
    { name: "a frame of no length", play: ends((id) => rawFrame(type, id, EVIL, 0)) },
    { name: "a type that is none", play: ends((id) => rawFrame(0x7e, id)) },
    { name: "type 0", play: ends((id) => rawFrame(0, id)) },
    { name: "a reply instead of a request", play: ends((id) => rawFrame(type | 0x80, id)) },
    { name: "an event from the brain", play: ends(() => rawFrame(0x06, 0)) },
    { name: "an error from the brain", play: ends(() => rawFrame(0x01, 0, EVIL)) },
    { name: "a request with id 0", play: ends(() => rawFrame(type, 0, new Uint8Array(6))) },
    { name: "a request without a body", play: ends((id) => rawFrame(type, id)) },
    { name: "flags that are none", play: ends((id) => rawFrame(type, id, new Uint8Array([255]))) },
    { name: "a ping that carries something", play: ends(() => rawFrame(0x03, 0, EVIL)) },
    { name: "a goodbye that carries something", play: ends(() => rawFrame(0x05, 0, EVIL)) },
    { name: "credit for what was never sent", play: ends(() => rawFrame(0x07, 0, u32(0xffff_ffff))) },
    { name: "credit that is cut", play: ends(() => rawFrame(0x07, 0, EVIL.subarray(1))) },
    { name: "items where there are none", play: ends((id) => rawFrame(METHODS.space.type, id, new Uint8Array(40))) },
    {
      name: "a text longer than its frame",
      play: ends((id) => rawFrame(0x16, id, joinBytes([new Uint8Array(1), release(9)]))),
    },
    {
      name: "one id for two requests",
      play: ends((id) => {
        const part = joinBytes([new Uint8Array([1]), u32(0), new Uint8Array(1)]);
        return joinBytes([rawFrame(type, id, part), rawFrame(METHODS.list.type, id, new Uint8Array([1]))]);
      }),
    },
    {
      name: "300 requests at once that never end",
      play: async (brain) => {
        const head = joinBytes([new Uint8Array([1]), new Uint8Array([0]), new Uint8Array([0])]);
        for (let id = 2_000; id < 2_300; id++) await brain.send(rawFrame(type, id, head));
        return await brain.settled() ? [] : ["it goes on"];
      },
    },
    {
      name: "a cancel of what was never asked",
      play: async (brain) => {
        await brain.send(rawFrame(0x02, 77));
        return await brain.settled() ? ["it ended"] : [];
      },
    },
    { name: "a second root", play: async (brain, world) => refused(await brain.open(world.at("outside"))) },
  ];
}

/** More than a filter may be made to hold. */
function sizeAttacks(): RequestAttack[] {
  return [
    {
      name: "an echo of more than a filter gives",
      play: async (brain) => refused(await brain.ask("echo", { sendBytes: 0, replyBytes: 2 ** 50 })),
    },
    {
      name: "a request of tiny paths without end",
      play: async (brain) => {
        const before = brain.peakBytes;
        const whole = requestBytes("look", { id: 3_000, head: LOOK, items: Array(20_000).fill(parseRelPath("a")) });
        whole[9] = 1; // more parts follow
        // The head comes once.
        const items = whole.subarray(10 + headBytes());
        const next = rawFrame(METHODS.look.type, 3_000, joinBytes([new Uint8Array([1]), items]));
        await brain.send(whole);
        let isOver = false;
        for (let i = 1; i <= 700 && !isOver; i++) {
          await brain.send(next);
          if (i % 50 === 0) isOver = await brain.settled();
        }
        const grown = (brain.peakBytes - before) / 2 ** 20;
        return [
          ...(isOver ? [] : ["70 MB of paths were taken"]),
          ...(grown > 200 ? [`it grew by ${grown.toFixed(0)} MB`] : []),
        ];
      },
    },
    {
      name: "content of more than a file's share",
      play: async (brain) => refused(await brain.ask("look", { ...LOOK, contentLimitBytes: 2 ** 40 }, [MARK])),
    },
  ];
}

/** How long the head of a look is. */
function headBytes(): number {
  return requestBytes("look", { id: 1, head: LOOK, items: [] }).length - 10;
}

/** What is tried before a root is open, or against a filter that may open one root only. */
function openAttacks(): RequestAttack[] {
  const open = (root: string, part: { protocol?: string; excludes?: string[] } = {}) => (brain: HostileBrain) =>
    brain.ask("open", openHead(root, part)).then(refused);
  return [
    {
      name: "a request before a root is open",
      on: "fresh",
      play: async (brain) => refused(await brain.ask("look", LOOK, [MARK])),
    },
    { name: "another protocol", on: "fresh", play: open("/tmp", { protocol: "0123456789abcdef" }) },
    { name: "a root without a name", on: "fresh", play: open("") },
    { name: "a root that is a file", on: "fresh", play: (brain, world) => open(world.at("outside/secret"))(brain) },
    { name: "an exclude that is no pattern", on: "fresh", play: open("/tmp", { excludes: ["("] }) },
    {
      name: "more excludes than there may be",
      on: "fresh",
      play: async (brain) => {
        const { type } = METHODS.open;
        await brain.send(
          rawFrame(type, 9, joinBytes([new Uint8Array(13), new Uint8Array(new Uint32Array([0xffff_ffff]).buffer)])),
        );
        return await brain.settled() ? [] : ["it goes on"];
      },
    },
    {
      name: "a commit before the pair is adopted",
      on: "fresh",
      play: async (brain, world) => {
        await brain.open(world.root);
        const answer = await brain.ask("commit", { carried: null }, [put(parseRelPath("new"))]);
        const isMade = await world.read("root/new").then(() => true, () => false);
        return isMade ? [`it was made: ${answer.error}`] : [];
      },
    },
    {
      name: "a stale lock",
      play: async (brain) => {
        const marks = { pair: "pair y\n", lock: "lock of another\n", oldLock: "not this one\n" };
        return refused(await brain.ask("adopt", marks));
      },
    },
  ];
}

/** All of them. */
export function requestAttacks(): readonly RequestAttack[] {
  return [
    ...formAttacks(),
    ...linkAttacks(),
    ...CARRIER_ATTACKS,
    ...frameAttacks(),
    ...sizeAttacks(),
    ...openAttacks(),
  ];
}
