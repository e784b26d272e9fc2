/**
 * What an endpoint says of its root and host: the answer of psync-native, in the words of the contract.
 *
 * Judges nothing: whether a root may be synchronised is decided by the brain.
 * @module
 */
import { Child } from "../base/process.ts";
import type { Clock } from "../base/clock.ts";
import { logger } from "../base/log.ts";
import type { EndpointFacts } from "../core/endpoint.ts";
import { parseLock } from "../core/marks.ts";
import { type ApplyReady, CAP } from "./native_format.ts";

const log = logger("replica", "facts");

/** f_type of statfs(2), by the names that mount(8) uses. @see statfs(2) */
const FS_TYPES: Readonly<Record<string, string>> = {
  "ef53": "ext4",
  "58465342": "xfs",
  "9123683e": "btrfs",
  "1021994": "tmpfs",
  "794c7630": "overlay",
  "6969": "nfs",
  "65735546": "fuse",
  "2fc12fc1": "zfs",
  "f2f52010": "f2fs",
  "ff534d42": "cifs",
  "fe534d42": "smb2",
  "4d44": "vfat",
  "2011bab0": "exfat",
  "5346544e": "ntfs",
  "ca451a4e": "bcachefs",
  "73717368": "squashfs",
  "1021997": "9p",
  "c36400": "ceph",
};

const LACKS = [
  [CAP.exchange, "exchange"],
  [CAP.noreplace, "noreplace"],
  [CAP.lease, "lease"],
  [CAP.tmpfile, "tmpfile"],
  [CAP.write, "write"],
] as const;

/** The facts of a root that has just been opened. */
export function factsOf(
  ready: ApplyReady,
  host: { readonly rsync: string | null; readonly build: string; readonly clock: Pick<Clock, "wallMs"> },
): EndpointFacts {
  return {
    processId: Deno.pid,
    processStart: startTicksOf(Deno.readTextFileSync("/proc/self/stat")),
    hostName: ready.hostName,
    bootId: ready.bootId,
    root: ready.root,
    isRootUser: ready.euid === 0,
    fsId: ready.fsId.toString(16).padStart(16, "0"),
    fsType: FS_TYPES[ready.fsType.toString(16)] ?? `0x${ready.fsType.toString(16)}`,
    rootInode: ready.stat.inode,
    rootDevice: ready.device,
    mountId: ready.stat.mountId,
    ancestors: ready.ancestors.map(({ device, inode }) => `${device}:${inode}`),
    isEmpty: ready.isEmpty,
    pairMarker: ready.pair,
    lock: ready.lock,
    lockHolderLives: lockHolderLives(ready),
    age: ready.age,
    reduced: LACKS.filter(([bit]) => (ready.caps & bit) === 0).map(([, name]) => name),
    rsync: host.rsync,
    build: host.build,
    clockMs: host.clock.wallMs(),
  };
}

/**
 * Whether the process named in the lock lives: its pid is in use by a process of that start time.
 * A lock that nobody can read has no holder.
 */
export function lockHolderLives({ lock, lockStartTicks }: Pick<ApplyReady, "lock" | "lockStartTicks">): boolean {
  if (lock === null || lockStartTicks === 0n) return false;
  return parseLock(lock)?.processStart === String(lockStartTicks);
}

/** The start time of a process in clock ticks since boot, from its /proc/PID/stat. @see proc(5) */
export function startTicksOf(stat: string): string {
  // WHY: the name in parentheses may hold spaces and parentheses; field 22 is the 20th after it.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

/** The first line of `rsync --version`, or null where there is no rsync that runs. */
export async function rsyncVersion(command = "rsync"): Promise<string | null> {
  try {
    await using child = Child.spawn({ command, args: ["--version"], stdin: "null" });
    const text = await new Response(child.stdout).text();
    const { code } = await child.status;
    return code === 0 ? text.split("\n")[0]!.trim() : null;
  } catch (error) {
    log.debug("rsync cannot be run", { error: String(error) });
    return null;
  }
}
