import { assertEquals } from "@std/assert";
import { absent, at, news, present, sighting } from "../../tests/support/brain.ts";
import { dir, file } from "../../tests/support/entries.ts";
import { NewsBoard } from "./news.ts";

function board() {
  let [calls, nowMs] = [0, 0];
  const made = new NewsBoard(() => calls++, () => nowMs++);
  return { made, calls: () => calls };
}

const names = (taken: readonly { readonly path: string }[]) => taken.map(({ path }) => path);

Deno.test("NewsBoard keeps one entry a path, with the later look of each side", () => {
  const { made } = board();
  made.add("left", absent("p", 5), { isLive: false });
  made.add("left", present("p", file("a"), { began: 4 }), { isLive: false });
  made.add("right", present("p", file("b"), { began: 1 }), { isLive: false });
  made.add("right", absent("p", 2), { isLive: false });
  assertEquals(made.size, 1);
  const [one] = made.take(10);
  assertEquals([one!.left!.observation.kind, one!.right!.observation.kind], ["absent", "absent"]);
  assertEquals(made.size, 0);
});

Deno.test("NewsBoard gives live paths first, parents before children, and no more than asked for", () => {
  const { made } = board();
  for (const path of ["z/a", "a", "z"]) made.add("left", absent(path), { isLive: false });
  made.add("right", absent("m"), { isLive: true });
  assertEquals(names(made.take(1)), ["m"]);
  assertEquals(names(made.take(10)), ["a", "z", "z/a"]);
});

Deno.test("NewsBoard keeps a path live, and its arrival, when a look follows", () => {
  const { made } = board();
  made.add("left", absent("p", 1), { isLive: true });
  made.add("left", present("p", file("a"), { began: 2 }), { isLive: false });
  const [one] = made.take(1);
  assertEquals([one!.left!.isLive, one!.left!.atMs], [true, 0]);
});

Deno.test("NewsBoard parks a path until what stands in its way is released, and merges meanwhile", () => {
  const { made, calls } = board();
  made.park(news("d/x", { left: absent("d/x", 1) }), at("d"));
  made.add("right", absent("d/x", 1), { isLive: false });
  assertEquals([made.readyCount, made.size, calls()], [0, 1, 0]);
  assertEquals(made.peek(at("d/x"))?.right?.observation.kind, "absent");
  made.release(at("other"));
  assertEquals(made.readyCount, 0);
  made.release(at("d"));
  assertEquals([made.readyCount, calls()], [1, 1]);
  made.release(at("d"));
  assertEquals(made.size, 1);
});

Deno.test("NewsBoard.paths() has every path on the board, parked or not", () => {
  const { made } = board();
  made.add("left", absent("p"), { isLive: false });
  made.add("left", absent("q"), { isLive: true });
  made.park(news("r", { left: sighting(absent("r"), { order: 0 }) }), at("d"));
  assertEquals([...made.paths()].sort(), [at("p"), at("q"), at("r")]);
  made.drop(at("p"));
  assertEquals([...made.paths()].sort(), [at("q"), at("r")]);
});

Deno.test("NewsBoard.moveAway() takes along what the side that renamed had shown, and nothing else", () => {
  const { made } = board();
  made.add("left", absent("d/x"), { isLive: false });
  made.add("right", absent("d/x"), { isLive: false });
  made.park(news("d/s/y", { left: absent("d/s/y") }), at("d/s"));
  made.add("left", absent("dd"), { isLive: false });
  made.add("left", absent("d"), { isLive: false });
  assertEquals(made.moveAway({ from: at("d"), to: at("e") }, (side) => side === "left" ? "old" : "new").sort(), [
    "e/s/y",
    "e/x",
  ]);
  const left = made.take(10);
  assertEquals(names(left), ["d", "d/x", "dd"]);
  assertEquals([left[1]!.left, left[1]!.right?.observation.kind], [null, "absent"]);
  made.add("right", absent("d/x"), { isLive: false });
  assertEquals(made.moveAway({ from: at("d"), to: at("e") }, () => "old"), ["e/x"]);
  assertEquals(made.size, 0);
});

Deno.test("NewsBoard.moveAway() has looked for under the new name what was not found under the old one since", () => {
  const { made } = board();
  made.add("right", { ...absent("d/x"), kind: "orphan" }, { isLive: false });
  made.add("right", present("d/new", file("a")), { isLive: false });
  assertEquals(made.moveAway({ from: at("d"), to: at("e") }, () => "new"), ["e/x"]);
  assertEquals(names(made.take(10)).sort(), ["d/new", "d/x"]);
});

Deno.test("NewsBoard gives what needs no reading before what must be read first, and counts its content", () => {
  const { made } = board();
  const content = new Uint8Array(3);
  const add = (path: string, isRead: boolean) =>
    made.add("left", { ...present(path, file("a")), content: isRead ? content : null }, { isLive: false });
  add("a", false);
  made.add("left", absent("b"), { isLive: false });
  made.add("left", present("c", dir()), { isLive: false });
  add("d", true);
  assertEquals([made.heldCount, made.readyCount, made.contentBytes], [2, 4, 3]);
  assertEquals(names(made.take(10, { onlyHeld: true })), ["c", "d"]);
  assertEquals([made.contentBytes, made.heldCount], [0, 0]);
  add("a", true);
  assertEquals([made.heldCount, made.contentBytes], [1, 3]);
  assertEquals(names(made.take(1)), ["a"]);
  assertEquals(names(made.take(1)), ["b"]);
});

Deno.test("NewsBoard counts the content of parked and dropped paths once", () => {
  const { made } = board();
  const read = (path: string) => ({ ...present(path, file("a")), content: new Uint8Array(5) });
  made.park(news("d/x", { left: sighting(read("d/x")) }), at("d"));
  made.add("left", read("e"), { isLive: false });
  assertEquals(made.contentBytes, 10);
  made.add("left", { ...read("e"), content: new Uint8Array(7) }, { isLive: true });
  assertEquals(made.contentBytes, 12);
  made.release(at("d"));
  assertEquals(made.contentBytes, 12);
  made.dropBelow(at("d"));
  assertEquals(made.contentBytes, 7);
  made.drop(at("e"));
  assertEquals(made.contentBytes, 0);
});
