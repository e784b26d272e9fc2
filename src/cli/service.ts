/**
 * Tells a service manager such as systemd how psync stands: READY once the first sync stands, STATUS
 * with the lag, WATCHDOG for as long as psync answers questions about itself.
 *
 * Asks the session for its state now and then; what it tells goes through `psync-native notify`, as
 * lines. Works without anybody who listens. Called by run.ts where NOTIFY_SOCKET is set.
 * @see sd_notify(3)
 * @module
 */
import type { Clock, Timer } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import type { SessionState } from "../brain/report.ts";
import { countText, oneLine, spanText } from "./format.ts";

/** How often it is looked whether the first sync stands. */
const START_MS = 250;
/** How often the state is told afterwards, at most; twice within the time of a watchdog. */
const TELL_MS = 10_000;

const log = logger("cli", "service");

/** What the manager wants to hear, and how it is told. */
export interface ServiceOptions {
  readonly clock: Clock;
  /** Within this time it wants a sign of life; null: it does not. */
  readonly watchdogMs: number | null;
  /** null: the session has not begun. */
  readonly state: () => SessionState | null;
  /** Sends one line. */
  readonly send: (line: string) => void;
}

/** Tells the manager until it is disposed of. */
export class ServiceNotifier implements Disposable {
  readonly #options: ServiceOptions;
  #timer: Timer | null = null;
  #isReady = false;
  #told = "";

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#tick();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#options.send("STOPPING=1");
  }

  #tick(): void {
    const { clock, watchdogMs } = this.#options;
    try {
      this.#tell();
      const everyMs = this.#isReady ? Math.min(TELL_MS, (watchdogMs ?? Infinity) / 2) : START_MS;
      this.#timer = clock.after(everyMs, () => this.#tick());
    } catch (error) {
      // Without a state there is no sign of life: where a watchdog waits for it, psync is started again.
      log.warning("the state cannot be told", { error: String(error) });
    }
  }

  #tell(): void {
    const { state: ask, send, watchdogMs } = this.#options;
    const state = ask();
    const text = state === null ? "starting" : statusText(state);
    if (text !== this.#told) send(`STATUS=${text}`);
    this.#told = text;
    if (!this.#isReady && state?.phase === "live") {
      this.#isReady = true;
      send("READY=1");
    }
    if (watchdogMs !== null) send("WATCHDOG=1");
  }
}

/** One line about a state. */
export function statusText(state: SessionState): string {
  const { phase, why, lagMs, archived, conflicts, holds, problems } = state;
  const reason = why === null ? "" : `: ${oneLine(why)}`;
  if (phase !== "live") return `${phase}${reason}`;
  const lag = lagMs === null || lagMs < 1_000 ? "nothing behind" : `${spanText(lagMs)} behind`;
  const rest = [[conflicts, "conflict"], [holds, "hold"], [problems, "problem"]] as const;
  const trouble = rest.filter(([list]) => list.length > 0).map(([list, word]) => `, ${countText(list.length, word)}`);
  return `live: ${countText(archived, "path")} agreed, ${lag}${trouble.join("")}`;
}

/** The time of a watchdog, ms, as systemd tells it to this process; null: there is none. */
export function watchdogMs(env: { readonly WATCHDOG_USEC?: string; readonly WATCHDOG_PID?: string }, pid: number) {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: of } = env;
  if (usec === undefined || !/^[1-9]\d{0,14}$/.test(usec) || (of !== undefined && of !== String(pid))) return null;
  return Number(usec) / 1_000;
}
