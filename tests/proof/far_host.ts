/**
 * Another host, as far as the network goes: a network namespace with an sshd in it, and a cable to
 * the namespace of psync that can be pulled.
 *
 * Needs root and iproute2. The files of both sides lie on this host. Owned by the test:
 * `await using far = await FarHost.make()`.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { REPO } from "../support/binary.ts";
import { signalIfThere } from "../support/signal.ts";
import { type Sshd, startSshd } from "../support/sshd.ts";

const NEAR_ADDRESS = "10.211.7.1";
const FAR_ADDRESS = "10.211.7.2";
/** What a narrow cable lets through at once, and how long a packet waits before it. */
const BURST = "32kb";
const QUEUE_MS = 400;
/** How long an sshd may take to listen; generous, as machines are busy. */
const LISTEN_MS = 30_000;

/** Whether this machine lets us make network namespaces. */
export async function canMakeHosts(): Promise<boolean> {
  const name = `psync-try-${Deno.pid}`;
  const isMade = await ip("netns", "add", name).then(() => true, () => false);
  if (isMade) await ip("netns", "del", name);
  return isMade;
}

function ip(...args: string[]): Promise<void> {
  return run("ip", args);
}

async function run(command: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stderr: "piped" }).output();
  if (!success) throw new Error(`Cannot run ${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

async function endOf(listener: Deno.ChildProcess): Promise<void> {
  signalIfThere(listener.pid, "SIGTERM");
  await listener.status;
}

/** Waits until somebody listens in a namespace. */
async function untilListening(name: string): Promise<void> {
  const endMs = systemClock.nowMs() + LISTEN_MS;
  for (;;) {
    const { stdout } = await new Deno.Command("ip", { args: ["netns", "exec", name, "cat", "/proc/net/tcp"] }).output();
    // 0A: LISTEN.
    if (/^ *\d+: \S+ \S+ 0A /m.test(new TextDecoder().decode(stdout))) return;
    if (systemClock.nowMs() > endMs) throw new Error(`No sshd listens in ${name}`);
    await systemClock.sleep(20);
  }
}

/** Two network namespaces and a cable between them. */
export class FarHost implements AsyncDisposable {
  /** The name that the client's configuration knows. */
  readonly host: string;
  readonly #sshd: Sshd;
  readonly #listener: Deno.ChildProcess;

  private constructor(sshd: Sshd, listener: Deno.ChildProcess) {
    this.#sshd = sshd;
    this.host = sshd.alias;
    this.#listener = listener;
  }

  static async make(): Promise<FarHost> {
    await using stack = new AsyncDisposableStack();
    const [near, far] = [FarHost.#name("near"), FarHost.#name("far")];
    for (const name of [near, far]) {
      await ip("netns", "add", name);
      stack.defer(() => ip("netns", "del", name));
    }
    await ip("-n", near, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", far);
    for (const [name, address] of [[near, NEAR_ADDRESS], [far, FAR_ADDRESS]] as const) {
      await ip("-n", name, "addr", "add", `${address}/30`, "dev", "cable");
      await ip("-n", name, "link", "set", "cable", "up");
    }
    // Its keys and configuration serve a second one, in the namespace of the far host.
    const sshd = stack.use(await startSshd({ env: { XDG_CACHE_HOME: `${REPO}/.cache/scenario` } }));
    await Deno.writeTextFile(
      `${sshd.dir}/far_config`,
      (await Deno.readTextFile(`${sshd.dir}/sshd_config`)).replace("127.0.0.1", FAR_ADDRESS),
    );
    const args = ["netns", "exec", far, "/usr/sbin/sshd", "-D", "-e", "-f", `${sshd.dir}/far_config`];
    const listener = new Deno.Command("ip", { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
    stack.defer(() => endOf(listener));
    await untilListening(far);
    stack.move();
    return new FarHost(sshd, listener);
  }

  static #name(end: "near" | "far"): string {
    return `psync-${end}-${Deno.pid}`;
  }

  /** In front of a command that runs on the near host. */
  get near(): readonly string[] {
    return ["ip", "netns", "exec", FarHost.#name("near")];
  }

  /** What `--ssh` is given there. */
  get sshCommand(): string {
    const { sshCommand, port } = this.#sshd;
    return `${sshCommand} -o HostName=${FAR_ADDRESS} -o HostKeyAlias=[127.0.0.1]:${port}`;
  }

  /** Pulls the cable at the far end, so that the near one hears of nothing; or puts it in again. */
  async cable(is: "in" | "out"): Promise<void> {
    await ip("-n", FarHost.#name("far"), "link", "set", "cable", is === "in" ? "up" : "down");
  }

  /** From now on no more goes through the cable than so many Mbit/s, either way; what waits longer is dropped. */
  async narrow(megabits: number): Promise<void> {
    const bucket = ["root", "tbf", "rate", `${megabits}mbit`, "burst", BURST, "latency", `${QUEUE_MS}ms`];
    for (const end of ["near", "far"] as const) {
      await run("tc", ["-n", FarHost.#name(end), "qdisc", "replace", "dev", "cable", ...bucket]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endOf(this.#listener);
    for (const end of ["near", "far"] as const) await ip("netns", "del", FarHost.#name(end));
    await this.#sshd.stop();
  }
}
