/**
 * What the command line and a file of configuration say, value by value, and which of them counts:
 * the command line before the file before the defaults.
 *
 * Pure; checks nothing (settings.ts does). A value that neither of them gives is left out, never
 * undefined. Used by file.ts, cli/options.ts and `psync config show`.
 * @module
 */
import { DEFAULT_TEMPFILES } from "../core/ignore.ts";

/** The values that can be given, by their keys in a file. */
export interface Values {
  readonly left: string | null;
  readonly right: string | null;
  readonly "remote-host": string | null;
  readonly ssh: string | null;
  readonly excludes: readonly string[];
  readonly "rsync-excludes": readonly string[];
  readonly tempfiles: readonly string[];
  readonly extra: readonly string[];
  readonly translate: readonly string[];
  readonly banned: readonly string[];
  readonly "full-sync": readonly number[];
  readonly "dry-run": boolean;
  readonly "sync-only": boolean;
  readonly "skip-initial-sync": boolean;
  readonly force: boolean;
  readonly "log-file": string | null;
  readonly "log-format": "text" | "json";
  readonly debug: 0 | 1 | 2 | 3;
}

/** The name of a value, the same in a file and, but for the roots, as a long option. */
export type Key = keyof Values;

/** What one source gives. */
export type Given = Partial<Values>;

/** What holds where nobody says anything. */
export const DEFAULTS: Values = {
  left: null,
  right: null,
  "remote-host": null,
  ssh: null,
  excludes: [],
  "rsync-excludes": [],
  tempfiles: DEFAULT_TEMPFILES,
  extra: [],
  translate: [],
  banned: [],
  "full-sync": [],
  "dry-run": false,
  "sync-only": false,
  "skip-initial-sync": false,
  force: false,
  "log-file": null,
  "log-format": "text",
  debug: 0,
};

/** Every key, in the order in which they are shown. */
export const KEYS = Object.keys(DEFAULTS) as Key[];

/** Where a value comes from: `line` counts from 1. */
export type Origin =
  | { readonly kind: "command line" }
  | { readonly kind: "file"; readonly path: string; readonly line: number | null }
  | { readonly kind: "default" };

/** A file of configuration as it was read. */
export interface ConfigFile {
  readonly path: string;
  readonly given: Given;
  /** On which line each key stands. */
  readonly lines: ReadonlyMap<Key, number>;
}

/** What is in force, and why. */
export interface InForce {
  readonly values: Values;
  readonly origins: Readonly<Record<Key, Origin>>;
}

/** Puts the sources together: a value counts as a whole, lists are not joined. */
export function inForce(flags: Given, file: ConfigFile | null): InForce {
  const originOf = (key: Key): Origin => {
    if (flags[key] !== undefined) return { kind: "command line" };
    if (file === null || file.given[key] === undefined) return { kind: "default" };
    return { kind: "file", path: file.path, line: file.lines.get(key) ?? null };
  };
  const origins = Object.fromEntries(KEYS.map((key) => [key, originOf(key)])) as Record<Key, Origin>;
  return { values: { ...DEFAULTS, ...file?.given, ...flags }, origins };
}
