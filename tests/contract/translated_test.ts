/**
 * The door behind which a replica has other names (`-T`), over the local one.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { NO_RULES } from "../../src/core/ignore.ts";
import { compileTranslation } from "../../src/core/translation.ts";
import { LocalEndpoint } from "../../src/endpoint/local.ts";
import { TranslatedEndpoint } from "../../src/endpoint/translated.ts";
import { nativePath } from "../support/native_build.ts";
import { endpointSuite } from "./endpoint_suite.ts";

endpointSuite("translated", async (root, options) => {
  const rules = options?.rules ?? NO_RULES;
  const inner = await LocalEndpoint.open({ root, rules, nativePath: await nativePath(), clock: systemClock });
  return new TranslatedEndpoint(inner, compileTranslation([{ left: "nobody", right: "no-one" }]), { isRight: true });
}, { neverVerifies: true });
