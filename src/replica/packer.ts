/**
 * Reads small files as one pack, each proven to be what belongs to its stamp.
 *
 * A stamp that is recorded with a pack stands for its content from then on, also where nobody looks at each
 * file again (crowds.ts): it must be so old that no later write can leave it as it is (I14). Called by the
 * endpoint (endpoint/local.ts).
 * @module
 */
import type { Clock } from "../base/clock.ts";
import { ProtocolError, SafetyHaltError } from "../base/errors.ts";
import { type Pack, PACK_BYTES_MAX, PACK_FILES_MAX, type PackRequest } from "../core/endpoint.ts";
import type { Applier } from "./applier.ts";
import { statOfStamp } from "./committer.ts";
import { KIND, STATUS } from "./native_format.ts";

/** Kernels before 6.13 stamp in steps of up to 10 ms: a younger stamp may hide a later write. */
export const RACY_MS = 20;
const NS_PER_MS = 1_000_000n;
const RACY_NS = BigInt(RACY_MS) * NS_PER_MS;

/** Reads files; what is not as expected is left out, and so is what has a stamp of the future. */
export async function packFiles(
  requests: readonly PackRequest[],
  { applier, clock }: { readonly applier: Pick<Applier, "pack">; readonly clock: Clock },
): Promise<Pack> {
  requireSmall(requests);
  const isOlder = (than: bigint) => requests.map(({ stamp }) => stamp.ctimeNs <= than);
  const nowNs = wallNs(clock);
  if (isOlder(nowNs - RACY_NS).includes(false)) await clock.sleep(RACY_MS);
  const isOld = isOlder(nowNs);
  const files = requests.filter((_, i) => isOld[i]).map(({ path, stamp }) => ({
    path,
    stat: statOfStamp(KIND.file, stamp),
  }));
  const { content, carried, files: packed } = await applier.pack(files);
  if (packed.some(({ status }) => status === STATUS.guard)) {
    throw new SafetyHaltError("Cannot read files: the root is not the root that was opened");
  }
  let next = 0;
  return {
    digests: isOld.map((one) => one ? packed[next++]!.digest : null),
    pieces: content.length === 0 ? [] : [content],
    carried,
  };
}

function wallNs(clock: Pick<Clock, "wallMs">): bigint {
  // Up to the end of the millisecond.
  return BigInt(Math.floor(clock.wallMs()) + 1) * NS_PER_MS;
}

/** @throws {ProtocolError} for more than a brain of this build asks for. */
function requireSmall(requests: readonly PackRequest[]): void {
  const bytes = requests.reduce((sum, { stamp }) => sum + stamp.sizeBytes, 0);
  if (requests.length <= PACK_FILES_MAX && bytes <= PACK_BYTES_MAX) return;
  throw new ProtocolError("Cannot read files: too much is asked for");
}
