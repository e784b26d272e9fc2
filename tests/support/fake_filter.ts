/**
 * A filter without a disk, as a program: what tests of pipe and ssh start on the other end.
 *
 * A path that is looked at with the name `die` ends it with a word on stderr; `pid` answers its pid.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { SetupError } from "../../src/base/errors.ts";
import type { Observation } from "../../src/core/observation.ts";
import { serveEndpoint } from "../../src/endpoint/serve.ts";
import { MAGIC_LINE } from "../../src/wire/hello.ts";
import { FAKE_FACTS, FakeEndpoint } from "./fake_endpoint.ts";

const endpoint = new FakeEndpoint();
const look = endpoint.look;
endpoint.look = async (paths, options) => {
  if (paths[0] === "die") {
    console.error("filter: it died as it was told");
    Deno.exit(9);
  }
  if (paths[0] !== "pid") return await look(paths, options);
  return paths.map((path): Observation => ({ kind: "blocked", path, began: 0, reason: "io", detail: `${Deno.pid}` }));
};

const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());
Deno.addSignalListener("SIGHUP", () => stop.abort());
const writer: WritableStreamDefaultWriter<Uint8Array> = Deno.stdout.writable.getWriter();
await writer.write(new TextEncoder().encode(MAGIC_LINE));
const error = await serveEndpoint(
  { readable: Deno.stdin.readable, writer },
  ({ root }) => {
    if (root.endsWith("/missing")) throw new SetupError(`Cannot open root "${root}": it is not there`);
    endpoint.facts = { ...FAKE_FACTS, root };
    return Promise.resolve(endpoint);
  },
  { clock: systemClock, cwd: Deno.cwd(), signal: stop.signal },
);
Deno.exit(error === null ? 0 : 1);
