/**
 * Builds the C programs of the proofs: once for each state of their sources, into the cache of the
 * clone. Without gcc the proofs cannot run.
 * @module
 */
import { REPO } from "../support/binary.ts";

const HERE = `${REPO}/tests/proof`;
const FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-format-truncation"];

/** The programs and their sources beside the header files. */
const PROGRAMS = {
  user: ["user.c", "user_random.c", "user_write.c", "user_destroy.c", "content.c"],
  survey: ["survey.c", "content.c"],
  witness: ["witness.c", "content.c"],
  faulty_ssh: ["faulty_ssh.c"],
} as const;

/** The name of one program. */
export type ProgramName = keyof typeof PROGRAMS;

const built = new Map<ProgramName, Promise<string>>();

/** The path of a program that was built from the sources as they are now. */
export function program(name: ProgramName): Promise<string> {
  const path = built.get(name) ?? build(name);
  built.set(name, path);
  return path;
}

async function build(name: ProgramName): Promise<string> {
  const dir = `${REPO}/.cache/proof`;
  const target = `${dir}/${name}-${await hashOfSources()}`;
  await Deno.mkdir(dir, { recursive: true });
  const isThere = await Deno.lstat(target).then(() => true, () => false);
  if (isThere) return target;
  const aside = `${target}.${Deno.pid}`;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [...FLAGS, "-o", aside, ...PROGRAMS[name], "-lm"],
    cwd: HERE,
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot build ${name}:\n${new TextDecoder().decode(stderr)}`);
  await Deno.rename(aside, target);
  return target;
}

async function hashOfSources(): Promise<string> {
  const names = [...Deno.readDirSync(HERE)].map(({ name }) => name).filter((name) => /\.[ch]$/.test(name)).sort();
  const text = names.map((name) => `${name}\n${Deno.readTextFileSync(`${HERE}/${name}`)}`).join("");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 16);
}
