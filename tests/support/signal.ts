/**
 * Signals to processes that may have ended by now: between a look at /proc and the signal anything can end.
 * @module
 */

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
