/**
 * A command's end of the control socket: asks the running psync, one request after another.
 * @module
 */
import { EndpointLostError, SetupError } from "../base/errors.ts";
import type { ControlAnswer, ControlRequest } from "../brain/control_requests.ts";
import { linesOf } from "./lines.ts";
import { isPrivate, socketPaths, type SocketSurroundings } from "./place.ts";
import { ANSWER_MAX_BYTES, parseAnswer, printRequest } from "./protocol.ts";

const encoder = new TextEncoder();

/** Who answers requests. Whoever opened it disposes of it. */
export interface Control extends AsyncDisposable {
  /** @throws what could not be done, as one of base/errors.ts. */
  ask<K extends ControlAnswer["kind"]>(request: ControlRequest, kind: K): Promise<Extract<ControlAnswer, { kind: K }>>;
}

/** An answer of the kind that belongs to the request. */
export function expectAnswer<K extends ControlAnswer["kind"]>(
  answer: ControlAnswer,
  kind: K,
): Extract<ControlAnswer, { kind: K }> {
  if (answer.kind !== kind) throw new SetupError(`Cannot use the answer of psync: it is "${answer.kind}"`);
  return answer as Extract<ControlAnswer, { kind: K }>;
}

/** Reaches the psync that runs on a pair; null where none answers. */
export async function connectControl(pairId: string, of: SocketSurroundings): Promise<Control | null> {
  for (const path of socketPaths(pairId, of)) {
    if (!isPrivate(path)) continue;
    try {
      return new ControlClient(await Deno.connect({ transport: "unix", path }));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) continue;
      throw new SetupError(`Cannot reach the psync that runs at ${JSON.stringify(path)}: ${String(error)}`, {
        cause: error,
      });
    }
  }
  return null;
}

class ControlClient implements Control {
  readonly #connection: Deno.UnixConn;
  readonly #lines: AsyncGenerator<string>;

  constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
    this.#lines = linesOf(connection.readable, ANSWER_MAX_BYTES);
  }

  async ask<K extends ControlAnswer["kind"]>(
    request: ControlRequest,
    kind: K,
  ): Promise<Extract<ControlAnswer, { kind: K }>> {
    const bytes = encoder.encode(`${printRequest(request)}\n`);
    let line: IteratorResult<string>;
    try {
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
      line = await this.#lines.next();
    } catch (cause) {
      throw new EndpointLostError(`Cannot ask the psync that runs: ${String(cause)}`, { cause });
    }
    if (line.done) throw new EndpointLostError("Cannot ask the psync that runs: it ended");
    return expectAnswer(parseAnswer(line.value), kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lines.return(undefined).catch(() => {});
    try {
      this.#connection.close();
    } catch {
      // Its stream has closed it.
    }
  }
}
