/**
 * Signals to processes that may have ended by now: between a look at /proc and the signal anything can end;
 * and a stop that is one when it returns.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { statOf } from "./procfs.ts";

const POLL_MS = 1;

/** Sends a signal; whether there was still a process to take it. Anything else that goes wrong is thrown. */
export function signalIfThere(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Stops a process, and waits until each of its threads stands.
 *
 * WHY wait: a signal stops one thread, which then stops the others; on a busy machine those go on meanwhile.
 * @throws {Error} where it has ended.
 */
export async function stopProcess(pid: number): Promise<void> {
  Deno.kill(pid, "SIGSTOP");
  const threads = () => [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => `${pid}/task/${name}`);
  // T; t where somebody traces it.
  while (!threads().every((thread) => statOf(thread)?.state.toUpperCase() === "T")) await systemClock.sleep(POLL_MS);
}
