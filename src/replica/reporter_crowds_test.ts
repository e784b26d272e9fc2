/**
 * Tests of what is told by listings: directories in which much happens at once.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Scene } from "../../tests/support/reporter_scene.ts";
import { parseRelPath } from "../core/path.ts";
import { DIRTY, KIND } from "./native_format.ts";

const p = parseRelPath;
const MANY = 600;

/** Many files in one directory, of which the events come at once. */
function storm(scene: Scene, dir: string): void {
  const paths = Array.from({ length: MANY }, (_, i) => `${dir}/f${i}`);
  for (const path of paths) scene.write(path);
  scene.reporter.take({ kind: "dirty", names: paths.map((path) => ({ path: p(path), bits: DIRTY.closed })) });
  scene.reporter.pump();
}

function make(): Scene {
  const scene = new Scene();
  scene.write("d", { kind: KIND.dir });
  return scene;
}

Deno.test("Reporter tells much that happens in one directory at once by one listing, and looks at nothing", async () => {
  const scene = make();
  storm(scene, "d");
  await scene.clock.advance(100);
  assertEquals([scene.said(), scene.looks.length], [["crowd d"], 0]);
  await scene.dirty("other", DIRTY.closed);
  await scene.dirty("d/f7", DIRTY.closed);
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["absent other", "crowd d"], "what is elsewhere is single still");
  await scene.clock.advance(2_000);
  await scene.dirty("d/f8", DIRTY.closed);
  await scene.dirty("d/f9", DIRTY.closed);
  assertEquals(scene.said(), ["present d/f8", "present d/f9"], "the storm is over");
});

Deno.test("Reporter tells a new directory in a storm by a listing", async () => {
  const scene = make();
  storm(scene, "d");
  scene.write("n", { kind: KIND.dir });
  await scene.dirty("n", DIRTY.created | DIRTY.dir | DIRTY.newDir);
  await scene.clock.advance(100);
  assertEquals([scene.said(), scene.looks.length], [["crowd d", "crowd n"], 0]);
});

Deno.test("Reporter says nothing in a storm of a directory that is ignored as one", async () => {
  const scene = make();
  storm(scene, "d");
  scene.write("build", { kind: KIND.dir });
  scene.write("build/f");
  await scene.dirty("build", DIRTY.created | DIRTY.dir | DIRTY.newDir);
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["crowd d"]);
});

Deno.test("Reporter looks itself in a storm at a directory that came from elsewhere, and at what is in it", async () => {
  const scene = make();
  scene.write("n", { kind: KIND.dir });
  scene.write("n/deep", { kind: KIND.dir });
  for (let i = 0; i < 100; i++) scene.write(`n/f${i}`);
  // It came before there was a storm in its own directory, or after.
  scene.write("d/m", { kind: KIND.dir });
  scene.reporter.take({ kind: "dirty", names: [{ path: p("d/m"), bits: DIRTY.moved | DIRTY.dir | DIRTY.newDir }] });
  storm(scene, "d");
  await scene.dirty("n", DIRTY.moved | DIRTY.dir | DIRTY.newDir);
  for (let i = 0; i < 10; i++) await scene.clock.advance(100);
  assertEquals(scene.listed.toSorted(), ["d/m", "n", "n/deep"].map(p));
  const said = scene.said();
  for (const path of ["n", "n/deep", "d/m"]) assert(said.some((line) => line.includes(`present ${path}`)), path);
});

Deno.test("Reporter tells what is crowded before a barrier, under the name that it has by then", async () => {
  const scene = make();
  storm(scene, "d");
  scene.rename("d", "e");
  scene.reporter.barrier(1);
  await scene.settle();
  await scene.settle();
  const said = scene.said();
  assert(said.indexOf("crowd e") >= 0 && said.indexOf("crowd e") < said.indexOf("barrier"), said.join("; "));
});

Deno.test("Reporter looks itself at what psync made, and at what a listing may hide, in a storm, too", async () => {
  const scene = make();
  scene.began = 2;
  scene.reporter.rememberOwn(p("d/f1"), scene.write("d/f1"), 1);
  scene.write("d/f2", { ctimeNs: BigInt(scene.clock.wallMs()) * 1_000_000n });
  await scene.dirty("d/f2", DIRTY.closed);
  scene.said();
  scene.looks.length = 0;
  storm(scene, "d");
  await scene.settle();
  assertEquals(scene.looks.map(({ path }) => path).toSorted(), [p("d/f1"), p("d/f1"), p("d/f2")]);
  await scene.clock.advance(100);
  assertEquals(scene.said(), ["present d/f1, present d/f2", "crowd d"]);
});

Deno.test("Reporter tells a removal that it had told before, where a listing showed the path in between", async () => {
  const scene = make();
  await scene.dirty("d/f", DIRTY.gone);
  const stat = scene.write("d/f");
  const listing = { kind: "listed" as const, path: p("d"), began: 5, isWatched: true, hasIgnored: false };
  const self = { kind: "absent" as const, path: p("d"), began: 5 };
  const entries = [{ ...self, path: p("d/f") }];
  scene.reporter.listed({ listing: { ...listing, self, entries }, stat: null, stats: [stat] });
  scene.disk.delete(p("d/f"));
  scene.began = 6;
  await scene.clock.advance(100);
  await scene.dirty("d/f", DIRTY.gone);
  assertEquals(scene.said(), ["absent d/f", "absent d/f"]);
  // The same where the look at what was gone ends after the listing.
  scene.reporter.listed({ listing: { ...listing, began: 9, self, entries }, stat: null, stats: [stat] });
  scene.reporter.remember({ observation: { kind: "absent", path: p("d/f"), began: 8 }, stat: null });
  scene.began = 10;
  await scene.clock.advance(100);
  await scene.dirty("d/f", DIRTY.gone);
  assertEquals(scene.said(), ["absent d/f"]);
});
