/**
 * What `psync doctor` wants to know of a root: how much there is to watch, what its disk has left, and
 * what its file system bears, which is tried (native/probe.c).
 *
 * Sees what psync would synchronise, no more; changes nothing that anybody can see. Judges nothing.
 * @module
 */
import { SetupError } from "../base/errors.ts";
import { Child } from "../base/process.ts";
import { type Attempt, MOUNTS_MAX, type RootCheckup } from "../core/checkup.ts";
import type { Listing } from "../core/endpoint.ts";
import { encodeBytes, type RelPath, ROOT } from "../core/path.ts";
import { errnoName } from "./errno.ts";

/** How many directories are listed at once. */
const BATCH_DIRS = 256;

/** What a root is examined with. */
export interface RootCheckupParts {
  readonly root: string;
  readonly nativePath: string;
  list(dirs: readonly RelPath[]): Promise<readonly Listing[]>;
  space(): Promise<Pick<RootCheckup, "freeBytes" | "totalBytes" | "freeInodes" | "totalInodes">>;
  readonly signal?: AbortSignal;
}

/** Examines a root. @throws {SetupError} where it is gone. */
export async function rootCheckup(parts: RootCheckupParts): Promise<RootCheckup> {
  const [tried, space] = [await tryFileSystem(parts), await parts.space()];
  const { freeBytes, totalBytes, freeInodes, totalInodes } = space;
  return { freeBytes, totalBytes, freeInodes, totalInodes, ...tried, ...await count(parts) };
}

type Counted = Pick<RootCheckup, "dirs" | "entries" | "bytes" | "mounts" | "unreadable">;

async function count({ list, signal }: RootCheckupParts): Promise<Counted> {
  const todo: RelPath[] = [ROOT];
  const mounts: RelPath[] = [];
  let [dirs, entries, bytes, unreadable] = [0, 0, 0, 0];
  while (todo.length > 0) {
    signal?.throwIfAborted();
    for (const listing of await list(todo.splice(Math.max(0, todo.length - BATCH_DIRS)))) {
      dirs++;
      if (listing.kind === "unlisted") {
        unreadable++;
        continue;
      }
      for (const seen of listing.entries) {
        if (seen.kind === "blocked" && seen.reason === "mount" && mounts.length < MOUNTS_MAX) mounts.push(seen.path);
        if (seen.kind !== "present") continue;
        if (seen.entry.kind === "dir") todo.push(seen.path);
        else entries++;
        if (seen.entry.kind === "file") bytes += seen.entry.sizeBytes;
      }
    }
  }
  return { dirs, entries, bytes, mounts, unreadable };
}

type Tried = Pick<RootCheckup, "tmpfile" | "lease" | "owner" | "exchange">;

async function tryFileSystem({ root, nativePath }: RootCheckupParts): Promise<Tried> {
  await using child = Child.spawn({ command: nativePath, args: ["probe"] });
  await child.stdin.write(encodeBytes(root));
  await child.stdin.close();
  const text = await new Response(child.stdout).text();
  const { code } = await child.status;
  if (code !== 0) throw new SetupError(`Cannot examine root ${JSON.stringify(root)}: it is gone`);
  const attempts = attemptsOf(text);
  const of = (name: string) => attempts.get(name) ?? "untried";
  return { tmpfile: of("tmpfile"), lease: of("lease"), owner: of("owner"), exchange: of("exchange") };
}

/** The lines of `psync-native probe`. */
export function attemptsOf(text: string): ReadonlyMap<string, Attempt> {
  const lines = [...text.matchAll(/^(\w+) (-?\d+)$/gm)];
  const attempt = (errno: number) => errno === 0 ? "works" : errno < 0 ? "untried" : errnoName(errno);
  return new Map(lines.map(([, name, errno]) => [name!, attempt(Number(errno))]));
}
