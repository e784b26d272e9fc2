// What befalls the file: a second psync, a kill, a broken disk, another program's database.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { file, row } from "../../tests/support/entries.ts";
import { ArchiveError, SafetyHaltError, SetupError } from "../base/errors.ts";
import { parseRelPath } from "../core/path.ts";
import { openArchive, quarantineArchive, type SqliteArchive } from "./archive.ts";
import { useError } from "./database.ts";
import { APPLICATION_ID, MIGRATIONS } from "./schema.ts";

const A = parseRelPath("a");

function inTempDir(name: string, test: (top: string) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const top = await Deno.makeTempDir({ prefix: "psync-test-" });
    try {
      await test(top);
    } finally {
      await Deno.remove(top, { recursive: true });
    }
  });
}

function putOne(archive: SqliteArchive): void {
  archive.transact(() => archive.put(A, row(file("a"))));
}

function withDatabase(path: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path);
  try {
    work(db);
  } finally {
    db.close();
  }
}

inTempDir("openArchive() makes private files and closes without a trace", (top) => {
  const path = join(top, "state", "x", "archive.db");
  const modeOf = (at: string) => (Deno.statSync(at).mode ?? 0) & 0o777;
  {
    using archive = openArchive(path);
    putOne(archive);
    assertEquals([modeOf(path), modeOf(`${path}-wal`), modeOf(join(top, "state", "x"))], [0o600, 0o600, 0o700]);
    archive.close();
  }
  assertEquals([...Deno.readDirSync(join(top, "state", "x"))].map((entry) => entry.name), ["archive.db"]);
  Deno.chmodSync(path, 0o644);
  using again = openArchive(path);
  assertEquals([modeOf(path), again.get(A)?.entry], [0o600, file("a")]);
});

inTempDir("openArchive() marks its file", (top) => {
  const path = join(top, "archive.db");
  openArchive(path).close();
  withDatabase(path, (db) => {
    assertEquals(db.prepare("PRAGMA application_id").get(), { application_id: APPLICATION_ID } as never);
    assertEquals(db.prepare("PRAGMA user_version").get(), { user_version: MIGRATIONS.length } as never);
    assertEquals(db.prepare("PRAGMA journal_mode").get(), { journal_mode: "wal" } as never);
  });
});

inTempDir("openArchive() refuses a second opener in the same process", (top) => {
  const path = join(top, "archive.db");
  using archive = openArchive(path);
  assertThrows(() => openArchive(path), SetupError, `Cannot open archive ${JSON.stringify(path)}: another psync`);
  putOne(archive);
  assertThrows(() => openArchive(path), SetupError, "another psync");
});

inTempDir(
  "openArchive() refuses a second process, also after a failed try, and gives the file free when it is closed",
  async (top) => {
    const path = join(top, "archive.db");
    const open = async () => {
      const code = `import { openArchive } from ${JSON.stringify(import.meta.resolve("./archive.ts"))};
      try { openArchive(${JSON.stringify(path)}).close(); console.log("opened"); }
      catch (error) { console.log(error.name + " " + error.message); }`;
      const out = await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-lock", code] }).output();
      return new TextDecoder().decode(out.stdout).trim();
    };
    const archive = openArchive(path);
    const refused = `SetupError Cannot open archive ${JSON.stringify(path)}: another psync is using it`;
    assertEquals(await open(), refused);
    assertThrows(() => openArchive(path), SetupError);
    assertEquals(await open(), refused);
    archive.close();
    assertEquals(await open(), "opened");
  },
);

inTempDir("an archive that was not closed keeps what was recorded and nothing of what was not", async (top) => {
  const path = join(top, "archive.db");
  const code = `import { openArchive } from ${JSON.stringify(import.meta.resolve("./archive.ts"))};
    import { row, file } from ${JSON.stringify(import.meta.resolve("../../tests/support/entries.ts"))};
    const archive = openArchive(${JSON.stringify(path)});
    archive.transact(() => archive.put("a", row(file("a"))));
    archive.transact(() => { archive.put("b", row(file("b"))); Deno.kill(Deno.pid, "SIGKILL"); for (;;); });`;
  const out = await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-lock", code] }).output();
  assertEquals(out.signal, "SIGKILL");
  assert(Deno.statSync(`${path}-wal`).size > 0);
  using archive = openArchive(path);
  assertEquals([...archive.below(parseRelPath(""))].map((found) => found.path), ["a"]);
});

inTempDir("openArchive() takes a file of length 0 for a new one", (top) => {
  const path = join(top, "archive.db");
  Deno.writeTextFileSync(path, "");
  using archive = openArchive(path);
  assertEquals(archive.count(), 0);
});

inTempDir("openArchive() tells a broken file, and quarantineArchive() makes room", (top) => {
  const path = join(top, "archive.db");
  for (const n of [1, 2]) {
    Deno.writeTextFileSync(path, "no database ".repeat(100));
    assertThrows(() => openArchive(path), ArchiveError, `Cannot open archive ${JSON.stringify(path)}`);
    assertEquals(quarantineArchive(path), `${path}.broken-${n}`);
  }
  using archive = openArchive(path);
  putOne(archive);
  assertEquals(
    [...Deno.readDirSync(top)].map((entry) => entry.name).filter((name) => name.includes("broken")).sort(),
    ["archive.db.broken-1", "archive.db.broken-2"],
  );
});

inTempDir("quarantineArchive() takes the log along", (top) => {
  const path = join(top, "archive.db");
  Deno.writeTextFileSync(path, "x");
  Deno.writeTextFileSync(`${path}-wal`, "y");
  const aside = quarantineArchive(path);
  assertEquals([...Deno.readDirSync(top)].map((entry) => join(top, entry.name)).sort(), [aside, `${aside}-wal`]);
});

inTempDir("openArchive() checks a file whose last user was killed", (top) => {
  const path = join(top, "archive.db");
  {
    using archive = openArchive(path);
    archive.transact(() => {
      for (let i = 0; i < 3000; i++) archive.put(parseRelPath(`file-${i}`), row(file("a")));
    });
  }
  // A page in the middle is overwritten; the header stays good.
  {
    using damaged = Deno.openSync(path, { write: true });
    damaged.seekSync(40 * 4096, Deno.SeekMode.Start);
    damaged.writeSync(new Uint8Array(4096 * 20).fill(0x5a));
  }
  Deno.writeTextFileSync(`${path}-wal`, "");
  assertThrows(() => openArchive(path), ArchiveError);
  // After a clean end it is not looked for, and found where it is read.
  using archive = openArchive(path);
  assertThrows(() => [...archive.below(parseRelPath(""))], ArchiveError, "malformed");
});

inTempDir("openArchive() leaves another program's database alone", (top) => {
  const path = join(top, "archive.db");
  withDatabase(path, (db) => db.exec("CREATE TABLE other (a INTEGER) STRICT"));
  const before = Deno.readFileSync(path);
  assertThrows(() => openArchive(path), ArchiveError, "found a database of another program");
  assertEquals(Deno.readFileSync(path), before);
  withDatabase(path, (db) => db.exec("PRAGMA application_id = 7; PRAGMA user_version = 1"));
  assertThrows(() => openArchive(path), ArchiveError, "another program");
});

inTempDir("openArchive() refuses the file of a newer psync", (top) => {
  const path = join(top, "archive.db");
  openArchive(path).close();
  withDatabase(path, (db) => db.exec("PRAGMA user_version = 99"));
  assertThrows(() => openArchive(path), ArchiveError, "as its schema must be 3 or lower: found 99");
});

inTempDir("openArchive() says what the file system refuses", (top) => {
  Deno.writeTextFileSync(join(top, "file"), "");
  assertThrows(() => openArchive(join(top, "file", "archive.db")), SetupError, "Cannot open archive");
  Deno.mkdirSync(join(top, "archive.db"));
  assertThrows(() => openArchive(join(top, "archive.db")), SetupError, "Cannot open archive");
});

inTempDir("an archive that runs full halts the pair and keeps what was recorded", (top) => {
  const path = join(top, "archive.db");
  openArchive(path).close();
  const db = new DatabaseSync(path);
  db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA max_page_count = 40");
  let thrown: unknown;
  try {
    db.exec("BEGIN; CREATE TABLE filler (a BLOB) STRICT; INSERT INTO filler VALUES (randomblob(1000000)); COMMIT");
  } catch (error) {
    thrown = error;
  }
  db.close();
  const error = useError(path, thrown);
  assert(error instanceof SafetyHaltError, String(error));
  assert(error.message.includes("full"), error.message);
});

Deno.test("useError() passes on what is not SQLite's", () => {
  const error = new RangeError("mine");
  assertEquals(useError("x", error), error);
  assertEquals(useError("x", new ArchiveError("known")).message, "known");
});
