/**
 * The contract of an endpoint, kept by a real `psync filter` behind a pipe; and how a filter ends.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NO_RULES, type PathRules } from "../../src/core/ignore.ts";
import { systemClock } from "../../src/base/clock.ts";
import { EndpointLostError, SetupError } from "../../src/base/errors.ts";
import { connectPipe } from "../../src/endpoint/pipe.ts";
import type { RemoteEndpoint } from "../../src/endpoint/remote.ts";
import { MAGIC_LINE } from "../../src/wire/hello.ts";
import { nativePath } from "../support/native_build.ts";
import { childrenOf, isAlive } from "../support/procfs.ts";
import { endpointSuite } from "./endpoint_suite.ts";

async function filterArgs(only?: string): Promise<string[]> {
  const script = new URL("../support/run_filter.ts", import.meta.url).pathname;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const own = only === undefined ? [] : [only];
  return ["run", "-A", "-q", "--no-check", "--config", config, script, await nativePath(), ...own];
}

async function open(
  root: string,
  options: { rules?: PathRules; only?: string } = {},
): Promise<RemoteEndpoint> {
  return await connectPipe({
    root,
    rules: options.rules ?? NO_RULES,
    command: Deno.execPath(),
    args: await filterArgs(options.only),
    clock: systemClock,
  });
}

endpointSuite("pipe", open);

Deno.test("pipe: a root that is not there, or not allowed, is refused as in process", async () => {
  await assertRejects(() => open("/nonexistent/root"), SetupError);
  await assertRejects(() => open("/tmp", { only: "/srv" }), SetupError, `only "/srv" is allowed here`);
});

/** A filter of its own with an open root, its process, and those that it started. */
async function started(root: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: await filterArgs(),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const streams = { readable: child.stdout, writer: child.stdin.getWriter() };
  const reader = streams.readable.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), MAGIC_LINE);
  reader.releaseLock();
  const { RemoteEndpoint } = await import("../../src/endpoint/remote.ts");
  const endpoint = await RemoteEndpoint.open(streams, { root, rules: NO_RULES, clock: systemClock });
  return { child, endpoint, writer: streams.writer, pids: childrenOf(child.pid) };
}

const ENDS: readonly [string, (filter: Awaited<ReturnType<typeof started>>) => unknown][] = [
  ["SIGTERM", ({ child }) => child.kill("SIGTERM")],
  ["SIGHUP", ({ child }) => child.kill("SIGHUP")],
  ["SIGINT", ({ child }) => child.kill("SIGINT")],
  ["SIGKILL", ({ child }) => child.kill("SIGKILL")],
  ["EOF", ({ writer }) => writer.close()],
  ["goodbye", ({ endpoint }) => endpoint[Symbol.asyncDispose]()],
];

for (const [what, end] of ENDS) {
  Deno.test(`pipe: a filter that gets ${what} ends, says nothing, and leaves no process`, async () => {
    const root = await Deno.makeTempDir({ prefix: "psync-pipe-test-" });
    const filter = await started(root);
    assert(filter.pids.length > 0);
    await end(filter);
    const { code } = await filter.child.status;
    assertEquals(code, what === "SIGKILL" ? 137 : 0);
    for (const pid of filter.pids) while (isAlive(pid)) await systemClock.sleep(10);
    assertEquals(await new Response(filter.child.stderr).text(), "");
    if (what !== "goodbye") await assertRejects(() => filter.endpoint.sync(), EndpointLostError);
    await filter.endpoint[Symbol.asyncDispose]();
    await Deno.remove(root, { recursive: true });
  });
}
