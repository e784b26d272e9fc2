/**
 * The names of Linux error numbers, and what each means for a path that is not synchronised.
 *
 * Numbers are those of asm-generic (x86-64, arm64), as psync-native reports them.
 * @module
 * @see errno(3)
 */
import type { ProblemReason } from "../core/problem.ts";

const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  7: "E2BIG",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  19: "ENODEV",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  26: "ETXTBSY",
  27: "EFBIG",
  28: "ENOSPC",
  30: "EROFS",
  31: "EMLINK",
  36: "ENAMETOOLONG",
  38: "ENOSYS",
  39: "ENOTEMPTY",
  40: "ELOOP",
  61: "ENODATA",
  71: "EPROTO",
  74: "EBADMSG",
  75: "EOVERFLOW",
  84: "EILSEQ",
  95: "EOPNOTSUPP",
  110: "ETIMEDOUT",
  116: "ESTALE",
  117: "EUCLEAN",
  121: "EREMOTEIO",
  122: "EDQUOT",
};

const WRITE_REASONS: Readonly<Record<string, ProblemReason>> = {
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EROFS: "read-only",
  EACCES: "denied",
  EPERM: "denied",
  ENAMETOOLONG: "name-too-long",
  EILSEQ: "name-too-long",
  EFBIG: "too-large",
  ETXTBSY: "busy",
  EBUSY: "mount",
};

/** The name of an error number, such as `ENOSPC`; `errno 999` where it has none here. */
export function errnoName(errno: number): string {
  return NAMES[errno] ?? `errno ${errno}`;
}

/** Why a path could not be written. */
export function writeReason(errno: number): ProblemReason {
  return WRITE_REASONS[errnoName(errno)] ?? "io";
}

/** Why a path could not be looked at. */
export function lookReason(errno: number): ProblemReason {
  return errnoName(errno) === "ENAMETOOLONG" ? "name-too-long" : "unreadable";
}

/** Why psync's own files cannot be written in a root, and what to do. */
export function writeTrouble(errno: number): string {
  const name = errnoName(errno);
  switch (name) {
    case "EACCES":
    case "EPERM":
      return `it may not be written (${name}); let this user write in it, or run psync as another user`;
    case "EROFS":
      return "its file system is read-only; mount it for writing";
    case "ENOSPC":
    case "EDQUOT":
      return `there is no space left (${name}); make some`;
    default:
      return name;
  }
}
