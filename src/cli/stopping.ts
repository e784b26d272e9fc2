/**
 * How a session is told to end: a first signal asks, a second one, or five seconds, insist.
 *
 * Does not exit; says with which code to. A hang-up counts only where there is a terminal that can
 * be hung up: under nohup and without one it is ignored. Used by run.ts for one session.
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import { type EndSignal, exitCodeOfSignal } from "./exit_code.ts";

/** What stopping needs. */
export interface StoppingOptions {
  readonly clock: Clock;
  /** Whether a hang-up means anything. */
  readonly hasTerminal: boolean;
  /** A live session is ended by a signal as it should be: 0; another one was cut off: 128 + n. */
  readonly isLive: boolean;
  /** Installs a handler for a signal; the returned function takes it away. */
  readonly onSignal: (signal: EndSignal, handler: () => void) => () => void;
}

/** What a session has to end after a signal; less than the five seconds promised, for the flush. */
export const STOP_MS = 4500;

const SIGNALS: readonly EndSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The stopping of one session. Its owner disposes of it. */
export class Stopping implements Disposable {
  /** Resolves to an exit code when the session must not be waited for any longer. */
  readonly insisted: Promise<number>;
  readonly #options: StoppingOptions;
  readonly #abort = new AbortController();
  readonly #insist: (code: number) => void;
  readonly #handlers: (() => void)[];
  #deadline: Timer | null = null;
  #exitCode: number | null = null;

  constructor(options: StoppingOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.insisted = promise;
    this.#insist = resolve;
    this.#handlers = SIGNALS.map((signal) => options.onSignal(signal, () => this.#onSignal(signal)));
  }

  /** Aborted at the first signal. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** With which code to exit, once the session was asked to end; null before. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** Asks the session to end, without a signal of the system. */
  ask(exitCode: number): void {
    if (this.#exitCode !== null) return;
    this.#exitCode = exitCode;
    this.#deadline = this.#options.clock.after(STOP_MS, () => this.#insist(exitCode));
    this.#abort.abort();
  }

  [Symbol.dispose](): void {
    this.#deadline?.cancel();
    for (const remove of this.#handlers) remove();
  }

  #onSignal(signal: EndSignal): void {
    if (signal === "SIGHUP" && !this.#options.hasTerminal) return;
    if (this.#exitCode !== null) return this.#insist(exitCodeOfSignal(signal));
    this.ask(this.#options.isLive ? 0 : exitCodeOfSignal(signal));
  }
}
