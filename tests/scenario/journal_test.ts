/**
 * `psync log` as a user meets it, over folders and over ssh.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually, Scene, type SceneOptions } from "../support/scene.ts";

const DOORS: Readonly<Record<string, SceneOptions>> = { "two folders": {}, "ssh": { ssh: {} } };

/** The journal without its times. */
async function journal(scene: Scene, ...more: string[]): Promise<string[]> {
  const { code, out, err } = await scene.runWith(["log", ...more]);
  assertEquals([code, /tells nothing/.test(err) ? out : err], [0, ""]);
  const lines = out.split("\n").filter(Boolean);
  for (const line of lines) assertMatch(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}/);
  return lines.map((line) => line.slice(25));
}

for (const [door, options] of Object.entries(DOORS)) {
  Deno.test(`${door}: psync log tells what was done, in which direction and why, while psync runs and afterwards`, async () => {
    await using scene = await Scene.make(options);
    await scene.left.write("first", "12345");
    await scene.right.sh("mkdir -p there; echo x >there/f");
    const psync = await scene.live();
    await scene.right.sh("echo new >new; printf '\\033[31mred' >\"$(printf 'evil\\033[2J')\"");
    await scene.follows("right");
    await scene.left.sh("mv first second; rm -r there");
    await scene.follows("left");
    const wanted = [
      "-> created file first (5 B); look at the left",
      "<- created folder there; look at the right",
      "<- created file there/f (2 B); look at the right",
      "<- created file new (4 B); event on the right",
      "<- created file evil\\x1b[2J (8 B); event on the right",
      "-> renamed file first => second; event on the left",
      "-> removed file there/f; event on the left",
      "-> removed folder there; event on the left",
    ];
    const running = await eventually("all is in the journal", async () => {
      const lines = await journal(scene);
      // What is met while it is being written is looked at again, without another event.
      const isThere = (line: string) =>
        lines.includes(line) || (line.startsWith("<- ") && lines.includes(line.replace("event on", "look at")));
      return wanted.every(isThere) ? lines : null;
    }, { tell: async () => (await journal(scene)).join("\n") });
    assertEquals(running[0], "-- psync started");
    assertMatch(running.join("\n"), /^-- first sync done: 3 changes in /m);
    assertEquals((await scene.end(psync)).code, 0);
    const after = await journal(scene);
    assertEquals(after.slice(0, running.length), running);
    assertEquals(after.at(-1), "-- psync ended");
    const below = await journal(scene, "there");
    assert(below.length >= 4 && below.every((line) => / there(\/f)?( \(|;)/.test(line)), below.join("\n"));
    assertEquals(
      (await journal(scene, `${scene.left.path}/second`)).length,
      1,
      "by the whole path, of what was renamed",
    );
    assertEquals(await journal(scene, "-n", "1"), ["-- psync ended"]);
    const none = await scene.runWith(["log", "nothing"]);
    assertEquals([none.code, none.out], [0, ""]);
    assertStringIncludes(none.err, "tells nothing of that");
  });
}

Deno.test("psync log -f goes on with what is done, through a restart, and ends when its reader leaves", async () => {
  await using scene = await Scene.make();
  {
    await using psync = await scene.live();
    await using follower = await scene.startWith(["log", "-f"]);
    await follower.until(/first sync done/);
    await scene.left.write("a", "1");
    await follower.until(/-> created file a /);
    await scene.end(psync);
    await follower.until(/psync ended/);
    await using again = await scene.live();
    await scene.right.write("b", "1");
    await follower.until(/<- created file b /);
    follower.signal("SIGINT");
    assertEquals((await follower.ended).code, 130);
    const script = `"$@" log -f | head -n 2`;
    const head = new Deno.Command("timeout", {
      args: ["60", "bash", "-c", script, "x", ...scene.words],
      env: { ...scene.env },
      stdout: "piped",
    }).spawn();
    const ended = head.output();
    let isEnded = false;
    void ended.then(() => isEnded = true);
    // Whoever follows learns that nobody reads any more when there is something to write.
    await eventually("it ends", async () => {
      await scene.left.write("c", `${Math.random()}`);
      return isEnded;
    });
    const { code, stdout } = await ended;
    assertEquals([code, new TextDecoder().decode(stdout).split("\n").length], [0, 3]);
    await scene.end(again);
  }
});

Deno.test("psync log tells of conflicts, of what failed, and that it is over", async () => {
  await using scene = await Scene.make({ left: { both: "left" }, right: { both: "the right one" } });
  const psync = await scene.live();
  await scene.left.sh("mkfifo pipe");
  await eventually("the pipe is told", async () => (await journal(scene, "pipe")).length > 0);
  await scene.left.sh("rm pipe");
  const lines = await eventually("that it is gone is told", async () => {
    const found = await journal(scene, "pipe");
    return found.length > 1 ? found : null;
  });
  assertMatch(lines[0]!, /^-- not synced pipe \(left\): /);
  assertEquals(lines[1], "-- fine again pipe");
  const [conflict] = await journal(scene, "both");
  assertMatch(
    conflict!,
    /(->|<-) conflict both: both sides have it, and differ; the (left|right) lost, its version is \.psync\/trash\/\S+\/both$/,
  );
  await scene.end(psync);
});

Deno.test("psync syncs on where its journal cannot be written, and tells of the gap", async () => {
  await using scene = await Scene.make();
  assertEquals((await scene.run("-s")).code, 0);
  const [pair] = [...Deno.readDirSync(`${scene.stateDir}/psync`)].filter(({ isDirectory }) => isDirectory);
  const path = `${scene.stateDir}/psync/${pair!.name}/journal`;
  await Deno.remove(path);
  await Deno.mkdir(path);
  const psync = await scene.live();
  await scene.left.sh("for i in $(seq 300); do echo $i >f$i; done");
  await scene.follows("left");
  await psync.until(/the journal cannot be written/);
  await Deno.remove(path);
  await scene.left.write("after", "1");
  const lines = await eventually("the journal goes on", async () => {
    const found = (await scene.runWith(["log"])).out;
    return found.includes("created file after") ? found : null;
  });
  const lost = Number(/-- (\d+) entr(?:y|ies) could not be written here$/m.exec(lines)?.[1] ?? "0");
  const written = lines.match(/ created file f\d+ /g)?.length ?? 0;
  assert(lost > 0 && lost + written >= 300, `${lost} lost, ${written} written`);
  assertEquals((await scene.end(psync)).code, 0);
});
