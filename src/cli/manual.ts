/**
 * psync(1) as a text for man: examples first, then commands and options from the parser's own
 * definition.
 *
 * Pure. scripts/man.ts writes docs/psync.1 with it and checks that the file is up to date.
 * @see man(7)
 * @module
 */
import { formatMessage, getDocPageSync } from "@optique/core";
import type { DocEntry } from "@optique/core";
import { DEFAULT_TEMPFILES } from "../core/ignore.ts";
import { EXAMPLES, EXIT_CODES } from "./help.ts";
import { PARSER } from "./options.ts";
import { VERB_TEXTS } from "./verbs.ts";

/** The whole page, with a line break at its end. */
export function manualText(): string {
  return [
    `.\\" Made by scripts/man.ts from the definition of the command line; do not edit.`,
    ".TH PSYNC 1",
    ...section("NAME", ["psync \\- keep two folders equal, in real time, in both directions"]),
    ...section("SYNOPSIS", [
      ".B psync",
      "[\\fIOPTIONS\\fR] \\fILEFT RIGHT\\fR",
      ".br",
      ".B psync",
      "\\fICOMMAND\\fR ...",
    ]),
    ...section("EXAMPLES", EXAMPLES.flatMap(([command, does]) => tagged(bold(command), does))),
    ...section("DESCRIPTION", DESCRIPTION.flatMap((text, i) => [...(i === 0 ? [] : [".PP"]), roff(text)])),
    ...section("COMMANDS", VERB_TEXTS.flatMap(({ usage, does }) => tagged(bold(`psync ${usage}`), does))),
    ...options(),
    ...section("TEMPFILES", ["Where \\fB\\-t\\fR names none:", ".nf", ...DEFAULT_TEMPFILES.map(roff), ".fi"]),
    ...section("EXIT STATUS", EXIT_CODES.flatMap(([code, means]) => tagged(bold(`${code}`), means))),
    ...section("SIGNALS", [roff("SIGINT and SIGTERM end psync; SIGUSR1 makes it print its state to stderr.")]),
    ...section("FILES", FILES.flatMap(([path, what]) => tagged(`\\fI${roff(path)}\\fR`, what))),
    ...section("SEE ALSO", [".BR ssh (1),", ".BR rsync (1)"]),
    "",
  ].join("\n");
}

const DESCRIPTION = [
  "psync keeps the folders LEFT and RIGHT equal for as long as it runs. RIGHT may be host:path or " +
  "user@host:path, as ssh knows the host; a relative path there lies below the login directory. Write ./a:b for a " +
  "folder here with a colon in its name, and ./run for one that is called like a command.",
  "The first sync of two filled folders removes nothing. What is removed on one side, and the loser of a " +
  "conflict, is kept in .psync/trash of its root. The other host needs nothing but ssh and rsync: psync copies " +
  "itself there.",
  "A file of configuration says what the command line would; its keys are the long options, and left and right.",
];

const FILES = [
  ["~/.config/psync/NAME.toml, /etc/psync/NAME.toml", "Files of configuration; the first one that is there counts."],
  [".psync/", "In each root: the trash, the stage, and the marks of the pair."],
  ["~/.local/state/psync, /var/lib/psync", "What is known of each pair, and logs; the second one is root's."],
] as const;

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH "${title}"`, ...lines];
}

function tagged(tag: string, text: string): string[] {
  return [".TP", tag, roff(text)];
}

function options(): string[] {
  const page = getDocPageSync(PARSER);
  if (page === undefined) throw new Error("The command line has no description");
  const groups = page.sections.filter(({ entries }) => entries.length > 0);
  return [
    '.SH "OPTIONS"',
    ...groups.flatMap(({ title, entries }) => [
      `.SS "${title ?? "Others"}"`,
      ...entries.flatMap((entry) => tagged(termOf(entry), descriptionOf(entry))),
    ]),
  ];
}

function termOf({ term }: DocEntry): string {
  if (term.type !== "option") throw new Error(`Cannot describe a ${term.type}`);
  const names = term.names.map(bold).join(", ");
  return term.metavar === undefined ? names : `${names} \\fI${roff(term.metavar)}\\fR`;
}

function descriptionOf({ description }: DocEntry): string {
  if (description === undefined) throw new Error("An option has no description");
  return formatMessage(description, { colors: false, quotes: false });
}

function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** A text in which nothing is a request or an escape; every hyphen can be copied into a shell. */
function roff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("'", "\\(aq").replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti").replaceAll("`", "\\(ga").replace(/^\./, "\\&.");
}
