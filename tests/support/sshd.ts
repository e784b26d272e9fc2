/**
 * A real sshd of our own on a free loopback port, for the scenarios that go over ssh.
 *
 * Everything that it reads lies in one temporary directory: host key, client key, configuration,
 * and the HOME that its sessions see, so that what psync deploys and keeps there is private to the
 * test. It never touches the machine's own sshd, keys or known hosts. Not for use outside tests.
 * The caller owns it: `await using sshd = await startSshd()`.
 * @module
 */
import { childrenOf } from "./procfs.ts";
import { removeTree } from "./remove_tree.ts";
import { signalIfThere } from "./signal.ts";

/** How often another free port is tried when somebody else took the one that was found. */
const PORT_ATTEMPTS = 5;

/** The name under which the client's configuration knows this sshd, besides 127.0.0.1. */
const ALIAS = "psync-test";

/** What a test may ask of its sshd. */
export interface SshdOptions {
  /** More environment of each session, over HOME and the XDG directories. No value may hold a quote or a newline. */
  readonly env?: Readonly<Record<string, string>>;
  /** More lines of sshd_config, such as `MaxSessions 1`. They come first, so they win. */
  readonly serverConfig?: readonly string[];
  /** More lines of the client's ssh_config; they come first, so they win. */
  readonly clientConfig?: readonly string[];
  /** Whether the client knows the host's key (default true). */
  readonly isHostKnown?: boolean;
  /** Whether the client's key is let in (default true). */
  readonly isKeyAuthorized?: boolean;
}

/** A running sshd and how to reach it. */
export interface Sshd extends AsyncDisposable {
  /** The address to name as the host. */
  readonly host: "127.0.0.1";
  readonly port: number;
  /** Another name of the same host, which only the client's configuration knows. */
  readonly alias: string;
  /** What to give to `--ssh`: words without quotes, separated by single spaces. */
  readonly sshCommand: string;
  /** The temporary directory of everything that belongs to this sshd; removed by `stop`. */
  readonly dir: string;
  /** HOME of its sessions (they start in the login directory of the user, as sshd wants it). */
  readonly home: string;
  /** The environment that each session gets. */
  readonly env: Readonly<Record<string, string>>;
  /** Everything that sshd said so far. */
  log(): string;
  /** The processes below the listener: one or two for each connection, and what they started. */
  sessionPids(): number[];
  /** Cuts every connection at once and whatever ran in it; new ones are still let in. */
  dropSessions(): void;
  /** Ends sshd and every session, and removes `dir`. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts an sshd that lets in the current user by a key of its own.
 *
 * Resolves once it listens.
 * @throws Error when sshd is not installed or does not start
 */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const dir = await Deno.makeTempDir({ prefix: "psync-sshd-" });
  try {
    const env = await makeHome(dir, options);
    await makeKeys(dir, options);
    for (let attempt = 1;; attempt++) {
      const port = freePort();
      await writeConfigs(dir, { ...options, env, port });
      const server = new Listener(dir);
      if (await server.isListening()) return describe(server, { dir, env, port });
      await server.end();
      if (attempt === PORT_ATTEMPTS) throw new Error(`Cannot start sshd: ${server.log.trim()}`);
    }
  } catch (error) {
    await Deno.remove(dir, { recursive: true });
    throw error;
  }
}

async function makeHome(dir: string, options: SshdOptions): Promise<Record<string, string>> {
  const home = `${dir}/home`;
  await Deno.mkdir(home, { mode: 0o700 });
  return {
    HOME: home,
    XDG_CACHE_HOME: `${home}/.cache`,
    XDG_STATE_HOME: `${home}/.local/state`,
    ...options.env,
  };
}

async function makeKeys(dir: string, options: SshdOptions): Promise<void> {
  for (const name of ["host_key", "client_key"]) {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "psync-test", "-f", `${dir}/${name}`]);
  }
  const clientKey = await Deno.readTextFile(`${dir}/client_key.pub`);
  await Deno.writeTextFile(`${dir}/authorized_keys`, options.isKeyAuthorized === false ? "" : clientKey, {
    mode: 0o600,
  });
}

interface ConfigValues extends SshdOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly port: number;
}

async function writeConfigs(dir: string, values: ConfigValues): Promise<void> {
  const { env, port } = values;
  const setEnv = Object.entries(env).map(([name, value]) => `"${name}=${value}"`).join(" ");
  const server = [
    ...(values.serverConfig ?? []),
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${dir}/host_key`,
    `AuthorizedKeysFile ${dir}/authorized_keys`,
    `PidFile ${dir}/sshd.pid`,
    `SetEnv ${setEnv}`,
    "StrictModes no",
    "UsePAM no",
    "UseDNS no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PrintMotd no",
    "MaxStartups 1000",
    "MaxSessions 1000",
    "LogLevel VERBOSE",
  ];
  const client = [
    ...(values.clientConfig ?? []),
    `Host 127.0.0.1 ${ALIAS}`,
    "HostName 127.0.0.1",
    `Port ${port}`,
    `IdentityFile ${dir}/client_key`,
    "IdentitiesOnly yes",
    "IdentityAgent none",
    `UserKnownHostsFile ${dir}/known_hosts`,
    "GlobalKnownHostsFile /dev/null",
    "StrictHostKeyChecking yes",
    "UpdateHostKeys no",
  ];
  const hostKey = (await Deno.readTextFile(`${dir}/host_key.pub`)).split(" ").slice(0, 2).join(" ");
  await Deno.writeTextFile(`${dir}/sshd_config`, server.join("\n") + "\n");
  await Deno.writeTextFile(`${dir}/ssh_config`, client.join("\n") + "\n");
  await Deno.writeTextFile(
    `${dir}/known_hosts`,
    values.isHostKnown === false ? "" : `[127.0.0.1]:${port} ${hostKey}\n`,
  );
}

function describe(server: Listener, at: { dir: string; env: Record<string, string>; port: number }): Sshd {
  let stopped: Promise<void> | undefined;
  const stop = () =>
    stopped ??= (async () => {
      await server.end();
      await removeTree(at.dir);
    })();
  return {
    host: "127.0.0.1",
    port: at.port,
    alias: ALIAS,
    sshCommand: `ssh -F ${at.dir}/ssh_config`,
    dir: at.dir,
    home: `${at.dir}/home`,
    env: at.env,
    log: () => server.log,
    sessionPids: () => server.descendants(),
    dropSessions: () => killAll(server.descendants()),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The sshd process itself; it collects what sshd says. */
class Listener {
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<void>;
  readonly #started = Promise.withResolvers<boolean>();
  log = "";

  constructor(dir: string) {
    if (Deno.uid() === 0) Deno.mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    this.#child = new Deno.Command("/usr/sbin/sshd", {
      args: ["-D", "-e", "-f", `${dir}/sshd_config`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#drained = this.#drain();
  }

  /** Resolves to true once sshd says that it listens, to false when it ends before. */
  isListening(): Promise<boolean> {
    return this.#started.promise;
  }

  descendants(): number[] {
    return childrenOf(this.#child.pid);
  }

  /** Ends the listener, then what ran below it, so that no new session slips in between. */
  async end(): Promise<void> {
    const sessions = this.descendants();
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It had ended before.
    }
    killAll(sessions);
    await this.#child.status;
    await this.#drained;
  }

  async #drain(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.log += text;
      if (this.log.includes("Server listening on")) this.#started.resolve(true);
    }
    this.#started.resolve(false);
  }
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) signalIfThere(pid, "SIGKILL");
}

/** A port that is free now; another process may take it before sshd does, hence the attempts. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function run(command: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`Cannot run ${command}: ${new TextDecoder().decode(stderr).trim()}`);
}
