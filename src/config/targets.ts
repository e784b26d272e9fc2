/**
 * Which two roots a session joins, and on which host the right one lies: read from the operands
 * and `--remote-host`.
 *
 * Pure: does not ask the disk or the name service whether any of it exists. Operands are decoded
 * as names are (core/path.ts), so that every byte survives. Called by cli/options.ts.
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";

/** What the user wrote on the command line. */
export interface Operands {
  readonly left: string;
  readonly right: string;
  /** From `--remote-host`, or null. */
  readonly remoteHost: string | null;
}

/** Where the two roots are. Trailing slashes are gone. */
export interface Targets {
  readonly left: string;
  /** On `remoteHost`, a relative path lies below the login directory. */
  readonly right: string;
  /** As ssh takes it: `host`, `user@host`, an address, or an `ssh://` address; null: this host. */
  readonly remoteHost: string | null;
}

/**
 * Takes the operands apart. The right one may be `host:path`, `user@host:path` or `[address]:path`;
 * an operand with a slash before its first colon is local, so `./a:b` is a folder here.
 * @throws {UsageError} that names the operand and says how to write it.
 */
export function parseTargets(operands: Operands): Targets {
  if (splitRemote(operands.left) !== null) {
    throw new UsageError(
      `Cannot use ${show(operands.left)} as LEFT: only RIGHT may be on another host; swap the two, or write ` +
        `${show(`./${operands.left}`)} for a folder here`,
    );
  }
  const left = parseRoot(operands.left, "LEFT");
  const remote = splitRemote(operands.right);
  if (operands.remoteHost !== null) {
    if (remote !== null) {
      throw new UsageError(
        `Cannot use ${show(operands.right)} as RIGHT together with --remote-host ${show(operands.remoteHost)}: name ` +
          `the host once, or write ${show(`./${operands.right}`)} for a folder there`,
      );
    }
    return { left, right: parseRoot(operands.right, "RIGHT"), remoteHost: parseHost(operands.remoteHost) };
  }
  if (remote === null) return { left, right: parseRoot(operands.right, "RIGHT"), remoteHost: null };
  return { left, ...parseRemote(operands.right, remote) };
}

/** Host and path of `host:path`, unchecked. */
interface Remote {
  readonly host: string;
  readonly path: string;
}

const BRACKETED = /^((?:[^/@[\]]*@)?)\[([^\]/]*)\]:(.*)$/s;

/** Takes an operand apart where its form is that of a remote one; null: a path on this host. */
function splitRemote(text: string): Remote | null {
  const match = BRACKETED.exec(text);
  if (match !== null) return { host: `${match[1]}${match[2]}`, path: match[3]! };
  const colon = text.indexOf(":");
  const slash = text.indexOf("/");
  if (colon < 0 || (slash >= 0 && slash < colon)) return null;
  return { host: text.slice(0, colon), path: text.slice(colon + 1) };
}

function parseRemote(operand: string, remote: Remote): { readonly right: string; readonly remoteHost: string } {
  const refuse = (why: string) => new UsageError(`Cannot use ${show(operand)} as RIGHT: ${why}`);
  if (remote.host === "") {
    throw refuse(`no host stands before the colon; write ${show(`./${operand}`)} for a folder here`);
  }
  if (remote.path.startsWith("//")) throw refuse(`an address with "://" is not understood; write host:path`);
  if (remote.path.startsWith(":")) throw refuse(`rsync modules are not supported; write host:path, reached over ssh`);
  if (remote.path === "") {
    throw refuse(`no path stands after the colon; write ${show(`${operand}.`)} for the login directory itself`);
  }
  return { right: parseRoot(remote.path, "RIGHT"), remoteHost: parseHost(remote.host) };
}

/** A root without its trailing slashes. */
function parseRoot(text: string, role: "LEFT" | "RIGHT"): string {
  if (text === "") throw new UsageError(`Cannot use "" as ${role}: it is empty; name a folder`);
  if (/^~[^/]*(\/|$)/.test(text)) {
    throw new UsageError(
      `Cannot use ${show(text)} as ${role}: psync does not expand "~"; write the whole path` +
        (role === "RIGHT" ? ", or host:folder for a folder below the login directory" : ""),
    );
  }
  return text.replace(/\/+$/, "") || "/";
}

/** How a host may not look: ssh would take it for an option, or it can be no host at all. */
// deno-lint-ignore no-control-regex -- control characters have no place in a host name
const BAD_HOST = /^-|@-|[\x00-\x20\x7f\ud800-\udfff]|^@|@$/;

/** Something with at least two colons that consists of what IPv6 addresses consist of. */
const ADDRESS = /^[0-9a-f.]*:[0-9a-f.]*:[0-9a-f:.]*(%\w+)?$/i;

/** A destination for ssh; brackets around an address are taken off. */
function parseHost(text: string): string {
  const refuse = (why: string) => new UsageError(`Cannot use ${show(text)} as remote host: ${why}`);
  if (text === "") throw refuse("it is empty; name a host as ssh knows it");
  if (BAD_HOST.test(text)) {
    throw refuse(`a host is a name or user@name, without spaces, and does not begin with "-"`);
  }
  if (text.startsWith("ssh://")) return text;
  const at = text.lastIndexOf("@") + 1;
  const name = text.slice(at).replace(/^\[(.*)\]$/, "$1");
  if (/[/[\]=]/.test(name) || (name.includes(":") && !ADDRESS.test(name))) {
    throw refuse("it is no host name; write the folder as RIGHT, and a port into ~/.ssh/config or --ssh");
  }
  return text.slice(0, at) + name;
}

function show(text: string): string {
  return `"${showPath(text)}"`;
}
