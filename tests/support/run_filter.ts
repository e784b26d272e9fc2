/**
 * `psync filter` as a program of the source tree: NATIVE [ROOT], for tests that need no binary.
 * @module
 */
import { runFilter } from "../../src/cli/filter.ts";

const [nativePath, only] = Deno.args;
if (nativePath === undefined) throw new Error("Cannot run the filter: name psync-native");
Deno.exit(await runFilter({ nativePath, ...(only === undefined ? {} : { only }) }));
