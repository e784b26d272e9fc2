/**
 * Memory that large work has left behind.
 * @module
 */

/**
 * Gives back what is not in use any more. WHY: after a first sync V8 may keep 100 MB of garbage for as
 * long as psync has nothing to do. Takes some 30 ms; does nothing where the runtime was not started for it
 * (from a source tree).
 */
export function collectGarbage(): void {
  const { gc } = globalThis as { readonly gc?: () => void };
  gc?.();
}
