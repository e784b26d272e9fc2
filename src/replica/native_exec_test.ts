import { assertEquals } from "@std/assert";
import { Child } from "../base/process.ts";
import { decodeBytes } from "../core/path.ts";
import { nativePath } from "../../tests/support/native_build.ts";
import { throughNative } from "./native_exec.ts";

/** Runs a command to its end, started with SIGUSR1 blocked as the launcher leaves it. */
async function run(words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const { command, args } = throughNative(await nativePath(), words);
  await using child = Child.spawn({ command: "env", args: ["--block-signal=USR1", command, ...args], stdin: "null" });
  const bytes = new Uint8Array(await new Response(child.stdout).arrayBuffer());
  const { code } = await child.status;
  return { code, out: decodeBytes(bytes), err: child.stderrTail() };
}

Deno.test("throughNative() keeps every byte of every argument", async () => {
  const words = ["printf", "%s|", "", "-x", "a b", "\udcff\udc80", "é", "$HOME"];
  assertEquals(await run(words), { code: 0, out: words.slice(2).map((word) => `${word}|`).join(""), err: "" });
});

Deno.test("throughNative() starts commands with SIGUSR1 open", async () => {
  const { out } = await run(["grep", "SigBlk", "/proc/self/status"]);
  assertEquals(out, "SigBlk:\t0000000000000000\n");
});

Deno.test("throughNative() shows a command that cannot be run by code and line", async () => {
  assertEquals(await run(["psync-no-such-command"]), {
    code: 127,
    out: "",
    err: 'psync-native: Cannot run "psync-no-such-command": No such file or directory',
  });
});

Deno.test("throughNative() without a psync-native starts directly", () => {
  assertEquals(throughNative(undefined, ["ssh", "-T"]), { command: "ssh", args: ["-T"] });
});
