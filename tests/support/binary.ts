/**
 * dist/psync for tests: the real one, and images of the same make with another program inside.
 *
 * What it needs was built by scripts/build; it builds nothing itself. The caller owns the
 * directories that it names.
 * @module
 */
import { removeTree } from "./remove_tree.ts";

/** The top of the repository. */
export const REPO = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");

/** The program under test. */
export const DIST = `${REPO}/dist/psync`;

/** The parts of which scripts/build makes it. */
const PARTS = `${REPO}/.cache/build`;

/** What a command printed, and how it ended. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command; without `env` it gets none of this process's variables but PATH. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a command to its end, stdin closed. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const output = await new Deno.Command(command, {
    args: [...args],
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", ...options.env },
    cwd: options.cwd ?? "/",
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

/** Runs a command that must work; returns what it printed. */
export async function must(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Error(`Cannot run ${command} ${args.join(" ")}: exit ${code}: ${stderr.trim()}`);
  return stdout;
}

/** A directory that is removed with all that is in it. */
export interface TestDir extends AsyncDisposable {
  readonly path: string;
}

/** Makes a temporary directory of one's own on a real file system. */
export async function testDir(): Promise<TestDir> {
  const path = await Deno.makeTempDir({ prefix: "psync-test-" });
  return { path, [Symbol.asyncDispose]: () => removeTree(path) };
}

/** What an image is made of; what is not given is what dist/psync has. */
export interface ImageParts {
  /** Text of the JavaScript program. */
  readonly program?: string;
  /** Path of another launcher. */
  readonly launcher?: string;
  /** Path of another runtime: any executable. */
  readonly runtime?: string;
}

/** Makes an executable as scripts/build does, of other parts. Writes beside `out`, too. */
export async function makeImage(out: string, parts: ImageParts): Promise<string> {
  const program = `${out}.program`;
  await Deno.writeTextFile(program, parts.program ?? "");
  await must("zstd", ["-q", "-f", program]);
  const runtime = parts.runtime ?? await denoPath();
  const packedRuntime = parts.runtime === undefined ? `${PARTS}/runtime.zst` : `${out}.runtime.zst`;
  if (parts.runtime !== undefined) await must("zstd", ["-q", "-f", parts.runtime, "-o", packedRuntime]);
  await must(`${PARTS}/pack`, [
    out,
    parts.launcher ?? `${PARTS}/launcher`,
    ...[runtime, packedRuntime],
    ...[program, `${program}.zst`],
    ...[`${PARTS}/psync-native`, `${PARTS}/native.zst`],
  ]);
  await Deno.chmod(out, 0o755);
  return out;
}

/** The Deno that scripts/setup fetched, which is what dist/psync carries. */
export async function denoPath(): Promise<string> {
  return await must("bash", ["-c", `source "${REPO}/scripts/lib.sh" && printf %s "$DENO"`]);
}
