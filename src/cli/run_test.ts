import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { resetSync } from "@logtape/logtape";
import { NO_EXTRA } from "../config/rsync_extra.ts";
import { DEFAULT_TEMPFILES, NO_RULES } from "../core/ignore.ts";
import * as errors from "../base/errors.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { someConnection, someState } from "../../tests/support/session_values.ts";
import { logger } from "../base/log.ts";
import type { Settings } from "../config/settings.ts";
import type { AskIo } from "./ask.ts";
import type { AskCommand } from "./ask_options.ts";
import type { ManageIo } from "./manage.ts";
import type { ManageCommand } from "./manage_options.ts";
import type { LogSink } from "./voice.ts";
import { main, type Process, type SessionContext } from "./run.ts";

type Session = (settings: Settings, context: SessionContext) => Promise<{ readonly exitCode: number }>;

/** A process that is none: its session is a function, its signals are calls. */
class FakeProcess implements Process {
  readonly env = new Map<string, string>();
  readonly clock = new FakeClock();
  readonly pid = 7;
  readonly canRedraw = false;
  readonly exits: number[] = [];
  readonly handlers = new Map<string, () => void>();
  cwd: string | null = "/w";
  hasTerminal = false;
  out = "";
  err = "";
  isOutBroken = false;
  uncaught: (error: unknown) => void = () => {};
  readonly #session: Session;

  constructor(readonly args: readonly string[], session: Session = () => Promise.resolve({ exitCode: 0 })) {
    this.#session = session;
  }

  readonly stdout = {
    isTerminal: false,
    write: (bytes: Uint8Array) => {
      if (this.isOutBroken) return Promise.reject(new Deno.errors.BrokenPipe());
      return Promise.resolve(void (this.out += new TextDecoder().decode(bytes)));
    },
  };
  readonly stderr = {
    isTerminal: false,
    write: (bytes: Uint8Array) => Promise.resolve(void (this.err += new TextDecoder().decode(bytes))),
  };

  logged = "";
  openLog(_path: string): LogSink {
    const write = (bytes: Uint8Array) => Promise.resolve(void (this.logged += new TextDecoder().decode(bytes)));
    return { isTerminal: false, isStderr: false, write };
  }
  columns(): number {
    return 80;
  }
  buildHash(): Promise<string | null> {
    return Promise.resolve("0123456789abcdef");
  }
  onSignal(signal: string, handler: () => void): () => void {
    this.handlers.set(signal, handler);
    return () => void this.handlers.delete(signal);
  }
  onUncaught(handler: (error: unknown) => void): void {
    this.uncaught = handler;
  }
  runSession(settings: Settings, context: SessionContext): Promise<{ readonly exitCode: number }> {
    return this.#session(settings, context);
  }
  readonly ask = null;
  readonly serviceManager = null;
  runAbout(): Promise<number> {
    return Promise.resolve(0);
  }

  runAsk({ task }: AskCommand, { io }: { readonly io: AskIo }): Promise<number> {
    io.err(`${task.kind}, ${io.canRedraw ? "redraws" : "plain"}`);
    return Promise.resolve(124);
  }

  runManage({ task }: ManageCommand, { io }: { readonly io: ManageIo }): Promise<number> {
    io.err(`${task.kind}, ${io.ask === null ? "nobody to ask" : "asks"}`);
    return Promise.resolve(1);
  }
  runFilter({ only }: { readonly only?: string }): Promise<number> {
    logger("cli", "test").warn("a warning");
    logger("cli", "test").info("a detail");
    this.err += `filter only ${only}\n`;
    return Promise.resolve(3);
  }
  exit(code: number): void {
    this.exits.push(code);
  }
}

/** Runs psync to its end; its exit code must have been given exactly once. */
async function run(process: FakeProcess): Promise<number> {
  try {
    await main(process);
  } finally {
    resetSync();
  }
  assertEquals(process.exits.length, 1);
  assertEquals(process.handlers.size, 0);
  assertEquals(process.clock.pending, 0);
  return process.exits[0]!;
}

/** A session that ends only when it is asked to, and then as `end` says. */
function untilAsked(started: () => void, end: () => Promise<{ readonly exitCode: number }>): Session {
  return (_settings, { signal }) =>
    new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => end().then(resolve, reject));
      started();
    });
}

Deno.test("main() exits with the outcome of the session", async () => {
  for (const exitCode of [0, 1, 4, 5]) {
    assertEquals(await run(new FakeProcess(["-s", "/a", "/b"], () => Promise.resolve({ exitCode }))), exitCode);
  }
});

const THROWN: readonly (readonly [Error, number])[] = [
  [new errors.UsageError("Cannot x"), 2],
  [new errors.ConfigError("Cannot x"), 2],
  [new errors.SetupError("Cannot x"), 3],
  [new errors.EndpointLostError("Cannot x"), 3],
  [new errors.ProtocolError("Cannot x"), 3],
  [new errors.WatchError("Cannot x"), 3],
  [new errors.ArchiveError("Cannot x"), 3],
  [new errors.SafetyHaltError("Cannot x"), 4],
];

Deno.test("main() turns each error into its code and one line without a stack trace", async () => {
  for (const [error, code] of THROWN) {
    const process = new FakeProcess(["/a", "/b"], () => Promise.reject(error));
    assertEquals(await run(process), code, error.name);
    assertEquals(process.err, "psync: Cannot x\n");
  }
});

Deno.test("main() tells a failure of psync itself in one line, whatever is in it", async () => {
  const process = new FakeProcess(["/a", "/b"], () => Promise.reject(new TypeError("x\nis \x1b[31mnot")));
  assertEquals(await run(process), 3);
  assertEquals(process.err, "psync: Internal error: TypeError: x is \\x1b[31mnot; start psync with -d to see where\n");
});

Deno.test("main() shows where an error comes from, and its causes, only with -d", async () => {
  const error = new errors.SetupError("Cannot x", { cause: new Error("deep") });
  const process = new FakeProcess(["-d", "/a", "/b"], () => Promise.reject(error));
  assertEquals(await run(process), 3);
  assertStringIncludes(process.err, "psync: Cannot x\n  SetupError: Cannot x\n");
  assertStringIncludes(process.err, "  Error: deep\n");
});

Deno.test("main() refuses a wrong command line with one line and 2", async () => {
  for (const args of [[], ["/a"], ["--nope", "/a", "/b"], ["h:/a", "/b"], ["/a", "/b", "-e", "("], ["filter", "/b"]]) {
    const process = new FakeProcess(args, () => Promise.reject(new Error("not reached")));
    assertEquals(await run(process), 2, args.join(" "));
    assertMatch(process.err, /^psync: [^\n]+\n$/);
    assertEquals(process.out, "");
  }
});

Deno.test("main() prints help and version to stdout", async () => {
  const help = new FakeProcess(["--help"]);
  assertEquals([await run(help), help.err], [0, ""]);
  assertMatch(help.out, /^psync keeps two folders equal/);
  const version = new FakeProcess(["--version"]);
  assertEquals([await run(version), version.out], [0, "psync 0.1.0 (build 0123456789ab)\n"]);
});

Deno.test("main() hands settings, clock and report to the session", async () => {
  let seen: Settings | null = null;
  const process = new FakeProcess(["-k", "a", "h:b"], (settings, { report, clock }) => {
    seen = settings;
    assertEquals(clock, process.clock);
    report.connected(someConnection());
    return Promise.resolve({ exitCode: 0 });
  });
  assertEquals(await run(process), 0);
  assertEquals(seen!, {
    left: "a",
    right: "b",
    remoteHost: "h",
    cwd: "/w",
    sshCommand: null,
    rules: { ...NO_RULES, tempfiles: DEFAULT_TEMPFILES },
    rsync: NO_EXTRA,
    translate: [],
    banned: [],
    fullSync: [],
    dryRun: false,
    syncOnly: false,
    skipInitialSync: true,
    force: false,
  });
  assertEquals(process.err, "Connected: /a <-> h:/b\n");
});

Deno.test("main() runs the filter with its arguments, and with warnings on stderr only", async () => {
  const process = new FakeProcess(["filter", "--only", "/srv"]);
  assertEquals(await run(process), 3);
  assertStringIncludes(process.err, "filter only /srv");
  assertStringIncludes(process.err, "a warning");
  assertEquals(process.err.includes("a detail"), false);
  assertEquals(process.out, "");
});

Deno.test("main() ends a live session at SIGINT and SIGTERM with 0, however it ends", async () => {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    for (const end of [() => Promise.resolve({ exitCode: 1 }), () => Promise.reject(new Error("aborted"))]) {
      const process: FakeProcess = new FakeProcess(
        ["/a", "/b"],
        untilAsked(() => queueMicrotask(() => process.handlers.get(signal)!()), end),
      );
      assertEquals(await run(process), 0, signal);
      assertEquals(process.err, "");
    }
  }
});

Deno.test("main() tells a shell which signal cut -s and -n off", async () => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    for (const option of ["-s", "-n"]) {
      const process: FakeProcess = new FakeProcess(
        [option, "/a", "/b"],
        untilAsked(() => queueMicrotask(() => process.handlers.get(signal)!()), () => Promise.resolve({ exitCode: 0 })),
      );
      assertEquals(await run(process), code, `${option} ${signal}`);
    }
  }
});

Deno.test("main() waits 4.5 s for a session that does not end, then exits all the same", async () => {
  const asked = Promise.withResolvers<void>();
  const process = new FakeProcess(["/a", "/b"], untilAsked(() => asked.resolve(), () => new Promise(() => {})));
  const ended = run(process);
  await asked.promise;
  process.handlers.get("SIGTERM")!();
  await process.clock.advance(4499);
  assertEquals(process.exits, []);
  await process.clock.advance(1);
  assertEquals(await ended, 0);
});

Deno.test("main() exits at once at a second signal", async () => {
  const asked = Promise.withResolvers<void>();
  const process = new FakeProcess(["/a", "/b"], untilAsked(() => asked.resolve(), () => new Promise(() => {})));
  const ended = run(process);
  await asked.promise;
  process.handlers.get("SIGTERM")!();
  process.handlers.get("SIGINT")!();
  assertEquals(await ended, 130);
});

Deno.test("main() ends at a hang-up only where there is a terminal", async () => {
  for (const hasTerminal of [true, false]) {
    const asked = Promise.withResolvers<void>();
    const session = untilAsked(() => asked.resolve(), () => Promise.resolve({ exitCode: 1 }));
    const process = new FakeProcess(["-s", "/a", "/b"], session);
    process.hasTerminal = hasTerminal;
    const ended = run(process);
    await asked.promise;
    process.handlers.get("SIGHUP")!();
    if (!hasTerminal) process.handlers.get("SIGTERM")!();
    assertEquals(await ended, hasTerminal ? 129 : 143);
  }
});

Deno.test("main() prints the state at SIGUSR1 and goes on", async () => {
  const process: FakeProcess = new FakeProcess(["/a", "/b"], (_settings, { report }) => {
    process.handlers.get("SIGUSR1")!();
    report.attach(() => someState());
    process.handlers.get("SIGUSR1")!();
    return Promise.resolve({ exitCode: 0 });
  });
  assertEquals(await run(process), 0);
  assertMatch(process.err, /^State: starting\nState: live, /);
});

Deno.test("main() says that a plan is whole only where it is", async () => {
  const whole = new FakeProcess(["-n", "/a", "/b"]);
  assertEquals([await run(whole), whole.err], [0, "Dry run: 0 lines of a plan, nothing was changed\n"]);
  const broken = new FakeProcess(["-n", "/a", "/b"], () => Promise.reject(new errors.SetupError("Cannot x")));
  assertEquals([await run(broken), broken.err], [3, "psync: Cannot x\n"]);
});

Deno.test("main() ends a dry run whose reader left, and no live session", async () => {
  const plan = new FakeProcess(["-n", "/a", "/b"], async (_settings, { report, signal }) => {
    plan.isOutBroken = true;
    await report.plan({ kind: "hold", target: "left", path: "x" as never });
    assertEquals(signal.aborted, true);
    throw signal.reason;
  });
  assertEquals([await run(plan), plan.err], [0, ""]);
  const live = new FakeProcess(["/a", "/b"], async (_settings, { report, signal }) => {
    live.isOutBroken = true;
    await report.plan({ kind: "hold", target: "left", path: "x" as never });
    assertEquals(signal.aborted, false);
    return { exitCode: 0 };
  });
  assertEquals(await run(live), 0);
});

Deno.test("main() ends at once on what nobody caught, with one line and 3", async () => {
  const process: FakeProcess = new FakeProcess(["/a", "/b"], () => {
    process.uncaught(new Error("lost"));
    return new Promise(() => {});
  });
  const exited = Promise.withResolvers<void>();
  process.exit = (code) => {
    process.exits.push(code);
    exited.resolve();
  };
  void main(process);
  await exited.promise;
  resetSync();
  assertEquals(process.exits, [3]);
  assertEquals(process.err, "psync: Internal error: Error: lost; start psync with -d to see where\n");
});

Deno.test("main() hands conflicts and trash to their command, and takes its exit code", async () => {
  const process = new FakeProcess(["trash", "list"]);
  await main(process);
  assertEquals([process.err, process.exits], ["trash.list, nobody to ask\n", [1]]);
  const wrong = new FakeProcess(["conflicts", "keep", "up"]);
  await main(wrong);
  assertEquals(wrong.exits, [2]);
  const help = new FakeProcess(["conflicts", "--help"]);
  await main(help);
  assertStringIncludes(help.out, "psync trash restore PATH...");
  assertEquals(help.exits, [0]);
});

Deno.test("main() hands status and its like to their command, and takes its exit code", async () => {
  const process = new FakeProcess(["flush", "--timeout", "3"]);
  await main(process);
  assertEquals([process.err, process.exits], ["flush, plain\n", [124]]);
  const wrong = new FakeProcess(["pause", "--json"]);
  await main(wrong);
  assertEquals([wrong.err, wrong.exits], ['psync: Cannot use "--json" with pause: it belongs to status\n', [2]]);
  const help = new FakeProcess(["status", "--help"]);
  await main(help);
  assertStringIncludes(help.out, "psync flush [LEFT RIGHT] [PATH]");
  assertEquals(help.exits, [0]);
});
