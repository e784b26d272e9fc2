/**
 * The control socket of a running psync: takes connections and hands their requests to the session.
 *
 * Opened only while the pair's locks are ours, so that a socket that lies there is a dead one's. What
 * a client sends wrongly ends its connection, and nothing else; one that does not read waits alone.
 * @module
 */
import { dirname } from "node:path";
import { logger } from "../base/log.ts";
import type { ControlAnswer, ControlRequest } from "../brain/control_requests.ts";
import { linesOf } from "./lines.ts";
import { isPrivate, socketPaths, type SocketSurroundings } from "./place.ts";
import { parseRequest, printAnswer, printError, REQUEST_MAX_BYTES } from "./protocol.ts";

/** More connections at once are closed again. */
const CONNECTIONS_MAX = 16;

const encoder = new TextEncoder();
const log = logger("control", "server");

/** Answers a request; what it throws is told to the client. */
export type AnswerRequest = (request: ControlRequest) => Promise<ControlAnswer>;

/**
 * Serves a pair until it is disposed of; null where no socket can be made: psync works without one.
 */
export function serveControl(
  pairId: string,
  options: SocketSurroundings & { readonly answer: AnswerRequest },
): AsyncDisposable | null {
  for (const path of socketPaths(pairId, options)) {
    const listener = listenAt(path);
    if (listener !== null) return new ControlServer(listener, { path, answer: options.answer });
  }
  log.warning("cannot make a control socket; commands cannot reach this psync", { pair: pairId });
  return null;
}

/** A socket at a path in a private directory, in place of one that a dead psync left. */
function listenAt(path: string): Deno.UnixListener | null {
  try {
    Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (!isPrivate(path)) return null;
    removeOld(path);
    const listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o600);
    return listener;
  } catch (error) {
    log.warning("cannot make a control socket", { path, error: String(error) });
    return null;
  }
}

function removeOld(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

class ControlServer implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #path: string;
  readonly #answer: AnswerRequest;
  readonly #open = new Map<Deno.UnixConn, Promise<void>>();
  readonly #accepting: Promise<void>;

  constructor(listener: Deno.UnixListener, options: { readonly path: string; readonly answer: AnswerRequest }) {
    this.#listener = listener;
    this.#path = options.path;
    this.#answer = options.answer;
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#open.keys()) close(connection);
    await Promise.all(this.#open.values());
    try {
      removeOld(this.#path);
    } catch (error) {
      log.warning("cannot remove the control socket", { path: this.#path, error: String(error) });
    }
  }

  /** Never rejects: the listener's end is how it ends. */
  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        if (this.#open.size >= CONNECTIONS_MAX) close(connection);
        else this.#open.set(connection, this.#serve(connection));
      }
    } catch (error) {
      log.warning("the control socket has ended", { error: String(error) });
    }
  }

  /** Never rejects. */
  async #serve(connection: Deno.UnixConn): Promise<void> {
    try {
      // It stays open for the word about a line that is none.
      const chunks = connection.readable.values({ preventCancel: true });
      for await (const line of linesOf(chunks, REQUEST_MAX_BYTES)) {
        await writeLine(connection, await this.#answerLine(line));
      }
    } catch (error) {
      log.debug("a control connection has failed", { error: String(error) });
      await writeLine(connection, printError(error)).catch(() => {}); // it may be gone
    } finally {
      close(connection);
      this.#open.delete(connection);
    }
  }

  async #answerLine(line: string): Promise<string> {
    try {
      const request = parseRequest(line);
      if (request.kind !== "status" && !request.kind.endsWith(".list")) log.info("asked for", { kind: request.kind });
      return printAnswer(await this.#answer(request));
    } catch (error) {
      return printError(error);
    }
  }
}

async function writeLine(connection: Deno.UnixConn, line: string): Promise<void> {
  const bytes = encoder.encode(`${line}\n`);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function close(connection: Deno.UnixConn): void {
  try {
    connection.close();
  } catch {
    // It was closed already.
  }
}
