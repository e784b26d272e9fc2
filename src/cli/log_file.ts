/**
 * A file for log lines: appended to, put aside when it is full, and made anew where somebody has taken
 * it away (logrotate).
 *
 * Written to through terminal.ts, which holds nobody up. Gives no line a form (voice.ts).
 * @module
 */
import { SetupError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";
import type { Stream } from "./terminal.ts";

/** A file that has grown beyond this becomes the older one of two. */
const FILE_MAX_BYTES = 16 << 20;

/** A log file. */
export class LogFile implements Stream {
  readonly isTerminal = false;
  readonly #path: string;
  readonly #maxBytes: number;
  #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile, maxBytes: number) {
    this.#path = path;
    this.#file = file;
    this.#maxBytes = maxBytes;
  }

  /**
   * Opens a file, makes it, and its directory, where they are not there.
   * @throws {SetupError} where it cannot be written.
   */
  static open(path: string, { maxBytes = FILE_MAX_BYTES }: { readonly maxBytes?: number } = {}): LogFile {
    try {
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")) || "/", { recursive: true, mode: 0o700 });
      return new LogFile(path, openAt(path), maxBytes);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SetupError(`Cannot write the log "${showPath(path)}": ${why}`, { cause });
    }
  }

  /** Whether another descriptor leads to this file. */
  is(info: Pick<Deno.FileInfo, "dev" | "ino"> | null): boolean {
    const { dev, ino } = this.#file.statSync();
    return info !== null && info.dev === dev && info.ino === ino;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const now = await Deno.stat(this.#path).catch(() => null);
    if (!this.is(now)) this.#renew();
    else if (now!.size + bytes.length > this.#maxBytes) {
      await Deno.rename(this.#path, `${this.#path}.1`);
      this.#renew();
    }
    for (let at = 0; at < bytes.length;) at += await this.#file.write(bytes.subarray(at));
  }

  #renew(): void {
    const file = openAt(this.#path);
    this.#file.close();
    this.#file = file;
  }
}

function openAt(path: string): Deno.FsFile {
  return Deno.openSync(path, { create: true, append: true, mode: 0o600 });
}
