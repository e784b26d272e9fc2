import { assertEquals, assertMatch } from "@std/assert";
import { distributionOf, hostCheckup, openFileLimit } from "./host_checkup.ts";
import { attemptsOf } from "./root_checkup.ts";

Deno.test("hostCheckup() knows this host", async () => {
  const host = await hostCheckup();
  assertEquals([host.kernel, host.isRootUser], [Deno.osRelease(), Deno.uid() === 0]);
  assertMatch(host.glibc ?? "", /^2\.\d+/);
  assertMatch(host.rsync ?? "", /rsync/);
  assertMatch(host.ssh ?? "", /SSH/);
  assertEquals(host.watchLimit, Number(await Deno.readTextFile("/proc/sys/fs/inotify/max_user_watches")));
});

/** So many watches are made. Others of the same user come and go meanwhile, with any number of theirs. */
const WATCHES = 40;
/** So often a count without theirs is tried for. */
const COUNTS = 200;

Deno.test("hostCheckup() counts the watches of this user", async () => {
  const dirs = await Promise.all(Array.from({ length: WATCHES }, () => Deno.makeTempDir()));
  const count = async () => (await hostCheckup()).watchesInUse;
  const seen: string[] = [];
  try {
    for (let i = 0; i < COUNTS; i++) {
      const before = await count();
      const watcher = Deno.watchFs(dirs);
      const during = await count();
      watcher.close();
      const after = await count();
      if (before === after && during === before + WATCHES) return;
      seen.push(`${before}, ${during}, ${after}`);
    }
    throw new Error(`Found before, with ${WATCHES} more, and after: ${seen.join("; ")}`);
  } finally {
    for (const dir of dirs) await Deno.remove(dir);
  }
});

Deno.test("openFileLimit() and distributionOf() read what the system writes", () => {
  const limits = "Max processes             1    2    processes\nMax open files            1024     524288   files\n";
  assertEquals(openFileLimit(limits), 524_288);
  assertEquals(openFileLimit("Max open files            1024     unlimited   files\n"), null);
  assertEquals(distributionOf('NAME="Rocky"\nID="rocky"\nID_LIKE="rhel centos fedora"\n'), "rocky rhel centos fedora");
  assertEquals(distributionOf("ID=debian\n"), "debian");
  assertEquals(distributionOf(""), "");
});

Deno.test("attemptsOf() reads what psync-native probe prints", () => {
  const attempts = attemptsOf("tmpfile 0\nlease 22\nowner 1\nexchange -1\n");
  assertEquals([...attempts], [["tmpfile", "works"], ["lease", "EINVAL"], ["owner", "EPERM"], ["exchange", "untried"]]);
});
