/**
 * `psync status --max-lag`: one line and an exit code, as monitoring plugins give them.
 *
 * Pure. Lag is the age of the oldest change that is not on the other side yet. Without a link nothing
 * arrives, whatever is known of changes: that is critical.
 * @module
 */
import type { SessionState } from "../brain/report.ts";
import type { MaxLag } from "./ask_options.ts";
import { countText, oneLine } from "./format.ts";

/** What a monitor is told. */
export interface Verdict {
  readonly line: string;
  /** 0 fine, 1 warning, 2 critical, 3 unknown. */
  readonly exitCode: 0 | 1 | 2 | 3;
}

const WORD = ["OK", "WARNING", "CRITICAL", "UNKNOWN"] as const;

/** Judges a state; null: no psync runs. */
export function monitor(state: SessionState | null, maxLag: MaxLag): Verdict {
  if (state === null) return verdict(2, "no psync runs on this pair");
  const { phase, why, lagMs } = state;
  const reason = why === null ? "" : ` (${oneLine(why)})`;
  if (phase === "connecting" || phase === "first-sync") return verdict(1, `the first sync is not done yet${reason}`);
  if (phase !== "live") return verdict(2, `psync is ${DOWN[phase]}${reason}`);
  const lag = lagMs ?? 0;
  const level = lag >= maxLag.critMs ? 2 : lag >= maxLag.warnMs ? 1 : 0;
  return verdict(level, `lag ${seconds(lag)} s, ${restText(state)}|${performance(state, maxLag)}`);
}

const DOWN = {
  "link-lost": "without a link",
  "paused": "paused",
  "halted": "halted",
  "stopping": "stopping",
} as const;

function verdict(exitCode: 0 | 1 | 2 | 3, text: string): Verdict {
  return { line: `PSYNC ${WORD[exitCode]} - ${text}`, exitCode };
}

function restText({ conflicts, holds, problems }: SessionState): string {
  return `${countText(conflicts.length, "conflict")}, ${countText(holds.length, "hold")}, ${
    countText(problems.length, "problem")
  }`;
}

/** Figures, as plugins give them behind the bar: value;warn;crit. */
function performance({ lagMs, conflicts, problems }: SessionState, { warnMs, critMs }: MaxLag): string {
  const crit = critMs === Infinity ? "" : seconds(critMs);
  return `lag=${seconds(lagMs ?? 0)}s;${
    seconds(warnMs)
  };${crit} conflicts=${conflicts.length} problems=${problems.length}`;
}

function seconds(ms: number): string {
  return String(Math.round(ms) / 1_000);
}
