/**
 * `psync doctor` as a user meets it: each trouble that can be made on this machine is made, in a mount
 * namespace of its own, and found; what the machine cannot be brought to do is in brain/diagnosis_test.ts.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { binary, entriesOf, Scene } from "../support/scene.ts";

const isRoot = Deno.uid() === 0;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a script in which "$PSYNC" is psync, LEFT and RIGHT the roots, and mounts are its own. */
async function apart(scene: Scene, script: string): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["-m", "sh", "-eu", "-c", script],
    env: { ...scene.env, PSYNC: binary(), LEFT: scene.left.path, RIGHT: scene.right.path, PLACE: scene.tree.path },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/** Puts a value in the place of a setting of the kernel, for this namespace alone. */
function setting(path: string, value: string): string {
  return `echo ${value} >"$PLACE/setting"; mount --bind "$PLACE/setting" /proc/sys/${path};`;
}

Deno.test("psync doctor examines this host", async () => {
  await using scene = await Scene.make();
  const { code, out, err } = await scene.runWith(["doctor"]);
  assertEquals([code, err], [0, ""], out);
  for (const check of ["rsync", "ssh", "kernel", "glibc", "open files", "watches"]) {
    assertMatch(out, new RegExp(`^ok +${check} +\\S`, "m"));
  }
  assertMatch(out, /^Nothing to mend$/m);
});

for (const door of ["two folders", "ssh"] as const) {
  Deno.test(`${door}: psync doctor examines both sides and changes nothing, before a first sync and beside it`, async () => {
    await using scene = await Scene.make(door === "ssh" ? { ssh: {} } : {});
    await scene.left.sh("mkdir -p d/e; echo x >d/f; chmod 500 d");
    const before = [await entriesOf(scene.left.path), await entriesOf(scene.right.path)];
    const first = await scene.runWith(["doctor", ...scene.operands]);
    assertEquals(first.code, 0, first.out + first.err);
    for (const check of ["space", "inodes", "leases", "exchange", "mounts"]) {
      assertMatch(first.out, new RegExp(`^ok +${check} +\\S`, "m"));
    }
    assertEquals([await entriesOf(scene.left.path), await entriesOf(scene.right.path)], before);
    assertEquals(await scene.left.exists(".psync"), false);
    if (door === "ssh") {
      for (const check of ["clock", "round trip", "throughput"]) {
        assertMatch(first.out, new RegExp(`^(ok|note) +${check} +\\S`, "m"));
      }
      assertEquals(first.out.match(/^ok +kernel /gm)?.length, 2, "both hosts are examined");
    }
    await using psync = await scene.live();
    await scene.follows("left");
    const beside = await scene.runWith(["doctor", ...scene.operands]);
    assertEquals(beside.code, 0, beside.out + beside.err);
    await scene.left.write("later", "1");
    await scene.follows("left");
    assertEquals((await scene.end(psync)).code, 0);
    assertEquals([...Deno.readDirSync(`${scene.left.path}/.psync`)].filter(({ name }) => /probe/.test(name)), []);
  });
}

Deno.test("psync doctor tells what it can where a root cannot be opened", async () => {
  await using scene = await Scene.make();
  const { code, out, err } = await scene.runWith(["doctor", scene.left.path, `${scene.right.path}/none`]);
  assertEquals(code, 3);
  assertMatch(out, /^ok +kernel /m);
  assertStringIncludes(err, "Cannot open root");
  assertStringIncludes(err, "Only this host could be examined");
  assertEquals((await scene.runWith(["doctor", scene.left.path])).code, 2, "a name, which is no configuration");
  assertEquals((await scene.runWith(["doctor", "--nonsense"])).code, 2);
});

Deno.test("psync doctor finds missing and old programs", async () => {
  await using scene = await Scene.make();
  const bin = `${scene.tree.path}/bin`;
  await Deno.mkdir(bin);
  const none = await scene.startWith(["doctor"], { env: { PATH: bin } });
  const { code, out } = await none.ended;
  assertEquals(code, 1, out);
  assertMatch(out, /^mend +rsync +there is no rsync on this host.*\n +\$ .*install.* rsync/m);
  assertMatch(out, /^mend +ssh +there is no ssh on this host.*\n +\$ .*install.* openssh/m);
  assertMatch(out, /^2 things to mend, 0 notes$/m);
  await Deno.writeTextFile(`${bin}/rsync`, "#!/bin/sh\necho 'rsync  version 2.6.9  protocol version 29'\n", {
    mode: 0o755,
  });
  const old = await (await scene.startWith(["doctor"], { env: { PATH: bin } })).ended;
  assertMatch(old.out, /^mend +rsync +rsync 2\.6\.9 on this host: psync needs 3\.1 or later$/m);
});

Deno.test({
  name: "psync doctor finds too few watches, leases that are switched off, and a low limit of open files",
  ignore: !isRoot,
  fn: async () => {
    await using scene = await Scene.make();
    await scene.left.sh("mkdir -p a/b c/d e");
    const script = `${setting("fs/inotify/max_user_watches", "3")} ${
      setting("fs/leases-enable", "0").replaceAll("setting", "leases")
    }
      ulimit -n 200; "$PSYNC" doctor "$LEFT" "$RIGHT"`;
    const { code, out, err } = await apart(scene, script);
    assertEquals(code, 1, out + err);
    assertMatch(out, /^mend +watches +\d+ of 3 in use on this host, 7 wanted here.*\n +\$ .*max_user_watches=524288/m);
    assertMatch(out, /^mend +leases +switched off on this host.*\n +\$ .*fs\.leases-enable=1/m);
    assertMatch(out, /^mend +open files +at most 200 at once on this host.*\n +\$ .*prlimit/m);
  },
});

Deno.test({
  name: "psync doctor finds a kernel that is too old, though psync cannot run there",
  ignore: !isRoot,
  fn: async () => {
    await using scene = await Scene.make();
    const { code, out, err } = await apart(scene, `${setting("kernel/osrelease", "5.4.0-42-generic")} "$PSYNC" doctor`);
    assertEquals(code, 3, out + err);
    assertMatch(
      out,
      /^mend +kernel +kernel 5\.4\.0-42-generic on this host: psync needs 5\.6 or later\n +\$ .*upgrade.* && reboot/m,
    );
    assertStringIncludes(err, "Cannot run on Linux 5.4.0-42-generic");
  },
});

/** Hands bytes on in both directions, late. */
const SLOW = `use IO::Select; use IO::Socket::INET;
my $far = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or die;
my $s = IO::Select->new(\\*STDIN, $far);
while (1) { for my $from ($s->can_read) {
  my $n = sysread($from, my $bytes, 8192) or exit; select(undef, undef, undef, 0.15);
  my $to = $from == $far ? \\*STDOUT : $far; for (my $at = 0; $at < $n;) { $at += syswrite($to, $bytes, $n - $at, $at) }
} }`;

Deno.test("psync doctor finds a way to the other host that is long and narrow", async () => {
  await using scene = await Scene.make();
  const relay = `${scene.tree.path}/slow.pl`;
  await Deno.writeTextFile(relay, SLOW);
  await using far = await Scene.make({ ssh: { clientConfig: ["Host *", `ProxyCommand perl ${relay} %h %p`] } });
  const { code, out, err } = await far.runWith(["doctor", ...far.operands]);
  assertEquals(code, 0, out + err);
  assertMatch(out, /^note +round trip +\d+\.\d ms to \S+ and back: .*\n +\$ mtr /m);
  assertMatch(out, /^note +throughput +.*\n +\$ psync -x --compress /m);
});

Deno.test({
  name: "psync doctor finds a full disk, one without inodes, and a mount below a root",
  ignore: !isRoot,
  fn: async () => {
    await using scene = await Scene.make();
    await scene.left.sh("mkdir -p 'sub/it is'; head -c 3000000 /dev/zero >big; touch 1 2 3 4");
    const script = `mount -t tmpfs -o size=1m,nr_inodes=3 none "$RIGHT"; mount -t tmpfs none "$LEFT/sub/it is"
      "$PSYNC" doctor "$LEFT" "$RIGHT"`;
    const { code, out, err } = await apart(scene, script);
    assertEquals(code, 1, out + err);
    assertMatch(out, /^mend +space +1 MB of 1 MB free at \S+: 3 MB are to come from the other side\n +\$ du -x -h/m);
    assertMatch(out, /^mend +inodes +\d of 3 free at \S+: \d are to come from the other side\n +\$ du -x --inodes/m);
    assertMatch(
      out,
      /^note +mounts +sub\/it is on the left is a mount point.*\n +\$ psync '.*\/sub\/it is' '.*\/sub\/it is'$/m,
    );
  },
});

Deno.test({
  name: "psync doctor finds that a user may not change owners",
  ignore: !isRoot,
  fn: async () => {
    await using scene = await Scene.make();
    const script = `chmod 777 "$LEFT" "$RIGHT"; mount -t tmpfs none /mnt; mkdir -m 777 /mnt/cache /mnt/home
      cp "$PSYNC" /mnt/psync; export XDG_CACHE_HOME=/mnt/cache HOME=/mnt/home; cd /mnt
      chmod 711 "$PLACE"; chown 65534 /mnt/cache /mnt/home
      setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/psync doctor "$LEFT" "$RIGHT"`;
    const { code, out, err } = await apart(scene, script);
    assertEquals(code, 0, out + err);
    assertMatch(out, /^note +owners +psync is not root on this host.*\n +\$ sudo psync /m);
    assert(/^ok +leases /m.test(out), "a file of one's own can be leased");
    const closed = await apart(
      scene,
      script.replace("chmod 777", "chmod 755").replace(/^/, `chown 0 "$LEFT" "$RIGHT"; `),
    );
    assertEquals(closed.code, 1, closed.out + closed.err);
    assertMatch(closed.out, /^mend +space +there is none to write to: .*\n +\$ findmnt /m);
  },
});
