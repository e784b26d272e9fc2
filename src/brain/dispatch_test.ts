/** Tests of what a round of news is carried out as. @module */
import { assertEquals } from "@std/assert";
import { absent, at, news, pairParts, present } from "../../tests/support/brain.ts";
import { dir, file, laterStamp, row } from "../../tests/support/entries.ts";
import { settle } from "../../tests/support/pipes.ts";
import type { Entry, Stamp } from "../core/entry.ts";
import type { Transition } from "../core/transition.ts";
import { BulkLane } from "./bulk.ts";
import { Dispatcher } from "./dispatch.ts";

/** What is committed where the right has removed `d`, and the left shows `d/x`, which both held as `a`. */
async function afterRemoval(shown: Entry): Promise<string[]> {
  const { context, archive, left, right } = pairParts();
  const [d, x] = [row(dir()), row(file("a"))];
  archive.transact(() => {
    archive.put(at("d"), d);
    archive.put(at("d/x"), x);
  });
  const bulk = new BulkLane(context, () => Promise.resolve({ exitCode: 0, stderr: "" }));
  const seen = present("d/x", shown, { stamp: laterStamp(x.left, shown), content: new Uint8Array(1) });
  new Dispatcher(context, bulk).round([news("d", { right: absent("d", 5) }), news("d/x", { left: seen })]);
  for (let i = 0; i < 5; i++) await settle();
  return [left, right].flatMap(({ asked }, i) =>
    asked.filter(({ name }) => name === "commit").flatMap(({ what }) =>
      (what as Transition[]).map((each) =>
        `${i === 0 ? "left" : "right"} ${each.kind} ${each.kind === "move" ? each.to : each.path}`
      )
    )
  );
}

Deno.test("a removed directory does not come back for what was touched in it and holds what it held", async () => {
  assertEquals(await afterRemoval(file("a")), ["left remove d/x", "left remove d"]);
  assertEquals(await afterRemoval(file("a", { mode: 0o600 })), ["left remove d/x", "left remove d"]);
});

Deno.test("a removed directory comes back for what was edited in it", async () => {
  assertEquals((await afterRemoval(file("b"))).slice(0, 1), ["right put d"]);
});

/** The row of a file that the right renamed, which the left showed as `seen` says when the rename was planned. */
async function afterRename(seen: (stamp: Stamp) => Stamp): Promise<string> {
  const { context, archive, left } = pairParts();
  const old = row(file("b", { isRead: false }));
  archive.transact(() => archive.put(at("old"), old));
  const made = laterStamp(old.left, old.entry);
  left.commit = ({ transitions }) =>
    Promise.resolve(transitions.map(() => ({ kind: "done", ended: 9, stamp: made, kept: null, masked: false })));
  const bulk = new BulkLane(context, () => Promise.resolve({ exitCode: 0, stderr: "" }));
  new Dispatcher({ ...context, findsRenames: () => true }, bulk).round([
    news("old", { left: present("old", old.entry, { stamp: seen(old.left) }), right: absent("old", 5) }),
    news("new", { right: present("new", old.entry, { stamp: laterStamp(old.right, old.entry) }) }),
  ]);
  for (let i = 0; i < 5; i++) await settle();
  const stamp = archive.get(at("new"))?.left;
  return stamp?.ctimeNs === made.ctimeNs ? "as renamed" : stamp?.ctimeNs === old.left.ctimeNs ? "as before" : "else";
}

Deno.test("a rename is recorded as it was made where the other side was seen to hold what it held", async () => {
  assertEquals(await afterRename((stamp) => stamp), "as renamed");
  assertEquals(
    await afterRename((stamp) => ({ ...stamp, ctimeNs: stamp.ctimeNs + 1n })),
    "as before",
    "an edit, maybe",
  );
});
