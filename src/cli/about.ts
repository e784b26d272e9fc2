/**
 * The commands about a pair that take the options of a session: check, runcheck, start, stop, doctor.
 *
 * Puts them together from what is around; each of them is in a file of its own. Called by
 * system_process.ts.
 * @module
 */
import { createHash } from "node:crypto";
import { journalsIn } from "../archive/journal_file.ts";
import type { Pair } from "../archive/pair_store.ts";
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, type SetupError } from "../base/errors.ts";
import { diagnoseHost } from "../brain/diagnosis.ts";
import { isAlive, startTime } from "../brain/join.ts";
import type { Report } from "../brain/report.ts";
import { runSession } from "../brain/session.ts";
import type { SelfBinary } from "../brain/settings.ts";
import type { Settings } from "../config/settings.ts";
import { checkPair } from "../control/check.ts";
import { connectControl, type Control } from "../control/client.ts";
import { type Diagnosis, examinePair } from "../control/doctor.ts";
import { findTargets, namePair } from "../control/name_pair.ts";
import { hostCheckup } from "../replica/host_checkup.ts";
import { type BackgroundIo, startInBackground, stopRunning } from "./background.ts";
import { check } from "./check.ts";
import type { Command } from "./command_line.ts";
import { doctor } from "./doctor.ts";

/** What is asked for. */
export type AboutCommand = Extract<Command, { kind: "check" | "runcheck" | "start" | "stop" | "doctor" }>;

/** How a command speaks, and when it ends. */
export interface AboutContext {
  readonly io: BackgroundIo;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** What is around psync. */
export interface Surroundings {
  readonly stateDir: string;
  readonly runtimeDir: string | undefined;
  readonly self: SelfBinary;
  readonly clock: Clock;
  /** @throws {SetupError} where it is gone. */
  readonly cwd: () => string;
}

/** Does a command; returns its exit code. */
export async function runAbout(command: AboutCommand, context: AboutContext, around: Surroundings): Promise<number> {
  switch (command.kind) {
    case "check":
    case "runcheck":
      return await runCheck(command, context, around);
    case "start":
      return await startInBackground({
        ...around,
        ...context,
        words: [around.self.path, ...command.words],
        nativePath: around.self.nativePath,
        cwd: command.settings.cwd,
        logFile: absolute(command.logFile ?? logFileOf(command.settings, around.stateDir), command.settings.cwd),
        connect: () => connectTo(command.settings, around),
      });
    case "doctor":
      return await doctor({ ...context.io, examine: () => examineFor(command.settings, context, around) });
    case "stop":
      return await stopRunning({
        ...around,
        ...context,
        connect: () => command.settings === null ? connectOnly(around) : connectTo(command.settings, around),
        isAlive: processes(),
      });
  }
}

/** What a doctor says where psync itself cannot run, for the reason given. */
export async function doctorAlone(error: SetupError, { io }: AboutContext): Promise<number> {
  return await doctor({ ...io, examine: async () => ({ findings: diagnoseHost(await hostCheckup()), error }) });
}

/** What there is to say of a pair; without one, of this host. */
async function examineFor(
  settings: Settings | null,
  { report, signal }: AboutContext,
  around: Surroundings,
): Promise<Diagnosis> {
  if (settings === null) return { findings: diagnoseHost(await hostCheckup()), error: null };
  return await examinePair(settings, { ...around, report, signal });
}

async function runCheck(
  command: Extract<AboutCommand, { kind: "check" | "runcheck" }>,
  { io, report, signal }: AboutContext,
  around: Surroundings,
): Promise<number> {
  const { settings, checksum } = command;
  const session = { ...around, report, signal, openJournal: journalsIn(around.stateDir, around.clock) };
  return await check({
    ...io,
    // To look at two trees disturbs no program.
    compare: () => checkPair({ ...settings, banned: [] }, session, { checksum }),
    repair: command.kind === "check" ? null : async () => {
      if (await repairByRunning(settings, around)) return;
      await runSession({ ...settings, dryRun: false, syncOnly: true }, session);
    },
  });
}

/** Whether a psync runs on the pair, which has then repaired it. */
async function repairByRunning(settings: Settings, around: Surroundings): Promise<boolean> {
  const running = await connectTo(settings, around);
  if (running === null) return false;
  await using control = running;
  try {
    await control.ask({ kind: "full-sync" }, "full-synced");
    return true;
  } catch (error) {
    if (!(error instanceof EndpointLostError)) throw error;
    return await connectTo(settings, around) !== null; // it ended: then we repair by ourselves
  }
}

async function connectTo(settings: Settings, around: Surroundings): Promise<Control | null> {
  const pair = findTargets(around.stateDir, settings, settings.cwd);
  return pair === null ? null : await connectPair(pair, around);
}

async function connectOnly(around: Surroundings): Promise<Control | null> {
  const { pair } = namePair(around.stateDir, { operands: [], remoteHost: null, cwd: around.cwd() });
  return await connectPair(pair, around);
}

function connectPair(pair: Pair, around: Surroundings): Promise<Control | null> {
  return connectControl(pair.id, around);
}

/** One log for each pair of roots, whatever order things are started in. */
function logFileOf({ left, right, remoteHost, cwd }: Settings, stateDir: string): string {
  const roots = [absolute(left, cwd), remoteHost ?? "", remoteHost === null ? absolute(right, cwd) : right];
  return `${stateDir}/log/${createHash("sha256").update(roots.join("\0")).digest("hex").slice(0, 16)}.log`;
}

function absolute(path: string, cwd: string): string {
  return path.startsWith("/") ? path : `${cwd}/${path}`;
}

/** Whether a process still is the one that it was when it was first asked for. */
function processes(): (processId: number) => boolean {
  const starts = new Map<number, string>();
  return (processId) => {
    const known = starts.get(processId) ?? startOf(processId);
    if (known === null) return false;
    starts.set(processId, known);
    return isAlive(processId, known);
  };
}

function startOf(processId: number): string | null {
  try {
    return startTime(Deno.readTextFileSync(`/proc/${processId}/stat`));
  } catch {
    return null; // it has ended
  }
}
