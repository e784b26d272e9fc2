/**
 * The contract of an endpoint, kept by a real `psync filter` that was copied over a real ssh.
 * @module
 */
import { NO_RULES } from "../../src/core/ignore.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { SelfFile } from "../../src/endpoint/deploy.ts";
import { connectSsh } from "../../src/endpoint/ssh.ts";
import { nativePath } from "../support/native_build.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";
import { makeStandIn } from "../support/stand_in.ts";
import { endpointSuite } from "./endpoint_suite.ts";

let sshd: Sshd;
let self: SelfFile;

Deno.test.beforeAll(async () => {
  sshd = await startSshd();
  self = await makeStandIn(sshd.dir, "real", { script: "run_filter.ts", args: [await nativePath()] });
});

Deno.test.afterAll(() => sshd.stop());

endpointSuite(
  "ssh",
  (root, options) =>
    connectSsh({
      host: sshd.host,
      sshCommand: sshd.sshCommand,
      root,
      rules: options?.rules ?? NO_RULES,
      self,
      clock: systemClock,
    }),
  { reach: () => ({ host: sshd.host, sshCommand: sshd.sshCommand }) },
);
