import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { parseRsyncExtra } from "./rsync_extra.ts";

const TAKEN: readonly (readonly [given: string, handedOn: string])[] = [
  ["--bwlimit=1.5M", "--bwlimit=1.5M"],
  ["-z", "--compress"],
  ["--zc=zstd", "--compress-choice=zstd"],
  ["--compress-level=3", "--compress-level=3"],
  ["--timeout=10", "--timeout=10"],
  ["-W", "--whole-file"],
  ["-B=4096", "--block-size=4096"],
  ["-6", "--ipv6"],
];

const REFUSED: readonly (readonly [given: string, why: string])[] = [
  ["--delete", "carries removals over"],
  ["--delete-after", "carries removals over"],
  ["--remove-source-files", "carries removals over"],
  ["--inplace", "half file"],
  ["--partial-dir=.rsync-partial", "half file"],
  ["-e", "what is run"],
  ["--rsync-path=sudo rsync", "what is run"],
  ["--max-size=1G", "--excludes"],
  ["-a", "mode, time and owner"],
  ["-l", "symbolic links"],
  ["--copy-dirlinks", "symbolic links"],
  ["--copy-links=1", "takes no value"],
  ["-v", "psync -d"],
  ["-b", "psync trash"],
  ["-zv", `write "-x -z"`],
  ["--bwlimit", `write "-x --bwlimit=VALUE"`],
  ["--bwlimit=fast", `"fast" is no value`],
  ["--compress=9", "takes no value"],
  ["--frobnicate", "it takes --bwlimit"],
  ["", "no option"],
  ["2M", "no option"],
  ["--timeout=1\n2", "no value"],
];

Deno.test("parseRsyncExtra() hands on what changes how bytes travel", () => {
  for (const [given, handedOn] of TAKEN) assertEquals(parseRsyncExtra([given]).options, [handedOn]);
});

Deno.test("parseRsyncExtra() refuses everything else, with the reason", () => {
  for (const [given, why] of REFUSED) {
    const error = assertThrows(() => parseRsyncExtra([given]), UsageError, undefined, given);
    assertStringIncludes(error.message, why, given);
  }
});

Deno.test("parseRsyncExtra() knows the limit in bytes; the last one counts, and 0 is none", () => {
  const limit = (...values: string[]) => parseRsyncExtra(values.map((value) => `--bwlimit=${value}`)).bytesPerSecond;
  assertEquals(limit("100"), 102_400);
  assertEquals(limit("2M"), 2 << 20);
  assertEquals(limit("2MB"), 2_000_000);
  assertEquals(limit("2m", "1.5k"), 1_536);
  assertEquals(limit("512b"), 512);
  assertEquals(limit("0"), null);
  assertEquals(limit(), null);
});

Deno.test("parseRsyncExtra() keeps -L for psync itself: no rsync gets it", () => {
  for (const given of ["-L", "--copy-links"]) {
    assertEquals(parseRsyncExtra([given, "-z"]), { options: ["--compress"], bytesPerSecond: null, followsLinks: true });
  }
  assertEquals(parseRsyncExtra(["-z"]).followsLinks, false);
});
