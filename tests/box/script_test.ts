/**
 * What went wrong once, or nearly: short scripts for two users, each under many seeds.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { lookAgain } from "../../src/brain/task.ts";
import type { RelPath } from "../../src/core/path.ts";
import { Script } from "./script.ts";

/** Both sides hold `d` with `x` and `y`. */
async function withTree(run: Script): Promise<void> {
  run.mkdir("left", "d");
  run.write("left", "d/x", "x-1");
  run.write("left", "d/y", "y-22");
  run.world.start();
  await run.rest();
}

Deno.test("a rename into a directory that both sides have just made does not end psync", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("right", "events");
    run.mkdir("right", "n");
    run.mkdir("left", "n");
    run.rename("left", "d", "n/d");
    await run.go();
    await run.rest();
    assertEquals(run.world.failure, null);
  });
});

Deno.test("a directory that gives way to a file while something is put into it is no conflict", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.remove("left", "d/x");
    run.remove("left", "d/y");
    await run.rest();
    run.hold("right", "commit", "after");
    run.write("left", "d/new", "new-333");
    await run.go();
    run.remove("left", "d");
    run.write("left", "d", "file-4444");
    await run.go();
    await run.rest();
    assertEquals(run.world.keptConflicts(), []);
    assertEquals(run.world.trees.right.show(), "d file 644 file-4444");
  });
});

Deno.test("a file that became the same directory on both sides does not end psync", async () => {
  await Script.everywhere(async (run) => {
    run.write("left", "n", "file");
    run.world.start();
    await run.rest();
    for (const side of ["left", "right"] as const) {
      run.remove(side, "n");
      run.mkdir(side, "n");
      run.write(side, "n/x", `x-${side}`);
    }
    await run.rest();
    assertEquals(run.world.failure, null);
  });
});

Deno.test("a directory that is removed while something is renamed out of it does not end psync", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("right", "commit", "after");
    run.rename("left", "d/x", "e");
    await run.go();
    run.remove("left", "d");
    run.remove("right", "d");
    await run.go();
    await run.rest();
    assertEquals(run.world.failure, null);
  });
});

Deno.test("an edit that waits is not forgotten when the other side renames its directory", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("left", "commit");
    run.write("right", "d/x", "x-333");
    await run.go();
    run.write("right", "d/x", "x-4444");
    await run.go();
    run.rename("left", "d", "e");
    await run.go();
    await run.rest();
    assertEquals(run.world.trees.left.find("e/x" as RelPath)?.text, "x-4444");
  });
});

Deno.test("an edit that waits for its directory is not forgotten when the other side renames that", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("left", "commit", "after");
    run.chmod("right", "d", 0o700);
    await run.go();
    run.write("right", "d/x", "x-4444");
    await run.go();
    run.rename("left", "d", "e");
    await run.go();
    await run.rest();
  });
});

Deno.test("with -k what one side removed before the start is left alone until the other side changes it", async () => {
  await Script.everywhere(async (run) => {
    run.world.start();
    await run.rest();
    run.write("left", "p", "p-1");
    await run.rest();
    await run.world.kill();
    run.remove("left", "p");
    run.world.start();
    await run.rest();
    assertEquals(run.world.trees.right.find("p" as RelPath)?.text, "p-1");
    assertEquals(run.world.status.problems.get("p" as RelPath)?.reason, "skipped");
    run.write("right", "p", "p-22");
    await run.rest();
    assertEquals(run.world.trees.left.find("p" as RelPath)?.text, "p-22");
  }, { settings: { skipInitialSync: true } });
});

Deno.test("the loser of a conflict is listed though the winner is written to meanwhile", async () => {
  await Script.everywhere(async (run) => {
    run.write("left", "p", "p-1");
    run.world.start();
    await run.rest();
    run.hold("left", "events");
    run.hold("right", "events");
    run.write("right", "p", "p-22");
    run.chmod("right", "p", 0o600);
    await run.go();
    run.let("right", "events");
    run.hold("left", "commit");
    run.hold("right", "commit");
    await run.go();
    run.write("left", "p", "p-333");
    await run.go();
    run.letAll();
    run.hold("left", "commit");
    await run.go();
    run.write("left", "p", "p-4444");
    await run.rest();
    const kept = new Set(run.world.archive.conflicts().map(({ kept }) => kept));
    assert(run.world.trees.left.find("p" as RelPath)?.text !== undefined);
    for (const name of run.world.keptConflicts()) assert(kept.has(name), `not listed: ${name}`);
  });
});

Deno.test("what was made beside a FIFO is not forgotten when the FIFO goes", async () => {
  await Script.everywhere(async (run) => {
    run.write("left", "p", "fifo");
    run.special("left", "p");
    run.world.start();
    await run.rest();
    run.write("right", "p", "p-22");
    await run.rest();
    assert(run.world.status.problems.has("p" as RelPath));
    run.special("left", "p", "no");
    run.remove("left", "p");
    await run.rest();
    assertEquals(run.world.trees.left.find("p" as RelPath)?.text, "p-22");
  });
});

Deno.test("with -k what was left alone is not forgotten when one side removes its version", async () => {
  await Script.everywhere(async (run) => {
    run.write("left", "p", "p-1");
    run.write("right", "p", "p-22");
    run.world.start();
    await run.rest();
    run.remove("left", "p");
    await run.rest();
    assertEquals(run.world.trees.left.find("p" as RelPath)?.text, "p-22");
  }, { settings: { skipInitialSync: true } });
});

Deno.test("a rename into a directory that was just made is made as a rename", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.mkdir("left", "n");
    run.rename("left", "d", "n/d");
    await run.rest();
    assert(run.world.log.some((line) => /right: move d -> n\/d .*=> done/.test(line)));
    assert(!run.world.log.some((line) => /right: put n\/d/.test(line)));
  });
});

Deno.test("a removal that psync may not make is listed and made later, not undone", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.deny("right", "d/x");
    run.remove("left", "d");
    await run.go();
    await run.wait(3_000);
    assertEquals(run.world.trees.left.find("d" as RelPath), null);
    assertEquals(run.world.status.problems.get("d" as RelPath)?.reason, "denied");
    run.deny("right", "d/x", "no");
    await run.rest();
    assertEquals(run.world.trees.right.find("d" as RelPath), null);
    assertEquals(run.world.status.problems.size, 0);
  });
});

Deno.test("what is made under the old name while a rename is carried out is not taken for what moved", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("left", "commit", "after");
    run.rename("right", "d", "e");
    await run.go();
    run.mkdir("right", "d");
    run.write("right", "d/z", "z-1");
    await run.go();
    await run.rest();
    assertEquals(run.world.trees.left.find("d/z" as RelPath)?.text, "z-1");
  });
});

Deno.test("a rename on one side is made as one though the other side edited the file, when both are told at once", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("left", "events");
    run.hold("right", "events");
    run.rename("left", "d/x", "e");
    run.write("right", "d/x", "x-4444");
    await run.go();
    run.letAll();
    await run.rest();
    assertEquals(run.world.trees.left.find("e" as RelPath)?.text, "x-4444");
    assert(run.world.log.some((line) => /right: move d.x -> e .*=> done/.test(line)));
    assert(!run.world.log.some((line) => /move .*=> stale/.test(line)));
  });
});

Deno.test("a directory is not made again for what its own user has removed with it", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.mkdir("left", "d/s");
    await run.rest();
    run.hold("left", "commit");
    run.hold("left", "events");
    run.write("right", "d/s/z", "z-1");
    await run.go();
    run.moveOut("left", "d/s");
    run.hold("left", "look");
    run.hold("right", "look");
    run.let("left", "commit");
    await run.go();
    run.remove("right", "d");
    await run.go();
    await run.rest();
    assertEquals(run.world.trees.right.find("d" as RelPath), null);
    const puts = run.world.log.filter((line) => line.includes("right: put d dir"));
    assertEquals(puts.length, 1);
  });
});

Deno.test("what is looked for after a rename that nobody has told yet is found under its new name", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("left", "events");
    run.write("left", "d/x", "x-4444");
    run.rename("left", "d", "e");
    await run.go();
    lookAgain(run.world.pair.context, "d/x" as RelPath, ["left"]);
    await run.go();
    await run.rest();
    assertEquals(run.world.trees.right.find("e/x" as RelPath)?.text, "x-4444");
  });
});

Deno.test("a removal in a renamed directory is not forgotten while the rename waits", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("right", "commit", "after");
    run.write("left", "d/y", "y-333");
    await run.go();
    run.rename("left", "d", "e");
    run.remove("left", "e/x");
    await run.go();
    await run.rest();
    assertEquals(run.world.trees.right.find("e/x" as RelPath), null);
  });
});

Deno.test("a removed directory that only a FIFO held goes when the FIFO has gone", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.special("right", "d/f");
    run.write("right", "d/f", "fifo");
    await run.go();
    run.remove("left", "d");
    await run.go();
    await run.wait(3_000);
    assertEquals(run.world.status.problems.get("d" as RelPath)?.reason, "not-empty");
    assertEquals([...run.world.trees.right.find("d" as RelPath)!.children.keys()], ["f"]);
    run.special("right", "d/f", "no");
    run.remove("right", "d/f");
    await run.rest();
    assertEquals(run.world.trees.right.find("d" as RelPath), null);
    assertEquals(run.world.status.problems.size, 0);
  });
});

Deno.test("a directory that took another one's place while psync changed that is gone through", async () => {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("left", "commit");
    run.chmod("right", "d", 0o700);
    await run.go();
    run.hold("left", "events");
    run.moveOut("left", "d");
    run.mkdir("left", "d");
    await run.go();
    run.let("left", "commit");
    await run.go();
    await run.rest();
    assertEquals(run.world.trees.right.find("d" as RelPath)?.children.size, 0);
  });
});

Deno.test("what was removed while psync was down goes though a large file is transferred for ever", async () => {
  const run = new Script({ seed: 1, runRsync: () => new Promise(() => {}) });
  try {
    await withTree(run);
    await run.world.kill();
    run.write("left", "big", "x".repeat((1 << 20) + 1));
    run.remove("right", "d/y");
    run.world.start();
    for (let i = 0; i < 5; i++) await run.wait(100);
    assertEquals(run.world.pair.context.flights.isSlow("big" as RelPath), true);
    assertEquals(run.world.trees.left.find("d/y" as RelPath), null);
  } finally {
    await run.world.kill();
  }
});

Deno.test("what a walk finds missing goes though a large file, which changed again, is transferred for ever", async () => {
  const run = new Script({ seed: 1, runRsync: () => new Promise(() => {}) });
  try {
    await withTree(run);
    run.write("left", "big", "x".repeat((1 << 20) + 1));
    await run.go();
    run.write("left", "big", "y".repeat((1 << 20) + 2));
    await run.go();
    assertEquals(run.world.pair.context.board.waitsFor("big" as RelPath), "big");
    run.hold("right", "events");
    run.remove("right", "d/y");
    run.world.pair.context.rescan("" as RelPath);
    for (let i = 0; i < 5; i++) await run.wait(100);
    assertEquals(run.world.trees.left.find("d/y" as RelPath), null);
  } finally {
    run.letAll();
    await run.world.kill();
  }
});

Deno.test("a directory that cannot be listed is listed as a problem, and gone through once it can be", async () => {
  for (const isNew of [false, true]) {
    await Script.everywhere(async (run) => {
      await withTree(run);
      await run.world.kill();
      if (isNew) run.mkdir("left", "n");
      const dir = isNew ? "n" : "d";
      run.write("left", `${dir}/new`, "made while psync was down");
      run.remove("left", "d/y");
      run.unreadable("left", dir);
      run.world.start();
      for (let i = 0; i < 40; i++) await run.wait(500);
      const { problems } = run.world.status;
      assertEquals(problems.get(dir as RelPath)?.reason, "unreadable");
      assertEquals(run.world.trees.right.find(`${dir}/new` as RelPath), null);
      if (!isNew) assertEquals(run.world.trees.right.find("d/y" as RelPath)?.kind, "file");
      run.unreadable("left", dir, "no");
      for (let i = 0; i < 140; i++) await run.wait(500);
      await run.rest();
      assertEquals([problems.size, run.world.trees.right.find(`${dir}/new` as RelPath)?.kind], [0, "file"]);
      assertEquals(run.world.trees.right.find("d/y" as RelPath), null);
    });
  }
});

/** psync is killed when a commit on the right was made and its answer is on its way. */
async function killedBeforeRecord(
  script: { readonly change: (run: Script) => void; readonly meanwhile: (run: Script) => void },
  check: (run: Script) => void,
): Promise<void> {
  await Script.everywhere(async (run) => {
    await withTree(run);
    run.hold("right", "commit", "after");
    script.change(run);
    for (let i = 0; i < 5; i++) await run.go();
    await run.world.kill();
    run.dropAll();
    script.meanwhile(run);
    run.world.start();
    await run.rest();
    check(run);
  });
}

Deno.test("what its user removes between the commit and its record stays removed", async () => {
  for (
    const [path, change] of [
      ["new", (run: Script) => run.write("left", "new", "made")],
      ["d/x", (run: Script) => run.write("left", "d/x", "edited by the left")],
      ["d/y", (run: Script) => run.chmod("left", "d/y", 0o600)],
      ["dir", (run: Script) => run.mkdir("left", "dir")],
    ] as const
  ) {
    await killedBeforeRecord({ change, meanwhile: (run) => run.remove("left", path) }, (run) => {
      const { left, right } = run.world.trees;
      assertEquals([left.find(path as RelPath), right.find(path as RelPath)], [null, null], path);
      assertEquals(run.world.keptConflicts(), []);
    });
  }
});

Deno.test("what the other user edits between the commit and its record wins over a removal", async () => {
  const change = (run: Script) => run.write("left", "d/x", "edited by the left");
  const meanwhile = (run: Script) => {
    run.remove("left", "d/x");
    run.write("right", "d/x", "edited by the right");
  };
  await killedBeforeRecord({ change, meanwhile }, (run) => {
    for (const side of ["left", "right"] as const) {
      assertEquals(run.world.trees[side].find("d/x" as RelPath)?.text, "edited by the right");
    }
  });
});

/** A hold: 120 files of `d` are gone on the left at a start. */
async function withHold(run: Script): Promise<void> {
  run.mkdir("left", "d");
  for (let i = 0; i < 120; i++) run.write("left", `d/f${i}`, `text-${i}`);
  run.world.start();
  await run.rest();
  await run.world.kill();
  run.remove("left", "d");
  run.world.start();
  await run.rest();
  assertEquals(run.world.archive.holds().length, 1);
}

/** The removal is held, so the sides differ, and nothing but `different` is wrong. */
async function held(script: (run: Script) => Promise<void>): Promise<void> {
  const run = new Script({ seed: 1 });
  try {
    await withHold(run);
    await script(run);
    const there = run.world.trees.right.find("d" as RelPath)?.children.size;
    assertEquals(there, 120, run.world.log.slice(-20).join("\n"));
  } finally {
    run.letAll();
    await run.world.kill();
  }
}

Deno.test("a held removal stays held when its directory's metadata change", async () => {
  await held(async (run) => {
    run.chmod("right", "d", 0o700);
    await run.rest();
  });
});

Deno.test("a held removal stays held, and an edit in it comes through", async () => {
  await held(async (run) => {
    run.write("right", "d/f7", "edited");
    await run.rest();
    assertEquals(run.world.trees.left.find("d/f7" as RelPath)?.text, "edited");
    assertEquals(run.world.trees.left.find("d" as RelPath)?.children.size, 1);
  });
});
