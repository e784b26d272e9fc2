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
  readonly #drained: Promise<unknown>;

  private constructor(child: Deno.ChildProcess, log: string, drained: Promise<unknown>) {
    this.#child = child;
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
    return new Injection(child, log, drained);
  }

  /** The names of the calls so far, in order. */
  calls(): string[] {
    return [...Deno.readTextFileSync(this.#log).matchAll(/^\d+ +(?:<\.\.\. )?([a-z0-9_]+)(?:\(| resumed)/gm)]
      .map((match) => match[1]!);
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

/** Waits until a process holds a lease (proc(5), /proc/locks). */
export async function leaseOf(pid: number): Promise<void> {
  const line = new RegExp(`LEASE +(?:ACTIVE|BREAKING|BREAKER) +\\w+ +${pid} `);
  await until(() => line.test(Deno.readTextFileSync("/proc/locks")));
}

/** Waits until `isSo`; fails after 10 s. */
export async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
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
