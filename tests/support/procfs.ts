/**
 * What /proc tells a test about processes: who is whose child, who still lives.
 *
 * Reads only; signals nobody. Used by sshd.ts and by the scenarios that count what is left over.
 * @module
 */

/** One line of /proc/PID/stat, as far as tests want it. */
export interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** The kernel's letter: R, S, D, T, Z ... */
  readonly state: string;
  readonly name: string;
}

/** What /proc says of a process, or of a thread (`PID/task/TID`); null when there is none. */
export function statOf(pid: number | string): ProcessStat | null {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const open = text.indexOf("(");
    const close = text.lastIndexOf(")");
    const [state, parentPid] = text.slice(close + 2).split(" ");
    return {
      pid: parseInt(text),
      parentPid: Number(parentPid),
      state: state ?? "",
      name: text.slice(open + 1, close),
    };
  } catch {
    return null;
  }
}

/** Whether a process lives (a zombie does not). */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== "Z" && stat.state !== "X";
}

/** Every process below `pid`, parents before their children. */
export function childrenOf(pid: number): number[] {
  const byParent = new Map<number, number[]>();
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const stat = statOf(Number(entry.name));
    if (stat === null) continue;
    const siblings = byParent.get(stat.parentPid) ?? [];
    siblings.push(stat.pid);
    byParent.set(stat.parentPid, siblings);
  }
  const found: number[] = [];
  const queue = [pid];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    const children = byParent.get(at) ?? [];
    found.push(...children);
    queue.push(...children);
  }
  return found;
}

/** Whether somebody waits for the end of a lease on a file (proc_locks(5)). */
export function isLeaseBroken(path: string): boolean {
  const { ino } = Deno.statSync(path);
  return Deno.readTextFileSync("/proc/locks").split("\n").some((line) =>
    /BREAK/.test(line) && line.includes(`:${ino} `)
  );
}

/** The arguments of a process; empty when it is gone or a kernel thread. */
export function commandOf(pid: number): string[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
  } catch {
    return [];
  }
}
