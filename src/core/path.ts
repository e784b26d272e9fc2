/**
 * Names and paths as reversible strings: a byte that is not part of valid UTF-8 is kept as a lone
 * surrogate U+DC80..U+DCFF, so that every name that Linux allows survives a round trip.
 *
 * Does no I/O and knows no root. Paths from outside become `RelPath` here or are refused (I11).
 * Used by every room; the only place that makes the two brands.
 * @module
 */
import { joinBytes } from "../base/bytes.ts";
import { ProtocolError } from "../base/errors.ts";

/** One component of a path: not empty, not `.` or `..`, no `/`, no NUL, at most 255 bytes. */
export type Name = string & { readonly __brand: "Name" };

/** A path below a root: names joined by `/`, no leading slash; the empty string is the root. */
export type RelPath = string & { readonly __brand: "RelPath" };

/** The root itself. */
export const ROOT = "" as RelPath;

/** The longest name in bytes that Linux file systems take (NAME_MAX). */
export const NAME_MAX_BYTES = 255;

/** The longest path in bytes that a frame may carry. */
export const PATH_MAX_BYTES = 65_535;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Up to this length plain text is read and written here: a call into the runtime costs more than the loop. */
const SHORT_BYTES = 96;

function isPlain(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! >= 0x80) return false;
  return true;
}

/** WHY not spread: V8 spreads a typed array by its iterator, which takes six times as long. */
function charsOf(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** Decodes bytes to a string in which invalid bytes are U+DC80..U+DCFF. */
export function decodeBytes(bytes: Uint8Array): string {
  if (bytes.length <= SHORT_BYTES && isPlain(bytes)) return charsOf(bytes);
  try {
    return strict.decode(bytes);
  } catch {
    return decodeLoosely(bytes);
  }
}

/** The length of the valid UTF-8 sequence at `i`, or 0 where there is none. */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!;
  const length = lead < 0x80
    ? 1
    : lead >= 0xc2 && lead < 0xe0
    ? 2
    : lead >= 0xe0 && lead < 0xf0
    ? 3
    : lead >= 0xf0 && lead < 0xf5
    ? 4
    : 0;
  if (length === 0 || i + length > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(i, i + length));
    return length;
  } catch {
    return 0;
  }
}

function decodeLoosely(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length;) {
    const length = sequenceLength(bytes, i);
    out += length === 0 ? String.fromCharCode(0xdc00 + bytes[i]!) : strict.decode(bytes.subarray(i, i + length));
    i += Math.max(1, length);
  }
  return out;
}

const LONE = /[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g;

/**
 * Writes a short string of ASCII alone to `into` from `at` on, a byte for each unit.
 * @returns whether it is one; else some bytes there may be written, and `encodeBytes` is to be asked.
 */
export function writePlain(text: string, into: Uint8Array, at: number): boolean {
  if (text.length > SHORT_BYTES) return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return false;
    into[at + i] = unit;
  }
  return true;
}

/** Encodes a string made by `decodeBytes` back to the very same bytes. */
export function encodeBytes(text: string): Uint8Array {
  if (text.length <= SHORT_BYTES) {
    const plain = new Uint8Array(text.length);
    if (writePlain(text, plain, 0)) return plain;
  }
  if (text.isWellFormed()) return encoder.encode(text);
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const match of text.matchAll(LONE)) {
    if (match[0].length === 2) continue;
    const unit = match[0].charCodeAt(0);
    if (unit < 0xdc80 || unit > 0xdcff) {
      throw new ProtocolError(`Cannot encode name: found code unit ${unit.toString(16)}`);
    }
    parts.push(encoder.encode(text.slice(from, match.index)), Uint8Array.of(unit - 0xdc00));
    from = match.index + 1;
  }
  parts.push(encoder.encode(text.slice(from)));
  return joinBytes(parts);
}

/** The length of a string in bytes once encoded. */
function byteLength(text: string): number {
  return text.length * 3 <= NAME_MAX_BYTES ? text.length : encodeBytes(text).length;
}

/**
 * Takes one name from outside.
 * @throws {ProtocolError} where it is empty, `.`, `..`, too long, or holds `/` or NUL.
 */
export function parseName(text: string): Name {
  if (text === "" || text === "." || text === ".." || text.includes("/") || text.includes("\0")) {
    throw new ProtocolError(
      `Cannot use name ${JSON.stringify(text)}: it is empty, a dot name, or holds a slash or NUL`,
    );
  }
  if (byteLength(text) > NAME_MAX_BYTES) {
    throw new ProtocolError(
      `Cannot use name ${JSON.stringify(text.slice(0, 40))}: it is longer than ${NAME_MAX_BYTES} bytes`,
    );
  }
  return text as Name;
}

/**
 * Takes a path from outside: the empty string, or valid names joined by single slashes.
 * @throws {ProtocolError} for every other form.
 */
export function parseRelPath(text: string): RelPath {
  if (text === "") return ROOT;
  if (text.length > PATH_MAX_BYTES) {
    throw new ProtocolError(`Cannot use path: it is longer than ${PATH_MAX_BYTES} bytes`);
  }
  for (const part of text.split("/")) parseName(part);
  return text as RelPath;
}

/** The path of `name` in directory `dir`. */
export function joinPath(dir: RelPath, name: Name): RelPath {
  return (dir === "" ? name : `${dir}/${name}`) as RelPath;
}

/** The directory that holds `path`; the root for a name in the root, and for the root itself. */
export function parentOf(path: RelPath): RelPath {
  const slash = path.lastIndexOf("/");
  return (slash < 0 ? "" : path.slice(0, slash)) as RelPath;
}

/** The last name of `path`; `path` is not the root. */
export function nameOf(path: RelPath): Name {
  return path.slice(path.lastIndexOf("/") + 1) as Name;
}

/** Whether `path` lies below `dir` (a path is not below itself; everything else is below the root). */
export function isBelow(path: RelPath, dir: RelPath): boolean {
  if (dir === "") return path !== "";
  return path.length > dir.length && path.charCodeAt(dir.length) === 47 && path.startsWith(dir);
}

/** The path that `path` has after its ancestor (or itself) `from` became `to`. */
export function rebase(path: RelPath, move: { readonly from: RelPath; readonly to: RelPath }): RelPath {
  if (path === move.from) return move.to;
  return isBelow(path, move.from) ? (move.to + path.slice(move.from.length)) as RelPath : path;
}

/** The directories above `path`, nearest first, ending with the root; none for the root. */
export function* ancestorsOf(path: RelPath): Generator<RelPath> {
  let at = path;
  while (at !== "") {
    at = parentOf(at);
    yield at;
  }
}

/** From here on UTF-16 and the bytes that units stand for sort unlike: surrogates, and what follows them. */
const FIRST_UNLIKE_UNIT = 0xd800;

/** Compares two names as their bytes compare (memcmp); UTF-16 order differs above U+FFFF. */
export function compareNames(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === end) return a.length - b.length;
  const [unit, other] = [a.charCodeAt(at), b.charCodeAt(at)];
  if (unit < FIRST_UNLIKE_UNIT && other < FIRST_UNLIKE_UNIT) return unit - other;
  const left = encodeBytes(a);
  const right = encodeBytes(b);
  const common = Math.min(left.length, right.length);
  for (let i = 0; i < common; i++) {
    if (left[i] !== right[i]) return left[i]! - right[i]!;
  }
  return left.length - right.length;
}

/** Compares two paths name by name, so that a directory comes right before what it holds. */
export function comparePaths(a: RelPath, b: RelPath): number {
  const left = a.split("/");
  const right = b.split("/");
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compareNames(left[i]!, right[i]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** A path for people: control characters, quotes of control and bytes that are no text escaped. */
export function showPath(path: string): string {
  return path.replace(
    // deno-lint-ignore no-control-regex -- control characters are what must not reach a terminal
    /[\x00-\x1f\x7f-\x9f\\]|[\ud800-\udfff](?![\udc00-\udfff])|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (unit) => {
      const code = unit.charCodeAt(0);
      if (unit === "\\") return "\\\\";
      if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
      return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, "0")}`;
    },
  );
}
