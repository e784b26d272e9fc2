/**
 * In which form psync logs, and where, as a user meets it.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { eventually, Scene } from "../support/scene.ts";

interface Line {
  readonly time?: string;
  readonly level: string;
  readonly category: string;
  readonly message: string;
}

function objects(text: string): Line[] {
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

Deno.test("--log-format json: every line on stderr is an object, and holds no content of files", async () => {
  await using scene = await Scene.make({ left: { a: "secret content" } });
  const { code, err } = await scene.run("-s", "-d", "3", "--log-format", "json");
  assertEquals(code, 0, err);
  const lines = objects(err);
  assert(lines.length > 3, err);
  for (const { time, level, category } of lines) {
    assertMatch(time ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert(["trace", "debug", "info", "warning", "error"].includes(level), level);
    assertMatch(category, /^\w+/);
  }
  assert(lines.some(({ category, message }) => category === "psync" && message.startsWith("Connected: ")));
  assertEquals(err.includes("secret content"), false);
});

Deno.test("--log-file: log and told lines are in the file, stderr is left alone but for what ends psync", async () => {
  await using scene = await Scene.make({ left: { a: "1" }, right: { a: "22" } });
  const { code, err } = await scene.run("-s", "-d", "1", "--log-file", "log/psync.log");
  assertEquals([code, err], [5, ""]);
  const text = await scene.tree.read("log/psync.log");
  assertMatch(text, /^\d{4}-\d\d-\d\dT\S+Z info psync: Connected: /m);
  assertMatch(text, /^\S+Z (info|warning) psync: Conflict: a: /m);
  const bad = await scene.runWith(["--log-file", "log/psync.log", scene.left.path, "/nonexistent"]);
  assertEquals(bad.code, 3);
  assertStringIncludes(bad.err, "psync: Cannot open root");
  assertStringIncludes(await scene.tree.read("log/psync.log"), "Z error psync: psync: Cannot open root");
  const none = await scene.runWith(["--log-file", "/proc/no/log", ...scene.operands]);
  assertEquals(none.code, 3);
  assertStringIncludes(none.err, `Cannot write the log "/proc/no/log"`);
});

Deno.test("psync start with a log file in its configuration writes each line once", async () => {
  await using scene = await Scene.make({ left: { a: "1" }, right: { a: "22" } });
  const log = `${scene.tree.path}/log`;
  const config =
    `left = "${scene.left.path}"\nright = "${scene.right.path}"\nlog-file = "${log}"\nlog-format = "json"\n`;
  await scene.tree.write("c.toml", config);
  const started = await scene.runWith(["start", "--config", `${scene.tree.path}/c.toml`]);
  assertEquals(started.code, 0, started.err);
  await eventually("the first sync is told", async () => (await scene.tree.read("log")).includes("Connected: "));
  assertEquals((await scene.runWith(["stop", ...scene.operands])).code, 0);
  const connected = (await scene.tree.read("log")).split("\n").filter((line) => line.includes("Connected: "));
  assertEquals(connected.length, 1, connected.join("\n"));
  assertEquals(JSON.parse(connected[0]!).level, "info");
});

Deno.test("under systemd psync gives the journal priorities, and no time of its own", async () => {
  await using scene = await Scene.make({ left: { a: "1" }, right: { a: "22" } });
  const run = async (stream: string, ...more: string[]) => {
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        `export JOURNAL_STREAM="${stream}"; exec "$@"`,
        "x",
        ...scene.words,
        ...more,
        "-s",
        ...scene.operands,
      ],
      env: { ...scene.env },
      stderr: "piped",
    }).output();
    return { code, lines: new TextDecoder().decode(stderr).split("\n").filter(Boolean) };
  };
  const first = await run("$(stat -L -c %d:%i /proc/self/fd/2)", "-d", "2");
  assertEquals(first.code, 5);
  for (const line of first.lines) assertMatch(line, /^<[2-7]>(?!\d\d:\d\d)/);
  assert(first.lines.some((line) => line.startsWith("<6>Connected: ")), first.lines.join("\n"));
  assert(first.lines.some((line) => /^<7>debug [\w.]+: /.test(line)));
  const other = await run("1:1");
  assertEquals(other.code, 0);
  assert(other.lines.some((line) => line.startsWith("Connected: ")), "stderr is something else: it is inherited");
});
