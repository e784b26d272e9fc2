/**
 * Builds psync-native for tests: once for each state of its sources, into a cache directory, safe
 * against test processes that do so at the same time.
 *
 * `PSYNC_TEST_NATIVE` names an executable to use instead.
 * @module
 */

const FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];
/** musl's own headers come first, the kernel's are found after them. */
const MUSL_FLAGS = ["-static", "-idirafter", "/usr/include", "-idirafter", `/usr/include/${Deno.build.arch}-linux-gnu`];
/** An unfinished build of another process is its own; finished ones are kept by content. */
const CACHE_NAME = "psync-test-native";

let built: Promise<string> | null = null;

/** The path of a psync-native that was built from the sources as they are now. */
export function nativePath(): Promise<string> {
  const given = Deno.env.get("PSYNC_TEST_NATIVE");
  if (given !== undefined && given !== "") return Promise.resolve(given);
  return built ??= build();
}

async function build(): Promise<string> {
  const sources = await readSources(new URL("../../native/", import.meta.url).pathname);
  const dir = `${cacheHome()}/${CACHE_NAME}`;
  const target = `${dir}/psync-native-${await hashOf(sources)}`;
  if (await exists(target)) return target;
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const aside = await Deno.makeTempDir({ dir, prefix: "building-" });
  try {
    await compile(sources, aside);
    // Whoever is later replaces the same bytes by the same bytes.
    await Deno.rename(`${aside}/psync-native`, target);
  } finally {
    await Deno.remove(aside, { recursive: true });
  }
  return target;
}

interface Source {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

async function readSources(dir: string): Promise<readonly Source[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isFile && /\.[ch]$/.test(entry.name)) names.push(entry.name);
  }
  names.sort();
  return await Promise.all(names.map(async (name) => ({ name, bytes: await Deno.readFile(dir + name) })));
}

async function hashOf(sources: readonly Source[]): Promise<string> {
  const encoder = new TextEncoder();
  const parts = sources.flatMap(({ name, bytes }) => [encoder.encode(`${name} ${bytes.length}\n`), bytes]);
  const all = new Uint8Array(await new Blob([...parts, encoder.encode(FLAGS.join(" "))]).arrayBuffer());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return digest.toHex().slice(0, 24);
}

/** Compiles the very bytes that were hashed, whatever happens to the sources meanwhile. */
async function compile(sources: readonly Source[], dir: string): Promise<void> {
  for (const { name, bytes } of sources) await Deno.writeFile(`${dir}/${name}`, bytes);
  const files = sources.filter(({ name }) => name.endsWith(".c")).map(({ name }) => `${dir}/${name}`);
  const isMusl = await canRun("musl-gcc");
  const { code, stderr } = await new Deno.Command(isMusl ? "musl-gcc" : "gcc", {
    args: [...FLAGS, ...(isMusl ? MUSL_FLAGS : []), "-o", `${dir}/psync-native`, ...files],
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(`Cannot build psync-native:\n${new TextDecoder().decode(stderr)}`);
}

async function canRun(command: string): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

function cacheHome(): string {
  const home = Deno.env.get("HOME");
  return Deno.env.get("XDG_CACHE_HOME") ?? (home === undefined ? "/tmp" : `${home}/.cache`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}
