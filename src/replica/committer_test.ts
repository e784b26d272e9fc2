/**
 * Tests of transitions as operations, and of answers as results.
 * @module
 */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { ProtocolError } from "../base/errors.ts";
import type { Stamp } from "../core/entry.ts";
import { parseRelPath } from "../core/path.ts";
import type { Expected, Transition } from "../core/transition.ts";
import { cutOps, rawOp, resultOf, TrashLabels } from "./committer.ts";
import {
  KIND,
  LEAVE_ID,
  LEAVE_MTIME_NS,
  NO_STAT,
  type RawCommitted,
  RECORD_MAX_BYTES,
  STATUS,
} from "./native_format.ts";

const p = parseRelPath;
const STAMP: Stamp = { inode: 1n, birthNs: 2n, sizeBytes: 3, mtimeNs: 4n, ctimeNs: 5n };
const OWNER = { user: "ann", group: "staff" };
const numbersOf = (owner: unknown) => owner === null ? { uid: null, gid: null } : { uid: 1000, gid: null };
const ABSENT: Expected = { kind: "absent" };

function put(bytes: Uint8Array, path = "f"): Transition {
  const entry = {
    kind: "file",
    mode: 0o644,
    owner: OWNER,
    sizeBytes: bytes.length,
    mtimeNs: 9n,
    digest: null,
  } as const;
  return {
    kind: "put",
    path: p(path),
    expected: ABSENT,
    entry,
    content: { kind: "inline", bytes },
    disposal: "removed",
  };
}

Deno.test("rawOp() hands a file over with the numbers of its owner, unknown ones left alone", () => {
  const bytes = Uint8Array.of(1);
  assertEquals(rawOp(put(bytes), numbersOf), {
    op: "put-file",
    path: p("f"),
    expected: { stat: NO_STAT, target: "" },
    disposal: 1,
    meta: { mode: 0o644, uid: 1000, gid: LEAVE_ID, mtimeNs: 9n },
    source: { kind: "inline", bytes },
  });
});

Deno.test("rawOp() expects what the contract expects", () => {
  const remove = (expected: Expected) =>
    rawOp({ kind: "remove", path: p("f"), expected, disposal: "conflict", force: true }, numbersOf).expected;
  assertEquals(remove({ kind: "file", stamp: STAMP }), { stat: { ...NO_STAT, ...STAMP, kind: KIND.file }, target: "" });
  assertEquals(remove({ kind: "link", stamp: STAMP, target: "t" }), {
    stat: { ...NO_STAT, ...STAMP, kind: KIND.link },
    target: "t",
  });
  assertEquals(remove({ kind: "dir", stamp: null, mode: 0o700, owner: null }), {
    stat: { ...NO_STAT, kind: KIND.dir, mode: 0o700, uid: LEAVE_ID, gid: LEAVE_ID },
    target: "",
  });
});

Deno.test("rawOp() leaves the mtime of a live directory alone, and sets that of a new one", () => {
  const entry = { kind: "dir", mode: 0o700, owner: null, mtimeNs: 7n } as const;
  const expected: Expected = { kind: "dir", stamp: STAMP, mode: 0o755, owner: null };
  const meta = rawOp({ kind: "meta", path: p("d"), expected, entry }, numbersOf);
  const made = rawOp(
    { kind: "put", path: p("d"), expected: ABSENT, entry, content: null, disposal: "drop" },
    numbersOf,
  );
  assertEquals(meta.op === "meta" && meta.meta.mtimeNs, LEAVE_MTIME_NS);
  assertEquals(made.op === "put-dir" && made.meta.mtimeNs, 7n);
});

Deno.test("rawOp() refuses a file without content", () => {
  const transition = { ...put(new Uint8Array()), content: null } as Transition;
  assertThrows(() => rawOp(transition, numbersOf), ProtocolError);
});

Deno.test("cutOps() keeps the order, and every part fits into a record", () => {
  const sizes = [1, 9 << 20, 9 << 20, 2, 3, 15 << 20, 4];
  const ops = sizes.map((size, i) => rawOp(put(new Uint8Array(size), `f${i}`), numbersOf));
  const parts = cutOps(ops);
  assertEquals(parts.map((part) => part.length), [2, 3, 2]);
  assertEquals(parts.flat().map(({ path }) => path), ops.map(({ path }) => path));
  for (const part of parts) {
    const bytes = part.reduce(
      (sum, op) => sum + (op.op === "put-file" && op.source.kind === "inline" ? op.source.bytes.length : 0),
      0,
    );
    assertEquals(bytes < RECORD_MAX_BYTES, true);
  }
  assertEquals(cutOps([]), []);
});

function raw(status: number, changes: Partial<RawCommitted> = {}): RawCommitted {
  return { status, errno: 0, masked: false, stat: { ...NO_STAT, ...STAMP }, kept: "", step: "", ...changes };
}

const PUT = { op: "put-file", ended: 8, isUnowned: false } as const;

Deno.test("resultOf() tells a done transition with its stamp, what was kept and what was masked", () => {
  assertEquals(resultOf(raw(STATUS.done), PUT), { kind: "done", ended: 8, stamp: STAMP, kept: null, masked: false });
  assertEquals(resultOf(raw(STATUS.done, { kept: "k", masked: true }), { ...PUT, op: "remove" }), {
    kind: "done",
    ended: 8,
    stamp: null,
    kept: "k",
    masked: true,
  });
  const unowned = resultOf(raw(STATUS.done), { ...PUT, isUnowned: true });
  assertEquals(unowned.kind === "done" && unowned.masked, true);
});

Deno.test("resultOf() names each way of refusing", () => {
  const kinds = [
    [STATUS.stale, "stale"],
    [STATUS.staleKept, "stale-kept"],
    [STATUS.busy, "busy"],
    [STATUS.dirty, "dirty"],
    [STATUS.notEmpty, "not-empty"],
    [STATUS.orphan, "orphan"],
    [STATUS.gone, "gone"],
  ] as const;
  for (const [status, kind] of kinds) {
    assertEquals(resultOf(raw(status, { kept: "k" }), PUT), { kind, ended: 8, kept: "k" });
  }
});

Deno.test("resultOf() gives a reason and a detail to each failure", () => {
  const failures = [
    [28, "stage", "no-space", "ENOSPC while stage"],
    [122, "", "no-space", "EDQUOT"],
    [30, "", "read-only", "EROFS"],
    [13, "", "denied", "EACCES"],
    [1, "", "denied", "EPERM"],
    [36, "", "name-too-long", "ENAMETOOLONG"],
    [27, "", "too-large", "EFBIG"],
    [5, "", "io", "EIO"],
    [999, "", "io", "errno 999"],
  ] as const;
  for (const [errno, step, reason, detail] of failures) {
    const result = resultOf(raw(STATUS.failed, { errno, step }), PUT);
    assertEquals(result, { kind: "failed", ended: 8, reason, detail });
  }
  assertEquals(resultOf(raw(STATUS.mount), PUT).kind, "failed");
  for (const status of [STATUS.absent, STATUS.refused, STATUS.guard]) {
    assertThrows(() => resultOf(raw(status), PUT), ProtocolError);
  }
});

Deno.test("TrashLabels are in UTC and never repeat", () => {
  const labels = new TrashLabels(new FakeClock());
  const [first, second] = [labels.next(), labels.next()];
  assertMatch(first, /^20231114T221320Z-\d+$/);
  assertEquals(first === second, false);
});
