import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "node:path";
import { SetupError } from "../base/errors.ts";
import { archivePath, createPair, findPair, listPairs, type PairRoots, readPair } from "./pair_store.ts";

const LOCAL: PairRoots = { leftRoot: "/srv/a", rightHost: null, rightRoot: "/srv/b" };
const REMOTE: PairRoots = { leftRoot: "/srv/a", rightHost: "u@h", rightRoot: "b" };

function inTempDir(test: (dir: string) => void): () => void {
  return () => {
    const top = Deno.makeTempDirSync({ prefix: "psync-test-" });
    try {
      test(join(top, "state"));
    } finally {
      Deno.removeSync(top, { recursive: true });
    }
  };
}

Deno.test(
  "createPair() makes a pair that findPair(), readPair() and listPairs() know",
  inTempDir((dir) => {
    const made = createPair(dir, LOCAL);
    assertMatch(made.id, /^[0-9a-f]{32}$/);
    assertEquals(findPair(dir, LOCAL), made);
    assertEquals(readPair(dir, made.id), made);
    assertEquals(listPairs(dir), { pairs: [made], damaged: [] });
    assertEquals(archivePath(dir, made.id), `${dir}/${made.id}/archive.db`);
  }),
);

Deno.test(
  "createPair() keeps its files to itself and leaves nothing aside",
  inTempDir((dir) => {
    const { id } = createPair(dir, LOCAL);
    const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
    assertEquals([modeOf(dir), modeOf(join(dir, id)), modeOf(join(dir, id, "pair.json"))], [0o700, 0o700, 0o600]);
    assertEquals([...Deno.readDirSync(join(dir, id))].map((entry) => entry.name), ["pair.json"]);
  }),
);

Deno.test(
  "createPair() gives the pair that is there for the same roots",
  inTempDir((dir) => {
    const first = createPair(dir, LOCAL);
    assertEquals(createPair(dir, { ...LOCAL }), first);
    assert(createPair(dir, REMOTE).id !== first.id);
    assertEquals(listPairs(dir).pairs.length, 2);
  }),
);

Deno.test(
  "createPair() adopts an id, and refuses what is none",
  inTempDir((dir) => {
    const id = "0123456789abcdef0123456789abcdef";
    assertEquals(createPair(dir, LOCAL, { id }).id, id);
    assertThrows(() => createPair(dir, REMOTE, { id: "../../etc" }), SetupError, "32 hex digits");
    assertThrows(() => createPair(dir, REMOTE, { id }), SetupError, `they were synced as "/srv/a" with "/srv/b"`);
    assertEquals(listPairs(dir).pairs, [{ id, ...LOCAL }]);
  }),
);

Deno.test(
  "findPair() keeps bytes that are no text, and tells hosts and roots apart",
  inTempDir((dir) => {
    const odd: PairRoots = { leftRoot: "/srv/\udcff\n\u2028", rightHost: null, rightRoot: "/srv/\udc80" };
    const made = createPair(dir, odd);
    assertEquals(findPair(dir, odd), made);
    assertEquals(findPair(dir, { ...odd, leftRoot: "/srv/\udcfe\n\u2028" }), null);
    assertEquals(findPair(dir, { ...odd, rightHost: "h" }), null);
    assertEquals(findPair(dir, { ...odd, rightRoot: "/srv/\ufffd" }), null);
  }),
);

Deno.test("listPairs() finds nothing where there is no directory", () => {
  assertEquals(listPairs("/nonexistent/psync"), { pairs: [], damaged: [] });
});

Deno.test(
  "listPairs() passes by what is half made, damaged or foreign",
  inTempDir((dir) => {
    const good = createPair(dir, LOCAL);
    const write = (id: string, text: string) => {
      Deno.mkdirSync(join(dir, id));
      Deno.writeTextFileSync(join(dir, id, "pair.json"), text);
    };
    Deno.mkdirSync(join(dir, "1".repeat(32)));
    write("2".repeat(32), `{"format":1`);
    write("3".repeat(32), JSON.stringify({ format: 1, ...good }));
    write("4".repeat(32), JSON.stringify({ format: 2, ...good, id: "4".repeat(32) }));
    write("other", "{}");
    const found = listPairs(dir);
    assertEquals(found.pairs, [good]);
    assertEquals(found.damaged, ["2", "3", "4"].map((digit) => join(dir, digit.repeat(32), "pair.json")));
  }),
);

Deno.test("createPair() says where it could not write", () => {
  assertThrows(() => createPair("/dev/null/psync", LOCAL), SetupError, `Cannot use state directory "/dev/null/psync"`);
});

Deno.test({
  name: "createPair() gives two processes that start at once the same pair",
  fn: async () => {
    const dir = await Deno.makeTempDir({ prefix: "psync-test-" });
    try {
      const code = `import { createPair } from ${JSON.stringify(import.meta.resolve("./pair_store.ts"))};
        console.log(createPair(${JSON.stringify(dir)}, ${JSON.stringify(LOCAL)}).id);`;
      const run = () => new Deno.Command(Deno.execPath(), { args: ["eval", "--no-lock", code] }).output();
      const ids = (await Promise.all([run(), run(), run()])).map((out) => new TextDecoder().decode(out.stdout).trim());
      assertMatch(ids[0]!, /^[0-9a-f]{32}$/);
      assertEquals(new Set(ids).size, 1);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
