/**
 * How requests and answers travel between a command and the running psync: one line of JSON each.
 *
 * A request is one of `ControlRequest`, checked field by field, since the socket may be anybody's of
 * the same user; an answer is `{"ok": ControlAnswer}` or `{"error": {"code", "message"}}`. 64-bit
 * integers are strings of digits, in fields that are known by their names; file names that are no text keep their lone surrogates as
 * escapes. Does no I/O.
 * @module
 */
import { EndpointLostError, ProtocolError, PsyncError, SafetyHaltError, SetupError } from "../base/errors.ts";
import type { ControlAnswer, ControlRequest } from "../brain/control_requests.ts";
import { parseRelPath, type RelPath, ROOT } from "../core/path.ts";
import { parseTreePath } from "../wire/values.ts";

/** The longest request, in bytes. */
export const REQUEST_MAX_BYTES = 1 << 20;
/** The longest answer, in bytes. */
export const ANSWER_MAX_BYTES = 64 << 20;
/** The most ids or items of one request; longer ones are sent in parts. */
export const ITEMS_MAX = 1_000;

/** The fields of answers that are bigints. */
const BIGINT_FIELD = /Ns$|^(rootInode|rootDevice|mountId)$/;
const BIGINT = /^-?\d{1,20}$/;

/** The line of a request, without its line break. */
export function printRequest(request: ControlRequest): string {
  return JSON.stringify(request);
}

/** The line of an answer. */
export function printAnswer(answer: ControlAnswer): string {
  return JSON.stringify({ ok: answer }, (_, value) => typeof value === "bigint" ? `${value}` : value);
}

/** The line of an error. */
export function printError(error: unknown): string {
  const code = error instanceof PsyncError ? error.code : "internal";
  const message = error instanceof Error ? error.message : String(error);
  return JSON.stringify({ error: { code, message } });
}

/**
 * Reads the line of a request.
 * @throws {ProtocolError} for everything that is none.
 */
export function parseRequest(line: string): ControlRequest {
  const request = objectOf(parseJson(line), "request");
  switch (request["kind"]) {
    case "status":
    case "stop":
    case "full-sync":
    case "flush":
    case "pause":
    case "resume":
    case "conflicts.list":
      return { kind: request["kind"] };
    case "conflicts.resolve":
      return {
        kind: "conflicts.resolve",
        ids: listOf(request["ids"], "ids", parseId),
        keep: wordOf(request["keep"], ["left", "right", "both"], "keep"),
      };
    case "trash.list":
      return {
        kind: "trash.list",
        side: sideOf(request["side"]),
        only: request["only"] === null ? null : wordOf(request["only"], ["removed", "conflict"], "only"),
        after: request["after"] === null ? null : parsePlace(request["after"]),
      };
    case "trash.restore":
      return {
        kind: "trash.restore",
        side: sideOf(request["side"]),
        items: listOf(request["items"], "items", (item) => {
          const { kept, to } = objectOf(item, "item");
          return { kept: parsePlace(kept), to: parseTarget(to) };
        }),
      };
    case "trash.empty":
      return { kind: "trash.empty", side: sideOf(request["side"]), kept: listOf(request["kept"], "kept", parsePlace) };
    default:
      throw refused(`its kind is ${JSON.stringify(request["kind"])?.slice(0, 40)}`);
  }
}

/**
 * Reads the line of an answer.
 *
 * WHY its fields are not checked: it comes from the psync that holds this user's locks.
 * @throws what the running psync answered, as the same class; {ProtocolError} for what is no answer.
 */
export function parseAnswer(line: string): ControlAnswer {
  const value = objectOf(parseJson(line, reviveBigint), "answer");
  if ("error" in value) throw errorFrom(objectOf(value["error"], "error"));
  const answer = objectOf(value["ok"], "answer");
  if (typeof answer["kind"] !== "string") throw refused("it has no kind");
  return answer as unknown as ControlAnswer;
}

function errorFrom({ code, message }: Readonly<Record<string, unknown>>): Error {
  const text = String(message);
  if (code === "halt") return new SafetyHaltError(text);
  if (code === "protocol") return new ProtocolError(text);
  if (code === "endpoint-lost") return new EndpointLostError(text);
  return new SetupError(text);
}

function reviveBigint(key: string, value: unknown): unknown {
  return BIGINT_FIELD.test(key) && typeof value === "string" && BIGINT.test(value) ? BigInt(value) : value;
}

function parseJson(line: string, reviver?: (key: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(line, reviver);
  } catch (cause) {
    throw new ProtocolError("Cannot read control line: it is no JSON", { cause });
  }
}

function refused(why: string): ProtocolError {
  return new ProtocolError(`Cannot read control line: ${why}`);
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refused(`its ${what} is no object`);
}

function textOf(value: unknown, what: string): string {
  return typeof value === "string" ? value : raise(`its ${what} is no text`);
}

function wordOf<const T extends string>(value: unknown, words: readonly T[], what: string): T {
  return words.find((word) => word === value) ?? raise(`its ${what} is none of ${words.join(", ")}`);
}

function sideOf(value: unknown): "left" | "right" {
  return wordOf(value, ["left", "right"], "side");
}

function parseId(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : raise("an id is no number");
}

/** A place below the trash: any path that does not climb. */
function parsePlace(value: unknown): string {
  return parseRelPath(textOf(value, "place"));
}

/** A path of the tree, not the root itself and nothing of psync's own (I10). */
function parseTarget(value: unknown): RelPath {
  const path = parseTreePath(textOf(value, "to"));
  return path === ROOT ? raise("its to is the root") : path;
}

function listOf<T>(value: unknown, what: string, parse: (item: unknown) => T): T[] {
  if (!Array.isArray(value) || value.length > ITEMS_MAX) {
    throw refused(`its ${what} are no list of at most ${ITEMS_MAX}`);
  }
  return value.map(parse);
}

function raise(why: string): never {
  throw refused(why);
}
