/**
 * The text of `psync --help`: examples first, options in groups, exit codes last, 80 columns.
 *
 * The options come from the parser's own definition (options.ts); nothing is described twice.
 * @module
 */
import { formatDocPage, getDocPageSync } from "@optique/core";
import { DEFAULT_TEMPFILES } from "../core/ignore.ts";
import { PARSER } from "./options.ts";

const MAX_COLUMNS = 80;

const HEAD = `psync keeps two folders equal, in real time, in both directions.

Usage: psync [OPTIONS] LEFT RIGHT

Examples:
  psync ~/notes /mnt/stick/notes        two folders on this host
  psync /srv/a backup@nas:/srv/a        one of them on another host, over ssh
  psync -r nas /srv/a /srv/a            the same, with the host as an option
  psync -n /srv/a nas:/srv/a            only say what a first sync would do
  psync -s /srv/a nas:/srv/a            sync once, then end (for cron)
  psync run web                         as ~/.config/psync/web.toml says
  psync -e '/node_modules$' -e '\\.tmp$' a b
                                        leave some paths alone

LEFT and RIGHT are folders. RIGHT may be host:path or user@host:path, as ssh
knows the host; a relative path there lies below the login directory. Write
./a:b for a folder here with a colon in its name.
`;

/** The default of --tempfiles, a pattern a line. */
export function tempfilesText(): string {
  return `Tempfiles, where -t names none:\n${DEFAULT_TEMPFILES.map((pattern) => `  ${pattern}\n`).join("")}`;
}

const TAIL = `
Ctrl-C ends psync; kill -USR1 makes it print its state. What is removed on one
side, and the loser of a conflict, is kept in .psync/trash of its root:

  psync conflicts [LEFT RIGHT]           list conflicts, and decide them
  psync trash list|restore|empty [PATH]  see --help behind each of the two

  psync check [-c] LEFT RIGHT            compare both now: 0 equal, 1 different
  psync runcheck [-c] LEFT RIGHT         compare, repair, compare again
  psync start LEFT RIGHT, psync stop     in the background, with a log file

psync run NAME does what NAME.toml in ~/.config/psync or /etc/psync says; psync
config show NAME prints what is in force and where each value comes from. The
commands above take NAME as well.

Exit codes:
  0  fine, or ended by Ctrl-C or SIGTERM while it ran
  1  paths are left that differ or could not be synchronised (-s)
  2  the command line is wrong
  3  psync could not be set up, or the connection failed
  4  halted, or removals are held back
  5  new conflicts (-s)
  6  a banned program runs (-b)
`;

/** The options of a parser, in their groups, without a line break at the end. */
export function optionsText(parser: Parameters<typeof getDocPageSync>[0]): string {
  const page = getDocPageSync(parser);
  if (page === undefined) throw new Error("The command line has no description");
  const options = formatDocPage("psync", page, {
    maxWidth: MAX_COLUMNS,
    termWidth: "auto",
    showUsage: false,
    sectionOrder: () => 0,
  });
  return options.trim().replace(/ +$/gm, "");
}

/** The whole text, with a line break at its end. */
export function helpText(): string {
  return `${HEAD}\n${optionsText(PARSER)}\n\n${tempfilesText()}${TAIL}`;
}
