/** Tests of how the contents of a directory that is removed are committed. @module */
import { assert, assertEquals } from "@std/assert";
import { at, pairParts } from "../../tests/support/brain.ts";
import { dir, file, row } from "../../tests/support/entries.ts";
import { settle } from "../../tests/support/pipes.ts";
import { EndpointLostError } from "../base/errors.ts";
import type { RelPath } from "../core/path.ts";
import type { CommitBatch, TransitionResult } from "../core/transition.ts";
import { removeTree } from "./removal.ts";

/** A commit that a test answers. */
interface Asked {
  readonly paths: readonly RelPath[];
  readonly answer: (kindOf?: (path: RelPath) => "done" | "stale" | "not-empty") => void;
  readonly fail: () => void;
}

/** A tree of so many directories with so many files each, one in another, and its removal on the right. */
function removal(options: { readonly dirs: number; readonly files: number }) {
  const parts = pairParts();
  const { context, archive, right } = parts;
  archive.transact(() => {
    let above = at("top");
    archive.put(above, row(dir()));
    for (let d = 0; d < options.dirs; d++) {
      const path = at(`${d % 5 === 4 ? above : "top"}/d${d}`);
      archive.put(path, row(dir()));
      for (let f = 0; f < options.files; f++) archive.put(at(`${path}/f${f}`), row(file("a")));
      above = path;
    }
  });
  const known = [...archive.below(at("top"))].map(({ path }) => path);
  const asked: Asked[] = [];
  let ended = 0;
  right.commit = ({ transitions }: CommitBatch) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly TransitionResult[]>();
    const paths = transitions.map((each) => each.kind === "move" ? each.to : each.path);
    asked.push({
      paths,
      answer: (kindOf = () => "done") =>
        resolve(paths.map((path) => {
          const kind = kindOf(path);
          ended++;
          return kind === "done"
            ? { kind, ended, stamp: null, kept: null, masked: false }
            : { kind, ended, kept: null };
        })),
      fail: () => reject(new EndpointLostError("lost")),
    });
    return promise;
  };
  const state = { hasEnded: false };
  const end = () => void (state.hasEnded = true);
  const failed: unknown[] = [];
  const own = { ...context, fail: (error: unknown) => void failed.push(error) };
  void removeTree(own, { path: at("top"), side: "right", cause: { how: "event", side: "left" }, end });
  return { ...parts, known, asked, state, failed };
}

/** Answers commits, the newest first, until none is asked for; returns all paths in the order of their answers. */
async function answerAll(asked: readonly Asked[], check: (answered: ReadonlySet<RelPath>, asked: Asked) => void) {
  const answered = new Set<RelPath>();
  const open = new Set<Asked>();
  let [seen, most] = [0, 0];
  for (;;) {
    await settle();
    for (; seen < asked.length; seen++) {
      check(answered, asked[seen]!);
      open.add(asked[seen]!);
    }
    most = Math.max(most, open.size);
    const next = [...open].at(-1);
    if (next === undefined) return { answered, most };
    open.delete(next);
    next.answer();
    for (const path of next.paths) answered.add(path);
  }
}

Deno.test("the contents of a removed directory go in commits that overlap, no directory before what is in it", async () => {
  const { known, asked, archive, state } = removal({ dirs: 23, files: 97 });
  const { answered, most } = await answerAll(asked, (before, { paths }) => {
    const earlier = new Set(before);
    for (const path of paths) {
      const inside = known.filter((other) => other.startsWith(`${path}/`));
      assert(inside.every((other) => earlier.has(other)), `${path} goes before what is in it`);
      earlier.add(path);
    }
  });
  assert(most > 1, "one commit after the other");
  assertEquals(answered, new Set([...known, at("top")]));
  assertEquals([archive.count(), state.hasEnded], [0, true]);
});

Deno.test("what is refused of a removed directory stays in the archive, and the rest is recorded", async () => {
  const { known, asked, archive } = removal({ dirs: 12, files: 97 });
  const stays = (path: RelPath) => path === at("top/d3/f40") || path === at("top/d3");
  await settle();
  for (let next = 0; next < asked.length && asked[next]!.paths[0] !== at("top"); next++) {
    asked[next]!.answer((path) => path === at("top/d3") ? "not-empty" : stays(path) ? "stale" : "done");
    await settle();
  }
  assertEquals([...archive.below(at("top"))].map(({ path }) => path), known.filter(stays));
});

Deno.test("a removal of which a commit fails ends when the others are answered and recorded", async () => {
  const { known, asked, archive, state, failed } = removal({ dirs: 12, files: 97 });
  await settle();
  const [first, ...others] = asked.splice(0);
  assert(others.length > 0, "one commit after the other");
  first!.fail();
  await settle();
  assertEquals([state.hasEnded, failed.length], [false, 0]);
  for (const each of others) each.answer();
  await settle();
  assertEquals([state.hasEnded, failed.length, asked.length], [true, 1, 0]);
  const recorded = others.flatMap(({ paths }) => paths);
  assertEquals([...archive.below(at("top"))].length, known.length - recorded.length);
});
