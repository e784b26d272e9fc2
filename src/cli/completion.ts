/**
 * Completion in bash, zsh and fish: the script for the shell, and the answers that it asks for.
 *
 * Options come from the parsers' own definitions. The script calls `psync completion SHELL WORD...`
 * with the words up to the cursor, the last one unfinished.
 * @module
 */
import { bash, fish, type Suggestion, suggestSync, zsh } from "@optique/core";
import { UsageError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";
import { ASK_PARSER } from "./ask_options.ts";
import { MANAGE_PARSER } from "./manage_options.ts";
import { PARSER } from "./options.ts";
import { VERB_TEXTS, type VerbText } from "./verbs.ts";

const SHELLS = { bash, zsh, fish } as const;

/** What cannot be known from the words. */
export interface CompletionWorld {
  /** The names of configurations. */
  readonly names: () => readonly string[];
}

/**
 * What `psync completion` prints: the script, or, with more words, answers for it.
 * @throws {UsageError} for a shell that there is no script for.
 */
export function completionText([name, ...words]: readonly string[], world: CompletionWorld): string {
  if (name !== "bash" && name !== "zsh" && name !== "fish") {
    const found = name === undefined ? "" : ` for "${showPath(name)}"`;
    throw new UsageError(`Cannot complete${found}: write "psync completion bash", zsh or fish`);
  }
  const shell = SHELLS[name];
  if (words.length === 0) return shell.generateScript("psync", ["completion", name]);
  return [...shell.encodeSuggestions(suggestions(words, world))].join("");
}

function suggestions(words: readonly string[], world: CompletionWorld): Suggestion[] {
  const current = words.at(-1)!;
  const verb = words.length > 1 ? VERB_TEXTS.find(({ name }) => name === words[0]) : undefined;
  if (words.length === 1 && !current.startsWith("-")) return [...verbsLike(current), ...folders(current)];
  const rest = verb === undefined ? words : words.slice(1);
  if (verb !== undefined && rest.length === 1 && verb.next.length > 0 && !current.startsWith("-")) {
    return literals(verb.next, current);
  }
  const options = verb?.options === "none" ? [] : [...optionsOf(verb, rest)];
  if (options.length > 0 || current.startsWith("-") || verb?.options === "none") return options;
  return [...(verb?.takesName ? literals(world.names(), current) : []), ...folders(current)];
}

function optionsOf(verb: VerbText | undefined, words: readonly string[]): readonly Suggestion[] {
  const parser = verb?.options === "manage" ? MANAGE_PARSER : verb?.options === "ask" ? ASK_PARSER : PARSER;
  return suggestSync(parser as typeof PARSER, words as [string, ...string[]]);
}

function verbsLike(current: string): Suggestion[] {
  return VERB_TEXTS.filter(({ name }) => name.startsWith(current))
    .map(({ name, does }) => ({ kind: "literal", text: name, description: [{ type: "text", text: does }] }));
}

function literals(texts: readonly string[], current: string): Suggestion[] {
  return texts.filter((text) => text.startsWith(current)).map((text) => ({ kind: "literal", text }));
}

function folders(current: string): Suggestion[] {
  return [{ kind: "file", type: "directory", pattern: current }];
}
