/**
 * What processes cost, from /proc: processor time and memory.
 * @module
 */

/** A clock tick of /proc (USER_HZ), ms: the same on all Linux. */
const TICK_MS = 10;

/**
 * Processor time of a process so far, ms, with that of threads that have ended and of children that were
 * waited for (proc(5), stat); 0 when it is gone.
 */
export function cpuMs(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
}

/** Proportional set size, bytes. */
export function pssBytes(pid: number): number {
  return kilobytes(read(`/proc/${pid}/smaps_rollup`), "Pss") * 1024;
}

/** The largest resident set so far, bytes. */
export function peakRssBytes(pid: number): number {
  return kilobytes(read(`/proc/${pid}/status`), "VmHWM") * 1024;
}

/** The sum of a cost over processes. */
export function total(pids: readonly number[], cost: (pid: number) => number): number {
  return pids.reduce((sum, pid) => sum + cost(pid), 0);
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0);
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return ""; // it ended
  }
}
