/**
 * Checks that imports go down the rooms of the house only, and what the right side may use.
 *
 *   deno run --allow-read scripts/check_layers.ts
 *
 * Also that what takes long to load is loaded only where it is used. Prints one line for each import
 * that breaks a rule; exit status 1 if there is one. Knows
 * the rooms by the table below and nothing else; ARCHITECTURE.md explains them.
 * @module
 */
import { filesBelow, REPO, report } from "./tree.ts";

/** Rank of each room: an import must go to a lower rank, or stay in its room. */
const RANKS: Readonly<Record<string, number>> = {
  base: 0,
  core: 1,
  wire: 2,
  replica: 2,
  archive: 2,
  config: 2,
  alert: 2,
  endpoint: 3,
  transfer: 4,
  brain: 5,
  control: 6,
  cli: 7,
  main: 8,
};

/** What `psync filter` may be made of: everything else stays out of the right side. */
const RIGHT_SIDE =
  /^src\/(base|core|wire|replica)\/|^src\/endpoint\/(serve|local)|^src\/cli\/(filter|self|native_cache|version|exit_code)/;

/** Where the right side begins. */
const RIGHT_ENTRY = /^src\/(endpoint\/serve|cli\/filter)[a-z_]*\.ts$/;

/** What pure code never touches. */
const IMPURE = /\bDeno\.|["']node:|@logtape\//;

/** What takes long to load: no start of psync may need it but one that uses it. */
const LAZY = /\bfrom\s*["'](@optique\/core|smol-toml|zod\/mini)["']/;

/** An import that is evaluated at once; one of types alone never is. */
const STATIC = /^(?:import|export)\b(?!\s+type\b)[^;]*?\bfrom\s*["'](\.[^"']+)["']/gm;

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.[^"']+)["']/g;

/** One file and the files of this repository that it imports, all relative to its top. */
interface Module {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function readModule(path: string): Module {
  const text = Deno.readTextFileSync(`${REPO}/${path}`);
  const base = new URL(path, "file:///");
  const imports = [...text.matchAll(IMPORT)].map((match) => new URL(match[1]!, base).pathname.slice(1));
  return { path, text, imports };
}

function roomOf(path: string): string {
  return path.startsWith("src/") ? path.split("/")[1]! : "main";
}

function checkImport(from: string, to: string): string | null {
  const room = roomOf(from);
  const target = roomOf(to);
  const rank = RANKS[room];
  const targetRank = RANKS[target];
  if (rank === undefined) return `${from}: "${room}" is no room`;
  if (targetRank === undefined) return `${from}: imports ${to}, which is in no room`;
  return room === target || targetRank < rank ? null : `${from}: imports ${to}: ${room} must not know ${target}`;
}

function checkModule(module: Module): string[] {
  const found = module.imports.map((to) => checkImport(module.path, to)).filter((line) => line !== null);
  if (roomOf(module.path) === "core" && IMPURE.test(withoutComments(module.text))) {
    found.push(`${module.path}: core is pure: no Deno, no node:, no log`);
  }
  return found;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
}

/** Follows the imports of the right side; each file that is not part of it is named with its importer. */
function checkRightSide(modules: ReadonlyMap<string, Module>): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const queue = [...modules.keys()].filter((path) => RIGHT_ENTRY.test(path));
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const to of modules.get(path)?.imports ?? []) {
      if (RIGHT_SIDE.test(to)) queue.push(to);
      else found.push(`${path}: imports ${to}, which the right side must not need`);
    }
  }
  return found;
}

/** Follows what main.ts and the right side load at once. */
function checkLazy(modules: ReadonlyMap<string, Module>): string[] {
  const seen = new Set<string>();
  const queue = ["main.ts", ...[...modules.keys()].filter((path) => RIGHT_ENTRY.test(path))];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const base = new URL(path, "file:///");
    for (const match of modules.get(path)!.text.matchAll(STATIC)) {
      queue.push(new URL(match[1]!, base).pathname.slice(1));
    }
  }
  return [...seen].flatMap((path) => {
    const match = LAZY.exec(modules.get(path)!.text);
    return match === null ? [] : [`${path}: loads ${match[1]}, and every start of psync loads this file`];
  });
}

/** Every import that breaks the rules, as one line each. */
export function checkLayers(): string[] {
  const paths = filesBelow("src", ".ts").filter((path) => !/_test\.ts$|^src\/types\//.test(path));
  const modules = new Map([...paths, ...filesBelow(".", "main.ts", 1)].map((path) => [path, readModule(path)]));
  return [...[...modules.values()].flatMap(checkModule), ...checkRightSide(modules), ...checkLazy(modules)];
}

if (import.meta.main) report(checkLayers());
