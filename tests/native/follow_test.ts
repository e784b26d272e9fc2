/**
 * Links that psync-native shows as the files that they lead to: what is read follows them, what changes
 * a tree never does.
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { RawListed } from "../../src/replica/native_format.ts";
import { expected, KIND, path, putFile, putLink, remove, setMeta, STATUS, tree, withReplica } from "./apply_driver.ts";
import { WatchDriver } from "./watch_driver.ts";
import { withRoot } from "./watch_support.ts";

const LINKS = { toFile: "file", within: "d/plain", broken: "nowhere", toDir: "d", loop: "loop", device: "/dev/null" };

/** Links of every kind, of which the first two lead to a regular file, one of them outside. */
async function makeLinks(root: string, outside: string): Promise<void> {
  await Deno.writeTextFile(`${outside}/file`, "outside", { mode: 0o640 });
  await Deno.mkdir(`${root}/d`);
  await Deno.writeTextFile(`${root}/d/plain`, "inside");
  const targets = { ...LINKS, toFile: `${outside}/file` };
  for (const [name, target] of Object.entries(targets)) await Deno.symlink(target, `${root}/${name}`);
}

async function listRoot(driver: WatchDriver): Promise<Map<string, RawListed>> {
  const [root] = await driver.list("");
  return new Map(root!.entries.map((entry) => [entry.name, entry]));
}

Deno.test("watch lists a link to a regular file as that file, and no other link", () =>
  withRoot((root) =>
    withRoot(async (outside) => {
      await makeLinks(root, outside);
      await using driver = await WatchDriver.spawn(root);
      await driver.open({ followLinks: true });
      const of = await listRoot(driver);
      assertEquals(["toFile", "within"].map((name) => of.get(name)!.stat.kind), [KIND.file, KIND.file]);
      assertEquals(["toFile", "within"].map((name) => of.get(name)!.target), ["", ""]);
      assertEquals([of.get("toFile")!.stat.sizeBytes, of.get("toFile")!.stat.mode], [7, 0o640]);
      assert(of.get("toFile")!.stat.birthNs < 0n);
      for (const name of ["broken", "toDir", "loop", "device"] as const) {
        assertEquals([of.get(name)!.stat.kind, of.get(name)!.target], [KIND.link, LINKS[name]]);
      }
    })
  ));

Deno.test("apply looks, packs and supplies through a link, under one stamp that is the listing's, too", () =>
  withRoot((outside) =>
    withReplica(async (root, driver) => {
      await makeLinks(root, outside);
      const [out, inside, broken] = await driver.looks(["toFile", "within", "broken"]);
      assertEquals([out!, inside!].map(({ content }) => new TextDecoder().decode(content!)), ["outside", "inside"]);
      assertEquals([out!.stat!.kind, broken!.stat!.kind], [KIND.file, KIND.link]);
      assertNotEquals((await driver.look("d/plain")).stat!.birthNs, inside!.stat!.birthNs);
      await using watch = await WatchDriver.spawn(root);
      await watch.open({ followLinks: true });
      assertEquals((await listRoot(watch)).get("toFile")!.stat, out!.stat);

      const files = [{ path: path("toFile"), stat: out!.stat! }, { path: path("within"), stat: inside!.stat! }];
      const packed = await driver.pack(files);
      assertEquals(packed.files.map(({ digest }) => digest), [out!.digest, inside!.digest]);
      const supplied = await driver.supply("b", files.map((file, i) => ({ ...file, id: i + 1 })));
      assertEquals(supplied.map(({ status }) => status), [STATUS.done, STATUS.done]);
      assertEquals(await Deno.readTextFile(`${root}/.psync/supply/b/1`), "outside");
      await Deno.writeTextFile(`${outside}/file`, "outside, and more");
      const released = await driver.release("b");
      assertEquals(released.map(({ id, status }) => [id, status]), [[1, STATUS.stale], [2, STATUS.done]]);
      const gone = await driver.pack(files);
      assertEquals(gone.files.map(({ status }) => status), [STATUS.stale, STATUS.done]);
    }, { followLinks: true })
  ));

Deno.test("apply gives a link another stamp when it is made anew, or leads to another file", () =>
  withRoot((outside) =>
    withReplica(async (root, driver) => {
      await makeLinks(root, outside);
      const first = (await driver.look("toFile")).stat!;
      // The same inode, size and times by another link; then a twin of the file by the same link.
      await Deno.symlink(`${outside}/file`, `${root}/new`);
      await Deno.rename(`${root}/new`, `${root}/toFile`);
      const second = (await driver.look("toFile")).stat!;
      assertEquals([second.inode, second.ctimeNs, second.mtimeNs], [first.inode, first.ctimeNs, first.mtimeNs]);
      assertNotEquals(second.birthNs, first.birthNs);
      await Deno.rename(`${root}/toFile`, `${root}/renamed`);
      const renamed = (await driver.look("renamed")).stat!;
      assertEquals(renamed, second);
      await Deno.writeTextFile(`${outside}/twin`, "OUTSIDE", { mode: 0o640 });
      await Deno.rename(`${outside}/twin`, `${outside}/file`);
      assertNotEquals((await driver.look("renamed")).stat!.inode, second.inode);
    }, { followLinks: true })
  ));

Deno.test("apply changes neither a link that it shows as a file, nor what that leads to", () =>
  withRoot((outside) =>
    withReplica(async (root, driver) => {
      await makeLinks(root, outside);
      const looked = await driver.look("toFile");
      const before = tree(root);
      const ops = [
        putFile("toFile", "new", { expected: expected(looked) }),
        putLink("toFile", "elsewhere", { expected: expected(looked) }),
        setMeta("toFile", looked, { mode: 0o777 }),
        remove("toFile", looked),
      ];
      const done = await driver.commit(ops);
      assertEquals(done.map(({ status }) => status), ops.map(() => STATUS.stale));
      const basis = await driver.prepare("b", [{ id: 1, path: path("toFile"), stat: looked.stat! }]);
      assertEquals(basis.map(({ status }) => status), [STATUS.stale]);
      assertEquals([...Deno.readDirSync(`${root}/.psync/basis/b`)], []);
      await driver.release("b");
      assertEquals(tree(root), before);
      assertEquals(await Deno.readTextFile(`${outside}/file`), "outside");
      assertEquals((await Deno.stat(`${outside}/file`)).mode! & 0o777, 0o640);
    }, { followLinks: true })
  ));

Deno.test("apply without the flag shows every link as a link", () =>
  withRoot((outside) =>
    withReplica(async (root, driver) => {
      await makeLinks(root, outside);
      const looked = await driver.looks(Object.keys(LINKS));
      assertEquals(looked.map(({ stat }) => stat!.kind), Object.keys(LINKS).map(() => KIND.link));
    })
  ));
