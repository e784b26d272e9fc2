/**
 * The text of `psync conflicts --help` and `psync trash --help`.
 *
 * The options come from the parser's own definition (manage_options.ts).
 * @module
 */
import { optionsText } from "./help.ts";
import { MANAGE_PARSER } from "./manage_options.ts";

const HEAD = `What psync keeps: the losers of conflicts, and what was removed.

  psync conflicts [LEFT RIGHT]                list the conflicts
  psync conflicts show ID...                  what each decision would do
  psync conflicts keep left|right|both ID...  decide; --all for every conflict
  psync trash list [LEFT RIGHT] [PATH...]     what lies in the trash
  psync trash restore PATH...                 put the newest version back
  psync trash empty [PATH...]                 delete what was removed, for good

LEFT and RIGHT name the pair where this host knows more than one. A PATH is one
below the roots, or a place that the list shows. All of this works while psync
runs and while it does not; what is put back is then synchronised.
`;

const TAIL = `
Exit codes: 0 done; 1 something could not be done; 2 the command line is wrong,
or it is not clear which pair is meant; 3 a root cannot be reached.
`;

/** The whole text, with a line break at its end. */
export function manageHelp(): string {
  return `${HEAD}\n${optionsText(MANAGE_PARSER)}\n${TAIL}`;
}
