/**
 * `psync doctor LEFT RIGHT`: opens both roots, has them examined, and concludes.
 *
 * Takes no lock and changes nothing; works beside a running psync. Says nothing; cli/doctor.ts does.
 * @module
 */
import { PsyncError, UsageError } from "../base/errors.ts";
import { diagnoseHost, diagnosePair, type Finding } from "../brain/diagnosis.ts";
import { examine } from "../brain/examine.ts";
import { openEndpoints } from "../brain/open_both.ts";
import type { SessionContext, SessionSettings } from "../brain/settings.ts";
import { hostCheckup } from "../replica/host_checkup.ts";

/** An examination needs no watches, and must not take them from the psync that runs. */
const WATCHES = 1;

/** What was found. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** Why only this host could be examined; null: all was. */
  readonly error: PsyncError | null;
}

/** Examines a pair; where a root cannot be opened, this host alone. */
export async function examinePair(settings: SessionSettings, context: SessionContext): Promise<Diagnosis> {
  const { left, right, remoteHost: rightHost, sshCommand } = settings;
  try {
    await using opened = await openEndpoints(settings, context, { maxWatches: WATCHES });
    const { clock, signal } = context;
    const examination = await examine(opened.endpoints, { isRemote: rightHost !== null, clock, signal });
    return { findings: diagnosePair(examination, { left, right, rightHost, sshCommand }), error: null };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof PsyncError) || error instanceof UsageError) throw error;
    return { findings: diagnoseHost(await hostCheckup()), error };
  }
}
