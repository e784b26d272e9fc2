import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FAKE_CHECKUP, FAKE_FACTS } from "../../tests/support/fake_endpoint.ts";
import type { HostCheckup, RootCheckup } from "../core/checkup.ts";
import type { EndpointFacts } from "../core/endpoint.ts";
import type { RelPath } from "../core/path.ts";
import { type CheckName, diagnoseHost, diagnosePair, type Finding } from "./diagnosis.ts";
import type { Examination, Link } from "./examine.ts";

const LINK: Link = { roundTripMs: 0.4, clockOffsetMs: 12, upBytesPerSecond: 1e8, downBytesPerSecond: 9e7 };
const NAMING = { left: "/srv/a", right: "b", rightHost: "me@nas", sshCommand: null };

interface Changes {
  readonly host?: Partial<HostCheckup>;
  readonly root?: Partial<RootCheckup>;
  readonly facts?: Partial<EndpointFacts>;
}

function side(changes: Changes = {}) {
  return {
    host: { ...FAKE_CHECKUP.host, ...changes.host },
    root: { ...FAKE_CHECKUP.root, ...changes.root },
    facts: { ...FAKE_FACTS, ...changes.facts },
  };
}

function examined(right: Changes, link: Partial<Link> = {}, left: Changes = {}): Examination {
  return { left: side(left), right: side(right), link: { ...LINK, ...link } };
}

/** What is not fine. */
function troubles(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ level }) => level !== "ok");
}

Deno.test("diagnosePair() finds nothing where there is nothing to find, and names each check", () => {
  const findings = diagnosePair(examined({}), NAMING);
  assertEquals(troubles(findings), []);
  const checks: readonly CheckName[] = ["rsync", "ssh", "kernel", "glibc", "open files", "watches", "clock", "space"];
  const more: readonly CheckName[] = ["inodes", "owners", "leases", "exchange", "mounts", "round trip", "throughput"];
  assertEquals([...new Set(findings.map(({ check }) => check))], [...checks, ...more]);
  const local = diagnosePair({ ...examined({}), link: null }, { ...NAMING, rightHost: null });
  assertEquals(troubles(local), []);
  assertEquals(local.filter(({ check }) => check === "kernel").length, 1, "a host is examined once");
});

interface Case {
  readonly name: string;
  readonly right: Changes;
  readonly link?: Partial<Link>;
  readonly left?: Changes;
  readonly found: readonly [CheckName, Finding["level"], string];
  readonly command: string;
}

const SSH = "ssh me@nas ";

const CASES: readonly Case[] = [
  {
    name: "a missing rsync",
    right: { host: { rsync: null } },
    found: ["rsync", "mend", "no rsync on me@nas"],
    command: `${SSH}'apt-get install -y rsync'`,
  },
  {
    name: "an old rsync, on a host of another kind, where one is not root",
    right: { host: { rsync: "rsync  version 3.0.9  protocol version 30", distribution: "centos rhel fedora" } },
    found: ["rsync", "mend", "rsync 3.0.9 on me@nas: psync needs 3.1"],
    command: `${SSH}'dnf install -y rsync'`,
  },
  {
    name: "a missing ssh on this host",
    right: {},
    left: { host: { ssh: null } },
    found: ["ssh", "mend", "no ssh on this host"],
    command: "apt-get install -y openssh-client",
  },
  {
    name: "an old kernel",
    right: { host: { kernel: "5.4.0-42-generic" } },
    found: ["kernel", "mend", "psync needs 5.6"],
    command: `${SSH}'apt-get full-upgrade -y && reboot'`,
  },
  {
    name: "an old C library",
    right: { host: { glibc: "2.17" } },
    found: ["glibc", "mend", "psync needs 2.27"],
    command: `${SSH}'apt-get full-upgrade -y'`,
  },
  {
    name: "too few open files on the other host",
    right: { host: { openFileLimit: 64 } },
    found: ["open files", "mend", "at most 64 at once on me@nas"],
    command: `${SSH}'echo "* - nofile 65536" > /etc/security/limits.d/60-psync.conf'`,
  },
  {
    name: "too few open files on this host",
    right: {},
    left: { host: { openFileLimit: 64 } },
    found: ["open files", "mend", "at most 64 at once on this host"],
    command: "prlimit --pid $$ --nofile=65536:65536",
  },
  {
    name: "more folders than watches",
    right: { host: { watchLimit: 8_192, watchesInUse: 100 }, root: { dirs: 400_000, entries: 0 } },
    left: { root: { dirs: 400_000 } },
    found: ["watches", "mend", "100 of 8,192 in use on me@nas, 400,000 wanted"],
    command: "",
  },
  {
    name: "a clock that is ahead",
    right: {},
    link: { clockOffsetMs: 3_000 },
    found: ["clock", "mend", "the clock of me@nas is 3.000 s ahead"],
    command: `timedatectl set-ntp true; ${SSH}'timedatectl set-ntp true'`,
  },
  {
    name: "a full disk",
    right: { root: { freeBytes: 5e8 } },
    found: ["space", "mend", "500 MB of 1 TB free at me@nas:/srv/fake"],
    command: `${SSH}'du -x -h -d 1 /srv/fake | sort -h'`,
  },
  {
    name: "a root that may not be written",
    right: { facts: { reduced: ["write"] } },
    found: ["space", "mend", "me@nas:/srv/fake may not be written"],
    command: `${SSH}'findmnt -o TARGET,SOURCE,FSTYPE,OPTIONS -T /srv/fake'`,
  },
  {
    name: "a full disk with a trash",
    right: { root: { freeBytes: 5e8 }, facts: { pairMarker: "x" } },
    found: ["space", "mend", "500 MB"],
    command: "psync trash empty --side right /srv/a me@nas:b",
  },
  {
    name: "a tree that does not fit on the other side",
    right: { root: { freeBytes: 2e10, bytes: 0 } },
    left: { root: { bytes: 4e10 } },
    found: ["space", "mend", "40 GB are to come from the other side"],
    command: `${SSH}'du -x -h -d 1 /srv/fake | sort -h'`,
  },
  {
    name: "few inodes",
    right: { root: { freeInodes: 10 } },
    found: ["inodes", "mend", "10 of 2,000,000 free"],
    command: `${SSH}'du -x --inodes -d 1 /srv/fake | sort -h'`,
  },
  {
    name: "owners that root may not set",
    right: { root: { owner: "EPERM" }, facts: { fsType: "nfs" } },
    found: ["owners", "mend", "cannot be set in me@nas:/srv/fake (nfs): EPERM"],
    command: `${SSH}'findmnt -o TARGET,SOURCE,FSTYPE,OPTIONS -T /srv/fake'`,
  },
  {
    name: "a user who may not set owners",
    right: { host: { isRootUser: false } },
    found: ["owners", "note", "psync is not root on me@nas"],
    command: "sudo psync /srv/a root@nas:b",
  },
  {
    name: "leases that are switched off",
    right: { host: { hasLeases: false } },
    found: ["leases", "mend", "switched off on me@nas"],
    command:
      `${SSH}'echo fs.leases-enable=1 > /etc/sysctl.d/61-psync-leases.conf && sysctl -p /etc/sysctl.d/61-psync-leases.conf'`,
  },
  {
    name: "a file system without leases",
    right: { root: { lease: "EINVAL" } },
    found: ["leases", "note", "none in me@nas:/srv/fake (ext4)"],
    command: `${SSH}'findmnt -o TARGET,SOURCE,FSTYPE,OPTIONS -T /srv/fake'`,
  },
  {
    name: "a file system that cannot exchange names, by its kind",
    right: { root: { exchange: "untried" }, facts: { reduced: ["exchange"], fsType: "fuse" } },
    found: ["exchange", "note", "cannot be exchanged in me@nas:/srv/fake (fuse)"],
    command: `${SSH}'findmnt -o TARGET,SOURCE,FSTYPE,OPTIONS -T /srv/fake'`,
  },
  {
    name: "a mount below a root",
    right: { root: { mounts: ["x/it's" as RelPath] } },
    found: ["mounts", "note", "x/it's on the right is a mount point"],
    command: `psync '/srv/a/x/it'\\''s' 'me@nas:b/x/it'\\''s'`,
  },
  {
    name: "a long way",
    right: {},
    link: { roundTripMs: 250 },
    found: ["round trip", "note", "250.0 ms to me@nas and back"],
    command: "mtr -wb nas",
  },
  {
    name: "a slow way",
    right: {},
    link: { downBytesPerSecond: 4e5 },
    found: ["throughput", "note", "400 kB/s from there"],
    command: "psync -x --compress /srv/a me@nas:b",
  },
];

for (const { name, right, link, left, found: [check, level, text], command } of CASES) {
  Deno.test(`diagnosePair() finds ${name}`, () => {
    const found = troubles(diagnosePair(examined(right, link, left), NAMING));
    const finding = found.find((each) => each.text.includes(text));
    assertEquals([finding?.check, finding?.level], [check, level], JSON.stringify(found));
    if (command !== "") assertEquals(finding?.command, command);
  });
}

Deno.test("diagnosePair() proposes watches for all that are wanted, by the user's own way to root", () => {
  const host = { watchLimit: 8_192, watchesInUse: 100, isRootUser: false };
  const [finding] = troubles(diagnosePair(examined({ host, root: { dirs: 600_000 } }), NAMING))
    .filter(({ check }) => check === "watches");
  assertMatch(finding!.command!, /^ssh me@nas 'sudo sh -c .*fs\.inotify\.max_user_watches=2097152 .*sysctl -p/);
});

Deno.test("diagnosePair() does not count the watches of the psync that runs on the root twice", () => {
  const host = { watchLimit: 1_000, watchesInUse: 900 };
  const running = examined({ host, root: { dirs: 900 }, facts: { lockHolderLives: true } });
  assertEquals(troubles(diagnosePair(running, NAMING)).filter(({ check }) => check === "watches"), []);
  const two = { ...examined({ host, root: { dirs: 900 } }), link: null };
  const both = diagnosePair({ ...two, left: { ...two.left, host: two.right.host } }, { ...NAMING, rightHost: null });
  assertStringIncludes(troubles(both).find(({ check }) => check === "watches")!.text, "1,000 wanted here");
});

Deno.test("diagnosePair() writes names that no terminal or shell takes for more", () => {
  const evil = "a\x1b[2J\n'$(rm)";
  const found = diagnosePair(
    examined({ root: { mounts: [evil as RelPath] }, host: { rsync: "rsync \x1b[31m" } }),
    NAMING,
  );
  for (const { text, command } of found) {
    // deno-lint-ignore no-control-regex -- what must not be there
    for (const each of [text, command ?? ""]) assertEquals(/[\x00-\x1f\x7f]/.test(each), false, JSON.stringify(each));
  }
  const command = found.find(({ check }) => check === "mounts")!.command!;
  assertEquals(
    command,
    String.raw`psync $'/srv/a/a\x1b\x5b2J\x0a\x27\x24\x28rm\x29' $'me@nas:b/a\x1b\x5b2J\x0a\x27\x24\x28rm\x29'`,
  );
});

Deno.test("diagnoseHost() tells of one host, and that its watches are used up", () => {
  assertEquals(troubles(diagnoseHost(FAKE_CHECKUP.host)), []);
  const [found] = troubles(diagnoseHost({ ...FAKE_CHECKUP.host, watchLimit: 10, watchesInUse: 10 }));
  assertEquals([found?.check, found?.level], ["watches", "mend"]);
});
