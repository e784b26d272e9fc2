/**
 * A brain that lies: drives a real `psync filter` with any bytes, and tells what came of it.
 *
 * Owned by the test: `await using brain = await HostileBrain.start(world)`.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { type Frame, FrameCutter } from "../../src/wire/frame.ts";
import {
  Assembly,
  FRAME,
  type MethodName,
  METHODS,
  type Parts,
  PROTOCOL_HASH,
  REPLY_BIT,
} from "../../src/wire/message.ts";
import { NO_RULES } from "../../src/core/ignore.ts";
import { errorReply, type OpenRequest } from "../../src/wire/values.ts";
import { bodyOf } from "../../src/wire/frame.ts";
import { binary } from "../support/scene.ts";
import { type Hostile, rawFrame, requestBytes } from "./hostile_frames.ts";
import { type HostileWorld, SECRET } from "./hostile_world.ts";

/** Whatever a filter is sent, it answers or ends within; generous, as machines are busy. */
const ANSWER_MS = 30_000;

/** So much of what a filter says is kept. */
const HEARD_MAX = 20_000;

/** What a filter answered. */
export interface Answer {
  readonly id: number;
  /** The items of a reply; null for an error. */
  readonly items: readonly unknown[] | null;
  readonly head: unknown;
  /** The code of an error, and what it says. */
  readonly error: string | null;
}

/** The head of an open request. */
export function openHead(
  root: string,
  part: { readonly protocol?: string; readonly excludes?: readonly string[] } = {},
): OpenRequest {
  const rules = { ...NO_RULES, excludes: part.excludes ?? [] };
  return { protocol: part.protocol ?? PROTOCOL_HASH, root, rules, maxWatches: 0, bytesPerSecond: null };
}

/** A filter under attack. */
export class HostileBrain implements AsyncDisposable {
  readonly answers: Answer[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #stderr: Promise<string>;
  readonly #sent = new Map<number, MethodName>();
  readonly #assemblies = new Map<number, Assembly<unknown, unknown>>();
  #text = "";
  #pongs = 0;
  #isOver = false;
  #wake: () => void = () => {};
  #lastId = 0;
  #peakBytes = 0;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    this.#stderr = new Response(child.stderr).text();
    this.#reading = this.#read();
  }

  /** Starts a filter. */
  static start(args: readonly string[] = [], cwd?: string): HostileBrain {
    const child = new Deno.Command(binary(), {
      args: ["filter", ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...(cwd === undefined ? {} : { cwd }),
    }).spawn();
    return new HostileBrain(child);
  }

  /** Starts one that has the world's root open, and is its lawful brain up to here. */
  static async opened(world: HostileWorld): Promise<HostileBrain> {
    const brain = HostileBrain.start();
    await brain.open(world.root);
    await brain.ask("adopt", { pair: "pair x\n", lock: `lock of ${Deno.pid}\n`, oldLock: null });
    return brain;
  }

  async open(root: string, excludes: readonly string[] = []): Promise<Answer> {
    return await this.ask("open", openHead(root, { excludes }));
  }

  /** Sends a request, MARK replaced by `hostile`, and waits for its answer or the end. */
  async ask(name: MethodName, head: unknown, items: readonly unknown[] = [], hostile?: Hostile): Promise<Answer> {
    const id = this.post(name, head, items, hostile);
    await this.#until(() => this.answers.some((answer) => answer.id === id));
    return this.answers.find((answer) => answer.id === id) ?? { id, items: null, head: null, error: "ended" };
  }

  /** Sends a request and waits for nothing; gives its id. */
  post(name: MethodName, head: unknown, items: readonly unknown[] = [], hostile?: Hostile): number {
    const id = ++this.#lastId;
    this.#sent.set(id, name);
    this.send(requestBytes(name, { id, head, items }, hostile));
    return id;
  }

  /** Sends bytes. */
  async send(bytes: Uint8Array): Promise<void> {
    this.#measure();
    await this.#stdin.write(bytes).catch(() => {}); // it has ended: that is looked at
  }

  /** Waits until the filter has taken everything that was sent, or has ended; true for the latter. */
  async settled(): Promise<boolean> {
    const before = this.#pongs;
    await this.send(rawFrame(FRAME.ping, 0));
    await this.#until(() => this.#pongs > before);
    return this.#isOver;
  }

  /** Whether it has ended for what it was sent, and not because nobody spoke to it any more. */
  async hasRefused(): Promise<boolean> {
    return await this.settled() && (await this.#child.status).code !== 0;
  }

  /** What is wrong with how the filter bore it; empty when all is well. */
  async harm(): Promise<string[]> {
    const isOver = await this.settled();
    await this.#stdin.close().catch(() => {});
    await this.#until(() => this.#isOver);
    const { code, signal } = await this.#child.status;
    const stderr = await this.#stderr;
    const told = this.#text + stderr + this.answers.map(({ error }) => error ?? "").join();
    return [
      ...(told.includes(SECRET) ? ["the secret was told"] : []),
      ...(/internal|TypeError|RangeError|panic|Sanitizer/i.test(told)
        ? [`it stumbled: ${stderr}${this.#errors()}`]
        : []),
      ...(signal !== null || code > 4
        ? [`it ended with ${signal ?? code}${isOver ? ", by itself" : ""}: ${stderr}`]
        : []),
    ];
  }

  /** The most memory that it had while it was spoken to, in bytes. */
  get peakBytes(): number {
    this.#measure();
    return this.#peakBytes;
  }

  #errors(): string {
    return this.answers.flatMap(({ error }) => error ?? []).join("; ");
  }

  #measure(): void {
    try {
      const text = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
      this.#peakBytes = Math.max(this.#peakBytes, Number(/VmHWM:\s*(\d+)/.exec(text)?.[1] ?? 0) * 1024);
    } catch {
      // It has ended.
    }
  }

  async #until(isSo: () => boolean): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = systemClock.after(ANSWER_MS, () => late.reject(new Error(`It hangs; it said ${this.#errors()}`)));
    try {
      while (!isSo() && !this.#isOver) {
        await Promise.race([new Promise<void>((resolve) => this.#wake = resolve), late.promise]);
      }
    } finally {
      timer.cancel();
    }
  }

  async #read(): Promise<void> {
    const cutter = new FrameCutter();
    let isGreeted = false;
    for await (const chunk of this.#child.stdout) {
      let bytes = chunk;
      if (!isGreeted) {
        const end = chunk.indexOf(10); // the magic line comes in one piece
        bytes = chunk.subarray(end + 1);
        isGreeted = end >= 0;
      }
      if (this.#text.length < HEARD_MAX) this.#text += new TextDecoder("latin1").decode(chunk);
      for (const frame of cutter.push(bytes)) this.#take(frame);
      this.#measure();
      this.#wake();
    }
    this.#isOver = true;
    this.#wake();
  }

  #take(frame: Frame): void {
    if (frame.type === FRAME.pong) this.#pongs++;
    else if (frame.type === FRAME.error) {
      const { code, message } = errorReply.read(bodyOf(frame));
      this.answers.push({ id: frame.id, items: null, head: null, error: `${code}: ${message}` });
    } else if ((frame.type & REPLY_BIT) !== 0) this.#takeReply(frame);
  }

  #takeReply(frame: Frame): void {
    const name = this.#sent.get(frame.id);
    if (name === undefined) throw new Error(`The filter answers what was not asked: ${frame.type} ${frame.id}`);
    const parts = METHODS[name].reply as Parts<unknown, unknown>;
    const assembly = this.#assemblies.get(frame.id) ?? new Assembly(parts, 1 << 30);
    this.#assemblies.set(frame.id, assembly);
    const message = assembly.add({ ...frame, body: frame.body.slice() });
    if (message !== null) this.answers.push({ id: frame.id, ...message, error: null });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    if (!this.#isOver) this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
    await this.#stderr;
  }
}
