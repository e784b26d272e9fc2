/**
 * How ssh is called: its words, its options, and what its complaints mean.
 *
 * No shell is involved on this host, and no file name or option of the user's reaches one on the
 * other. Starts nothing (ssh.ts, bulk_link.ts).
 * @module
 */
import { SetupError, UsageError } from "../base/errors.ts";
import { oneLine } from "./pipe.ts";
import { splitWords } from "./words.ts";

/** What ssh is told, after the user's own words: the first value of an option wins, so those win. */
const SSH_OPTIONS = [
  "-T",
  "-x",
  "-a",
  ...[
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
  ].flatMap((option) => ["-o", option]),
];

/** Kept apart: the bulk connection shares, the frames' one never does. */
const NOT_SHARED = ["-o", "ControlMaster=no", "-o", "ControlPath=none"];

/** The words that start ssh. */
export interface SshCommand {
  readonly words: readonly string[];
  /**
   * Whether the command's base name is `ssh`: options are added then. Any other command gets the
   * operands alone, HOST and COMMAND, and is on its own as to batch mode and time limits.
   */
  readonly isSsh: boolean;
}

/** The words of `--ssh COMMAND`, or of plain ssh. @throws {UsageError} */
export function parseSshCommand(command = "ssh"): SshCommand {
  const words = splitWords(command);
  return { words, isSsh: /(^|\/)ssh$/.test(words[0]!) };
}

/**
 * Refuses what is no host name: nothing that ssh, or a ProxyCommand's shell, could take for more.
 * @throws {UsageError}
 */
export function requireHost(host: string): void {
  const isHost = /^[A-Za-z0-9_.:[][A-Za-z0-9._@:%+\[\]-]*$/.test(host) && !/@-|@$/.test(host) && host.length <= 512;
  if (!isHost) throw new UsageError(`Cannot use host ${JSON.stringify(host.slice(0, 80))}: it is no host name`);
}

/** The arguments of one connection of its own that runs `command`. */
export function sshArgs(ssh: SshCommand, host: string, command: string): readonly string[] {
  const options = ssh.isSsh ? [...SSH_OPTIONS, ...NOT_SHARED, "--"] : [];
  return [...ssh.words.slice(1), ...options, bareHost(host), command];
}

/** The words before the host for connections that share `socket`, or stand alone where it is null. */
export function sharedSshWords(ssh: SshCommand, socket: string | null): readonly string[] {
  if (!ssh.isSsh) return ssh.words;
  const shared = socket === null ? NOT_SHARED : ["-o", "ControlMaster=no", "-o", `ControlPath=${socket}`];
  // WHY: before the user's words; a ControlPath among those would win, and its master is not ours.
  return [ssh.words[0]!, ...shared, ...ssh.words.slice(1), ...SSH_OPTIONS];
}

/**
 * The arguments of the connection that others share over `socket`.
 *
 * WHY a command, and not -N: it ends with our end of its stdin, so also when psync is killed; a master
 * without one would stay for ever, on both hosts.
 */
export function masterArgs(ssh: SshCommand, host: string, socket: string): readonly string[] {
  const own = ["-M", "-o", `ControlPath=${socket}`, "-o", "ControlPersist=no"];
  return [...own, ...ssh.words.slice(1), ...SSH_OPTIONS, "--", bareHost(host), "cat"];
}

/** ssh takes an address without the brackets that `[::1]:path` needs. */
export function bareHost(host: string): string {
  return host.replace(/\[([^\]]*)\]$/, "$1");
}

/** Complaints of ssh, and what to do. `$` is the host as it was given. */
const COMPLAINTS: readonly (readonly [RegExp, string])[] = [
  [/Could not resolve hostname/i, "its name is unknown; check it, or its Host entry in ~/.ssh/config"],
  [/REMOTE HOST IDENTIFICATION HAS CHANGED/, "its host key has changed; if that is right, run once: ssh-keygen -R $"],
  [
    /Host key verification failed|No \S+ host key is known/i,
    "its host key is unknown; to accept it run once: ssh $ true",
  ],
  [
    /Too many authentication failures/i,
    "it refused after too many keys; name the right one by IdentityFile in ~/.ssh/config",
  ],
  [/Permission denied \(/i, "it wants a password or does not take the key; to log in by key run once: ssh-copy-id $"],
  [/^psync-native: Cannot run /m, "the command cannot be started; install openssh-client, or name one with --ssh"],
  [/Connection refused/i, "it refuses connections on that port; is sshd running there"],
  [/timed out|Timeout, server/i, "it does not answer; is it up, and does a firewall let ssh through"],
  [/No route to host|Network is unreachable/i, "there is no way to it; check the network"],
  [
    /Bad owner or permissions|Bad configuration option|terminating, \d+ bad config/i,
    "ssh refuses its own configuration",
  ],
];

/** What ssh left behind when it ended. */
export interface SshEnd {
  readonly host: string;
  readonly code: number;
  readonly stderr: string;
  /** The last line on stdout, "" for none. */
  readonly noise: string;
}

/** Why ssh ended before the filter answered, as one line that says what to do. */
export function explainSsh(ssh: SshCommand, end: SshEnd): SetupError {
  const prefix = `Cannot connect to "${end.host}"`;
  const said = oneLine(end.stderr);
  const shown = bareHost(end.host);
  const again = ssh.words.length > 1 ? `${ssh.words.join(" ")} ${shown} true` : null;
  for (const [pattern, meaning] of COMPLAINTS) {
    if (!pattern.test(end.stderr)) continue;
    const advice = meaning.replace("$", shown).replace(`ssh ${shown} true`, again ?? `ssh ${shown} true`);
    return new SetupError(`${prefix}: ${advice} (${lastLine(end.stderr)})`);
  }
  if (end.code === 255 || said !== "") {
    return new SetupError(`${prefix}: ${said || "ssh ended without a word"}`);
  }
  return new SetupError(`${prefix}: the command ended with code ${end.code}${end.noise ? `: ${end.noise}` : ""}`);
}

function lastLine(stderr: string): string {
  return oneLine(stderr.trim().split(/\n/).at(-1) ?? "");
}
