/**
 * Brings a command line into the form that the parser understands: glued values of short options
 * (`-rHOST`) are split off, and an option `-d` without a level gets one.
 *
 * Knows the options that take a value, nothing else of their meaning. Called by options.ts.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";

/** Options whose next argument is their value. */
const TAKES_VALUE = new Set([
  ...["-r", "--remote-host", "--ssh", "--srcroot", "--dstroot"],
  ...["-e", "--excludes", "-t", "--tempfiles", "--rsync-excludes", "-x", "--extra"],
  ...["--config", "--log-file", "--log-format", "-b", "--banned", "-T", "--translate", "--full-sync"],
]);

/** Options that psync does not have and users of its kin look for, with what to write instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "--exclude": `"-e REGEX" or "--excludes REGEX"`,
  "--rsh": `"--ssh COMMAND"`,
  "--port": `a Port line in ~/.ssh/config, or --ssh "ssh -p PORT"`,
  "-p": `a Port line in ~/.ssh/config, or --ssh "ssh -p PORT"`,
  "-i": `an IdentityFile line in ~/.ssh/config, or --ssh "ssh -i FILE"`,
  "--bwlimit": `"-x --bwlimit=RATE"`,
  "--compress": `"-x --compress"`,
  "--once": `"--sync-only"`,
  "--sync": `"--sync-only"`,
  "--verbose": `"-d"`,
  "-v": `"-d" for more words, "--version" for the version`,
  "-V": `"--version"`,
  "--delete": `nothing in its place: removals are always carried over`,
};

/** `-d`, alone or at the end of a bundle of switches. */
const BARE_DEBUG = /^-[nskfhc]*d$/;

/** The level that `-d` alone stands for. */
const BARE_DEBUG_LEVEL = "2";

/**
 * Rewrites arguments up to `--`; what follows it, and values of options, stay as they are.
 * @throws {UsageError} for `-x=value`, for options of other programs, and for what begins with a dash and can be no option.
 */
export function normalizeTokens(args: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const token = args[i]!;
    if (token === "--") return [...out, ...args.slice(i)];
    const instead = ELSEWHERE[token.replace(/=.*$/s, "")];
    if (instead !== undefined) throw new UsageError(`Unknown option "${showPath(token)}": psync takes ${instead}`);
    if (token === "--debug" || BARE_DEBUG.test(token)) {
      if (/^-[^-]./.test(token)) out.push(token.slice(0, -1));
      const hasLevel = /^[0-9]+$/.test(args[i + 1] ?? "");
      out.push(`--debug=${hasLevel ? args[++i] : BARE_DEBUG_LEVEL}`);
    } else if (TAKES_VALUE.has(token)) {
      // A value may look like an option; only `=` keeps the two apart for a long option.
      out.push(token, ...args.slice(i + 1, i + 2));
      i++;
    } else {
      out.push(...splitGlued(token));
    }
  }
  return out;
}

/** A short option with its value in one token, as two; everything else as it is. */
function splitGlued(token: string): string[] {
  if (!/^-[^-]/.test(token)) return [token];
  const option = token.slice(0, 2);
  const rest = token.slice(2);
  if (!/^-[a-z]/i.test(token)) {
    throw new UsageError(`Unknown option "${showPath(token)}": for a folder of this name write "./${showPath(token)}"`);
  }
  if (rest.startsWith("=")) {
    throw new UsageError(`Cannot use "${showPath(token)}": write "${option} ${showPath(rest.slice(1))}", with a space`);
  }
  if (rest !== "" && TAKES_VALUE.has(option)) return [option, rest];
  if (option === "-d" && /^[0-9]+$/.test(rest)) return [`--debug=${rest}`];
  return [token];
}
