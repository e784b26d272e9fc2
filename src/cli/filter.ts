/**
 * `psync filter`: serves one root of this host to a brain on the other end of stdin and stdout.
 *
 * Writes nothing to stdout but the protocol; stderr is for what ends it. Decides nothing. Started by
 * ssh (endpoint/ssh.ts), by a forced command, or by tests; ends with its brain.
 * @module
 */
import { systemClock } from "../base/clock.ts";
import { EndpointLostError } from "../base/errors.ts";
import { LocalEndpoint } from "../endpoint/local.ts";
import { serveEndpoint } from "../endpoint/serve.ts";
import { MAGIC_LINE } from "../wire/hello.ts";
import { exitCodeOf } from "./exit_code.ts";
import { callerCwd } from "./self.ts";

/** What ends a filter cleanly. */
const SIGNALS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/** How a filter is run. */
export interface FilterOptions {
  /** The only root that may be opened. */
  readonly only?: string;
  /** Where psync-native lies. */
  readonly nativePath: string;
  /** The hash of this psync. */
  readonly build?: string;
}

/**
 * Serves until the brain says goodbye, is gone, or a signal comes; gives the exit code. The caller
 * must exit with it at once: a read of stdin may still be under way.
 */
export async function runFilter(options: FilterOptions): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  const writer: WritableStreamDefaultWriter<Uint8Array> = Deno.stdout.writable.getWriter();
  // Where nobody reads, EOF on stdin, or silence, ends us.
  writer.write(new TextEncoder().encode(MAGIC_LINE)).catch(() => {});
  const { nativePath, build = "" } = options;
  const error = await serveEndpoint(
    { readable: Deno.stdin.readable, writer },
    (opening) => LocalEndpoint.open({ ...opening, nativePath, build, clock: systemClock }),
    {
      clock: systemClock,
      cwd: cwdIfThere(),
      signal: stop.signal,
      ...(options.only === undefined ? {} : { only: options.only }),
    },
  );
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  if (error === null || error instanceof EndpointLostError) return 0; // its brain said goodbye, or is gone
  await Deno.stderr.write(new TextEncoder().encode(`psync filter: ${error.message}\n`));
  return exitCodeOf(error);
}

/** Only a relative root needs it, and is then refused by name. */
function cwdIfThere(): string | null {
  try {
    return callerCwd();
  } catch {
    return null;
  }
}
