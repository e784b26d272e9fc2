/**
 * Small helpers of the watcher's tests: a root of one's own, bytes as hex, an exchange of names.
 *
 * Not for use outside tests/native.
 * @module
 */

/** Runs `use` with an empty directory that is removed afterwards. */
export async function withRoot(use: (root: string) => Promise<void>, parent?: string): Promise<void> {
  const root = await Deno.realPath(
    await Deno.makeTempDir({ prefix: "psync-native-watch-", ...(parent === undefined ? {} : { dir: parent }) }),
  );
  try {
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Where many files cost no disk: the shared memory of the machine, or undefined where there is none. */
export const MEMORY_DIR: string | undefined = (() => {
  try {
    Deno.removeSync(Deno.makeTempDirSync({ dir: "/dev/shm" }));
    return "/dev/shm";
  } catch {
    return undefined;
  }
})();

/** Two hexadecimal digits for each byte. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

/** Exchanges two names in one renameat2(2). */
// deno-lint-ignore require-await -- so that a failure is a rejection, as with Deno.rename
export async function exchange(a: string, b: string): Promise<void> {
  const libc = Deno.dlopen("libc.so.6", {
    renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  });
  const text = (path: string) => new TextEncoder().encode(`${path}\0`);
  const result = libc.symbols.renameat2(AT_FDCWD, text(a), AT_FDCWD, text(b), RENAME_EXCHANGE);
  libc.close();
  if (result !== 0) throw new Error(`Cannot exchange "${a}" and "${b}"`);
}

/** A generator of numbers below `n` that a seed makes repeatable (mulberry32). */
export function seeded(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}
