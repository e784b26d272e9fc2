/**
 * The text of `psync --help`: examples first, options in groups, exit codes last, 80 columns.
 *
 * The options come from the parser's own definition (options.ts), the commands from verbs.ts; nothing
 * is described twice. The man page (manual.ts) uses the same parts.
 * @module
 */
import { formatDocPage, getDocPageSync } from "@optique/core";
import { DEFAULT_TEMPFILES } from "../core/ignore.ts";
import { PARSER } from "./options.ts";
import { VERB_TEXTS } from "./verbs.ts";

const MAX_COLUMNS = 80;
/** Where the second column of a list begins. */
const COLUMN = 40;

/** What one writes, and what it does. */
export const EXAMPLES: readonly (readonly [command: string, does: string])[] = [
  ["psync ~/notes /mnt/stick/notes", "two folders on this host"],
  ["psync /srv/a backup@nas:/srv/a", "one of them on another host, over ssh"],
  ["psync -r nas /srv/a /srv/a", "the same, with the host as an option"],
  ["psync -n /srv/a nas:/srv/a", "only say what a first sync would do"],
  ["psync -s /srv/a nas:/srv/a", "sync once, then end (for cron)"],
  ["psync run web", "as ~/.config/psync/web.toml says"],
  ["psync check /srv/a nas:/srv/a", "compare both, change nothing"],
  ["psync -e '/node_modules$' -e '\\.log$' a b", "leave some paths alone"],
];

/** What the exit code says. */
export const EXIT_CODES: readonly (readonly [code: number, means: string])[] = [
  [0, "fine, or ended by Ctrl-C or SIGTERM while it ran"],
  [1, "paths are left that differ or could not be synchronised (-s, check)"],
  [2, "the command line or a file of configuration is wrong"],
  [3, "psync could not be set up, or the connection failed"],
  [4, "halted, or removals are held back"],
  [5, "new conflicts (-s)"],
  [6, "a banned program runs (-b)"],
  [124, "the time of flush is over"],
];

const HEAD = `psync keeps two folders equal, in real time, in both directions.

Usage: psync [OPTIONS] LEFT RIGHT
       psync COMMAND ...
`;

const ROOTS = `LEFT and RIGHT are folders. RIGHT may be host:path or user@host:path, as ssh
knows the host; a relative path there lies below the login directory. Write
./a:b for a folder here with a colon in its name, and ./run for one that is
called like a command.
`;

const TAIL = `Ctrl-C ends psync; kill -USR1 makes it print its state. What is removed on one
side, and the loser of a conflict, is kept in .psync/trash of its root.
NAME.toml lies in ~/.config/psync or /etc/psync; its keys are the long options.
`;

/** Two columns; what is too long for the first one has a line of its own. */
function columns(rows: readonly (readonly [string, string])[], at = COLUMN): string {
  const line = ([first, second]: readonly [string, string]) =>
    first.length + 4 <= at ? `  ${first.padEnd(at - 2)}${second}` : `  ${first}\n${" ".repeat(at)}${second}`;
  return rows.map((row) => `${line(row)}\n`).join("");
}

function commandsText(): string {
  return VERB_TEXTS.map(({ usage, does }) => `  psync ${usage}\n      ${does}\n`).join("");
}

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
  return [
    HEAD,
    `Examples:\n${columns(EXAMPLES)}`,
    ROOTS,
    `Commands:\n${commandsText()}`,
    `${optionsText(PARSER)}\n`,
    `Tempfiles, where -t names none:\n${DEFAULT_TEMPFILES.map((pattern) => `  ${pattern}\n`).join("")}`,
    TAIL,
    `Exit codes:\n${columns(EXIT_CODES.map(([code, means]) => [`${code}`, means]), 5)}`,
  ].join("\n");
}
