/**
 * Checks the rules of the house that no linter knows: sizes, headers, docstrings, free words.
 *
 *   deno run --allow-read scripts/check_house.ts
 *
 * A file has at most 500 lines and begins with a header; a C function has at most 80 lines (those
 * of TypeScript are counted by lint_plugin.ts); every export of src has a docstring. Prints one
 * line for each break; exit status 1 if there is one.
 * @module
 */
import { filesBelow, REPO, report } from "./tree.ts";

/** Lines; the reasons for both limits are in the contributors' rules in ARCHITECTURE.md. */
const MAX_FILE_LINES = 500;
const MAX_FUNCTION_LINES = 80;

const EXPORT =
  /^export (?:default |abstract |async |declare )*(?:function\*?|class|interface|type|const|let|enum) +(\w+)/;

/** Comments that say nothing about the code, or that belong nowhere. */
const BANNED = /\b(?:XXX|FIXME|HACK)\b|\bTODO(?!\(#\d+\))/;

interface Source {
  readonly path: string;
  readonly lines: readonly string[];
}

function read(path: string): Source {
  return { path, lines: Deno.readTextFileSync(`${REPO}/${path}`).replace(/\n$/, "").split("\n") };
}

function checkSize({ path, lines }: Source): string[] {
  return lines.length > MAX_FILE_LINES ? [`${path}: ${lines.length} lines, at most ${MAX_FILE_LINES}`] : [];
}

function checkHeader({ path, lines }: Source): string[] {
  const first = lines[0]?.startsWith("#!") ? lines[1] : lines[0];
  // A test stands beside the file that it tests, and says so by its name.
  if (path.endsWith("_test.ts")) return [];
  const isHeader = path.endsWith(".ts") ? first === "/**" : first?.startsWith("/*");
  if (!isHeader) return [`${path}: begins without a header`];
  const end = lines.findIndex((line) => line.trimEnd().endsWith("*/"));
  const hasTag = lines.slice(0, end + 1).some((line) => line.trim() === "* @module");
  return path.endsWith(".ts") && !hasTag ? [`${path}: its header has no @module`] : [];
}

function checkWords({ path, lines }: Source): string[] {
  if (path === "scripts/check_house.ts") return [];
  return lines.flatMap((line, i) => BANNED.test(line) ? [`${path}:${i + 1}: "${BANNED.exec(line)![0]}"`] : []);
}

/** A C function begins on a line that ends with a brace at the margin, and ends with one. */
function checkFunctions({ path, lines }: Source): string[] {
  const found: string[] = [];
  let begin = -1;
  lines.forEach((line, i) => {
    if (begin < 0 && /^\w.*\)\s*\{$|^\{$/.test(line)) begin = i;
    if (begin < 0 || line !== "}") return;
    const length = i - begin + 1;
    if (length > MAX_FUNCTION_LINES) found.push(`${path}:${begin + 1}: ${length} lines, at most ${MAX_FUNCTION_LINES}`);
    begin = -1;
  });
  return found;
}

/** An overload, and the second half of a pair on the very next line, share the docstring above them. */
function checkDocs({ path, lines }: Source): string[] {
  const found: string[] = [];
  let documented = "";
  lines.forEach((line, i) => {
    const name = EXPORT.exec(line)?.[1];
    if (name === undefined) return;
    const above = lines.slice(0, i).findLast((text) => !text.trim().startsWith("// deno-lint-ignore"));
    if (above?.trim().endsWith("*/")) documented = name;
    else if (documented === name || (above !== undefined && above === lines[i - 1] && EXPORT.test(above))) {
      documented = name;
    } else found.push(`${path}:${i + 1}: "${name}" has no docstring`);
  });
  return found;
}

/** Every break of the rules, as one line each. */
export function checkHouse(): string[] {
  const script = [
    ...filesBelow(".", "main.ts", 1),
    ...["src", "tests", "scripts"].flatMap((dir) => filesBelow(dir, ".ts")),
  ];
  const native = [...["native", "tests"].flatMap((dir) => [...filesBelow(dir, ".c"), ...filesBelow(dir, ".h")])];
  const sources = [...script, ...native].map(read);
  const documented = sources.filter(({ path }) => path.startsWith("src/") && !/_test\.ts$|\.d\.ts$/.test(path));
  return [
    ...sources.flatMap((source) => [...checkSize(source), ...checkHeader(source), ...checkWords(source)]),
    ...sources.filter(({ path }) => path.endsWith(".c")).flatMap(checkFunctions),
    ...documented.flatMap(checkDocs),
  ];
}

if (import.meta.main) report(checkHouse());
