/**
 * strace on a running psync-native apply: which system calls a request makes, and delays, errors and
 * kills at the k-th of them.
 *
 * Not for use outside tests/native. Drivers under it are built without sanitizers (the leak checker
 * cannot run under ptrace).
 * @module
 */
import { setImmediate } from "node:timers";
import { ApplyDriver, withRoot } from "./apply_driver.ts";

/** An attached strace; disposal detaches it. */
export class Injection implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #log: string;
  readonly #pid: number;
  readonly #drained: Promise<unknown>;

  private constructor(child: Deno.ChildProcess, log: string, pid: number, drained: Promise<unknown>) {
    this.#child = child;
    this.#pid = pid;
    this.#log = log;
    this.#drained = drained;
  }

  /** Attaches to all threads of a driver, present and future; resolves once it is attached. */
  static async attach(driver: ApplyDriver, injects: readonly string[]): Promise<Injection> {
    // The first worker must be there: system calls are counted for each thread.
    await driver.space();
    const log = await Deno.makeTempFile({ prefix: "psync-strace-" });
    const args = [
      "-f",
      "-o",
      log,
      ...injects.flatMap((inject) => ["-e", `inject=${inject}`]),
      "-p",
      String(driver.pid),
    ];
    const child = new Deno.Command("strace", { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    const reader = child.stderr.getReader();
    let text = "";
    while (!text.includes("attached")) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`Cannot attach strace: ${text}`);
      text += new TextDecoder().decode(value);
    }
    const drained = (async () => {
      while (!(await reader.read()).done);
    })();
    return new Injection(child, log, driver.pid, drained);
  }

  /** The names of the calls so far, in the order in which they began. */
  calls(): string[] {
    return [...Deno.readTextFileSync(this.#log).matchAll(/^\d+ +([a-z0-9_]+)\(/gm)]
      .map((match) => match[1]!);
  }

  /** Resolves when the process was stopped for the nth time (`stopsAfter`). */
  async stopped(nth: number): Promise<void> {
    // WHY not "stopped by": each thread says that.
    await until(() => Deno.readTextFileSync(this.#log).split("--- SIGSTOP {").length > nth);
  }

  /** Lets a stopped process go on. */
  goOn(): void {
    Deno.kill(this.#pid, "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It ended with what it traced.
    }
    await this.#child.status;
    await this.#drained;
    await Deno.remove(this.#log);
  }
}

/** Stops the process, for as long as it takes, after one or two of its calls of a name, counted from 1. */
export function stopsAfter(name: string, nths: readonly number[]): string[] {
  const [first, second] = nths;
  if (first === undefined) return [];
  const when = second === undefined ? `${first}` : `${first}..${second}+${second - first}`;
  return [`${name}:signal=SIGSTOP:when=${when}`];
}

/** Whether strace is there and may trace. */
export async function canInject(): Promise<boolean> {
  try {
    return (await new Deno.Command("strace", { args: ["-o", "/dev/null", "true"], stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** Runs `use` on an adopted root with a driver that strace may attach to. */
export async function withTraced(
  use: (root: string, driver: ApplyDriver) => Promise<void>,
): Promise<void> {
  await withRoot(async (root) => {
    await using driver = await ApplyDriver.start(root, { isPlain: true });
    await use(root, driver);
  });
}

/** How long anything may take; generous, as machines are busy. */
const DEADLINE_MS = 60_000;

/** Waits until `isSo`. */
export async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error("Cannot wait longer");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets `ms` pass; inside a window that strace holds open for much longer. */
export async function pass(ms: number): Promise<void> {
  const end = performance.now() + ms;
  await until(() => performance.now() >= end);
}
