/**
 * What processes cost, from /proc: processor time to the nanosecond, and memory.
 * @module
 */

/** Processor time of a process so far, all of its threads, ns; 0 when it is gone. */
export function cpuNs(pid: number): number {
  let sum = 0;
  for (const thread of names(`/proc/${pid}/task`)) {
    const text = read(`/proc/${pid}/task/${thread}/schedstat`);
    sum += text === "" ? 0 : Number(text.split(" ")[0]);
  }
  return sum;
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

function names(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch {
    return [];
  }
}
