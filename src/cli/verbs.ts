/**
 * The commands of psync, one line each: for help, man page and completion.
 *
 * What each of them means is said by command_line.ts and manage_options.ts.
 * @module
 */

/** A command. */
export interface VerbText {
  readonly name: string;
  /** How it is written. */
  readonly usage: string;
  readonly does: string;
  /** The words that may follow it. */
  readonly next: readonly string[];
  /** Whether it takes the options of psync, those of conflicts and trash, those of status and its like, or none. */
  readonly options: "session" | "manage" | "ask" | "none";
  /** Whether its operands are two roots, or the name of a configuration. */
  readonly takesName: boolean;
}

function about(name: string, usage: string, does: string): VerbText {
  return { name, usage, does, next: [], options: "session", takesName: true };
}

function ask(name: string, usage: string, does: string): VerbText {
  return { name, usage, does, next: [], options: "ask", takesName: false };
}

/** All but `filter`, which psync itself starts on the other host. */
export const VERB_TEXTS: readonly VerbText[] = [
  about("run", "run NAME", "Do what NAME.toml says. The following take NAME as well as LEFT RIGHT."),
  about("check", "check [-c] LEFT RIGHT", "Compare both trees now: 0 equal, 1 different, with the list."),
  about("runcheck", "runcheck [-c] LEFT RIGHT", "Compare, repair, compare again."),
  about("start", "start [--log-file FILE] LEFT RIGHT", "Run in the background, with a log file."),
  about("stop", "stop [LEFT RIGHT]", "End the psync of a pair, however it was started."),
  about("doctor", "doctor [LEFT RIGHT]", "What hinders psync on this host or between two roots, and what mends it."),
  {
    ...about("config", "config show NAME", "Print what is in force, and where each value comes from."),
    next: ["show"],
  },
  ask(
    "status",
    "status [--json|--watch|--max-lag WARN[:CRIT]]",
    "What the running psync does; see psync status --help.",
  ),
  ask("log", "log [-f] [-n COUNT] [PATH...]", "What was done, to which path, in which direction, and why."),
  ask("flush", "flush [--timeout SECONDS] [PATH]", "Wait until all that was written is on the other side, durably."),
  ask("pause", "pause", "Change nothing until psync resume."),
  ask("resume", "resume", "Go on."),
  ask("reset", "reset", "Forget what both sides agreed on; touches no file."),
  {
    name: "conflicts",
    usage: "conflicts [list|show|keep] ...",
    does: "List conflicts and decide them; see psync conflicts --help.",
    next: ["list", "show", "keep"],
    options: "manage",
    takesName: false,
  },
  {
    name: "trash",
    usage: "trash list|restore|empty ...",
    does: "What was removed; see psync trash --help.",
    next: ["list", "restore", "empty"],
    options: "manage",
    takesName: false,
  },
  {
    name: "completion",
    usage: "completion bash|zsh|fish",
    does: "Print a script that completes commands and options in this shell.",
    next: ["bash", "zsh", "fish"],
    options: "none",
    takesName: false,
  },
];
