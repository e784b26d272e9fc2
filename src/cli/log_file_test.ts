import { assert, assertEquals, assertThrows } from "@std/assert";
import { TempTree } from "../../tests/support/temp_tree.ts";
import { SetupError } from "../base/errors.ts";
import { LogFile } from "./log_file.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("LogFile appends, puts aside what is full, and begins anew where it was taken away", async () => {
  await using tree = await TempTree.make({ log: "before\n" });
  const path = `${tree.path}/log`;
  const log = LogFile.open(path, { maxBytes: 20 });
  await log.write(bytes("one\n"));
  assertEquals(await tree.read("log"), "before\none\n");
  await log.write(bytes("two two two\n"));
  assertEquals([await tree.read("log"), await tree.read("log.1")], ["two two two\n", "before\none\n"]);
  await Deno.rename(path, `${path}.mine`);
  await log.write(bytes("three\n"));
  assertEquals([await tree.read("log"), await tree.read("log.mine")], ["three\n", "two two two\n"]);
  assert(log.is(await Deno.stat(path)) && !log.is(await Deno.stat(`${path}.1`)) && !log.is(null));
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
});

Deno.test("LogFile makes its directory, and says where it cannot be written", async () => {
  await using tree = await TempTree.make({ file: "" });
  await LogFile.open(`${tree.path}/a/b/log`).write(bytes("x"));
  assertEquals(await tree.read("a/b/log"), "x");
  const error = assertThrows(() => LogFile.open(`${tree.path}/file/log`), SetupError);
  assert(error.message.startsWith(`Cannot write the log "${tree.path}/file/log": `), error.message);
});
