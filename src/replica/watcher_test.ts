import { assertRejects, assertStringIncludes } from "@std/assert";
import { nativePath } from "../../tests/support/native_build.ts";
import { systemClock } from "../base/clock.ts";
import { SetupError } from "../base/errors.ts";
import { CANNOT_OPEN_ROOT } from "../core/endpoint.ts";
import { Watcher } from "./watcher.ts";

const NOBODY_LISTENS = { onEvent: () => {}, onIdle: () => {}, onRestart: () => {}, onLost: () => {} };

function open(root: string, native: string): Promise<Watcher> {
  const identity = { inode: 1n, mountId: 1n, device: 1n };
  const rest = { identity, clock: systemClock, maxWatches: 0, followLinks: false, ...NOBODY_LISTENS };
  return Watcher.open({ root, nativePath: native, ...rest });
}

Deno.test("Watcher.open() says of a root that has just gone what is said of one that is missing: psync waits for it", async () => {
  const error = await assertRejects(async () => await open("/nonexistent/root", await nativePath()), SetupError);
  assertStringIncludes(error.message, `${CANNOT_OPEN_ROOT} "/nonexistent/root": ENOENT`);
});

Deno.test("Watcher.open() rejects as what cannot be set up where the watcher does not come up", async () => {
  await assertRejects(() => open("/", "/bin/true"), SetupError);
});
