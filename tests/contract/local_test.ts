/**
 * The contract of an endpoint, kept by the in-process door.
 * @module
 */
import { NO_RULES } from "../../src/core/ignore.ts";
import { systemClock } from "../../src/base/clock.ts";
import { LocalEndpoint } from "../../src/endpoint/local.ts";
import { nativePath } from "../support/native_build.ts";
import { endpointSuite } from "./endpoint_suite.ts";

endpointSuite("local", async (root, options) =>
  await LocalEndpoint.open({
    root,
    rules: options?.rules ?? NO_RULES,
    nativePath: await nativePath(),
    clock: systemClock,
  }));
