/**
 * The real process for run.ts: arguments, streams, signals, and what a session or a filter is run with.
 *
 * No logic: each method is one step into the system. Loads the brain and the filter only when one of
 * them is asked for. Used by main.ts.
 * @module
 */
import { systemClock } from "../base/clock.ts";
import { SetupError } from "../base/errors.ts";
import type { Settings } from "../config/settings.ts";
import type { AboutCommand, AboutContext } from "./about.ts";
import type { AskIo } from "./ask.ts";
import type { AskCommand } from "./ask_options.ts";
import type { EndSignal } from "./exit_code.ts";
import type { FilterArguments } from "./filter_options.ts";
import type { ManageIo } from "./manage.ts";
import type { ManageCommand } from "./manage_options.ts";
import { LogFile } from "./log_file.ts";
import type { Process, ServiceManager, SessionContext } from "./run.ts";
import { callerCwd, callerStdin, locateLaunched, locateSelf, operands, readEnvironment } from "./self.ts";
import { onStateSignal, type StateSignalWay } from "./state_signal.ts";
import { streamOf } from "./streams.ts";
import { isJournal, type LogSink } from "./voice.ts";

/** How long the last word to a service manager may take. */
const NOTIFY_END_MS = 400;

/** Where nobody says how wide the terminal is. */
const DEFAULT_COLUMNS = 80;

/** The process that runs this program. */
export function systemProcess(): Process {
  return {
    get args() {
      return operands();
    },
    get cwd() {
      try {
        return callerCwd();
      } catch {
        return null; // only a relative root needs it, and is then refused by name
      }
    },
    pid: Deno.pid,
    get env() {
      return readEnvironment();
    },
    clock: systemClock,
    stdout: streamOf(Deno.stdout, systemClock),
    stderr: streamOf(Deno.stderr, systemClock),
    hasTerminal: hasTerminal(),
    canRedraw: !["", "dumb"].includes(Deno.env.get("TERM") ?? ""),
    isJournal: isJournal(Deno.env.get("JOURNAL_STREAM"), statStderr()),
    openLog,
    columns,
    buildHash,
    onSignal,
    onUncaught,
    runSession,
    runManage,
    runAbout,
    runAsk,
    get serviceManager() {
      return Deno.env.get("NOTIFY_SOCKET") === undefined ? null : reachServiceManager;
    },
    ask: isStdinTerminal() && Deno.stderr.isTerminal() ? ask : null,
    runFilter,
    exit: (code) => Deno.exit(code),
  };
}

function hasTerminal(): boolean {
  return isStdinTerminal() || Deno.stdout.isTerminal() || Deno.stderr.isTerminal();
}

/** Whether psync was given a terminal as stdin; the launcher may have put something else there. */
function isStdinTerminal(): boolean {
  return callerStdin() === "terminal" || Deno.stdin.isTerminal();
}

function onSignal(signal: EndSignal | "SIGUSR1", handler: () => void): () => void {
  if (signal === "SIGUSR1") return onStateSignal(stateSignalWay(), handler);
  Deno.addSignalListener(signal, handler);
  return () => Deno.removeSignalListener(signal, handler);
}

function stateSignalWay(): StateSignalWay {
  if (Deno.build.standalone || locateLaunched(readEnvironment()) === null) return "caught";
  return callerStdin() === null ? "blocked" : "stdin";
}

function statStderr(): Deno.FileInfo | null {
  try {
    return Deno.statSync("/proc/self/fd/2");
  } catch {
    return null; // it is closed
  }
}

/** stderr may be the same file, where psync was started in the background. */
function openLog(path: string): LogSink {
  const file = LogFile.open(path);
  const isStderr = file.is(statStderr());
  return { isTerminal: false, isStderr, write: (bytes) => file.write(bytes) };
}

function columns(): number {
  try {
    return Deno.consoleSize().columns || DEFAULT_COLUMNS; // a terminal that was never told its size says 0
  } catch {
    return DEFAULT_COLUMNS;
  }
}

async function buildHash(): Promise<string | null> {
  if (Deno.build.standalone) return (await locateSelf()).hash;
  return locateLaunched(readEnvironment())?.hash ?? null;
}

function onUncaught(handler: (error: unknown) => void): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    handler(event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    handler(event.error);
  });
}

async function runSession(settings: Settings, context: SessionContext): Promise<{ readonly exitCode: number }> {
  const [{ runSession }, { serveControl }, { journalsIn }, surroundings, self] = await Promise.all([
    import("../brain/session.ts"),
    import("../control/server.ts"),
    import("../archive/journal_file.ts"),
    stateSurroundings(),
    locateSelf(),
  ]);
  return await runSession(settings, {
    ...context,
    self,
    stateDir: surroundings.stateDir,
    openJournal: journalsIn(surroundings.stateDir, context.clock),
    serveControl: (pairId, answer) => serveControl(pairId, { ...surroundings, answer }),
  });
}

/** Where archives and control sockets lie. */
async function stateSurroundings(): Promise<{ readonly stateDir: string; readonly runtimeDir: string | undefined }> {
  const { archiveDir } = await import("../archive/location.ts");
  const env = readEnvironment();
  return {
    stateDir: archiveDir({ env, isRootUser: Deno.uid() === 0 }),
    runtimeDir: env.get("XDG_RUNTIME_DIR"),
  };
}

async function runAbout(command: AboutCommand, context: AboutContext): Promise<number> {
  const [{ doctorAlone, runAbout }, surroundings] = await Promise.all([import("./about.ts"), stateSurroundings()]);
  const self = await locateSelf().catch((error) => {
    // What keeps psync from running is what a doctor is asked for.
    if (command.kind === "doctor" && error instanceof SetupError) return error;
    throw error;
  });
  if (self instanceof SetupError) return await doctorAlone(self, context);
  return await runAbout(command, context, { ...surroundings, self, clock: systemClock, cwd: callerCwd });
}

async function runManage(
  command: ManageCommand,
  { io, signal }: { readonly io: ManageIo; readonly signal: AbortSignal },
): Promise<number> {
  const [{ manage }, { openControl }, { namePair }, surroundings, self] = await Promise.all([
    import("./manage.ts"),
    import("../control/open.ts"),
    import("../control/name_pair.ts"),
    stateSurroundings(),
    locateSelf(),
  ]);
  const { operands, remoteHost, sshCommand } = command;
  const { pair, paths } = namePair(surroundings.stateDir, { operands, remoteHost, cwd: callerCwd() });
  await using control = await openControl(pair, { ...surroundings, self, clock: systemClock, sshCommand, signal });
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  // What was begun ends with the control; a question may wait for ever.
  return await Promise.race([manage(command, { pair, paths, control, io }), aborted]);
}

async function runAsk(
  command: AskCommand,
  { io, signal }: { readonly io: AskIo; readonly signal: AbortSignal },
): Promise<number> {
  const [{ ask }, { connectControl }, { namePair, pairText }, { forgetPair }, { readJournal }, surroundings] =
    await Promise
      .all([
        import("./ask.ts"),
        import("../control/client.ts"),
        import("../control/name_pair.ts"),
        import("../control/forget.ts"),
        import("../archive/journal_reader.ts"),
        stateSurroundings(),
      ]);
  const { operands, remoteHost } = command;
  const { pair, paths } = namePair(surroundings.stateDir, { operands, remoteHost, cwd: callerCwd() });
  return await ask(command, {
    io,
    signal,
    clock: systemClock,
    pairText: pairText(pair),
    paths,
    connect: () => connectControl(pair.id, surroundings),
    journal: (follow) => readJournal(`${surroundings.stateDir}/${pair.id}`, { clock: systemClock, follow, signal }),
    forget: () => forgetPair(surroundings.stateDir, pair.id),
  });
}

async function reachServiceManager(): Promise<ServiceManager> {
  const [{ Child }, { watchdogMs }, { nativePath }] = await Promise.all([
    import("../base/process.ts"),
    import("./service.ts"),
    locateSelf(),
  ]);
  const child = Child.spawn({ command: nativePath, args: ["notify"], stdout: "null" });
  const encoder = new TextEncoder();
  return {
    watchdogMs: watchdogMs(Deno.env.toObject(), Deno.pid),
    // A manager that does not listen is no trouble of psync's.
    send: (line) => void child.stdin.write(encoder.encode(`${line}\n`)).catch(() => {}),
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close().catch(() => {});
      await Promise.race([child.status, systemClock.sleep(NOTIFY_END_MS)]);
    },
  };
}

/**
 * Asks on the terminal, so that stdout stays what was asked for; everything but a yes is a no.
 *
 * WHY not stdin: under the launcher that is the descriptor of SIGUSR1 (state_signal.ts).
 */
async function ask(question: string): Promise<boolean> {
  using terminal = await Deno.open("/dev/tty", { read: true, write: true });
  await terminal.write(new TextEncoder().encode(`${question} [y/N] `));
  const answer = new Uint8Array(1024);
  const got = await terminal.read(answer);
  return got !== null && /^y(es)?$/i.test(new TextDecoder().decode(answer.subarray(0, got)).trim());
}

async function runFilter(options: FilterArguments): Promise<number> {
  const [{ runFilter }, { nativePath, hash }] = await Promise.all([import("./filter.ts"), locateSelf()]);
  return await runFilter({ ...options, nativePath, build: hash });
}
