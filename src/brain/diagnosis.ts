/**
 * What `psync doctor` concludes from what was found: a list of findings, each with the command that
 * mends it.
 *
 * Pure: looks at nothing by itself (examine.ts does). The limits stand here and nowhere else. A finding
 * is `ok`; a `note` where psync works and does less, or more slowly; or `mend`.
 * @module
 */
import type { HostCheckup } from "../core/checkup.ts";
import { type RelPath, showPath } from "../core/path.ts";
import { otherSide, type Side } from "../core/problem.ts";
import { shellWord } from "../core/shell.ts";
import type { Examination, ExaminedSide, Link } from "./examine.ts";

/** What is checked, in the order of the report. */
export type CheckName =
  | "rsync"
  | "ssh"
  | "kernel"
  | "glibc"
  | "watches"
  | "open files"
  | "clock"
  | "space"
  | "inodes"
  | "owners"
  | "leases"
  | "exchange"
  | "mounts"
  | "round trip"
  | "throughput";

/** One finding. */
export interface Finding {
  readonly level: "ok" | "note" | "mend";
  readonly check: CheckName;
  /** One line, names escaped. */
  readonly text: string;
  /** To be copied into a shell on this host; null where nothing is to be done. */
  readonly command: string | null;
}

/** How things are called in commands. */
export interface Naming {
  /** As the user gave them; right: without its host. */
  readonly left: string;
  readonly right: string;
  /** null: this host. */
  readonly rightHost: string | null;
  /** What starts ssh. */
  readonly sshCommand: string | null;
}

/** The oldest rsync that has all options that psync gives it. */
const RSYNC_MIN = [3, 1] as const;
const KERNEL_MIN = [5, 6] as const;
const GLIBC_MIN = [2, 27] as const;
/** What psync has open at once: two batches of 32 files at either end, the workers, and what it is made of. */
const OPEN_FILES_MIN = 256;
const OPEN_FILES_WANTED = 65_536;
const WATCHES_WANTED = 524_288;
/** Conflicts without live events are decided by time: beyond this the clocks decide wrongly. */
const CLOCK_OFFSET_MAX_MS = 1_000;
/** Less space than this is too little, or than this part of the disk, whichever is less. */
const FREE_MIN_BYTES = 1e9;
const FREE_MIN_INODES = 10_000;
const FREE_MIN_PART = 0.05;
const ROUND_TRIP_MAX_MS = 200;
const THROUGHPUT_MIN = 1e6;
/** How many mount points are listed. */
const MOUNTS_SHOWN = 10;

const SIDES = ["left", "right"] as const;

/** What is to be said of a pair. */
export function diagnosePair(examination: Examination, naming: Naming): Finding[] {
  const { link } = examination;
  const doctor = new PairDoctor(examination, naming);
  const hosts: readonly Side[] = link === null ? ["left"] : SIDES;
  return [
    ...hosts.flatMap((side) => hostFindings(examination[side].host, doctor.place(side), { needsSsh: side === "left" })),
    ...doctor.watches(hosts),
    ...(link === null ? [] : doctor.clock(link)),
    ...SIDES.flatMap((side) => [...doctor.room(side), ...doctor.owners(side), ...doctor.features(side)]),
    ...doctor.mounts(),
    ...(link === null ? [] : doctor.speed(link)),
  ];
}

/** What is to be said of this host alone. */
export function diagnoseHost(host: HostCheckup): Finding[] {
  const here = placeOn(null, host, null);
  return [...hostFindings(host, here, { needsSsh: true }), ...watchFindings(host, here, null)];
}

/** A host, as text and in commands. */
interface Place {
  readonly text: string;
  /** The command as it is given on this host. `asRoot`: by root. */
  run(command: string): string;
  asRoot(command: string): string;
}

function placeOn(rightHost: string | null, { isRootUser }: HostCheckup, sshCommand: string | null): Place {
  const run = (command: string) =>
    rightHost === null ? command : `${sshCommand ?? "ssh"} ${shellWord(rightHost)} ${shellWord(command)}`;
  const sudo = (command: string) => isRootUser ? command : `sudo sh -c ${shellWord(command)}`;
  return {
    text: rightHost === null ? "this host" : showPath(rightHost),
    run,
    asRoot: (command) => run(sudo(command)),
  };
}

const INSTALLERS:
  readonly (readonly [RegExp, { readonly install: string; readonly ssh: string; readonly all: string }])[] = [
    [/\b(fedora|rhel|centos)\b/, { install: "dnf install -y", ssh: "openssh-clients", all: "dnf upgrade -y" }],
    [/\bsuse\b|opensuse/, { install: "zypper install -y", ssh: "openssh-clients", all: "zypper dup -y" }],
    [/\barch\b/, { install: "pacman -S --noconfirm", ssh: "openssh", all: "pacman -Syu --noconfirm" }],
    [/(?:)/, { install: "apt-get install -y", ssh: "openssh-client", all: "apt-get full-upgrade -y" }],
  ];

function hostFindings(host: HostCheckup, place: Place, { needsSsh }: { readonly needsSsh: boolean }): Finding[] {
  const tools = INSTALLERS.find(([pattern]) => pattern.test(host.distribution))![1];
  const on = place.text;
  const newer = (check: "kernel" | "glibc", found: string | null, min: readonly [number, number]): Finding => {
    if (found === null || isAtLeast(found, min)) return fine(check, `${check} ${line(found ?? "unknown")} on ${on}`);
    const text = `${check} ${line(found)} on ${on}: psync needs ${min.join(".")} or later`;
    return mend(check, text, place.asRoot(`${tools.all}${check === "kernel" ? " && reboot" : ""}`));
  };
  return [
    rsyncFinding(host, place, place.asRoot(`${tools.install} rsync`)),
    host.ssh !== null
      ? fine("ssh", `${line(host.ssh)} on ${on}`)
      : needsSsh
      ? mend("ssh", `there is no ssh on ${on}: it reaches other hosts`, place.asRoot(`${tools.install} ${tools.ssh}`))
      : fine("ssh", `none on ${on}, where none is needed`),
    newer("kernel", host.kernel, KERNEL_MIN),
    newer("glibc", host.glibc, GLIBC_MIN),
    openFilesFinding(host, place),
  ];
}

function rsyncFinding({ rsync }: HostCheckup, { text: on }: Place, install: string): Finding {
  if (rsync === null) return mend("rsync", `there is no rsync on ${on}: it moves large files`, install);
  const version = /version v?(\d[\w.]*)/.exec(rsync)?.[1] ?? null;
  if (version !== null && !isAtLeast(version, RSYNC_MIN)) {
    return mend("rsync", `rsync ${version} on ${on}: psync needs ${RSYNC_MIN.join(".")} or later`, install);
  }
  return fine("rsync", `${version === null ? line(rsync) : `rsync ${version}`} on ${on}`);
}

function openFilesFinding({ openFileLimit: limit, isRootUser }: HostCheckup, place: Place): Finding {
  if (limit === null || limit >= OPEN_FILES_MIN) {
    return fine("open files", `${limit === null ? "no limit" : `${count(limit)} at once`} on ${place.text}`);
  }
  const text = `at most ${count(limit)} at once on ${place.text}: psync wants ${OPEN_FILES_MIN}`;
  if (place.text === "this host") {
    const raise = `prlimit --pid $$ --nofile=${OPEN_FILES_WANTED}:${OPEN_FILES_WANTED}`;
    return mend("open files", text, isRootUser ? raise : `sudo ${raise}`);
  }
  const lines = `echo "* - nofile ${OPEN_FILES_WANTED}" > /etc/security/limits.d/60-psync.conf`;
  return mend("open files", text, place.asRoot(lines));
}

/** `needed` null: for no tree in particular. */
function watchFindings(
  { watchLimit, watchesInUse }: HostCheckup,
  place: Place,
  needed: { readonly dirs: number; readonly watchedDirs: number } | null,
): Finding[] {
  if (watchLimit === null) return [];
  const others = Math.max(0, watchesInUse - (needed?.watchedDirs ?? 0));
  const used = `${count(others)} of ${count(watchLimit)} in use on ${place.text}`;
  const dirs = needed === null ? 1 : needed.dirs;
  const want = needed === null ? "" : `, ${count(dirs)} wanted here, one a folder`;
  if (watchLimit - others >= dirs) return [fine("watches", `${used}${want}`)];
  const raised = 2 ** Math.ceil(Math.log2(Math.max(WATCHES_WANTED, 2 * (dirs + others))));
  const file = "/etc/sysctl.d/60-psync.conf";
  const command = `echo fs.inotify.max_user_watches=${raised} > ${file} && sysctl -p ${file}`;
  return [mend("watches", `${used}${want}: what has no watch is looked at only now and then`, place.asRoot(command))];
}

class PairDoctor {
  readonly #sides: Examination;
  readonly #naming: Naming;

  constructor(sides: Examination, naming: Naming) {
    this.#sides = sides;
    this.#naming = naming;
  }

  place(side: Side): Place {
    const { rightHost, sshCommand } = this.#naming;
    return placeOn(side === "left" ? null : rightHost, this.#sides[side].host, sshCommand);
  }

  /** Both roots on one host share its limit. */
  watches(hosts: readonly Side[]): Finding[] {
    return hosts.flatMap((host) => {
      const sides: readonly Side[] = hosts.length === 1 ? SIDES : [host];
      const sum = (of: (side: ExaminedSide) => number) => sides.reduce((all, side) => all + of(this.#sides[side]), 0);
      const dirs = sum(({ root }) => root.dirs);
      const watchedDirs = sum(({ root, facts }) => facts.lockHolderLives ? root.dirs : 0);
      return watchFindings(this.#sides[host].host, this.place(host), { dirs, watchedDirs });
    });
  }

  clock({ clockOffsetMs, roundTripMs }: Link): Finding[] {
    const offset = Math.abs(clockOffsetMs);
    const ahead = `the clock of ${this.place("right").text} is ${(offset / 1_000).toFixed(3)} s ${
      clockOffsetMs < 0 ? "behind" : "ahead"
    }`;
    if (offset <= CLOCK_OFFSET_MAX_MS + roundTripMs / 2) return [fine("clock", ahead)];
    const both = SIDES.map((side) => this.place(side).asRoot("timedatectl set-ntp true")).join("; ");
    return [mend("clock", `${ahead}: which of two versions is later may be decided wrongly`, both)];
  }

  room(side: Side): Finding[] {
    const { root, facts } = this.#sides[side];
    if (facts.reduced.includes("write")) {
      const text = `there is none to write to: ${this.#root(side)} may not be written by this user, or is read-only`;
      return [mend("space", text, this.#remedy(side))];
    }
    const other = this.#sides[otherSide(side)].root;
    const incoming = { bytes: Math.max(0, other.bytes - root.bytes), names: this.#incomingNames(side) };
    const du = (options: string) =>
      this.place(side).run(`du -x ${options} -d 1 ${shellWord(this.#path(side))} | sort -h`);
    const bytes = roomFinding("space", { free: root.freeBytes, total: root.totalBytes, coming: incoming.bytes }, {
      where: this.#root(side),
      min: FREE_MIN_BYTES,
      show: bytesText,
      command: this.#emptiesTrash(side) ?? du("-h"),
    });
    if (root.totalInodes === 0) return [bytes]; // it makes them as it needs them
    const inodes = roomFinding("inodes", { free: root.freeInodes, total: root.totalInodes, coming: incoming.names }, {
      where: this.#root(side),
      min: FREE_MIN_INODES,
      show: count,
      command: this.#emptiesTrash(side) ?? du("--inodes"),
    });
    return [bytes, inodes];
  }

  owners(side: Side): Finding[] {
    const { root, host, facts } = this.#sides[side];
    const [on, naming] = [this.place(side).text, this.#naming];
    if (!host.isRootUser) {
      const right = `${
        naming.rightHost === null ? "" : `root@${naming.rightHost.replace(/^.*@/, "")}:`
      }${naming.right}`;
      const text = `psync is not root on ${on}: owners and groups are kept only where it is on both sides`;
      return [note("owners", text, `sudo psync ${shellWord(naming.left)} ${shellWord(right)}`)];
    }
    if (root.owner === "works" || root.owner === "untried") {
      return [fine("owners", `can be set in ${this.#root(side)}`)];
    }
    const text = `cannot be set in ${this.#root(side)} (${line(facts.fsType)}): ${line(root.owner)}`;
    return [mend("owners", text, this.#remedy(side))];
  }

  features(side: Side): Finding[] {
    const { root, host, facts } = this.#sides[side];
    const where = `${this.#root(side)} (${line(facts.fsType)})`;
    const lacks = (attempt: string, feature: string) =>
      attempt === "untried" ? facts.reduced.includes(feature) : attempt !== "works";
    const leases = "psync cannot ask whether a file is open for writing, and waits 2 s without a change";
    const other = "; ext4, xfs and btrfs have them";
    const lease = !host.hasLeases
      ? mend("leases", `switched off on ${this.place(side).text}: ${leases}`, this.#sysctlLeases(side))
      : lacks(root.lease, "lease")
      ? note("leases", `none in ${where}: ${leases}${other}`, this.#remedy(side))
      : fine("leases", `work in ${where}`);
    const exchange = lacks(root.exchange, "exchange")
      ? note(
        "exchange",
        `two names cannot be exchanged in ${where}: psync links and renames instead`,
        this.#remedy(side),
      )
      : fine("exchange", `of names works in ${where}`);
    return [lease, exchange];
  }

  mounts(): Finding[] {
    const mounts = SIDES.flatMap((side) => this.#sides[side].root.mounts.map((path) => ({ side, path })));
    if (mounts.length === 0) return [fine("mounts", "none below either root")];
    const more = mounts.length - MOUNTS_SHOWN;
    return [
      ...mounts.slice(0, MOUNTS_SHOWN).map(({ side, path }) =>
        note("mounts", `${showPath(path)} on the ${side} is a mount point, and left alone`, this.#pairBelow(path))
      ),
      ...(more > 0 ? [note("mounts", `and ${count(more)} more`, null)] : []),
    ];
  }

  speed({ roundTripMs, upBytesPerSecond: up, downBytesPerSecond: down }: Link): Finding[] {
    const { left, right, rightHost } = this.#naming;
    const to = this.place("right").text;
    const trip = `${roundTripMs.toFixed(1)} ms to ${to} and back`;
    const rates = `${bytesText(up)}/s to ${to}, ${bytesText(down)}/s from there`;
    const name = (rightHost ?? "").replace(/^.*@/, "");
    return [
      roundTripMs <= ROUND_TRIP_MAX_MS ? fine("round trip", trip) : note(
        "round trip",
        `${trip}: no change is there sooner; to see where the time goes`,
        `mtr -wb ${shellWord(name)}`,
      ),
      Math.min(up, down) >= THROUGHPUT_MIN
        ? fine("throughput", rates)
        : note("throughput", rates, `psync -x --compress ${shellWord(left)} ${shellWord(`${rightHost}:${right}`)}`),
    ];
  }

  #path(side: Side): string {
    return this.#sides[side].facts.root;
  }

  #root(side: Side): string {
    const { rightHost } = this.#naming;
    const host = side === "left" || rightHost === null ? "" : `${showPath(rightHost)}:`;
    return `${host}${showPath(this.#path(side))}`;
  }

  #operands(): string {
    const { left, right, rightHost } = this.#naming;
    return `${shellWord(left)} ${shellWord(rightHost === null ? right : `${rightHost}:${right}`)}`;
  }

  #incomingNames(side: Side): number {
    const names = ({ root }: ExaminedSide) => root.dirs + root.entries;
    return Math.max(0, names(this.#sides[otherSide(side)]) - names(this.#sides[side]));
  }

  /** Null where nothing was ever synced: there is no trash. */
  #emptiesTrash(side: Side): string | null {
    return this.#sides[side].facts.pairMarker === null ? null : `psync trash empty --side ${side} ${this.#operands()}`;
  }

  #sysctlLeases(side: Side): string {
    const file = "/etc/sysctl.d/61-psync-leases.conf";
    return this.place(side).asRoot(`echo fs.leases-enable=1 > ${file} && sysctl -p ${file}`);
  }

  /** No command gives a file system what it lacks: it shows which one that is, and how it is mounted. */
  #remedy(side: Side): string {
    return this.place(side).run(`findmnt -o TARGET,SOURCE,FSTYPE,OPTIONS -T ${shellWord(this.#path(side))}`);
  }

  #pairBelow(path: RelPath): string {
    const below = (root: string) => `${root.replace(/\/$/, "")}/${path}`;
    const { left, right, rightHost } = this.#naming;
    return `psync ${shellWord(below(left))} ${
      shellWord(`${rightHost === null ? "" : `${rightHost}:`}${below(right)}`)
    }`;
  }
}

function roomFinding(
  check: "space" | "inodes",
  of: { readonly free: number; readonly total: number; readonly coming: number },
  how: {
    readonly where: string;
    readonly min: number;
    readonly show: (amount: number) => string;
    readonly command: string;
  },
): Finding {
  const { free, total, coming } = of;
  const text = `${how.show(free)} of ${how.show(total)} free at ${how.where}`;
  if (coming > free) return mend(check, `${text}: ${how.show(coming)} are to come from the other side`, how.command);
  return free < Math.min(how.min, total * FREE_MIN_PART) ? mend(check, text, how.command) : fine(check, text);
}

function fine(check: CheckName, text: string): Finding {
  return { level: "ok", check, text, command: null };
}

function note(check: CheckName, text: string, command: string | null): Finding {
  return { level: "note", check, text, command };
}

function mend(check: CheckName, text: string, command: string): Finding {
  return { level: "mend", check, text, command };
}

/** Text of another host: without what a terminal would obey. */
function line(text: string): string {
  return showPath(text);
}

function count(value: number): string {
  return value.toLocaleString("en");
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1_000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1_000 ** power).toLocaleString("en", { maximumFractionDigits: 1 })} ${UNITS[power]}`;
}

/** Whether a version such as `6.1.0-18-amd64` is at least another one. */
function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(".").map((part) => parseInt(part, 10) || 0);
  return a > major || (a === major && b >= minor);
}
