/**
 * Files of configuration: found by path or name, read as TOML, checked value by value.
 *
 * An error names the file, the line and what to write instead. Whether a value means something (a
 * pattern that compiles, a root that can be) is seen later, as for the command line. Loaded only where
 * a file is asked for: the two libraries take longer to load than all the rest.
 * @module
 */
import { parse, TomlError } from "smol-toml";
import * as z from "zod/mini";
import { ConfigError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";
import { type ConfigFile, type Given, type Key, KEYS } from "./given.ts";
import { nearest } from "./near.ts";

/** How a file is named. */
export type ConfigName =
  | { readonly kind: "path"; readonly path: string }
  /** `<name>.toml` in one of the directories. */
  | { readonly kind: "name"; readonly name: string };

/** Where files are looked for. */
export interface ConfigPlaces {
  /** For a relative path; null: that directory is gone. */
  readonly cwd: string | null;
  /** The directories of named files, the first one that has it counts. */
  readonly dirs: readonly string[];
}

const SCHEMA = z.strictObject(
  {
    left: z.optional(z.string()),
    right: z.optional(z.string()),
    "remote-host": z.optional(z.string()),
    ssh: z.optional(z.string()),
    excludes: z.optional(z.array(z.string())),
    "rsync-excludes": z.optional(z.array(z.string())),
    tempfiles: z.optional(z.array(z.string())),
    extra: z.optional(z.array(z.string())),
    translate: z.optional(z.array(z.string())),
    banned: z.optional(z.array(z.string())),
    "full-sync": z.optional(z.array(z.number())),
    "dry-run": z.optional(z.boolean()),
    "sync-only": z.optional(z.boolean()),
    "skip-initial-sync": z.optional(z.boolean()),
    force: z.optional(z.boolean()),
    "log-file": z.optional(z.string()),
    "log-format": z.optional(z.literal(["text", "json"])),
    debug: z.optional(z.literal([0, 1, 2, 3])),
  } satisfies Record<Key, unknown>,
);

/** What a value must be, for people. */
const FORMS: Readonly<Record<string, string>> = {
  string: "a text in quotes",
  array: 'a list of texts, such as ["a", "b"]',
  boolean: "true or false",
};

/** Names that people try, of the command line and of the old psync. */
const INSTEAD: Readonly<Record<string, Key>> = {
  srcroot: "left",
  dstroot: "right",
  host: "remote-host",
  exclude: "excludes",
  first_sync_only: "sync-only",
  dryrun: "dry-run",
  rsync_extra: "extra",
  fullsync: "full-sync",
};

/** A name, not a path. */
const NAME = /^[A-Za-z0-9_][\w.-]*$/;

/**
 * Finds and reads a file.
 * @throws {ConfigError} that names file and line.
 */
export function loadConfig(name: ConfigName, places: ConfigPlaces): ConfigFile {
  const path = name.kind === "path" ? absolute(name.path, places.cwd) : find(name.name, places.dirs);
  refuseForeign(path);
  try {
    return parseConfig(Deno.readTextFileSync(path), path);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(`Cannot read configuration "${showPath(path)}": ${messageOf(cause)}`, { cause });
  }
}

/**
 * Reads the text of a file.
 * @throws {ConfigError} that names the line.
 */
export function parseConfig(text: string, path: string): ConfigFile {
  const lines = linesOf(text);
  const refuse = (line: number | null, why: string, cause?: unknown) =>
    new ConfigError(`Cannot use "${showPath(path)}"${line === null ? "" : `, line ${line}`}: ${why}`, { cause });
  let table: unknown;
  try {
    table = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw refuse(cause.line, cause.message.replace(/\n[^]*$/, "").replace(/^Invalid TOML document: /, ""), cause);
  }
  const result = SCHEMA.safeParse(table);
  if (!result.success) {
    const [line, why] = explain(result.error.issues[0]!, lines);
    throw refuse(line, why);
  }
  const given = Object.fromEntries(Object.entries(result.data).filter(([, value]) => value !== undefined)) as Given;
  for (const key of ["left", "log-file"] as const) {
    const value = given[key] ?? "/";
    if (!value.startsWith("/")) throw refuse(lines.get(key) ?? null, `"${key}" must be a whole path, from / on`);
  }
  return { path, given, lines: new Map(KEYS.flatMap((key) => lines.has(key) ? [[key, lines.get(key)!]] : [])) };
}

function explain(issue: z.core.$ZodIssue, lines: ReadonlyMap<string, number>): [number | null, string] {
  if (issue.code === "unrecognized_keys") {
    const key = issue.keys[0]!;
    const near = INSTEAD[key] ?? nearest(key.replaceAll("_", "-"), KEYS);
    const hint = near === null ? `the keys are ${KEYS.join(", ")}` : `did you mean "${near}"?`;
    return [lines.get(key) ?? null, `unknown key ${JSON.stringify(key)}: ${hint}`];
  }
  const key = String(issue.path[0]);
  const form = key === "full-sync"
    ? "a list of hours, such as [1, 13]"
    : key === "debug"
    ? "0, 1, 2 or 3"
    : key === "log-format"
    ? '"text" or "json"'
    : FORMS[issue.path.length > 1 ? "array" : expectedOf(issue)];
  return [lines.get(key) ?? null, `"${key}" must be ${form ?? "something else"}`];
}

function expectedOf(issue: z.core.$ZodIssue): string {
  return issue.code === "invalid_type" ? issue.expected : "";
}

/** On which line each key or table of the top level begins. */
function linesOf(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [i, line] of text.split("\n").entries()) {
    const match = /^\s*(?:\[+\s*)?(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*[=.\]]/.exec(line);
    const key = match?.[1] ?? match?.[2] ?? match?.[3];
    if (key !== undefined && !found.has(key)) found.set(key, i + 1);
  }
  return found;
}

function absolute(path: string, cwd: string | null): string {
  if (path.startsWith("/")) return path;
  if (cwd !== null) return `${cwd}/${path}`;
  throw new ConfigError(`Cannot read configuration "${showPath(path)}": the working directory is gone`);
}

function find(name: string, dirs: readonly string[]): string {
  if (!NAME.test(name)) {
    throw new ConfigError(`Cannot use "${showPath(name)}" as a name of a configuration: name a file with --config`);
  }
  const paths = dirs.map((dir) => `${dir}/${name}.toml`);
  const found = paths.find(exists);
  if (found !== undefined) return found;
  throw new ConfigError(`Cannot find configuration "${name}": there is no ${paths.map(showPath).join(" and no ")}`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory);
  }
}

/** A file says what is run (`ssh`): it must not be one that others can write. */
function refuseForeign(path: string): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(cause);
    throw new ConfigError(`Cannot read configuration "${showPath(path)}": ${why}`, { cause });
  }
  if (!info.isFile) return; // a pipe that the user made
  const isForeign = info.uid !== 0 && info.uid !== Deno.uid();
  if (isForeign || ((info.mode ?? 0) & 0o002) !== 0) {
    const why = isForeign ? "it belongs to another user" : "everybody may write it; chmod o-w";
    throw new ConfigError(`Cannot use configuration "${showPath(path)}": ${why}`);
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
