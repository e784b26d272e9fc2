// The sums are those of the rows, whatever was done to the archive.
import { assert, assertEquals } from "@std/assert";
import { fc } from "../../tests/support/properties.ts";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { dir, file, link, row } from "../../tests/support/entries.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { ArchiveError } from "../base/errors.ts";
import type { Archive, ArchiveRow } from "../core/archive.ts";
import { parseRelPath, type RelPath, ROOT } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { Sum, SumHash } from "../core/sum.ts";
import { openArchive } from "./archive.ts";

type Command =
  | { readonly kind: "put"; readonly at: RelPath; readonly value: ArchiveRow }
  | { readonly kind: "move"; readonly at: RelPath; readonly to: RelPath }
  | { readonly kind: "remove" | "sumUp" | "dropBelow"; readonly at: RelPath }
  | { readonly kind: "dropSums" }
  /** Commands inside a transaction, or a part of one, that is made or taken back. */
  | { readonly kind: "part"; readonly commands: readonly Command[]; readonly isTakenBack: boolean };

const anyPath = fc.array(fc.constantFrom("a", "b", "c", "\udcff"), { minLength: 1, maxLength: 3 })
  .map((names) => parseRelPath(names.join("/")));

const { command: anyCommand } = fc.letrec<{ command: Command }>((tie) => ({
  command: fc.oneof(
    { depthSize: "small" },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("put" as const),
        at: anyPath,
        value: fc.constantFrom(dir(), dir(), file("a"), file("b"), link("x")).map((entry) => row(entry)),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("move" as const), at: anyPath, to: anyPath }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom("remove" as const, "sumUp" as const, "dropBelow" as const),
        at: anyPath,
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "dropSums" as const }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("part" as const),
        commands: fc.array(tie("command"), { maxLength: 40 }),
        isTakenBack: fc.boolean(),
      }),
    },
  ),
}));

const TAKEN_BACK = new Error("taken back");

function run(archive: Archive, command: Command): void {
  try {
    switch (command.kind) {
      case "put":
        return archive.put(command.at, command.value);
      case "move":
        return archive.move(command.at, command.to);
      case "remove":
        return archive.remove(command.at);
      case "sumUp":
        return archive.sumUp(command.at);
      case "dropBelow":
        return archive.dropSums(command.at);
      case "dropSums":
        return archive.dropSums();
      case "part":
        return archive.transact(() => {
          for (const each of command.commands) run(archive, each);
          if (command.isTakenBack) throw TAKEN_BACK;
        });
    }
  } catch (error) {
    if (error !== TAKEN_BACK) assert(error instanceof ArchiveError, String(error));
  }
}

/** What the rows of a directory add up to, computed anew. */
function sumOf(archive: Archive, at: RelPath, side: Side): string {
  const sum = new Sum();
  const hash = new SumHash(archive.sumKey);
  for (const child of archive.children(at)) {
    sum.add(hash.of({ name: child.name, kind: child.entry.kind, stamp: child[side] }));
  }
  return `${sum}`;
}

function dirsOf(archive: Archive): RelPath[] {
  return [ROOT, ...[...archive.below(ROOT)].filter((each) => each.row.entry.kind === "dir").map((each) => each.path)];
}

/** Every sum is that of the rows, and there are sums just where the model has some. */
function check(archive: Archive, model: Archive): void {
  for (const at of dirsOf(model)) {
    const state = archive.dirState(at);
    assertEquals(state?.row, model.dirState(at)?.row);
    assertEquals(archive.subdirs(at), model.subdirs(at));
    if (at !== ROOT) assertEquals(state?.hasDirs, archive.subdirs(at).length > 0);
    const isSummed = model.dirState(at)?.sums !== null;
    const entries = archive.children(at).length;
    const sums = { entries, left: sumOf(archive, at, "left"), right: sumOf(archive, at, "right") };
    assertEquals(state?.sums, isSummed ? sums : null, `sums of "${at}"`);
  }
}

Deno.test("the sums of an archive are those of its rows after any commands, taken back or not", () => {
  const top = Deno.makeTempDirSync({ prefix: "psync-test-" });
  let runs = 0;
  try {
    fc.assert(
      fc.property(fc.array(fc.array(anyCommand, { maxLength: 40 }), { maxLength: 6 }), (transactions) => {
        const path = join(top, `${runs++}.db`);
        const model = new MemoryArchive();
        {
          using archive = openArchive(path);
          for (const commands of transactions) {
            for (const each of [archive, model]) run(each, { kind: "part", commands, isTakenBack: false });
            check(archive, model);
          }
        }
        using again = openArchive(path);
        check(again, model);
      }),
      { numRuns: 200 },
    );
  } finally {
    Deno.removeSync(top, { recursive: true });
  }
});

/** Runs a test on a path in a directory of its own. */
function withPath(test: (path: string) => void): void {
  const top = Deno.makeTempDirSync({ prefix: "psync-test-" });
  try {
    test(join(top, "archive.db"));
  } finally {
    Deno.removeSync(top, { recursive: true });
  }
}

const D = parseRelPath("d");

Deno.test("a directory that is gone leaves no sum to one that comes after it", () => {
  withPath((path) => {
    for (let round = 0; round < 2; round++) {
      using archive = openArchive(path);
      archive.transact(() => {
        archive.put(D, row(dir()));
        archive.put(parseRelPath("d/e"), row(dir()));
        archive.put(parseRelPath("d/e/f"), row(file("a")));
      });
      archive.transact(() => archive.remove(D));
    }
    const db = new DatabaseSync(path);
    assertEquals(Object.values(db.prepare("SELECT group_concat(id) FROM sum").get() ?? {}), ["0"]);
    db.close();
  });
});

Deno.test("an archive of an older psync has no sums until its directories are summed up", () => {
  withPath((path) => {
    {
      using archive = openArchive(path);
      archive.transact(() => {
        archive.put(D, row(dir()));
        archive.put(parseRelPath("d/f"), row(file("a")));
      });
    }
    const db = new DatabaseSync(path);
    db.exec("DROP TABLE sum; DROP INDEX node_dir; DELETE FROM meta WHERE key = 'sum.key'; PRAGMA user_version = 2");
    db.close();
    using archive = openArchive(path);
    assertEquals([archive.dirState(ROOT)?.sums, archive.dirState(D)?.sums], [null, null]);
    archive.transact(() => archive.put(parseRelPath("d/g"), row(file("b"))));
    assertEquals(archive.dirState(D)?.sums, null);
    archive.transact(() => archive.sumUp(D));
    assertEquals(archive.dirState(D)?.sums?.left, sumOf(archive, D, "left"));
  });
});

Deno.test("rows that are written together are summed once each, whatever they take the place of", () => {
  withPath((path) => {
    using archive = openArchive(path);
    const names = ["a", "b", "a", "c", "d", "a", "e", "f"].map(parseRelPath);
    archive.transact(() => {
      archive.put(D, row(dir()));
      archive.put(parseRelPath("d/e"), row(dir()));
      archive.put(parseRelPath("d/f"), row(file("a")));
    });
    for (let round = 0; round < 2; round++) {
      archive.transact(() => names.forEach((name) => archive.put(name, row(file("b")))));
      assertEquals(archive.dirState(ROOT)?.sums, {
        entries: 6,
        left: sumOf(archive, ROOT, "left"),
        right: sumOf(archive, ROOT, "right"),
      });
    }
  });
});
