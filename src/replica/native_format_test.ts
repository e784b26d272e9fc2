/**
 * Tests of the TypeScript side of native/format.h: bytes out, bytes in, and what is refused.
 * @module
 */
import { joinBytes } from "../base/bytes.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../base/errors.ts";
import { parseRelPath } from "../core/path.ts";
import {
  decodeApplyRecord,
  decodeWatchRecord,
  DISPOSE,
  encodeAdopt,
  encodeApplyOpen,
  encodeCommit,
  encodeLook,
  encodePrepare,
  encodeRelease,
  encodeSupply,
  encodeTrash,
  encodeTrashList,
  encodeWatchDrop,
  encodeWatchList,
  encodeWatchOpen,
  encodeWatchSync,
  KIND,
  LEAVE_MTIME_NS,
  type NativeRecord,
  NO_STAT,
  type RawStat,
  RecordReader,
  RecordSplitter,
  RecordWriter,
  STAT_BYTES,
  STATUS,
  TRASH,
} from "./native_format.ts";

const STAT: RawStat = {
  kind: KIND.file,
  flags: 1,
  mode: 0o4755,
  nlink: 2,
  uid: 1000,
  gid: 0xffff_fffe,
  inode: 0xffff_ffff_ffff_fff0n,
  sizeBytes: 5_000_000_000,
  mtimeNs: -1n,
  ctimeNs: 1_700_000_000_123_456_789n,
  birthNs: 0n,
  mountId: 77n,
};
const PATH = parseRelPath("dir/na\udcffme");
const PATH_BYTES = [100, 105, 114, 47, 110, 97, 0xff, 109, 101];

function cut(bytes: Uint8Array): NativeRecord {
  const [record, ...rest] = new RecordSplitter().push(bytes);
  assertEquals(rest, []);
  return record!;
}

function reader(bytes: Uint8Array, type: number, id: number): RecordReader {
  const record = cut(bytes);
  assertEquals([record.type, record.id], [type, id]);
  return new RecordReader("test", record.body);
}

function answer(type: number, write: (writer: RecordWriter) => unknown): NativeRecord {
  const writer = new RecordWriter(type, 9);
  write(writer);
  return cut(writer.finish());
}

Deno.test("RecordWriter lays a STAT out as native/format.h says", () => {
  const record = answer(1, (w) => w.stat(STAT));
  assertEquals(record.body.length, STAT_BYTES);
  assertEquals([...record.body.subarray(0, 4)], [1, 1, 0xed, 0x09]);
  assertEquals([...record.body.subarray(16, 24)], [0xf0, 255, 255, 255, 255, 255, 255, 255]);
  assertEquals(new RecordReader("test", record.body).stat(), STAT);
});

Deno.test("encodeWatchOpen() is the bytes of W_OPEN", () => {
  assertEquals(
    [...encodeWatchOpen(1, { root: "/r", maxWatches: 3, followLinks: true })],
    [14, 0, 0, 0, 0x01, 1, 0, 0, 0, 2, 0, 47, 114, 3, 0, 0, 0, 1],
  );
});

Deno.test("requests of the watcher carry paths as bytes", () => {
  const list = reader(encodeWatchList(5, [parseRelPath(""), PATH]), 0x02, 5);
  assertEquals(list.u32(), 2);
  assertEquals(list.u16(), 0);
  assertEquals([...list.raw(list.u16())], PATH_BYTES);
  list.end();
  assertEquals(reader(encodeWatchDrop(PATH), 0x03, 0).path(), PATH);
  reader(encodeWatchSync(8), 0x04, 8).end();
});

Deno.test("encodeLook() and encodeAdopt() write their fields in order", () => {
  const look = reader(encodeLook(2, { contentLimitBytes: 65536, digests: true, paths: [PATH] }), 0x13, 2);
  assertEquals([look.u32(), look.u8(), look.u32(), look.path()], [65536, 1, 1, PATH]);
  look.end();
  const adopt = reader(encodeAdopt(3, { pair: "p", lock: "l", oldLock: null }), 0x11, 3);
  assertEquals([adopt.text32(), adopt.text32(), adopt.bool(), adopt.text32()], ["p", "l", false, ""]);
  adopt.end();
  const open = reader(encodeApplyOpen(1, { root: "rel" }), 0x10, 1);
  assertEquals([open.text16(), open.u8()], ["rel", 0]);
  open.end();
});

Deno.test("encodeCommit() writes every kind of OP", () => {
  const expected = { stat: STAT, target: "" };
  const none = { stat: NO_STAT, target: "" };
  const meta = { mode: 0o644, uid: 1, gid: 2, mtimeNs: LEAVE_MTIME_NS };
  const base = { path: PATH, expected, disposal: DISPOSE.conflict };
  const r = reader(
    joinBytes(encodeCommit(4, {
      label: "L",
      ops: [
        { ...base, op: "put-file", meta, source: { kind: "inline", bytes: Uint8Array.of(7, 8) } },
        { ...base, op: "put-file", meta, source: { kind: "staged", batch: "b", id: 6 } },
        { ...base, op: "put-file", meta, source: { kind: "staged", batch: "b", id: 6, sizeBytes: 5 } },
        { ...base, op: "put-dir", meta },
        { ...base, op: "put-link", meta, target: "t" },
        { ...base, op: "remove", force: true },
        { ...base, op: "move", to: parseRelPath("to"), expectedTo: none },
        { ...base, op: "meta", meta },
        { ...base, op: "put-file", meta, source: { kind: "packed", sizeBytes: 3 } },
      ],
      pack: [Uint8Array.of(1, 2), Uint8Array.of(3)],
    })),
    0x14,
    4,
  );
  assertEquals([r.text16(), r.u32()], ["L", 9]);
  const head = () => [r.u8(), r.u8(), r.path(), r.u8(), r.stat(), r.text16()];
  const common = [PATH, KIND.file, STAT, ""];
  const readMeta = () => [r.u16(), r.u32(), r.u32(), r.i64()];
  const metaFields = [0o644, 1, 2, LEAVE_MTIME_NS];
  assertEquals(head(), [1, 2, ...common]);
  assertEquals([readMeta(), r.u8(), r.bytes32()], [metaFields, 0, Uint8Array.of(7, 8)]);
  assertEquals(head(), [1, 2, ...common]);
  assertEquals([readMeta(), r.u8(), r.text16(), r.u32(), r.u64()], [metaFields, 1, "b", 6, 2n ** 64n - 1n]);
  assertEquals(head(), [1, 2, ...common]);
  assertEquals([readMeta(), r.u8(), r.text16(), r.u32(), r.u64()], [metaFields, 1, "b", 6, 5n]);
  assertEquals(head(), [2, 2, ...common]);
  assertEquals(readMeta(), metaFields);
  assertEquals(head(), [3, 2, ...common]);
  assertEquals([readMeta(), r.text16()], [metaFields, "t"]);
  assertEquals(head(), [4, 6, ...common]);
  assertEquals(head(), [5, 2, ...common]);
  assertEquals([r.path(), r.u8(), r.stat(), r.text16()], ["to", KIND.none, NO_STAT, ""]);
  assertEquals(head(), [6, 2, ...common]);
  assertEquals(readMeta(), metaFields);
  assertEquals(head(), [1, 2, ...common]);
  assertEquals([readMeta(), r.u8(), r.u32()], [metaFields, 2, 3]);
  assertEquals([r.u64(), r.bytes32()], [0n, Uint8Array.of(1, 2, 3)]);
  r.end();
  const carried = reader(joinBytes(encodeCommit(5, { label: "L", ops: [], carried: 7 })), 0x14, 5);
  assertEquals([carried.text16(), carried.u32(), carried.u64(), carried.u32()], ["L", 0, 7n, 0]);
  carried.end();
});

Deno.test("batches name their files by id", () => {
  for (const [encode, type] of [[encodeSupply, 0x15], [encodePrepare, 0x16]] as const) {
    const r = reader(encode(1, { batch: "b1", files: [{ id: 3, path: PATH, stat: STAT, incomingBytes: 9 }] }), type, 1);
    assertEquals([r.text16(), r.u32(), r.u32(), r.path(), r.stat(), r.u64(), r.u8()], ["b1", 1, 3, PATH, STAT, 9n, 0]);
    r.end();
  }
  const growing = reader(
    encodeSupply(1, { batch: "b1", files: [{ id: 3, path: PATH, stat: STAT, growing: "ab".repeat(32) }] }),
    0x15,
    1,
  );
  assertEquals([growing.text16(), growing.u32(), growing.u32(), growing.path(), growing.stat()], [
    "b1",
    1,
    3,
    PATH,
    STAT,
  ]);
  assertEquals([growing.u64(), growing.u8(), growing.raw(32)], [0n, 1, new Uint8Array(32).fill(0xab)]);
  growing.end();
  assertEquals(reader(encodeRelease(2, "b1"), 0x17, 2).text16(), "b1");
});

Deno.test("decodeWatchRecord() reads each event", () => {
  const dirty = answer(0x83, (w) => w.u32(1).u16(0x104).text16(PATH));
  assertEquals(decodeWatchRecord(dirty), { kind: "dirty", names: [{ bits: 0x104, path: PATH }] });
  const move = answer(0x84, (w) => w.u8(1).text16("a").text16("b"));
  assertEquals(decodeWatchRecord(move), { kind: "move", isDir: true, from: parseRelPath("a"), to: parseRelPath("b") });
  assertEquals(decodeWatchRecord(answer(0x85, () => {})), { kind: "overflow" });
  assertEquals(decodeWatchRecord(answer(0x86, (w) => w.u8(3))), { kind: "root", reason: "unmounted" });
  assertEquals(decodeWatchRecord(answer(0x87, (w) => w.text16("m"))), { kind: "mount", path: parseRelPath("m") });
  assertEquals(decodeWatchRecord(answer(0x88, () => {})), { kind: "barrier" });
  const fatal = answer(0xff, (w) => w.u32(2).text16("why"));
  assertEquals(decodeWatchRecord(fatal), { kind: "fatal", errno: 2, text: "why" });
});

Deno.test("decodeWatchRecord() reads a listing", () => {
  const listing = answer(0x82, (w) =>
    w.text16(PATH).u32(13).u8(3).stat(STAT).u32(1)
      .text16("n\udc80").stat({ ...STAT, kind: KIND.link }).text16("../t"));
  assertEquals(decodeWatchRecord(listing), {
    kind: "listing",
    path: PATH,
    errno: 13,
    isLast: true,
    isUnwatched: true,
    stat: STAT,
    entries: [{ name: "n\udc80" as never, stat: { ...STAT, kind: KIND.link }, target: "../t" }],
  });
});

Deno.test("decodeApplyRecord() reads looks with and without content", () => {
  const digest = Uint8Array.from({ length: 32 }, (_, i) => i);
  const looked = answer(0x92, (w) =>
    w.u32(3).u8(STATUS.absent).u32(2)
      .u8(STATUS.busy).u32(0).stat(STAT).text16("").u8(0)
      .u8(STATUS.done).u32(0).stat(STAT).text16("").u8(3).raw(digest).bytes32(Uint8Array.of(1)));
  const nothing = { target: "", digest: null, content: null };
  assertEquals(decodeApplyRecord(looked), {
    kind: "looked",
    looked: [
      { status: STATUS.absent, errno: 2, stat: null, ...nothing },
      { status: STATUS.busy, errno: 0, stat: STAT, ...nothing },
      {
        status: STATUS.done,
        errno: 0,
        stat: STAT,
        target: "",
        digest: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        content: Uint8Array.of(1),
      },
    ],
  });
});

Deno.test("decodeApplyRecord() reads results", () => {
  const committed = answer(0x93, (w) => w.u32(1).u8(6).u32(28).u8(1).stat(STAT).text16("k").text16("stage"));
  assertEquals(decodeApplyRecord(committed), {
    kind: "committed",
    committed: [{ status: 6, errno: 28, masked: true, stat: STAT, kept: "k", step: "stage" }],
  });
  const results = answer(0x94, (w) => w.u32(1).u32(5).u8(1).u32(0).stat(STAT));
  assertEquals(decodeApplyRecord(results), {
    kind: "results",
    results: [{ id: 5, status: 1, errno: 0, stat: STAT }],
  });
  assertEquals(decodeApplyRecord(answer(0x91, (w) => w.u32(0).u8(8))), { kind: "done", errno: 0, status: 8 });
  assertEquals(
    decodeApplyRecord(answer(0x95, (w) => w.u32(1).text16("k").u32(1).text16("p").stat(STAT).stat(NO_STAT))),
    {
      kind: "swept",
      kept: ["k"],
      renewed: [{ path: parseRelPath("p"), before: STAT, now: NO_STAT }],
    },
  );
});

Deno.test("decodeApplyRecord() reads A_READY", () => {
  const ready = answer(0x90, (w) =>
    w.u32(1).u32(0).u32(0).stat(STAT).u64(1n).u64(2n).u64(3n).u32(31).u8(1).text16("/r")
      .u16(1).u64(4n).u64(5n).u8(1).text32("pair").u8(0).text32("").u64(0n).u8(1).text32("age").text16("boot").text16(
        "host",
      ));
  const decoded = decodeApplyRecord(ready);
  assertEquals(decoded.kind === "ready" && [decoded.root, decoded.ancestors, decoded.pair, decoded.lock], [
    "/r",
    [{ device: 4n, inode: 5n }],
    "pair",
    null,
  ]);
});

Deno.test("encodeTrashList(), encodeTrash() and A_TRASHED follow format.h", () => {
  const list = encodeTrashList(7, { classes: 3, limit: 9, after: "x/\udcff" });
  assertEquals([...list], [15, 0, 0, 0, 0x1b, 7, 0, 0, 0, 3, 9, 0, 0, 0, 3, 0, 120, 47, 255]);
  const actions = [{ what: TRASH.replace, kept: "k", to: "t" }, { what: TRASH.purge, kept: "k", to: "" }];
  const act = encodeTrash(1, { label: "l", actions });
  assertEquals([...act.subarray(4)], [
    ...[0x1c, 1, 0, 0, 0, 1, 0, 108, 2, 0, 0, 0],
    ...[2, 1, 0, 107, 1, 0, 116, 4, 1, 0, 107, 0, 0],
  ]);
  const trashed = answer(0x97, (w) => w.u8(1).u32(1).text16("k\udcff").stat(STAT));
  assertEquals(decodeApplyRecord(trashed), {
    kind: "trashed",
    hasMore: true,
    items: [{ kept: "k\udcff", stat: STAT }],
  });
  assertThrows(() => decodeApplyRecord(answer(0x97, (w) => w.u8(2).u32(0))), ProtocolError, "A_TRASHED");
});

Deno.test("decoders refuse what the format does not allow, and name the record", () => {
  const bad: [NativeRecord, string][] = [
    [answer(0x83, (w) => w.u32(1).u16(0x8000).text16("a")), "W_DIRTY"],
    [answer(0x83, (w) => w.u32(2).u16(1).text16("a")), "W_DIRTY"],
    [answer(0x83, (w) => w.u32(0).u8(0)), "W_DIRTY"],
    [answer(0x82, (w) => w.text16("a").u32(0).u8(8).stat(STAT).u32(0)), "W_LISTING"],
    [answer(0x82, (w) => w.text16("a").u32(0).u8(1).stat({ ...STAT, kind: 8 }).u32(0)), "W_LISTING"],
    [answer(0x86, (w) => w.u8(0)), "W_ROOT"],
    [answer(0x86, (w) => w.u8(5)), "W_ROOT"],
    [answer(0x84, (w) => w.u8(2).text16("a").text16("b")), "W_MOVE"],
  ];
  for (const [record, name] of bad) assertThrows(() => decodeWatchRecord(record), ProtocolError, name);
  const looked = answer(0x92, (w) => w.u32(1).u8(99).u32(0));
  assertThrows(() => decodeApplyRecord(looked), ProtocolError, "A_LOOKED");
  assertThrows(() => decodeWatchRecord(answer(0x10, () => {})), ProtocolError, "type is 16");
  assertThrows(() => decodeApplyRecord(answer(0x83, () => {})), ProtocolError, "type is 131");
});

Deno.test("decoders refuse paths that leave the root (I11)", () => {
  for (const path of ["..", "a/../b", "/a", "a//b", "a/", ".", "a\0b"]) {
    const record = answer(0x83, (w) => w.u32(1).u16(1).text16(path));
    assertThrows(() => decodeWatchRecord(record), ProtocolError);
  }
});

Deno.test("RecordSplitter cuts a stream at any chunk size", () => {
  const records = [1, 2, 3].map((id) => encodeWatchList(id, Array.from({ length: id * 3 }, () => PATH)));
  const stream = new Uint8Array(records.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const record of records) {
    stream.set(record, at);
    at += record.length;
  }
  for (let size = 1; size <= stream.length; size++) {
    const splitter = new RecordSplitter();
    const ids: number[] = [];
    for (let from = 0; from < stream.length; from += size) {
      for (const record of splitter.push(stream.slice(from, from + size))) {
        ids.push(record.id);
        assertEquals(record.body.length, records[record.id - 1]!.length - 9);
      }
    }
    assertEquals([ids, splitter.isMidRecord], [[1, 2, 3], false]);
  }
});

Deno.test("RecordSplitter refuses impossible lengths", () => {
  for (const length of [0, 4, (16 << 20) + 1, 0xffff_ffff]) {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, length, true);
    assertThrows(() => [...new RecordSplitter().push(head)], ProtocolError, `${length}`);
  }
});
