/**
 * The attacks of a hostile filter on a brain, one by one: what it says instead of the truth.
 * @module
 */
import { joinBytes } from "../../src/base/bytes.ts";
import { parseRelPath, type RelPath, ROOT } from "../../src/core/path.ts";
import { FRAME, type MethodName, METHODS, REPLY_BIT } from "../../src/wire/message.ts";
import type { EventPart } from "../../src/wire/values.ts";
import { FAKE_FACTS } from "../support/fake_endpoint.ts";
import { eventBytes, type Hostile, MARK, rawFrame, replyBytes } from "./hostile_frames.ts";

/** A question of the brain. */
export interface Question {
  readonly name: MethodName;
  readonly id: number;
  readonly items: readonly unknown[];
}

/** One attack: bytes instead of the first answer to a question, or ahead of it. */
export interface AnswerAttack {
  readonly name: string;
  readonly on: MethodName;
  /** `before`: the honest answer follows. */
  readonly isBefore?: true;
  /** From then on no listing is answered, and the attack has come when the brain has taken its events. */
  readonly isHeld?: true;
  /** It takes so much of both ends that it has its turn alone. */
  readonly isLarge?: true;
  readonly bytes: (question: Question) => Uint8Array;
}

/** What no terminal may ever get from a peer. */
export const ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202e";

const STAMP = { inode: 9n, birthNs: 1n, sizeBytes: 4, mtimeNs: 1n, ctimeNs: 1n };
const DIGEST = "ab".repeat(32);
const FILE = { kind: "file" as const, mode: 0o644, owner: null, sizeBytes: 4, mtimeNs: 1n, digest: null };
const DIR = { kind: "dir" as const, mode: 0o755, owner: null, mtimeNs: 1n };
const THEIRS = parseRelPath("theirs");

/** Names that are none. */
const NAMES: Readonly<Record<string, Hostile>> = {
  "..": "..",
  "a dot": ".",
  "an empty name": "",
  "a slash": "a/b",
  "a way up": "../x",
  "a NUL": "a\0b",
  "psync's own": ".psync",
  "256 bytes": "n".repeat(256),
};

function present(path: RelPath, part: object = {}) {
  return { kind: "present" as const, path, began: 1, entry: FILE, stamp: STAMP, content: null, ...part };
}

function listed(entries: readonly unknown[], part: object = {}) {
  const self = present(ROOT, { entry: DIR });
  const head = { kind: "listed", path: ROOT, self, began: 1, isWatched: true, hasIgnored: false, ...part };
  return [head, ...entries.map((entry) => ({ kind: "entry", entry }))];
}

function reply({ name, id }: Question, saying: { head?: unknown; items?: readonly unknown[] }, hostile?: Hostile) {
  return replyBytes(name, { id, head: saying.head ?? null, items: saying.items ?? [] }, hostile);
}

function listingAttacks(): AnswerAttack[] {
  const list = (name: string, items: readonly unknown[], hostile?: Hostile): AnswerAttack => ({
    name: `a listing ${name}`,
    on: "list",
    bytes: (question) => reply(question, { items }, hostile),
  });
  const [a, b] = [present(parseRelPath("a")), present(parseRelPath("b"))];
  return [
    ...Object.entries(NAMES).map(([name, form]) => list(`with ${name}`, listed([present(MARK)]), form)),
    list("out of order", listed([b, a])),
    list("with a name twice", listed([a, a])),
    list("of another directory", listed([], { path: parseRelPath("d"), self: present(parseRelPath("d")) })),
    list("with entries that are absent", listed([{ kind: "absent", path: THEIRS, began: 1 }])),
    list(
      "with content in it",
      listed([present(THEIRS, { entry: { ...FILE, digest: DIGEST }, content: new Uint8Array(4) })]),
    ),
    list("that begins with an entry", [{ kind: "entry", entry: a }]),
    list("without an answer", []),
    list("of a file of 8 PB", listed([present(THEIRS, { entry: { ...FILE, sizeBytes: 2 ** 53 - 1 } })])),
    list("of a name full of escapes", listed([present(parseRelPath(`x${ESCAPES}`))])),
    list(
      "of what cannot be seen, for a reason full of escapes",
      listed([
        { kind: "blocked", path: THEIRS, began: 1, reason: "io", detail: ESCAPES },
      ]),
    ),
    {
      name: "a directory in itself, without end",
      on: "list",
      bytes: (question) => {
        const below = question.items.flatMap((path) => [
          {
            kind: "listed",
            path,
            self: present(path as RelPath, { entry: DIR }),
            began: 1,
            isWatched: true,
            hasIgnored: false,
          },
          { kind: "entry", entry: present(`${path === "" ? "" : `${path}/`}d` as RelPath, { entry: DIR }) },
        ]);
        return reply(question, { items: below });
      },
    },
  ];
}

function lookAttacks(): AnswerAttack[] {
  const look = (name: string, answer: (path: RelPath) => unknown): AnswerAttack => ({
    name: `a look that ${name}`,
    on: "look",
    bytes: (question) => reply(question, { items: question.items.map((path) => answer(path as RelPath)) }),
  });
  return [
    look("is of another path", () => present(parseRelPath("other"))),
    look(
      "shows content of another size",
      (path) => present(path, { entry: { ...FILE, digest: DIGEST }, content: new Uint8Array(9) }),
    ),
    look("shows content without a digest", (path) => present(path, { content: new Uint8Array(4) })),
    look(
      "lies about the digest",
      (path) => present(path, { entry: { ...FILE, digest: DIGEST }, content: new Uint8Array(4) }),
    ),
    look("comes from the future", (path) => present(path, { began: Number.MAX_SAFE_INTEGER })),
    look(
      "has the times of another world",
      (path) =>
        present(path, { entry: { ...FILE, mtimeNs: -(1n << 63n) }, stamp: { ...STAMP, mtimeNs: (1n << 63n) - 1n } }),
    ),
    look(
      "is a link to a way out",
      (path) =>
        present(path, { entry: { kind: "link", mode: 0o777, owner: null, target: "../outside/secret", mtimeNs: 1n } }),
    ),
    look(
      "is a link with an empty target",
      (path) => present(path, { entry: { kind: "link", mode: 0o777, owner: null, target: "", mtimeNs: 1n } }),
    ),
    look(
      "has an owner with a name full of escapes",
      (path) => present(path, { entry: { ...FILE, owner: { user: ESCAPES, group: "root:x:0" } } }),
    ),
    {
      name: "a look with an answer too few",
      on: "look",
      bytes: (question) => reply(question, { items: question.items.slice(1) }),
    },
    {
      name: "a look with an answer too many",
      on: "look",
      bytes: (question) =>
        reply(question, { items: [...question.items, THEIRS].map((path) => present(path as RelPath)) }),
    },
  ];
}

function eventAttacks(): AnswerAttack[] {
  const event = (name: string, parts: readonly unknown[], hostile?: Hostile): AnswerAttack => ({
    name: `an event ${name}`,
    on: "sync",
    isBefore: true,
    bytes: () => eventBytes(parts as readonly EventPart[], hostile),
  });
  const renamed = (from: RelPath, to: RelPath) => ({ kind: "move", move: { from, to } });
  const gone = (path: RelPath) => ({ kind: "observation", observation: { kind: "absent", path, began: 2 ** 50 } });
  return [
    event("of a way up", [gone(MARK)], "../outside/secret"),
    event("of psync's marks", [gone(MARK)], ".psync/pair"),
    event("that the root is gone", [gone(ROOT)]),
    event("that everything is gone", [
      gone(parseRelPath("mine")),
      gone(parseRelPath("dir")),
      gone(parseRelPath("dir/x")),
    ]),
    event("of a rename to outside", [renamed(parseRelPath("mine"), MARK)], "../outside/mine"),
    event("of a rename into itself", [renamed(parseRelPath("dir"), parseRelPath("dir/x/dir"))]),
    event("of a rename over a user's file", [renamed(THEIRS, parseRelPath("mine")), gone(THEIRS)]),
    event("to scan again, for a reason full of escapes", [{ kind: "rescan", path: ROOT, why: ESCAPES }]),
    event("that the root is lost, full of escapes", [{ kind: "root-lost", why: ESCAPES }]),
    event("that mixes what stands alone", [{ kind: "root-lost", why: "x" }, { kind: "unwatched", path: ROOT }]),
    {
      name: "events beyond the window",
      on: "sync",
      isBefore: true,
      bytes: () => joinBytes(Array.from({ length: 40 }, () => rawFrame(FRAME.event, 0, new Uint8Array(200_000)))),
    },
    {
      // As many as fit the window, each with so many directories above it.
      name: "events to scan ever more",
      on: "sync",
      isBefore: true,
      isHeld: true,
      isLarge: true,
      bytes: () => {
        const path = (i: number) => parseRelPath(`${i}${"/d".repeat(100)}`);
        return joinBytes(
          Array.from({ length: 17_000 }, (_, i) => eventBytes([{ kind: "rescan", path: path(i), why: "" }])),
        );
      },
    },
    {
      name: "an event without end",
      on: "sync",
      isBefore: true,
      isLarge: true,
      bytes: () => {
        // Of more than a brain holds of one event, by bytes and items together.
        const path = parseRelPath(Array(10).fill("n".repeat(200)).join("/"));
        const part = eventBytes(Array(1_500).fill(gone(path)) as EventPart[]);
        part[9] = 1; // more parts follow
        return joinBytes(Array.from({ length: 90 }, () => part));
      },
    },
  ];
}

function commitAttacks(): AnswerAttack[] {
  const commit = (name: string, result: unknown, hostile?: Hostile): AnswerAttack => ({
    name: `a commit whose result ${name}`,
    on: "commit",
    bytes: (question) => reply(question, { items: question.items.map(() => result) }, hostile),
  });
  const done = { kind: "done", ended: 3, stamp: STAMP, kept: null, masked: false };
  return [
    commit("is kept outside", { ...done, kept: MARK }, "../../outside"),
    commit("is done without a stamp", { ...done, stamp: null }),
    commit("is stale for ever", { kind: "stale", ended: 1, kept: null }),
    commit("fails with escapes", { kind: "failed", ended: 1, reason: "io", detail: ESCAPES }),
    {
      name: "a commit whose result is missing",
      on: "commit",
      bytes: (question) => reply(question, { items: question.items.slice(1).map(() => done) }),
    },
    { name: "a commit without any answer", on: "commit", bytes: (question) => reply(question, {}) },
    {
      name: "a sync that kept what lies outside",
      on: "sync",
      bytes: (question) => reply(question, { items: [MARK] }, "../../outside"),
    },
    {
      name: "a page of the trash that does not rise",
      on: "trashList",
      bytes: (question) =>
        reply(question, {
          head: { hasMore: true },
          items: ["b", "a"].map((kept) => ({ kept, kind: "file", sizeBytes: 1, mtimeNs: 1n })),
        }),
    },
  ];
}

function frameAttacks(): AnswerAttack[] {
  const frame = (name: string, bytes: (question: Question) => Uint8Array): AnswerAttack => ({
    name,
    on: "list",
    isBefore: true,
    bytes,
  });
  const error = (id: number, code: number, text: string) => {
    const message = new TextEncoder().encode(text);
    return rawFrame(
      FRAME.error,
      id,
      joinBytes([new Uint8Array([code]), new Uint8Array(new Uint32Array([message.length]).buffer), message]),
    );
  };
  return [
    frame("a frame of 4 GB", () => rawFrame(FRAME.event, 0, new Uint8Array(4), 0xffff_ffff)),
    frame("a frame of no length", () => rawFrame(FRAME.event, 0, new Uint8Array(4), 1)),
    frame("a type that is none", () => rawFrame(0x7f, 0)),
    frame("a request from the filter", () => rawFrame(METHODS.commit.type, 1, new Uint8Array(1))),
    frame("an answer to nothing", () => rawFrame(METHODS.look.type | REPLY_BIT, 0xffff, new Uint8Array(1))),
    frame("an answer of another kind", ({ id }) => rawFrame(METHODS.look.type | REPLY_BIT, id, new Uint8Array(1))),
    frame("an error that answers nothing", () => error(0xffff, 2, "x")),
    frame("an error full of escapes", ({ id }) => error(id, 2, ESCAPES)),
    frame("an error of a code that is none", ({ id }) => error(id, 200, "x")),
    frame("an error that halts, full of escapes", () => error(0, 3, ESCAPES)),
    frame("a pong that carries something", () => rawFrame(FRAME.pong, 0, new Uint8Array(3))),
    frame("a goodbye in the middle", () => rawFrame(FRAME.bye, 0)),
    frame("half a frame, then the end", () => rawFrame(FRAME.event, 0, new Uint8Array(40), 4_000)),
  ];
}

function openAttacks(): AnswerAttack[] {
  const open = (name: string, facts: object): AnswerAttack => ({
    name: `facts that ${name}`,
    on: "open",
    bytes: (question) => reply(question, { head: { ...FAKE_FACTS, isEmpty: false, ...facts } }),
  });
  const large = "x".repeat(60_000);
  return [
    open("are full of escapes", { hostName: ESCAPES, root: `/${ESCAPES}`, fsType: ESCAPES, rsync: ESCAPES }),
    open("name another pair", { pairMarker: "pair 1 another\n" }),
    open("name marks that are none", { pairMarker: large, lock: large, lockHolderLives: true }),
    open("make it lie in the left root", { ancestors: Array(5_000).fill("0:0") }),
    open("have the time of another world", { clockMs: 1e300 }),
    open("lack everything", { reduced: ["exchange", "noreplace", "lease", "tmpfile", ESCAPES], rsync: null }),
  ];
}

/** All of them. */
export function answerAttacks(): readonly AnswerAttack[] {
  return [
    ...openAttacks(),
    ...listingAttacks(),
    ...lookAttacks(),
    ...eventAttacks(),
    ...commitAttacks(),
    ...frameAttacks(),
  ];
}
