/**
 * A filter that lies, as a program that is given to `--ssh`: NAME DIR HOST COMMAND...
 *
 * Honest about a small tree in memory until the attack's question comes; then it says what the attack
 * says, and notes in DIR/came that it has said so (`struck`), and that the brain has taken it (`attacked`), or
 * closed (`closed`).
 * @module
 */
import { EVENT_WINDOW_BYTES } from "../../src/wire/caller.ts";
import { bodyOf, type Frame, FrameCutter } from "../../src/wire/frame.ts";
import { MAGIC_LINE } from "../../src/wire/hello.ts";
import { Assembly, FRAME, type MethodName, METHODS, type Parts } from "../../src/wire/message.ts";
import { parseRelPath, ROOT } from "../../src/core/path.ts";
import { FAKE_FACTS } from "../support/fake_endpoint.ts";
import { answerAttacks, type Question } from "./hostile_answers.ts";
import { rawFrame, replyBytes } from "./hostile_frames.ts";

const [name, dir] = Deno.args as [string, string];
const attack = answerAttacks().find((one) => one.name === name)!;
const writer = Deno.stdout.writable.getWriter();
const names = new Map<number, MethodName>(
  Object.entries(METHODS).map(([method, { type }]) => [type, method as MethodName]),
);
const STAMP = { inode: 5n, birthNs: 1n, sizeBytes: 4, mtimeNs: 1n, ctimeNs: 1n };
const THEIRS = parseRelPath("theirs");
const DIR = { kind: "dir", mode: 0o755, owner: null, mtimeNs: 1n };
const content = new TextEncoder().encode("text");
const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
const FILE = { kind: "file", mode: 0o644, owner: null, sizeBytes: 4, mtimeNs: 1n, digest };
const made = new Map<string, unknown>();
let counter = 1;
let hasAttacked = false;
/** How many bytes of events the brain has not taken yet. */
let owedBytes = 0;
/** So many it may owe: it pays in steps. */
const OWED_BYTES = EVENT_WINDOW_BYTES >> 2;

function present(path: string, part: object) {
  return { kind: "present", path, began: ++counter, entry: FILE, stamp: STAMP, content: null, ...part };
}

function look(path: string): unknown {
  if (path === ROOT) return present(path, { entry: DIR });
  if (path === THEIRS) return present(path, { content });
  if (made.has(path)) return present(path, { entry: made.get(path) });
  return { kind: "absent", path, began: ++counter };
}

function list(path: string): unknown[] {
  if (path !== ROOT) return [{ kind: "unlisted", path, self: look(path) }];
  const head = { kind: "listed", path, self: look(path), began: ++counter, isWatched: true, hasIgnored: false };
  return [head, { kind: "entry", entry: present(THEIRS, {}) }];
}

function commit(transition: { kind: string; path: string; entry?: unknown }): unknown {
  if (transition.kind === "put") made.set(transition.path, transition.entry);
  return { kind: "done", ended: ++counter, stamp: STAMP, kept: null, masked: false };
}

function answer({ name, items }: Question): { head: unknown; items: unknown[] } {
  switch (name) {
    case "open":
      return { head: { ...FAKE_FACTS, isEmpty: false }, items: [] };
    case "list":
      return { head: null, items: items.flatMap((path) => list(path as string)) };
    case "look":
      return { head: null, items: items.map((path) => look(path as string)) };
    case "commit":
      return { head: null, items: items.map((item) => commit(item as { kind: string; path: string })) };
    case "pack":
      return { head: { carried: null }, items: items.map(() => ({ kind: "digest", digest: null })) };
    case "carry":
      return { head: { place: null }, items: [] };
    case "trashList":
      return { head: { hasMore: false }, items: [] };
    case "space":
      return { head: { freeBytes: 1e12, totalBytes: 1e12 }, items: [] };
    case "supply":
      return {
        head: null,
        items: items.map((item) => ({ id: (item as { id: number }).id, kind: "supplied", diskBytes: 0 })),
      };
    case "prepare":
      return { head: null, items: items.map((item) => ({ id: (item as { id: number }).id, stamp: null })) };
    case "release":
      return { head: { stable: [] }, items: [] };
    case "adopt":
      return { head: { renewed: [] }, items: [] };
    case "verify":
      return { head: null, items: items.map(() => false) };
    default:
      return { head: null, items: [] };
  }
}

async function note(state: string): Promise<void> {
  await Deno.writeTextFile(`${dir}/came`, `${state}\n`, { append: true });
}

async function strike(question: Question): Promise<void> {
  const bytes = attack.bytes(question);
  owedBytes += bytes.length;
  await note("struck");
  await writer.write(bytes);
}

async function takeCredit(bytes: number): Promise<void> {
  owedBytes -= bytes;
  if (attack.isHeld === true && owedBytes < 2 * OWED_BYTES) await note("attacked");
}

const assemblies = new Map<number, Assembly<unknown, unknown>>();

async function take(frame: Frame): Promise<void> {
  if (frame.type === FRAME.ping) return await writer.write(rawFrame(FRAME.pong, 0));
  if (frame.type === FRAME.pong) return await note("attacked");
  if (frame.type === FRAME.credit) return await takeCredit(bodyOf(frame).u32());
  const method = names.get(frame.type);
  if (method === undefined) return;
  const assembly = assemblies.get(frame.id) ??
    new Assembly(METHODS[method].request as Parts<unknown, unknown>, 1 << 30);
  assemblies.set(frame.id, assembly);
  const message = assembly.add({ ...frame, body: frame.body.slice() });
  if (message === null) return;
  assemblies.delete(frame.id);
  // The pieces of a pack follow what a commit asks for, and are no question.
  const items = message.items.filter((item) => (item as { kind?: string } | null)?.kind !== "piece");
  const question: Question = { name: method, id: frame.id, items };
  if (hasAttacked && attack.isHeld === true && (method === "list" || method === "verify")) return;
  const isAttacked = method === attack.on && (!hasAttacked || name.endsWith("without end"));
  if (isAttacked) await strike(question);
  if (!isAttacked || attack.isBefore) await writer.write(replyBytes(method, { id: frame.id, ...answer(question) }));
  if (!isAttacked || hasAttacked) return;
  hasAttacked = true;
  if (name.startsWith("half a frame")) {
    await note("attacked");
    Deno.exit(1);
  }
  if (attack.isHeld !== true) await writer.write(rawFrame(FRAME.ping, 0));
}

await writer.write(new TextEncoder().encode(MAGIC_LINE));
const cutter = new FrameCutter();
try {
  for await (const chunk of Deno.stdin.readable) {
    for (const frame of cutter.push(chunk)) await take(frame);
  }
} catch (error) {
  // Or nobody reads it any more.
  if (!(error instanceof Deno.errors.BrokenPipe)) await note(`failed: ${error instanceof Error ? error.stack : error}`);
}
await note("closed");
