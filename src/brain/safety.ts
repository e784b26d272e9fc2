/**
 * The brakes: small pure predicates that tell when psync must not go on by itself.
 *
 * design: a scan at start or reconnect that would remove too much holds those removals; live
 * removals are never braked, since they lie in the trash.
 * @module
 */
import type { EndpointFacts } from "../core/endpoint.ts";

/** Removals of one scan below this number are never held. */
export const HOLD_MIN_REMOVALS = 100;
/** The share of the known paths above which the removals of one scan are held. */
export const HOLD_SHARE = 0.1;
/** A root that is empty is suspicious where the archive knows more paths than this. */
export const EMPTY_ROOT_KNOWN_PATHS = 10;

/** Whether the removals that one scan found must wait for approval. */
export function mustHold(removals: number, knownPaths: number): boolean {
  return removals > Math.max(HOLD_MIN_REMOVALS, knownPaths * HOLD_SHARE);
}

/** Whether an empty root halts the pair at start or reconnect. */
export function isSuspiciouslyEmpty(facts: Pick<EndpointFacts, "isEmpty">, knownPaths: number): boolean {
  return facts.isEmpty && knownPaths > EMPTY_ROOT_KNOWN_PATHS;
}
