/**
 * What a user sees of long work: a line that is drawn over on a terminal, plain lines elsewhere.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually, Scene } from "../support/scene.ts";

/** A first sync that takes some seconds. */
const SLOW = ["-s", "-x", "--bwlimit=800k"];

/** Runs psync on a terminal. */
async function onTerminal(scene: Scene, options: readonly string[], env: Record<string, string>): Promise<string> {
  const args = [...scene.words, ...options, ...scene.operands];
  const script = args.map((arg) => `'${arg}'`).join(" ");
  const { code, stdout } = await new Deno.Command("script", {
    args: ["-qec", script, "/dev/null"],
    env: { ...scene.env, ...env },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text);
  return text;
}

Deno.test("a long first sync on a terminal shows files, bytes, rate and time left in one line", async () => {
  await using scene = await Scene.make({ ssh: {} });
  await scene.left.sh("for i in 1 2; do head -c 2500000 /dev/urandom >big$i; done; echo x >small");
  const text = await onTerminal(scene, SLOW, { TERM: "xterm", NO_COLOR: "1" });
  // deno-lint-ignore no-control-regex -- how a line is drawn over
  const drawn = [...text.matchAll(/\r\x1b\[K(Syncing: [^\r\n]*)/g)].map(([, line]) => line!);
  assert(
    drawn.some((line) => /^Syncing: \d of 3 files, [\d.]+ [kM]?B of 5 MB, [\d.]+ [kM]?B\/s, [\d.]+ s left$/.test(line)),
    drawn.join("\n"),
  );
  assertMatch(text, /First sync done/);
  // deno-lint-ignore no-control-regex -- colours are such sequences
  assertEquals(text.replaceAll("\r\x1b[K", "").match(/\x1b/g), null, "nothing but the line is drawn");
});

Deno.test("a terminal that cannot be drawn on gets no control sequence", async () => {
  await using scene = await Scene.make({ ssh: {} });
  await scene.left.sh("head -c 2500000 /dev/urandom >big");
  const text = await onTerminal(scene, SLOW, { TERM: "dumb" });
  assertMatch(text, /First sync done/);
  // deno-lint-ignore no-control-regex -- what must not be there
  assertEquals(text.match(/\x1b/g), null);
});

Deno.test("psync status tells the lag of a file that is being transferred", async () => {
  await using scene = await Scene.make({ ssh: {} });
  await using psync = await scene.live("-x", "--bwlimit=500k");
  await scene.left.sh("head -c 4000000 /dev/urandom >.big; mv .big big");
  await eventually("it is in flight for a while", async () => {
    const state = JSON.parse((await scene.runWith(["status", "--json"])).out);
    return state.inFlight.some(({ path }: { path: string }) => path === "big") && state.lagSeconds > 1;
  });
  await scene.follows("left");
  await eventually("nothing is behind", async () => {
    const after = JSON.parse((await scene.runWith(["status", "--json"])).out);
    return after.inFlight.length === 0 && after.lagSeconds === 0;
  });
  await scene.end(psync);
});

Deno.test("psync check shows on a terminal how far it is", async () => {
  await using scene = await Scene.make();
  await scene.left.sh("mkdir -p a/b");
  await scene.right.sh("mkdir -p a/b");
  const text = await onTerminal(scene, ["check"], { TERM: "xterm" });
  // deno-lint-ignore no-control-regex -- how a line is drawn over
  assertMatch(text, /\r\x1b\[KScanning: \d+ folders?, \d+ entr/);
  assertMatch(text, /Equal: 2 paths\r?\n/);
});
