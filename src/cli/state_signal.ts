/**
 * SIGUSR1, which asks psync for its state, without the debugger that Deno opens at it.
 *
 * Under the launcher (native/launcher/signals.h) the signal never reaches Deno: it is read from a
 * signalfd, which is stdin. A filter blocks it and has nothing to tell. Elsewhere (a source tree,
 * `deno compile`) it is caught as usual, and the debugger is closed as soon as it opens
 * (inspector.ts). Called by system_process.ts.
 * @module
 */
import { systemClock } from "../base/clock.ts";
import { logger } from "../base/log.ts";

/** How SIGUSR1 comes in: as records on stdin, not at all, or as any signal does. */
export type StateSignalWay = "stdin" | "blocked" | "caught";

/** What is needed of `Deno.stdin`. */
export interface RecordSource {
  read(into: Uint8Array): Promise<number | null>;
}

/** One struct signalfd_siginfo. */
const RECORD_BYTES = 128;

const log = logger("cli", "state_signal");

/** Calls the handler at each SIGUSR1; the returned function ends that. */
export function onStateSignal(way: StateSignalWay, handler: () => void): () => void {
  if (way === "stdin") return readSignals(Deno.stdin, handler);
  return way === "caught" ? catchSignal(handler) : () => {};
}

/**
 * Calls the handler after each read that gave signals, until the returned function is called. A read
 * is then still under way: whoever calls this ends the process by `Deno.exit`.
 */
export function readSignals(source: RecordSource, handler: () => void): () => void {
  let isForgotten = false;
  const readAll = async () => {
    const record = new Uint8Array(RECORD_BYTES);
    while (!isForgotten && await source.read(record) !== null) {
      if (!isForgotten) handler();
    }
  };
  // Without its signals psync works on: only its state cannot be asked for.
  readAll().catch((error) => log.warn("no more signals", { error: String(error) }));
  return () => void (isForgotten = true);
}

function catchSignal(handler: () => void): () => void {
  const closer = Promise.all([import("node:inspector"), import("./inspector.ts")]);
  const onArrival = () => {
    closer.then(([{ default: inspector }, { closeInspectorSoon }]) => closeInspectorSoon(inspector, systemClock));
    handler();
  };
  Deno.addSignalListener("SIGUSR1", onArrival);
  return () => Deno.removeSignalListener("SIGUSR1", onArrival);
}
