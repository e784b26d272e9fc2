/**
 * Which programs run on this host, by the names of their commands.
 * @see proc(5), /proc/PID/comm
 * @module
 */

/** The name of a running command that holds one of `parts`; null: none does. */
export function findProgram(parts: readonly string[]): string | null {
  for (const { name: pid } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === Deno.pid) continue;
    const command = commandOf(pid);
    if (command !== null && parts.some((part) => command.includes(part))) return command;
  }
  return null;
}

function commandOf(pid: string): string | null {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/comm`).replace(/\n$/, "");
  } catch {
    return null; // it has ended
  }
}
