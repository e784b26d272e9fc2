/**
 * Reaches a pair, whether psync runs on it or not.
 * @module
 */
import type { Pair } from "../archive/pair_store.ts";
import { SetupError } from "../base/errors.ts";
import { connectControl, type Control } from "./client.ts";
import { type DirectOptions, openDirect } from "./direct.ts";

/** The psync that runs on a pair, or the pair itself. Whoever opened it disposes of it. */
export async function openControl(
  pair: Pair,
  options: DirectOptions & { readonly runtimeDir: string | undefined },
): Promise<Control> {
  const running = await connectControl(pair.id, options);
  if (running !== null) return running;
  try {
    return openDirect(pair, options);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    // RACE: it may have started, or made its socket, in between.
    const late = await connectControl(pair.id, options);
    if (late !== null) return late;
    throw error;
  }
}
