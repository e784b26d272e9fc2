/**
 * Tests of users and groups by name.
 * @module
 */
import { assertEquals } from "@std/assert";
import { Owners, type OwnerSources, type OwnerTable } from "./owners.ts";

function sources(passwd: string): { asked: string[]; mark: string; passwd: string; sources: OwnerSources } {
  const world = {
    asked: [] as string[],
    mark: "1",
    passwd,
    sources: {
      markOf: () => Promise.resolve(world.mark),
      read: (table: OwnerTable) => Promise.resolve(table === "passwd" ? world.passwd : "staff:x:50:\n"),
      ask: (table: OwnerTable, key: string) => {
        world.asked.push(`${table} ${key}`);
        const line = key === "9000" || key === "ldap" ? "ldap:*:9000:9000::/:" : null;
        return Promise.resolve(table === "passwd" ? line : null);
      },
    },
  };
  return world;
}

Deno.test("Owners names what is in the files, asks once for what is not, and falls back to numbers", async () => {
  const world = sources("root:x:0:0::/:\nann:x:1000:50::/:\nann2:x:1000:50::/:\n");
  const owners = new Owners(world.sources);
  const ids = [{ uid: 1000, gid: 50 }, { uid: 9000, gid: 7 }, { uid: 8000, gid: 50 }];
  for (let i = 0; i < 2; i++) {
    const nameOf = await owners.namer(ids);
    assertEquals(ids.map((each) => nameOf(each)), [
      { user: "ann", group: "staff" },
      { user: "ldap", group: "7" },
      { user: "8000", group: "staff" },
    ]);
  }
  assertEquals(world.asked, ["passwd 9000", "passwd 8000", "group 7"]);
});

Deno.test("Owners tells the numbers of names, of decimal numbers, and null for what nobody knows", async () => {
  const world = sources("ann:x:1000:50::/:\n7:x:1007:50::/:\n");
  const wanted = ["ann", "ldap", "7", "42", "nobody-here", "-x", "a b", "99999999999"];
  const idsOf = await new Owners(world.sources).numberer(wanted.map((user) => ({ user, group: "staff" })));
  assertEquals(
    wanted.map((user) => idsOf({ user, group: "staff" })),
    [1000, 9000, 1007, 42, null, null, null, null].map((uid) => ({ uid, gid: 50 })),
  );
  // What looks like an option or holds a blank is no name, and nobody is asked for a number as a name.
  assertEquals(world.asked, ["passwd ldap", "passwd nobody-here"]);
});

Deno.test("Owners reads a file again once it has changed", async () => {
  const world = sources("ann:x:1000:50::/:\n");
  const owners = new Owners(world.sources);
  const nameOf = async () => (await owners.namer([{ uid: 1000, gid: 50 }]))({ uid: 1000, gid: 50 }).user;
  assertEquals(await nameOf(), "ann");
  world.passwd = "eve:x:1000:50::/:\n";
  assertEquals(await nameOf(), "ann");
  world.mark = "2";
  assertEquals(await nameOf(), "eve");
});

Deno.test("Owners knows root on this host", async () => {
  const owners = new Owners();
  const root = { user: "root", group: "root" };
  assertEquals((await owners.namer([{ uid: 0, gid: 0 }]))({ uid: 0, gid: 0 }), root);
  assertEquals((await owners.numberer([root]))(root), { uid: 0, gid: 0 });
});
