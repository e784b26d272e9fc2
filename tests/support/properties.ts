/**
 * fast-check with a seed that does not change by itself (seed.ts): tests of properties take it from here.
 * @module
 */
import fc from "fast-check";
import { testSeed } from "./seed.ts";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: testSeed(2_026) });

export { fc };
