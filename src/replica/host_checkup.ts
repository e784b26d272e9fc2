/**
 * What `psync doctor` wants to know of the host that this process runs on.
 *
 * Changes nothing and judges nothing (brain/diagnosis.ts). What cannot be read is `null`, never an error.
 * @module
 * @see proc(5), inotify(7), os-release(5)
 */
import type { HostCheckup, Vitals } from "../core/checkup.ts";
import { logger } from "../base/log.ts";
import { Child } from "../base/process.ts";
import { rsyncVersion } from "./facts.ts";

const WATCH_LIMIT = "/proc/sys/fs/inotify/max_user_watches";
const LEASES = "/proc/sys/fs/leases-enable";
const OS_RELEASE = ["/etc/os-release", "/usr/lib/os-release"] as const;
/** So much of a list of watches is read at once: such a list has a line for each. */
const READ_BYTES = 256 * 1024;

const log = logger("replica", "host_checkup");

/** Asks this host. */
export async function hostCheckup(): Promise<HostCheckup> {
  const [rsync, ssh] = await Promise.all([rsyncVersion(), sshVersion()]);
  return {
    hostName: Deno.hostname(),
    kernel: Deno.osRelease(),
    glibc: glibcVersion(),
    distribution: distribution(),
    rsync,
    ssh,
    isRootUser: Deno.uid() === 0,
    watchLimit: watchLimit(),
    watchesInUse: watchesInUse(),
    openFileLimit: openFileLimit(readOrEmpty("/proc/self/limits")),
    hasLeases: readOrEmpty(LEASES).trim() !== "0",
  };
}

/** The most inotify watches of one user; null: not known. */
export function watchLimit(): Vitals["watchLimit"] {
  const text = readOrEmpty(WATCH_LIMIT).trim();
  return /^\d+$/.test(text) ? Number(text) : null;
}

/**
 * The limit of open files: the hard one, up to which psync raises the other one by itself.
 * `limits` is /proc/PID/limits.
 */
export function openFileLimit(limits: string): number | null {
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1];
  return hard === undefined ? null : Number(hard);
}

/** ID and ID_LIKE in one line. */
export function distributionOf(osRelease: string): string {
  const value = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(osRelease)?.[1]?.trim() ?? "";
  return `${value("ID")} ${value("ID_LIKE")}`.trim().toLowerCase().slice(0, 200);
}

function distribution(): string {
  return OS_RELEASE.map((path) => distributionOf(readOrEmpty(path))).find((text) => text !== "") ?? "";
}

/** The version of the C library in this process, which the runtime is linked against. */
function glibcVersion(): string | null {
  try {
    const libc = Deno.dlopen("libc.so.6", { gnu_get_libc_version: { parameters: [], result: "pointer" } });
    try {
      const text = libc.symbols.gnu_get_libc_version();
      return text === null ? null : Deno.UnsafePointerView.getCString(text);
    } finally {
      libc.close();
    }
  } catch (error) {
    log.debug("the C library cannot be asked", { error: String(error) });
    return null;
  }
}

/** The line of `ssh -V`, which it writes to stderr. */
async function sshVersion(): Promise<string | null> {
  try {
    await using child = Child.spawn({ command: "ssh", args: ["-V"], stdin: "null", stdout: "null" });
    const { code } = await child.status;
    return code === 0 ? child.stderrTail().split("\n")[0]!.trim() : null;
  } catch (error) {
    log.debug("ssh cannot be run", { error: String(error) });
    return null;
  }
}

/** The watches of this user's programs, as far as they may be looked at. */
function watchesInUse(): number {
  let watches = 0;
  for (const { name: pid } of Deno.readDirSync("/proc")) {
    if (/^\d+$/.test(pid) && isOurs(pid)) watches += watchesOf(pid);
  }
  return watches;
}

/** The limit counts by user. */
function isOurs(pid: string): boolean {
  try {
    return Deno.lstatSync(`/proc/${pid}`).uid === Deno.uid();
  } catch {
    return false; // it has ended
  }
}

function watchesOf(pid: string): number {
  let watches = 0;
  try {
    for (const { name: fd } of Deno.readDirSync(`/proc/${pid}/fd`)) {
      const isInotify = linkOf(`/proc/${pid}/fd/${fd}`) === "anon_inode:inotify";
      if (isInotify) watches += countWatches(`/proc/${pid}/fdinfo/${fd}`);
    }
  } catch {
    return watches; // it has ended, or may not be looked at
  }
  return watches;
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return ""; // it was closed
  }
}

/** Each watch has a line that begins with "inotify"; nothing else has an "i" there but "ino:". */
function countWatches(path: string): number {
  using file = Deno.openSync(path);
  const chunk = new Uint8Array(READ_BYTES);
  let [watches, text] = [0, ""];
  for (let got = file.readSync(chunk); got !== null && got > 0; got = file.readSync(chunk)) {
    text += new TextDecoder().decode(chunk.subarray(0, got));
    const lines = text.split("\n");
    text = lines.pop()!;
    watches += lines.filter((line) => line.startsWith("inotify")).length;
  }
  return watches;
}

function readOrEmpty(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
