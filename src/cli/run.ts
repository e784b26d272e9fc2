/**
 * One run of psync from its arguments to its exit code.
 *
 * The only place that ends the process. Everything of the system comes in as a `Process`, so that
 * tests need none. Loads the parser and the brain only when they are needed: `psync filter` and
 * `--version` start without them.
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { PsyncError } from "../base/errors.ts";
import type { Report, SessionState } from "../brain/report.ts";
import type { ConfigName } from "../config/file.ts";
import type { ConfigFile } from "../config/given.ts";
import type { Settings } from "../config/settings.ts";
import { type EndSignal, exitCodeOf } from "./exit_code.ts";
import type { FilterArguments } from "./filter_options.ts";
import { oneLine } from "./format.ts";
import type { AboutCommand, AboutContext } from "./about.ts";
import type { AskIo } from "./ask.ts";
import type { AskCommand } from "./ask_options.ts";
import type { DebugLevel } from "./options.ts";
import type { ManageIo } from "./manage.ts";
import type { ManageCommand } from "./manage_options.ts";
import type { Command } from "./command_line.ts";
import { Stopping } from "./stopping.ts";
import { type Stream, Terminal } from "./terminal.ts";
import { type LogSink, type SayLevel, Voice } from "./voice.ts";

/** What a session is run with. */
export interface SessionContext {
  readonly report: Report;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A service manager that wants to hear of psync; what was sent is out once it is disposed of. */
export interface ServiceManager extends AsyncDisposable {
  readonly watchdogMs: number | null;
  send(line: string): void;
}

/** The process that psync runs in. */
export interface Process {
  /** The arguments after the program's name, decoded as names are. */
  readonly args: readonly string[];
  /** Where the user stands; null where that directory is gone. */
  readonly cwd: string | null;
  readonly pid: number;
  readonly env: { get(name: string): string | undefined };
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** Whether psync was started from a terminal, which can be hung up. */
  readonly hasTerminal: boolean;
  readonly canRedraw: boolean;
  readonly clock: Clock;
  /** Whether stderr leads to the journal of systemd. */
  readonly isJournal?: boolean;
  /** Opens a log file. @throws {SetupError} where it cannot be written. */
  openLog(path: string): LogSink;
  columns(): number;
  /** The content hash of the running build; null in a source tree. */
  buildHash(): Promise<string | null>;
  /** Installs a handler for a signal; the returned function takes it away. */
  onSignal(signal: EndSignal | "SIGUSR1", handler: () => void): () => void;
  /** Installs a handler for what nobody caught. */
  onUncaught(handler: (error: unknown) => void): void;
  /** Runs a session (brain/session.ts). */
  runSession(settings: Settings, context: SessionContext): Promise<{ readonly exitCode: number }>;
  /** Does a command about what psync has kept (manage.ts). */
  runManage(command: ManageCommand, context: { readonly io: ManageIo; readonly signal: AbortSignal }): Promise<number>;
  /** Does a command about a pair (about.ts). */
  runAbout(command: AboutCommand, context: AboutContext): Promise<number>;
  /** Asks a question on the terminal; null: stdin or stderr is none. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
  /** Runs a command about the psync that runs on a pair (ask.ts). */
  runAsk(command: AskCommand, context: { readonly io: AskIo; readonly signal: AbortSignal }): Promise<number>;
  /** Reaches the service manager that started psync; null: none did. */
  readonly serviceManager: (() => Promise<ServiceManager>) | null;
  /** Runs `psync filter` (filter.ts). */
  runFilter(options: FilterArguments): Promise<number>;
  exit(code: number): void;
}

type SessionCommand = Extract<Command, { kind: "session" }>;

/** How long the last lines may take to reach their readers. */
const FLUSH_MS = 400;

/** Runs psync and ends the process. */
export async function main(process: Process): Promise<void> {
  const run = new Run(process);
  const code = await run.toExitCode();
  await run.end(code);
}

/** The words of ask_options.ts, whose parser takes long to load. */
function isAskWord(word: string | undefined): boolean {
  return word !== undefined && ["status", "log", "flush", "pause", "resume", "reset"].includes(word);
}

/** One run; `main` is its only user. */
class Run {
  readonly #process: Process;
  readonly #terminal: Terminal;
  readonly #voice: Voice;
  #debugLevel = 0;
  /** Whether nothing is left to be done once nobody reads stdout. */
  #isForReader = false;
  #stopping: Stopping | null = null;
  #isEnding = false;

  constructor(process: Process) {
    this.#process = process;
    this.#terminal = new Terminal({
      stdout: process.stdout,
      stderr: process.stderr,
      clock: process.clock,
      canRedraw: process.canRedraw,
      columns: () => process.columns(),
      onOutClosed: () => this.#onOutClosed(),
    });
    const { isJournal = false, clock } = process;
    this.#voice = new Voice(this.#terminal, { isJournal, wallMs: () => clock.wallMs() });
    process.onUncaught((error) => void this.#fail(error));
  }

  /** Does what the arguments ask for. Never rejects. */
  async toExitCode(): Promise<number> {
    try {
      return await this.#dispatch();
    } catch (error) {
      this.#explain(error);
      return exitCodeOf(error);
    }
  }

  /** Lets the last lines out and ends the process; the first caller's code counts. */
  async end(code: number): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#terminal.progress("");
    await this.#terminal.flush(FLUSH_MS);
    this.#process.exit(code);
  }

  async #dispatch(): Promise<number> {
    const { args, cwd } = this.#process;
    if (args[0] === "filter") return await this.#runFilter(args.slice(1));
    if (args[0] === "conflicts" || args[0] === "trash") return await this.#runManage(args);
    if (args[0] === "completion") return await this.#complete(args.slice(1));
    if (isAskWord(args[0])) return await this.#runAsk(args);
    // The parser takes longer to load than all the rest.
    if (args.length === 1 && args[0] === "--version") return await this.#printVersion();
    const { mayNeedConfig, parseCommand } = await import("./command_line.ts");
    const loadConfig = mayNeedConfig(args) ? await this.#configLoader() : null;
    const command = parseCommand(args, { cwd, loadConfig });
    switch (command.kind) {
      case "help":
        return await this.#dispatchHelp();
      case "version":
        return await this.#printVersion();
      case "config.show":
        await this.#print((await import("./config_text.ts")).configText(command));
        return 0;
      case "session":
        return await this.#runSession(command);
      default:
        return await this.#runAbout(command);
    }
  }

  async #dispatchHelp(): Promise<number> {
    await this.#print((await import("./help.ts")).helpText().trimEnd());
    return 0;
  }

  async #complete(args: readonly string[]): Promise<number> {
    if (args[0] === "--help" || args[0] === "-h") return await this.#dispatchHelp();
    const [{ completionText }, { configDirs, configNames }] = await Promise.all([
      import("./completion.ts"),
      import("../config/places.ts"),
    ]);
    const text = completionText(args, { names: () => configNames(configDirs(this.#process.env)) });
    await this.#print(text.replace(/\n$/, ""));
    return 0;
  }

  async #configLoader(): Promise<(name: ConfigName) => ConfigFile> {
    const [{ loadConfig }, { configDirs }] = await Promise.all([
      import("../config/file.ts"),
      import("../config/places.ts"),
    ]);
    const { cwd, env } = this.#process;
    return (name) => loadConfig(name, { cwd, dirs: configDirs(env) });
  }

  async #runManage(args: readonly string[]): Promise<number> {
    const { parseManage } = await import("./manage_options.ts");
    const command = parseManage(args);
    if (command.task.kind === "help") {
      await this.#print((await import("./manage_help.ts")).manageHelp().trimEnd());
      return 0;
    }
    return await this.#untilDone(command.debugLevel, (io, signal) => this.#process.runManage(command, { io, signal }));
  }

  async #runAsk(args: readonly string[]): Promise<number> {
    const { parseAsk } = await import("./ask_options.ts");
    const command = parseAsk(args);
    if (command.task.kind === "help") {
      await this.#print((await import("./ask_help.ts")).askHelp().trimEnd());
      return 0;
    }
    this.#isForReader = command.task.kind === "log" || command.task.kind === "status";
    return await this.#untilDone(command.debugLevel, (io, signal) => {
      const canRedraw = this.#process.stdout.isTerminal && this.#process.canRedraw;
      return this.#process.runAsk(command, { io: { ...io, canRedraw }, signal });
    });
  }

  /** A command that ends by itself, or at a signal. */
  async #untilDone(
    debugLevel: DebugLevel,
    run: (io: ManageIo, signal: AbortSignal) => Promise<number>,
  ): Promise<number> {
    this.#debugLevel = debugLevel;
    await this.#setUpLogging(debugLevel);
    const { clock, hasTerminal, ask } = this.#process;
    const onSignal = (signal: EndSignal, handler: () => void) => this.#process.onSignal(signal, handler);
    using stopping = new Stopping({ clock, hasTerminal, isLive: false, onSignal });
    this.#stopping = stopping;
    const io: ManageIo = {
      out: (line) => this.#print(line),
      err: (line) => this.#say(line),
      ask: ask === null ? null : async (question) => {
        await this.#terminal.flush(FLUSH_MS);
        return await ask(question);
      },
    };
    const done = run(io, stopping.signal);
    return await this.#untilEnd(done.then((exitCode) => ({ exitCode })), stopping);
  }

  /** A command about a pair that ends by itself. */
  async #runAbout(command: AboutCommand): Promise<number> {
    this.#debugLevel = command.debugLevel;
    await this.#setUpLogging(command.debugLevel);
    const { clock, hasTerminal, pid } = this.#process;
    const { ConsoleReport } = await import("./console_report.ts");
    const onSignal = (signal: EndSignal, handler: () => void) => this.#process.onSignal(signal, handler);
    using stopping = new Stopping({ clock, hasTerminal, isLive: false, onSignal });
    const rightHost = command.settings?.remoteHost ?? null;
    const report = new ConsoleReport({
      terminal: this.#terminal,
      say: this.#say,
      clock,
      pid,
      isLive: false,
      rightHost,
    });
    const io = { out: (line: string) => this.#print(line), err: (line: string) => this.#say(line) };
    const done = this.#process.runAbout(command, { io, report, signal: stopping.signal });
    try {
      return await this.#untilEnd(done.then((exitCode) => ({ exitCode })), stopping);
    } finally {
      this.#terminal.progress("");
    }
  }

  async #printVersion(): Promise<number> {
    const { versionLine } = await import("./version.ts");
    await this.#print(versionLine(await this.#process.buildHash()));
    return 0;
  }

  async #runFilter(args: readonly string[]): Promise<number> {
    const { parseFilterArguments } = await import("./filter_options.ts");
    const options = parseFilterArguments(args);
    await this.#setUpLogging(0);
    // It has no state to tell; but where nobody handles SIGUSR1 Deno's debugger stays open (state_signal.ts).
    const forget = this.#process.onSignal("SIGUSR1", () => {});
    try {
      return await this.#process.runFilter(options);
    } finally {
      forget();
    }
  }

  async #runSession({ settings, debugLevel, logFile, logFormat }: SessionCommand): Promise<number> {
    this.#debugLevel = debugLevel;
    this.#voice.setStyle({ format: logFormat, file: logFile === null ? null : this.#process.openLog(logFile) });
    this.#isForReader = settings.dryRun;
    await this.#setUpLogging(debugLevel);
    const [{ ConsoleReport }, { stateLines }] = await Promise.all([
      import("./console_report.ts"),
      import("./state_text.ts"),
    ]);
    const { clock, pid, hasTerminal } = this.#process;
    const isLive = !settings.dryRun && !settings.syncOnly;
    const onSignal = (signal: EndSignal | "SIGUSR1", handler: () => void) => this.#process.onSignal(signal, handler);
    using stopping = new Stopping({ clock, hasTerminal, isLive, onSignal });
    this.#stopping = stopping;
    const rightHost = settings.remoteHost;
    const report = new ConsoleReport({ terminal: this.#terminal, say: this.#say, clock, pid, isLive, rightHost });
    const forget = onSignal("SIGUSR1", () => {
      const state = report.state();
      const lines = state === null ? ["State: starting"] : stateLines(state);
      for (const line of lines) this.#say(line);
    });
    let isPlanWhole = false;
    await using manager = isLive ? await this.#process.serviceManager?.() ?? null : null;
    using _notifier = manager === null ? null : await this.#notifier(manager, () => report.state());
    try {
      const session = this.#process.runSession(settings, { report, clock, signal: stopping.signal });
      const exitCode = await this.#untilEnd(session, stopping);
      isPlanWhole = settings.dryRun && stopping.exitCode === null;
      return exitCode;
    } finally {
      report.end({ isPlanWhole });
      forget();
    }
  }

  async #notifier(manager: ServiceManager, state: () => SessionState | null): Promise<Disposable> {
    const { ServiceNotifier } = await import("./service.ts");
    const { watchdogMs } = manager;
    return new ServiceNotifier({ clock: this.#process.clock, watchdogMs, state, send: (line) => manager.send(line) });
  }

  /** The code of a session that ended, or that was asked to and is not waited for any longer. */
  async #untilEnd(session: Promise<{ readonly exitCode: number }>, stopping: Stopping): Promise<number> {
    try {
      const insisted = stopping.insisted.then((exitCode) => ({ exitCode, isInsisted: true }));
      const ended = session.then(({ exitCode }) => ({ exitCode, isInsisted: false }));
      const { exitCode, isInsisted } = await Promise.race([insisted, ended]);
      return isInsisted ? exitCode : stopping.exitCode ?? exitCode;
    } catch (error) {
      // An end that was asked for shows as an error wherever it cut something off.
      if (stopping.exitCode === null) throw error;
      if (this.#debugLevel > 0) this.#explain(error);
      return stopping.exitCode;
    }
  }

  async #setUpLogging(level: number): Promise<void> {
    const { setUpLogging } = await import("./logging.ts");
    setUpLogging({ level, write: (record) => this.#voice.log(record) });
  }

  readonly #say = (line: string, level?: SayLevel) => this.#voice.say(line, level);

  async #print(text: string): Promise<void> {
    await this.#terminal.out(text);
  }

  /** A reader that left, such as `head`, has seen enough of a plan or a journal; a live session goes on without. */
  #onOutClosed(): void {
    if (this.#isForReader) this.#stopping?.ask(0);
  }

  /** What nobody caught ends psync at once: each path has its old or its new content (I12). */
  async #fail(error: unknown): Promise<void> {
    this.#explain(error);
    await this.end(exitCodeOf(error));
  }

  /** Says in one line what went wrong; with -d also where. */
  #explain(error: unknown): void {
    this.#say(`psync: ${oneLine(errorText(error))}`, "error");
    if (this.#debugLevel === 0) return;
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      for (const line of (at.stack ?? at.message).split("\n")) this.#say(`  ${oneLine(line)}`, "error");
    }
  }
}

function errorText(error: unknown): string {
  if (error instanceof PsyncError) return error.message;
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `Internal error: ${what}; start psync with -d to see where`;
}
