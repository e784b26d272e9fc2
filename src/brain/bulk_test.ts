/** Tests of the lane of large files: what does not fit waits and says so, the rest goes. @module */
import { assertEquals } from "@std/assert";
import { at, news, pairParts, present } from "../../tests/support/brain.ts";
import { file } from "../../tests/support/entries.ts";
import { settle } from "../../tests/support/pipes.ts";
import type { SupplyRequest } from "../core/endpoint.ts";
import { BulkLane, type BulkWant } from "./bulk.ts";

const MB = 1_000_000;

/** A lane to a right side with so much space; sparse files take a tenth of their size. */
function make(freeBytes: number) {
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
  const lane = new BulkLane(parts.context, (batch) => {
    sent.push(supplied.get(batch)!.map(({ path }) => path));
    return Promise.resolve({ exitCode: 0, stderr: "" });
  });
  const want = (path: string) => {
    const entry = { ...file("a"), sizeBytes: 100 * MB };
    const step = { kind: "put", from: "left", entry, disposal: "drop" } as unknown as BulkWant["step"];
    lane.want({
      path: at(path),
      from: "left",
      news: news(path, { left: present(path, entry) }),
      step,
      expected: { kind: "absent" },
      done: (result) =>
        done.push(`${path} ${result.kind === "failed" ? `${result.reason}: ${result.detail}` : result.kind}`),
    });
  };
  return { lane, want, sent, done };
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
