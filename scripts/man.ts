/**
 * Writes docs/psync.1, or checks that it is up to date.
 *
 *   deno run -A scripts/man.ts            write it
 *   deno run -A scripts/man.ts --check    exit status 1 where it is not what would be written
 *
 * The text is made from the command line's own definition (src/cli/manual.ts). Called by scripts/test.ts.
 * @module
 */
import { manualText } from "../src/cli/manual.ts";
import { REPO } from "./tree.ts";

const PAGE = `${REPO}/docs/psync.1`;

/** What is wrong with the committed page; nothing: it is what would be written. */
export function checkManual(): string[] {
  let committed = "";
  try {
    committed = Deno.readTextFileSync(PAGE);
  } catch {
    // Not there: it is not up to date.
  }
  return committed === manualText() ? [] : ["docs/psync.1 is not up to date: deno run -A scripts/man.ts"];
}

if (import.meta.main) {
  if (Deno.args[0] !== "--check") Deno.writeTextFileSync(PAGE, manualText());
  const wrong = checkManual();
  for (const line of wrong) console.error(line);
  Deno.exit(wrong.length === 0 ? 0 : 1);
}
