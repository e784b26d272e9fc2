/**
 * The command lines of `psync conflicts` and `psync trash`: what may be written, and what it means.
 *
 * Does not print, exit, or touch a disk. Which operands are roots is found out later, where the pairs
 * of this host are known (control/name_pair.ts). Called by run.ts.
 * @module
 */
import { argument, message, multiple, object, option, optional, parse, string } from "@optique/core";
import { UsageError } from "../base/errors.ts";
import type { Keep } from "../brain/control_requests.ts";
import { showPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { type DebugLevel, flag, LEVEL, nearMiss, oneSentence, sayings } from "./options.ts";
import { normalizeTokens } from "./tokens.ts";

/** Words that begin such a command; a folder of that name is written `./conflicts`. */
export const MANAGE_WORDS: readonly string[] = ["conflicts", "trash"];

/** What is to be done. */
export type ManageTask =
  | { readonly kind: "help" }
  | { readonly kind: "conflicts.list" }
  | { readonly kind: "conflicts.show"; readonly ids: readonly number[] }
  /** `ids` null: all. */
  | { readonly kind: "conflicts.keep"; readonly keep: Keep; readonly ids: readonly number[] | null }
  | { readonly kind: "trash.list" | "trash.restore" | "trash.empty" };

/** A command about what psync has kept. */
export interface ManageCommand {
  readonly task: ManageTask;
  /** LEFT and RIGHT, or paths, or both; not told apart yet. */
  readonly operands: readonly string[];
  readonly remoteHost: string | null;
  readonly sshCommand: string | null;
  /** null: both. */
  readonly side: Side | null;
  /** Do not ask. */
  readonly yes: boolean;
  readonly debugLevel: DebugLevel;
}

/** The parser of both commands. */
export const MANAGE_PARSER = object({
  what: object("Which pair, and what in it", {
    operands: multiple(argument(string({ metavar: "OPERAND" }), { hidden: true })),
    remoteHost: optional(option("-r", "--remote-host", string({ metavar: "HOST" }), {
      errors: sayings("--remote-host", "HOST"),
      description: message`RIGHT is on this host.`,
    })),
    ssh: optional(option("--ssh", string({ metavar: "COMMAND" }), {
      errors: sayings("--ssh", "COMMAND"),
      description: message`Run this to reach the other host; as the last psync did when left out.`,
    })),
    side: optional(option("--side", string({ metavar: "SIDE" }), {
      errors: sayings("--side", "SIDE"),
      description: message`Only the trash of this side: left or right.`,
    })),
    all: flag("-a", "--all", message`Every conflict.`),
  }),
  how: object("How to run", {
    yes: flag("-y", "--yes", message`Do it without asking. Needed where there is no terminal to ask on.`),
    debug: optional(option("-d", "--debug", LEVEL, {
      errors: sayings("--debug", "LEVEL"),
      description: message`Log to stderr, from 0 to 3.`,
    })),
    help: flag("-h", "--help", message`Show this and end.`),
  }),
}, { errors: { suggestions: nearMiss } });

/**
 * Reads a command line whose first word is one of `MANAGE_WORDS`.
 * @throws {UsageError} in one line that names what is wrong and says what to do.
 */
export function parseManage(args: readonly string[]): ManageCommand {
  const [word, ...more] = args;
  const result = parse(MANAGE_PARSER, normalizeTokens(more));
  if (!result.success) throw new UsageError(oneSentence(result.error));
  const { what, how } = result.value;
  const common = {
    remoteHost: what.remoteHost ?? null,
    sshCommand: what.ssh ?? null,
    side: what.side === undefined ? null : parseSide(what.side),
    yes: how.yes,
    debugLevel: how.debug ?? 0 as const,
  };
  if (how.help) return { ...common, task: { kind: "help" }, operands: [] };
  const parsed = word === "conflicts" ? parseConflicts(what.operands, what.all) : parseTrash(what.operands);
  if (what.all && parsed.task.kind !== "conflicts.keep") {
    throw new UsageError(`Cannot use "--all" here: write it behind keep`);
  }
  if (common.side !== null && word === "conflicts") {
    throw new UsageError(`Cannot use "--side" here: name the side behind keep`);
  }
  return { ...common, ...parsed };
}

type Parsed = Pick<ManageCommand, "task" | "operands">;

function parseConflicts(operands: readonly string[], isAll: boolean): Parsed {
  const [verb, ...rest] = operands;
  switch (verb) {
    case "list":
      return { task: { kind: "conflicts.list" }, operands: rest };
    case "show": {
      const { ids, others } = takeIds(rest);
      if (ids.length === 0) throw new UsageError(`Cannot show a conflict without its ID: "psync conflicts" lists them`);
      return { task: { kind: "conflicts.show", ids }, operands: others };
    }
    case "keep":
      return parseKeep(rest, isAll);
    default:
      return { task: { kind: "conflicts.list" }, operands };
  }
}

function parseKeep([which, ...rest]: readonly string[], isAll: boolean): Parsed {
  if (which !== "left" && which !== "right" && which !== "both") {
    throw new UsageError(
      `Cannot keep ${which === undefined ? "nothing" : `"${showPath(which)}"`}: write left, right or both`,
    );
  }
  const { ids, others } = takeIds(rest);
  if (isAll === ids.length > 0) {
    throw new UsageError(
      isAll
        ? `Cannot use "--all" with IDs: write one of the two`
        : `Cannot keep "${which}" of nothing: write IDs, or --all`,
    );
  }
  return { task: { kind: "conflicts.keep", keep: which, ids: isAll ? null : ids }, operands: others };
}

const ID = /^#?([1-9]\d{0,14})$/;

/** Numbers are IDs; a folder whose name is one is written `./3`. */
function takeIds(operands: readonly string[]): { readonly ids: number[]; readonly others: string[] } {
  const ids = operands.flatMap((each) => {
    const match = ID.exec(each);
    return match === null ? [] : [Number(match[1])];
  });
  return { ids: [...new Set(ids)], others: operands.filter((each) => !ID.test(each)) };
}

function parseTrash([verb, ...operands]: readonly string[]): Parsed {
  if (verb !== "list" && verb !== "restore" && verb !== "empty") {
    const found = verb === undefined ? "" : `"${showPath(verb)}" `;
    throw new UsageError(`Cannot do ${found}with the trash: write "psync trash list", "restore" or "empty"`);
  }
  return { task: { kind: `trash.${verb}` }, operands };
}

function parseSide(text: string): Side {
  if (text === "left" || text === "right") return text;
  throw new UsageError(`Cannot use "${showPath(text)}" as side: it must be left or right`);
}
