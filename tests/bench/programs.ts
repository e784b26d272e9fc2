/**
 * The programs that are measured: psync as it was built, and those that it is measured against.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { DIST, must } from "../support/binary.ts";
import { childrenOf, commandOf } from "../support/procfs.ts";
import type { Roots, World } from "./world.ts";

/** How long a first sync may take before the bench gives up. */
const READY_LIMIT_MS = 600_000;
/** How long an ended program may take. */
const END_LIMIT_MS = 15_000;

/** The psync that is measured. */
export const PSYNC = Deno.env.get("PSYNC_BIN") ?? DIST;

/** A program that keeps two roots equal while it runs. */
export interface Live extends AsyncDisposable {
  readonly pid: number;
}

function psyncEnv(roots: Roots): Record<string, string> {
  return { XDG_STATE_HOME: roots.stateDir };
}

/** How a live psync is started. */
export interface PsyncOptions {
  /** Another ssh than that of the world. */
  readonly ssh?: string;
  /** Words in front of psync's own. */
  readonly under?: readonly string[];
  /** Called as soon as it runs. */
  readonly onStart?: (pid: number) => void;
}

/** The arguments of psync for two roots, the right one over ssh. */
export function psyncArgs(world: World, roots: Roots, ssh = world.sshd.sshCommand): string[] {
  return ["--ssh", ssh, roots.left, world.remote(roots.right)];
}

/** Starts psync; resolves when its first sync is done. */
export async function startPsync(world: World, roots: Roots, options: PsyncOptions = {}): Promise<Live> {
  const { ssh, under = [], onStart } = options;
  const [command, ...args] = [...under, PSYNC, ...psyncArgs(world, roots, ssh)];
  return await start(command!, args, { env: psyncEnv(roots), ready: /First sync done/, ...(onStart && { onStart }) });
}

/** Runs `psync -s` to its end. */
export async function syncOnce(world: World, roots: Roots): Promise<void> {
  await must(PSYNC, ["-s", ...psyncArgs(world, roots)], { env: { ...Deno.env.toObject(), ...psyncEnv(roots) } });
}

/** The arguments of rsync from left to right over the same ssh. */
export function rsyncArgs(world: World, roots: Roots): string[] {
  return ["-a", "--exclude=/.psync", "-e", world.sshd.sshCommand, `${roots.left}/`, world.remote(`${roots.right}/`)];
}

/** Runs `rsync -a` over the same ssh. */
export async function rsyncOnce(world: World, roots: Roots): Promise<void> {
  await must("rsync", rsyncArgs(world, roots));
}

/** Starts lsyncd with a delay of 0 from left to right over the same ssh; null where it is not installed. */
export async function startLsyncd(world: World, roots: Roots): Promise<Live | null> {
  if (await versionOf("lsyncd", ["--version"]) === null) return null;
  const config = `${roots.dir}/lsyncd.lua`;
  await Deno.writeTextFile(
    config,
    `settings { nodaemon = true, inotifyMode = "CloseWrite or Modify" }
sync {
  default.rsync, delay = 0, source = "${roots.left}", target = "${world.remote(roots.right)}",
  rsync = { archive = true, rsh = "${world.sshd.sshCommand}" },
}
`,
  );
  return await start("lsyncd", ["-log", "all", config], { env: {}, ready: /Finished|[Ss]tartup of .* finished/ });
}

/** How a program is started, and known to be ready. */
export interface StartOptions {
  readonly env: Readonly<Record<string, string>>;
  /** What it prints when it is ready. */
  readonly ready: RegExp;
  readonly onStart?: (pid: number) => void;
}

/** Starts a program that runs until it is disposed of; resolves when it is ready. */
export async function start(command: string, args: readonly string[], options: StartOptions): Promise<Live> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  options.onStart?.(child.pid);
  const ready = Promise.withResolvers<void>();
  let text = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      // Only what is needed to tell why it did not start.
      text = (text + part).slice(-100_000);
      if (options.ready.test(text)) ready.resolve();
    }
  };
  const ended = Promise.all([read(child.stdout), read(child.stderr), child.status]);
  ended.then(() => ready.reject(new Error(`${command} ended before it was ready: ${text.slice(-2_000)}`)));
  const late = systemClock.after(READY_LIMIT_MS, () => ready.reject(new Error(`${command} is not ready: ${text}`)));
  const stop = async () => {
    const kill = systemClock.after(END_LIMIT_MS, () => child.kill("SIGKILL"));
    try {
      child.kill("SIGTERM");
    } catch {
      // It had ended.
    }
    await ended;
    kill.cancel();
  };
  try {
    await ready.promise;
  } catch (error) {
    await stop();
    throw error;
  } finally {
    late.cancel();
  }
  return { pid: child.pid, [Symbol.asyncDispose]: stop };
}

/** The processes of a live psync, by what they are. */
export interface PsyncProcesses {
  /** psync and its psync-native. */
  readonly left: readonly number[];
  /** psync filter and its psync-native. */
  readonly right: readonly number[];
  /** ssh, and sshd's processes for it. */
  readonly link: readonly number[];
}

/** Finds them, once psync is connected. */
export function processesOf(world: World, psync: Pick<Live, "pid">): PsyncProcesses {
  const isOurs = (pid: number) => /psync|deno/.test(commandOf(pid)[0] ?? "");
  const near = [psync.pid, ...childrenOf(psync.pid)];
  const far = world.sshd.sessionPids();
  return {
    left: near.filter(isOurs),
    right: far.filter(isOurs),
    link: [...near, ...far].filter((pid) => !isOurs(pid)),
  };
}

/** The first line of what a program says of its version; null where it is not installed. */
export async function versionOf(command: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await new Deno.Command(command, { args: [...args], stdin: "null" }).output();
    const decoder = new TextDecoder();
    return `${decoder.decode(stdout)}${decoder.decode(stderr)}`.split("\n")[0]!.trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
