/**
 * The text of `psync status --help` and of the other commands about a pair.
 *
 * The options come from the parser's own definition (ask_options.ts).
 * @module
 */
import { ASK_PARSER } from "./ask_options.ts";
import { optionsText } from "./help.ts";

const HEAD = `What the psync that runs on a pair does.

  psync status [LEFT RIGHT]          both sides, the lag, what is in flight, what waits
  psync log [LEFT RIGHT] [PATH...]   the journal: what was done, in which direction, why, and what
                                     failed; also while psync does not run; with PATH only what
                                     concerns it, or what lies below
  psync flush [LEFT RIGHT] [PATH]    wait until all that was written is on the other side
                                     and durable there; with PATH only its problems count
  psync pause [LEFT RIGHT]           change nothing until "psync resume", or until psync ends
  psync resume [LEFT RIGHT]          go on; what was changed meanwhile is merged
  psync reset [LEFT RIGHT]           forget the record of what both sides agreed on; no file is
                                     touched; the next start merges both sides, removing nothing

LEFT and RIGHT name the pair where this host knows more than one. All of this is
for the user who runs psync, on the host where it runs.
`;

const TAIL = `
Exit codes: 0 done; 1 flush: something could not be brought over; 2 the command
line is wrong, or it is not clear which pair is meant; 3 no psync runs on the pair
(reset: one runs), or it has no link; 124 flush: the time is over. With --max-lag:
0 fine, 1 warning, 2 critical (also where psync is halted, paused, without a link
or does not run), 3 unknown.
`;

/** The whole text, with a line break at its end. */
export function askHelp(): string {
  return `${HEAD}\n${optionsText(ASK_PARSER)}\n${TAIL}`;
}
