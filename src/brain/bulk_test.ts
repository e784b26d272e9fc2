/** Tests of the lane of large files: what does not fit waits and says so, the rest goes. @module */
import { assertEquals } from "@std/assert";
import { at, news, pairParts, present } from "../../tests/support/brain.ts";
import { file, row } from "../../tests/support/entries.ts";
import { settle } from "../../tests/support/pipes.ts";
import type { SupplyRequest } from "../core/endpoint.ts";
import type { Stamp } from "../core/entry.ts";
import { BulkLane, type BulkWant, type RunRsync } from "./bulk.ts";
import { transferIds } from "./transfer_ids.ts";

const MB = 1_000_000;

/** A lane to a right side with so much space; sparse files take a tenth of their size. */
function make(freeBytes: number, run: RunRsync = () => Promise.resolve({ exitCode: 0, stderr: "" })) {
  const parts = pairParts();
  const sent: string[][] = [];
  const done: string[] = [];
  const supplied = new Map<string, readonly SupplyRequest[]>();
  parts.right.space = () => Promise.resolve({ freeBytes, totalBytes: 1e6 });
  parts.left.supply = (batch, requests) => {
    supplied.set(batch, requests);
    const diskBytes = (path: string) => path.startsWith("sparse") ? 10 * MB : 100 * MB;
    return Promise.resolve(
      requests.map(({ id, path }) => ({ id, kind: "supplied" as const, diskBytes: diskBytes(path) })),
    );
  };
  parts.left.release = (batch) => Promise.resolve({ stable: supplied.get(batch)!.map(({ id }) => id), stamps: [] });
  parts.right.release = () => Promise.resolve({ stable: [], stamps: [] });
  const lane = new BulkLane(parts.context, (batch, options) => {
    sent.push(supplied.get(batch)!.map(({ path }) => path));
    return run(batch, options);
  });
  const want = (path: string, expected: BulkWant["expected"] = { kind: "absent" }) => {
    const entry = { ...file("a"), sizeBytes: 100 * MB };
    const step = { kind: "put", from: "left", entry, disposal: "drop" } as unknown as BulkWant["step"];
    lane.want({
      path: at(path),
      from: "left",
      news: news(path, { left: present(path, entry) }),
      step,
      expected,
      done: (result) =>
        done.push(`${path} ${result.kind === "failed" ? `${result.reason}: ${result.detail}` : result.kind}`),
    });
  };
  return { ...parts, lane, want, sent, done };
}

async function rest(): Promise<void> {
  for (let i = 0; i < 20; i++) await settle();
}

Deno.test("BulkLane sends what fits, and says of the rest what it would take", async () => {
  const { want, sent, done } = make(250 * MB);
  for (const path of ["a", "b", "c", "sparse"]) want(path);
  await rest();
  assertEquals(sent.sort(), [["a", "b"], ["sparse"]]);
  assertEquals(done.sort(), ["a done", "b done", "c no-space: it takes 100 MB, and 49 MB are free", "sparse done"]);
});

Deno.test("BulkLane sends nothing to a full disk", async () => {
  const { want, sent, done, lane } = make(0);
  want("a");
  await rest();
  assertEquals([sent, done, lane.size], [[], ["a no-space: it takes 100 MB, and 0 MB are free"], 0]);
});

Deno.test("BulkLane waits twice as long for what it gave up, and as long as at first once it came through", async () => {
  const patience: number[] = [];
  let isStalled = true;
  const { want, done, lane, right } = make(250 * MB, (_, { patienceMs }) => {
    patience.push(patienceMs / 1000);
    return Promise.resolve(
      isStalled ? { exitCode: 20, stderr: "", stalledMs: patienceMs } : { exitCode: 0, stderr: "" },
    );
  });
  const commit = right.commit.bind(right);
  right.commit = async (batch) => {
    const results = await commit(batch);
    return isStalled ? results.map(({ ended }) => ({ kind: "gone" as const, kept: null, ended })) : results;
  };
  for (const stalls of [true, true, true, false, true]) {
    isStalled = stalls;
    want("a");
    await rest();
  }
  assertEquals(patience, [30, 60, 120, 240, 30]);
  assertEquals(lane.size, 0);
  const told = (seconds: number) => `a io: next to nothing came through for ${seconds} s`;
  assertEquals(done, [told(30), told(60), told(120), "a done", told(30)]);
});

Deno.test("BulkLane commits what arrived whole before a transfer was cut off, and says why of the rest", async () => {
  const { want, done, right } = make(250 * MB, () => Promise.resolve({ exitCode: 12, stderr: "rsync: broken pipe" }));
  const commit = right.commit.bind(right);
  right.commit = async (batch) => {
    const results = await commit(batch);
    return results.map((result, i) => {
      const { path } = batch.transitions[i] as { path: string };
      return path === "a" ? result : { kind: "gone" as const, kept: null, ended: result.ended };
    });
  };
  want("a");
  want("b");
  await rest();
  assertEquals(done, ["a done", "b io: rsync exit 12: rsync: broken pipe"]);
});

/** A file that the right holds as `row` says, of which an edit on the left does not arrive whole. */
async function linkedInVain(shown: (stamp: Stamp) => Stamp) {
  const known = row(file("b", { isRead: false }));
  const linked = { ...known.right, ctimeNs: known.right.ctimeNs + 5n };
  const freed = { ...linked, ctimeNs: linked.ctimeNs + 5n };
  const parts = make(250 * MB);
  const { archive, context, left, right, want } = parts;
  archive.transact(() => archive.put(at("a"), known));
  const during: { row: Stamp; isEvidence: boolean }[] = [];
  right.prepare = (_, requests) => Promise.resolve(requests.map(({ id }) => ({ id, stamp: linked, ended: 20 })));
  right.release = () => {
    const isEvidence = context.evidence.right.holds({ ...present("a", known.entry), began: 19 });
    during.push({ row: archive.get(at("a"))!.right, isEvidence });
    return Promise.resolve({ stable: [], stamps: [{ id: transferIds([at("a")])[0]!, stamp: freed, ended: 30 }] });
  };
  left.release = () => Promise.resolve({ stable: [], stamps: [] });
  want("a", { kind: "file", stamp: shown(known.right) });
  await rest();
  assertEquals(parts.done, ["a stale"]);
  return { during, known, linked, freed, archive, context };
}

Deno.test("BulkLane takes no look for evidence that began before a basis link was made, or was gone (I13)", async () => {
  const { during, known, linked, freed, archive, context } = await linkedInVain((stamp) => stamp);
  assertEquals(during, [{ row: linked, isEvidence: false }]);
  assertEquals(archive.get(at("a")), { ...known, right: freed });
  const holds = (began: number) => context.evidence.right.holds({ ...present("a", known.entry), began });
  assertEquals([holds(29), holds(30)], [false, true]);
});

Deno.test("BulkLane leaves the record of a file that its user changed before it was linked as it is (I14)", async () => {
  const { during, known, archive } = await linkedInVain((stamp) => ({ ...stamp, ctimeNs: stamp.ctimeNs + 1n }));
  assertEquals(during.map((each) => each.row), [known.right]);
  assertEquals(archive.get(at("a")), known);
});
