/**
 * Small strict binary combinators: how one value of a known shape is written to and read from bytes.
 *
 * Knows no message and no frame type. All integers are little-endian. Reading never trusts a count:
 * a list is refused when its items could not fit into what is left, before anything is allocated.
 * Bytes that are read are views of the frame; nothing is copied. Used by values.ts and message.ts.
 * @module
 */
import { ProtocolError } from "../base/errors.ts";
import { decodeBytes } from "../core/path.ts";
import type { Reader, Writer } from "./buffer.ts";

/** How values of one type are written and read. */
export interface Codec<T> {
  /** A text that changes with the layout; all shapes together make the hash of the protocol. */
  readonly shape: string;
  /** The fewest bytes that a value takes. */
  readonly minBytes: number;
  write(writer: Writer, value: T): void;
  /** @throws {ProtocolError} where the bytes are not such a value. */
  read(reader: Reader): T;
}

/** The type of the values of a codec. */
export type Of<C> = C extends Codec<infer T> ? T : never;

const I64_MIN = -(1n << 63n);
const I64_MAX = (1n << 63n) - 1n;
const U64_MAX = (1n << 64n) - 1n;

/** Refuses a value that our own side must not send; the peer never sees it. */
function refuse(what: string, value: unknown): never {
  throw new ProtocolError(`Cannot write frame: ${what}: found ${String(value).slice(0, 80)}`);
}

function integerUpTo(max: number, part: { name: string; write: keyof Writer & keyof Reader & ("u8" | "u16" | "u32") }) {
  const minBytes = { u8: 1, u16: 2, u32: 4 }[part.write];
  return {
    shape: part.name,
    minBytes,
    write(writer, value) {
      if (!(value >= 0 && value <= max && Number.isInteger(value))) refuse(`integer must be 0 to ${max}`, value);
      writer[part.write](value);
    },
    read(reader) {
      const value = reader[part.write]();
      return value <= max ? value : reader.fail(`integer must be at most ${max}: found ${value}`);
    },
  } satisfies Codec<number>;
}

/** One byte. */
export const u8: Codec<number> = integerUpTo(0xff, { name: "u8", write: "u8" });
/** Two bytes. */
export const u16: Codec<number> = integerUpTo(0xffff, { name: "u16", write: "u16" });
/** Four bytes. */
export const u32: Codec<number> = integerUpTo(0xffff_ffff, { name: "u32", write: "u32" });
/** The 12 permission bits. */
export const mode: Codec<number> = integerUpTo(0o7777, { name: "mode", write: "u16" });

/** A non-negative safe integer in as many bytes as it needs. */
export const varint: Codec<number> = {
  shape: "varint",
  minBytes: 1,
  write(writer, value) {
    if (!(value >= 0 && Number.isSafeInteger(value))) refuse("integer must be safe and not negative", value);
    writer.varint(value);
  },
  read: (reader) => reader.varint(),
};

/** A finite number. */
export const f64: Codec<number> = {
  shape: "f64",
  minBytes: 8,
  write(writer, value) {
    if (!Number.isFinite(value)) refuse("number must be finite", value);
    writer.f64(value);
  },
  read(reader) {
    const value = reader.f64();
    return Number.isFinite(value) ? value : reader.fail("number must be finite");
  },
};

/** An unsigned 64-bit integer. */
export const u64: Codec<bigint> = {
  shape: "u64",
  minBytes: 8,
  write(writer, value) {
    if (value < 0n || value > U64_MAX) refuse("integer must fit 64 bits", value);
    writer.u64(value);
  },
  read: (reader) => reader.u64(),
};

/** A signed 64-bit integer. */
export const i64: Codec<bigint> = {
  shape: "i64",
  minBytes: 8,
  write(writer, value) {
    if (value < I64_MIN || value > I64_MAX) refuse("integer must fit 64 signed bits", value);
    writer.i64(value);
  },
  read: (reader) => reader.i64(),
};

/** True or false. */
export const bool: Codec<boolean> = {
  shape: "bool",
  minBytes: 1,
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const value = reader.u8();
    return value <= 1 ? value === 1 : reader.fail(`truth must be 0 or 1: found ${value}`);
  },
};

/** Nothing at all. */
export const nothing: Codec<null> = { shape: "nothing", minBytes: 0, write() {}, read: () => null };

/** Bytes, at most `max`; what is read is a view of the frame. */
export function bytes(max: number): Codec<Uint8Array> {
  return {
    shape: `bytes(${max})`,
    minBytes: 4,
    write(writer, value) {
      if (value.length > max) refuse(`bytes must be at most ${max}`, value.length);
      writer.u32(value.length);
      writer.raw(value);
    },
    read: (reader) => reader.bytes(max),
  };
}

/** Text of at most `max` bytes in which any byte may stand (core/path.ts), but NUL. */
export function text(max: number): Codec<string> {
  return {
    shape: `text(${max})`,
    minBytes: 4,
    write(writer, value) {
      const before = writer.sizeBytes;
      writer.text(value);
      if (writer.sizeBytes - before - 4 > max) refuse(`text must be at most ${max} bytes`, value);
    },
    read(reader) {
      const value = decodeBytes(reader.bytes(max));
      return value.includes("\0") ? reader.fail("text holds NUL") : value;
    },
  };
}

/** So many bytes as lower-case hex digits. */
export function digits(size: number): Codec<string> {
  const form = new RegExp(`^[0-9a-f]{${2 * size}}$`);
  return {
    shape: `digits(${size})`,
    minBytes: size,
    write(writer, value) {
      if (!form.test(value)) refuse(`it must be ${2 * size} lower-case hex digits`, value);
      writer.raw(Uint8Array.fromHex(value));
    },
    read: (reader) => reader.raw(size).toHex(),
  };
}

/** SHA-256 as hex digits, 32 bytes on the wire. */
export const sha256: Codec<string> = digits(32);

/** Text that `parse` takes from outside, or refuses by throwing. */
export function parsed<T extends string>(inner: Codec<string>, parse: (text: string) => T, name: string): Codec<T> {
  return {
    shape: `${name}:${inner.shape}`,
    minBytes: inner.minBytes,
    // WHY: our own side is held to the same form, so that a mistake is found where it was made.
    write: (writer, value) => inner.write(writer, parse(value)),
    read(reader) {
      const value = inner.read(reader);
      try {
        return parse(value);
      } catch (error) {
        return reader.fail(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

/** Null, or a value. */
export function option<T>(inner: Codec<T>): Codec<T | null> {
  return {
    shape: `option(${inner.shape})`,
    minBytes: 1,
    write(writer, value) {
      writer.u8(value === null ? 0 : 1);
      if (value !== null) inner.write(writer, value);
    },
    read(reader) {
      return bool.read(reader) ? inner.read(reader) : null;
    },
  };
}

/** At most `max` values. */
export function list<T>(inner: Codec<T>, max: number): Codec<readonly T[]> {
  return {
    shape: `list(${inner.shape},${max})`,
    minBytes: 4,
    write(writer, values) {
      if (values.length > max) refuse(`list must be at most ${max} long`, values.length);
      writer.u32(values.length);
      for (const value of values) inner.write(writer, value);
    },
    read(reader) {
      const count = reader.u32();
      if (count > max) reader.fail(`list must be at most ${max} long: found ${count}`);
      if (count * Math.max(1, inner.minBytes) > reader.left) reader.fail(`${count} items cannot fit what is left`);
      const out: T[] = [];
      for (let i = 0; i < count; i++) out.push(inner.read(reader));
      return out;
    },
  };
}

/** One of a few texts, as one byte. */
export function oneOf<const T extends string>(values: readonly T[]): Codec<T> {
  const index = new Map<string, number>(values.map((value, i) => [value, i]));
  return {
    shape: `oneOf(${values.join(",")})`,
    minBytes: 1,
    write(writer, value) {
      writer.u8(index.get(value) ?? refuse(`word must be one of ${values.join(", ")}`, value));
    },
    read(reader) {
      const at = reader.u8();
      return values[at] ?? reader.fail(`word has no number ${at}`);
    },
  };
}

/** The fields of a struct, in the order in which they are written. */
export type Fields<T> = { readonly [K in keyof T]-?: Codec<T[K]> };

/** An object with exactly these fields. */
export function struct<T extends object>(fields: Fields<T>): Codec<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  const codecs = names.map((name) => fields[name]) as Codec<unknown>[];
  return {
    shape: `{${names.map((name, i) => `${name}:${codecs[i]!.shape}`).join(",")}}`,
    minBytes: codecs.reduce((sum, codec) => sum + codec.minBytes, 0),
    write(writer, value) {
      for (let i = 0; i < names.length; i++) codecs[i]!.write(writer, value[names[i]!]);
    },
    read(reader) {
      const out: Record<string, unknown> = {};
      readFields(reader, { names, codecs, out });
      return out as T;
    },
  };
}

function readFields(
  reader: Reader,
  into: { names: readonly string[]; codecs: readonly Codec<unknown>[]; out: Record<string, unknown> },
): void {
  for (let i = 0; i < into.names.length; i++) {
    reader.field = into.names[i]!;
    into.out[into.names[i]!] = into.codecs[i]!.read(reader);
  }
}

/** The member of a union that may have `kind` K, also where several kinds share one member. */
type Member<T, K> = T extends { readonly kind: infer Kinds } ? (K extends Kinds ? T : never) : never;

/** The members of a union by their `kind`: the codec of each writes everything but `kind`. */
export type Members<T extends { readonly kind: string }> = {
  readonly [K in T["kind"]]: Fields<Omit<Member<T, K>, "kind">>;
};

/** A union on `kind`, written as one byte and the fields of that member. */
export function union<T extends { readonly kind: string }>(members: Members<T>): Codec<T> {
  const kinds = Object.keys(members) as T["kind"][];
  const index = new Map<string, number>(kinds.map((kind, i) => [kind, i]));
  const parts = kinds.map((kind) => {
    const fields = members[kind] as Record<string, Codec<unknown>>;
    const names = Object.keys(fields);
    return { kind, names, codecs: names.map((name) => fields[name]!) };
  });
  const sizes = parts.map((part) => part.codecs.reduce((sum, codec) => sum + codec.minBytes, 1));
  return {
    shape: `<${
      parts.map((part) => `${part.kind}{${part.names.map((name, i) => `${name}:${part.codecs[i]!.shape}`)}}`)
    }>`,
    minBytes: Math.min(...sizes),
    write(writer, value) {
      const at = index.get(value.kind) ?? refuse("kind is unknown", value.kind);
      writer.u8(at);
      const { names, codecs } = parts[at]!;
      const from = value as unknown as Record<string, unknown>;
      for (let i = 0; i < names.length; i++) codecs[i]!.write(writer, from[names[i]!]);
    },
    read(reader) {
      const at = reader.u8();
      const part = parts[at] ?? reader.fail(`kind has no number ${at}`);
      const out: Record<string, unknown> = { kind: part.kind };
      readFields(reader, { names: part.names, codecs: part.codecs, out });
      return out as unknown as T;
    },
  };
}
