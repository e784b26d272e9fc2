/**
 * Types of what psync uses of the standard library, whose npm edition comes without any.
 *
 * Named by deno.json ("types"). Only what is used is declared, under the library's own names, so
 * that a switch to an edition with types is: change the imports there, delete this file.
 * @module
 */

declare module "@std/assert" {
  // deno-lint-ignore no-explicit-any -- as the library has it: constructors take anything
  type Constructor<T> = abstract new (...args: any[]) => T;

  export class AssertionError extends Error {}

  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertFalse(condition: unknown, message?: string): asserts condition is false;
  export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
  export function assertNotStrictEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, message?: string): void;
  export function assertGreater<T>(actual: T, expected: T, message?: string): void;
  export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertLess<T>(actual: T, expected: T, message?: string): void;
  export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertNotMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, message?: string): void;
  export function assertObjectMatch(
    actual: Record<PropertyKey, unknown>,
    expected: Record<PropertyKey, unknown>,
    message?: string,
  ): void;
  export function assertInstanceOf<T>(actual: unknown, type: Constructor<T>, message?: string): asserts actual is T;
  export function assertNotInstanceOf<A, T>(
    actual: A,
    type: Constructor<T>,
    message?: string,
  ): asserts actual is Exclude<A, T>;
  export function assertIsError<E extends Error = Error>(
    error: unknown,
    type?: Constructor<E>,
    part?: string | RegExp,
    message?: string,
  ): asserts error is E;
  export function assertThrows(run: () => unknown, message?: string): unknown;
  export function assertThrows<E extends Error = Error>(
    run: () => unknown,
    type: Constructor<E>,
    part?: string,
    message?: string,
  ): E;
  export function assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
  export function assertRejects<E extends Error = Error>(
    run: () => PromiseLike<unknown>,
    type: Constructor<E>,
    part?: string,
    message?: string,
  ): Promise<E>;
  export function equal(a: unknown, b: unknown): boolean;
  export function fail(message?: string): never;
  export function unimplemented(message?: string): never;
  export function unreachable(reason?: string): never;
}

declare module "@std/fmt/bytes" {
  /** Options of `format`. */
  export interface FormatOptions {
    bits?: boolean;
    binary?: boolean;
    signed?: boolean;
    locale?: boolean | string | string[];
    minimumFractionDigits?: number;
    maximumFractionDigits?: number;
  }
  export function format(bytes: number, options?: FormatOptions): string;
}

declare module "@std/path" {
  export const SEPARATOR: "/";
  export function basename(path: string, suffix?: string): string;
  export function dirname(path: string): string;
  export function extname(path: string): string;
  export function fromFileUrl(url: string | URL): string;
  export function isAbsolute(path: string): boolean;
  export function join(...paths: string[]): string;
  export function normalize(path: string): string;
  export function relative(from: string, to: string): string;
  export function resolve(...paths: string[]): string;
  export function toFileUrl(path: string): URL;
}
