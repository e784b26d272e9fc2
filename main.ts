/**
 * psync: keeps two directory trees equal, in real time, in both directions.
 * @module
 */
import "./src/cli/late_segmenter.ts";
import { main } from "./src/cli/run.ts";
import { restoreHome } from "./src/cli/self.ts";
import { systemProcess } from "./src/cli/system_process.ts";

restoreHome();
await main(systemProcess());
