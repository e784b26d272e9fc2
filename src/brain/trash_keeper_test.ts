/** Tests of what is purged, and when. @module */
import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FakeEndpoint } from "../../tests/support/fake_endpoint.ts";
import { MemoryArchive } from "../../tests/support/memory_archive.ts";
import { utcSecond } from "../core/conflict_name.ts";
import type { Endpoint } from "../core/endpoint.ts";
import { parseRelPath } from "../core/path.ts";
import type { TrashItem } from "../core/trash.ts";
import type { PairContext } from "./context.ts";
import type { Conflict, Notice } from "./report.ts";
import { TrashKeeper } from "./trash_keeper.ts";

const DAY_MS = 86_400_000;

/** A trash in memory. */
class TrashEndpoint extends FakeEndpoint {
  items: TrashItem[] = [];
  totalBytes = 1_000_000;

  override trashList: Endpoint["trashList"] = ({ only, after }) => {
    const found = this.items.filter(({ kept }) =>
      (only === null || kept.includes(`.${only}/`)) && (after === null || kept > after)
    );
    return Promise.resolve({ items: found.slice(0, 3), hasMore: found.length > 3 });
  };

  override trashAct: Endpoint["trashAct"] = (actions) => {
    const gone = new Set(actions.map(({ kept }) => kept));
    this.items = this.items.filter(({ kept }) => !gone.has(kept));
    return Promise.resolve(actions.map(() => ({ kind: "done" as const, kept: null })));
  };

  override space: Endpoint["space"] = () => Promise.resolve({ freeBytes: 0, totalBytes: this.totalBytes });

  get paths(): string[] {
    return this.items.map(({ kept }) => kept.slice(kept.indexOf("/") + 1));
  }
}

function makeWorld() {
  const clock = new FakeClock();
  const endpoints = { left: new TrashEndpoint(), right: new TrashEndpoint() };
  const archive = new MemoryArchive();
  const notices: Notice[] = [];
  const conflicts: Conflict[] = [];
  const status = {
    onNoSpace: null as ((side: "left" | "right") => void) | null,
    problems: new Map(),
    totalConflicts: 0,
  };
  const report = { notice: (notice: Notice) => notices.push(notice), conflict: (it: Conflict) => conflicts.push(it) };
  const context = { clock, endpoints, archive, status, report, offsetNs: 0n } as unknown as PairContext;
  let count = 0;
  const item = (path: string, ageMs: number, sizeBytes: number, trashClass = "removed"): TrashItem => ({
    kept: `${utcSecond(clock.wallMs() - ageMs)}-${++count}.${trashClass}/${path}`,
    kind: "file",
    sizeBytes,
    mtimeNs: 0n,
  });
  return { clock, endpoints, archive, notices, conflicts, status, keeper: new TrashKeeper(context), item };
}

Deno.test("a round purges what is expired on both sides, and says so", async () => {
  const { clock, endpoints, notices, keeper, item } = makeWorld();
  endpoints.left.items = [
    item("old", 31 * DAY_MS, 10),
    item("loser", 40 * DAY_MS, 10, "conflict"),
    item("young", 29 * DAY_MS, 10),
  ];
  endpoints.right.items = [item("fresh", 0, 10)];
  keeper.start();
  await clock.advance(10);
  assertEquals(endpoints.left.paths, ["loser", "young"]);
  assertEquals(endpoints.right.paths, ["fresh"]);
  assertEquals(notices, [{ kind: "purged", side: "left", items: 1, bytes: 10 }]);
  for (let hour = 0; hour < 25; hour++) await clock.advance(60 * 60 * 1000);
  assertEquals(endpoints.left.paths, ["loser"]);
  keeper.close();
});

Deno.test("a trash above its share loses the oldest, but none of the last day", async () => {
  const { clock, endpoints, keeper, item } = makeWorld();
  endpoints.left.items = [5, 4, 3, 2].map((days) => item(`d${days}`, days * DAY_MS, 40_000));
  endpoints.right.items = [item("big", DAY_MS - 1_000, 500_000), item("bigger", 0, 600_000)];
  keeper.start();
  await clock.advance(10);
  assertEquals(endpoints.left.paths, ["d3", "d2"]);
  assertEquals(endpoints.right.paths, ["big", "bigger"]);
  keeper.close();
});

Deno.test("a full disk takes removed items of any age, oldest first and no more than it needs, and no loser", async () => {
  const { clock, endpoints, notices, status, keeper, item } = makeWorld();
  const mb = 2 ** 20;
  endpoints.right.items = [
    item("loser", 9_000, 100 * mb, "conflict"),
    item("a", 8_000, 60 * mb),
    item("b", 7_000, 60 * mb),
    item("c", 6_000, 60 * mb),
  ];
  endpoints.right.totalBytes = 100 * mb;
  keeper.start();
  await clock.advance(10);
  assertEquals(endpoints.right.paths, ["loser", "a", "b", "c"]);
  status.onNoSpace!("right");
  status.onNoSpace!("right");
  await clock.advance(10);
  assertEquals(endpoints.right.paths, ["loser", "c"]);
  assertEquals(notices, [{ kind: "purged", side: "right", items: 2, bytes: 120 * mb }]);
  await clock.advance(5_000);
  status.onNoSpace!("right");
  await clock.advance(10);
  assertEquals(endpoints.right.paths, ["loser"]);
  keeper.close();
  assertEquals(status.onNoSpace, null);
});

Deno.test("a loser that no conflict lists becomes one, at the second look", async () => {
  const { clock, endpoints, archive, conflicts, keeper, item } = makeWorld();
  const known = item("dir", 0, 0, "conflict").kept;
  const inDir = { ...item("x", 0, 3, "conflict"), kept: `${known}/sub/f` };
  const late = item("late", 0, 7, "conflict");
  endpoints.left.items = [inDir, late];
  const sizes = { winnerSizeBytes: null, loserSizeBytes: null, winnerMtimeNs: null, loserMtimeNs: null };
  const row = { path: parseRelPath("dir"), loser: "left" as const, kept: known, atMs: 1, ...sizes };
  archive.transact(() => archive.addConflict(row));
  keeper.start();
  await clock.advance(10);
  assertEquals(archive.conflicts().length, 1);
  await clock.advance(61_000);
  assertEquals(archive.conflicts().map(({ path, loserSizeBytes }) => `${path} ${loserSizeBytes}`), [
    "dir null",
    "late 7",
  ]);
  assertEquals(conflicts.map(({ kept }) => kept), [late.kept]);
  await clock.advance(2 * 60 * 60 * 1000);
  assertEquals(archive.conflicts().length, 2);
  keeper.close();
});

Deno.test("a trash that cannot be read is left for the next hour", async () => {
  const { clock, endpoints, keeper, item } = makeWorld();
  const { trashList } = endpoints.left;
  endpoints.left.trashList = () => Promise.reject(new Error("EIO"));
  keeper.start();
  await clock.advance(10);
  endpoints.left.trashList = trashList;
  endpoints.left.items = [item("old", 31 * DAY_MS, 10)];
  await clock.advance(61_000);
  assert(endpoints.left.items.length === 0);
  keeper.close();
});
