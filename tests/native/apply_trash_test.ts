/**
 * The trash of psync-native apply at the worst instants: kill -9 at every system call of each action,
 * mounts in it, file systems without exchange, and parents that are swapped for links. No version is
 * gone that nobody asked to purge (I2, I11, I12).
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { TRASH } from "../../src/replica/native_format.ts";
import {
  ApplyDriver,
  DISPOSE,
  expected,
  putFile,
  remove,
  staged,
  STATUS,
  trash,
  tree,
  withReplica,
  withRoot,
} from "./apply_driver.ts";
import { canInject, Injection, withTraced } from "./apply_inject.ts";

const ignore = !(await canInject());
const isRoot = Deno.uid() === 0;

/** A label other than that of what lies in the trash already. */
const LATER = "20260202T000000Z-2";
const CALLS = ["renameat2", "renameat", "unlinkat", "mkdirat", "fchmod", "fchown", "openat2", "fcntl"];
const CALLS_MAX = 40;

type Action = Parameters<ApplyDriver["trash"]>[0][number];

/** Puts "loser" of d/f into the trash as a conflict's loser; "winner" stands at d/f afterwards. */
async function loserOf(root: string, driver: ApplyDriver): Promise<string> {
  await Deno.mkdir(`${root}/d`);
  await Deno.writeTextFile(`${root}/d/f`, "loser");
  const put = putFile("d/f", "winner", { expected: expected(await driver.look("d/f")), disposal: DISPOSE.conflict });
  return (await driver.make(put)).kept;
}

interface Scenario {
  readonly name: string;
  readonly prepare: (root: string, driver: ApplyDriver) => Promise<Action>;
  /** What may stand at d/f. */
  readonly live: readonly (string | undefined)[];
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "a loser takes the winner's place",
    prepare: async (root, driver) => ({ what: TRASH.replace, kept: await loserOf(root, driver), to: "d/f" }),
    live: ["winner", "loser"],
  },
  {
    name: "a loser comes back, with its folders",
    prepare: async (root, driver) => {
      const kept = await loserOf(root, driver);
      return { what: TRASH.restore, kept, to: "d/new/deeper/g" };
    },
    live: ["winner"],
  },
  {
    name: "a loser is released",
    prepare: async (root, driver) => ({ what: TRASH.release, kept: await loserOf(root, driver) }),
    live: ["winner"],
  },
];

function everything(root: string): string {
  return JSON.stringify([tree(root), trash(root)]);
}

function requireBoth(root: string, where: string): void {
  const all = everything(root);
  for (const version of ["winner", "loser"]) assertEquals(all.split(`"${version}"`).length, 2, `${where}: ${all}`);
}

async function killAt(scenario: Scenario, call: string, k: number): Promise<boolean> {
  let killed = false;
  await withRoot(async (root) => {
    const victim = await ApplyDriver.start(root, { isPlain: true });
    const action = await scenario.prepare(root, victim);
    {
      await using _ = await Injection.attach(victim, [`${call}:signal=KILL:when=${k}`]);
      killed = await victim.trash([action], LATER).then(() => false, () => true);
      await victim.end();
    }
    const where = `${scenario.name}, ${call} ${k}`;
    await using next = await ApplyDriver.start(root, { isPlain: true });
    await next.sweep();
    assert(scenario.live.includes(tree(root)["d/f"]), `${where}: ${everything(root)}`);
    requireBoth(root, where);
    assertEquals(staged(root), []);
    // Whatever is left is an item that can be given back.
    const places = await next.trashPlaces();
    const [again] = await next.trash(places.slice(0, 1).map((kept) => ({ what: TRASH.restore, kept, to: "x/y" })));
    if (places.length > 0) assertEquals(again!.status, STATUS.done, where);
    requireBoth(root, where);
  });
  return killed;
}

for (const scenario of SCENARIOS) {
  Deno.test({ name: `apply survives kill -9 at every call: ${scenario.name}`, ignore }, async () => {
    let kills = 0;
    for (const call of CALLS) {
      let k = 1;
      while (k <= CALLS_MAX && await killAt(scenario, call, k)) k++;
      kills += k - 1;
    }
    console.log(scenario.name, "kills:", kills);
    assert(kills > 4);
  });
}

Deno.test({ name: "apply gives back and replaces where there is neither exchange nor noreplace", ignore }, async () => {
  for (const scenario of SCENARIOS) {
    await withTraced(async (root, driver) => {
      const action = await scenario.prepare(root, driver);
      await using _ = await Injection.attach(driver, ["renameat2:error=EINVAL"]);
      assertEquals((await driver.trash([action], LATER))[0]!.status, STATUS.done);
      requireBoth(root, scenario.name);
      assertEquals(staged(root), []);
    });
  }
});

Deno.test({ name: "apply loses nothing where one of the links of a replacement fails", ignore }, async () => {
  for (let k = 1; k <= 4; k++) {
    await withTraced(async (root, driver) => {
      const kept = await loserOf(root, driver);
      await using _ = await Injection.attach(driver, ["renameat2:error=EINVAL", `linkat:error=EIO:when=${k}`]);
      const [result] = await driver.trash([{ what: TRASH.replace, kept, to: "d/f" }], LATER);
      assertEquals(tree(root)["d/f"], result!.status === STATUS.done || k > 2 ? "loser" : "winner", `linkat ${k}`);
      await driver.sweep();
      requireBoth(root, `linkat ${k}`);
    });
  }
});

Deno.test({ name: "apply lists, moves and purges nothing over a mount", ignore: !isRoot }, async () => {
  await withReplica(async (root, driver) => {
    await Deno.mkdir(`${root}/d/sub`, { recursive: true });
    await Deno.writeTextFile(`${root}/d/sub/f`, "1");
    const { kept } = await driver.make(remove("d", await driver.look("d"), { force: true }));
    const sub = `${root}/.psync/trash/${kept}/sub`;
    const mount = await new Deno.Command("mount", { args: ["-t", "tmpfs", "tmpfs", sub] }).output();
    assert(mount.success);
    try {
      await Deno.writeTextFile(`${sub}/g`, "mounted");
      assertEquals((await driver.trashPlaces()).filter((place) => place.includes("/sub")), []);
      const purged = await driver.trash(
        [`${kept}/sub/g`, `${kept}/sub`].map((at) => ({ what: TRASH.purge, kept: at })),
      );
      assertEquals(purged.map(({ status }) => status), [STATUS.mount, STATUS.mount]);
      const moved = await driver.trash([{ what: TRASH.restore, kept, to: "back" }]);
      assertEquals(moved.map(({ status }) => status), [STATUS.mount]);
      assertEquals(await Deno.readTextFile(`${sub}/g`), "mounted");
    } finally {
      await new Deno.Command("umount", { args: ["-l", sub] }).output();
    }
    assertEquals(await driver.trashPlaces(), [`${kept}/sub/f`]);
  });
});

Deno.test("apply gives a directory back that is deeper than a list goes, and purges one", async () => {
  await withReplica(async (root, driver) => {
    const deep = Array.from({ length: 300 }, () => "x").join("/");
    for (const top of ["a", "b"]) {
      await Deno.mkdir(`${root}/${top}/${deep}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${top}/${deep}/f`, "deep");
      await driver.make(remove(top, await driver.look(top), { force: true }));
    }
    const places = await driver.trashPlaces();
    assertEquals(places.map((place) => place.split("/").length), [256, 256]);
    const purged = await driver.trash([{ what: TRASH.purge, kept: places[1]! }]);
    assertEquals([purged[0]!.status, await driver.trashPlaces()], [STATUS.done, [places[0]]]);
    const a = places[0]!.split("/").slice(0, 2).join("/");
    assertEquals((await driver.trash([{ what: TRASH.restore, kept: a, to: "back" }]))[0]!.status, STATUS.done);
    assertEquals(await Deno.readTextFile(`${root}/back/${deep}/f`), "deep");
  });
});

Deno.test("apply lists the same in pages of any size", async () => {
  await withReplica(async (root, driver) => {
    for (const name of ["d/a", "d/a.b", "d/a/c", "d/e", "d/z"]) {
      await Deno.mkdir(`${root}/${name}`, { recursive: true });
      for (const file of ["1", "f\n"]) await Deno.writeTextFile(`${root}/${name}/${file}`, "x");
    }
    await Deno.mkdir(`${root}/d/empty`);
    await driver.make(remove("d", await driver.look("d"), { force: true }));
    const whole = await driver.trashPlaces();
    assertEquals(whole.length, 11);
    for (const limit of [1, 2, 3, 7]) assertEquals(await driver.trashPlaces(limit), whole);
  });
});

Deno.test("apply refuses places and targets that are none, and goes on", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "1");
    const { kept } = await driver.make(remove("f", await driver.look("f")));
    const wrong = ["../f", "/etc/passwd", "a//b", "x/./y"].map((place): Action => ({ what: TRASH.purge, kept: place }));
    const targets = ["", "..", ".psync/f", "/f", "a/../f"].map((to): Action => ({ what: TRASH.restore, kept, to }));
    const results = await driver.trash([...wrong, ...targets]);
    assertEquals(results.map(({ status }) => status), results.map(() => STATUS.refused));
    assertEquals(await driver.trashPlaces(), [kept]);
  });
});
