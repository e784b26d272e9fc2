/**
 * What `psync config show` prints: a file of configuration that says all that is in force, with the
 * origin of each value beside it.
 * @module
 */
import { type InForce, KEYS, type Origin } from "../config/given.ts";
import { showPath } from "../core/path.ts";

/** The text, without a line break at its end. */
export function configText(of: { readonly shown: InForce; readonly path: string | null }): string {
  const { values, origins } = of.shown;
  const head = of.path === null ? "# no file" : `# ${showPath(of.path)}`;
  const lines = KEYS.map((key) => {
    const value = values[key];
    // A value that nobody gave and that has no default has no form in a file either.
    const said = value === null ? `# ${key} is not set` : `${key} = ${toml(value)}`;
    return `${said}  # ${originText(origins[key])}`;
  });
  return [head, ...lines].join("\n");
}

function originText(origin: Origin): string {
  return origin.kind === "file"
    ? `${showPath(origin.path)}${origin.line === null ? "" : `:${origin.line}`}`
    : origin.kind;
}

/** JSON's texts, numbers and lists are TOML's. */
function toml(value: string | number | boolean | readonly (string | number)[]): string {
  return typeof value === "object"
    ? `[${value.map((each) => JSON.stringify(each)).join(", ")}]`
    : JSON.stringify(value);
}
