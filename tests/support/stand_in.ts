/**
 * A stand-in for dist/psync: a script of a few KB that runs the fake filter, to be copied to a host.
 * @module
 */
import { createHash } from "node:crypto";
import type { SelfFile } from "../../src/endpoint/deploy.ts";

/** What a stand-in runs instead of the fake filter. */
export interface StandInScript {
  /** A file beside this one. */
  readonly script: string;
  /** Its arguments, instead of those that the stand-in gets. */
  readonly args: readonly string[];
}

/** Makes one in `dir`; different words make different builds. */
export async function makeStandIn(dir: string, word = "one", instead?: StandInScript): Promise<SelfFile> {
  const cache = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  const { denoDir } = JSON.parse(new TextDecoder().decode(cache.stdout));
  const filter = new URL(`./${instead?.script ?? "fake_filter.ts"}`, import.meta.url).pathname;
  const args = instead?.args.map((arg) => `"${arg}"`).join(" ") ?? '"$@"';
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const text = [
    "#!/bin/sh",
    `# ${word} ${"-".repeat(4_000)}`,
    `DENO_DIR="${denoDir}" exec "${Deno.execPath()}" run -A -q --no-check --config "${config}" "${filter}" ${args}`,
    "",
  ].join("\n");
  const path = `${dir}/stand-in-${word}`;
  await Deno.writeTextFile(path, text, { mode: 0o700 });
  return { path, hash: createHash("sha256").update(text).digest("hex"), sizeBytes: text.length };
}
