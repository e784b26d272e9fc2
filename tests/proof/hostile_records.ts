/**
 * Two proofs on psync-native apply alone, built with sanitizers: lawful records with random damage,
 * and every request while a directory in the way is swapped for a link to outside.
 * @module
 */
import { joinBytes } from "../../src/base/bytes.ts";
import { parseRelPath } from "../../src/core/path.ts";
import {
  encodeCommit,
  encodeLook,
  encodePrepare,
  encodeRelease,
  encodeSupply,
  encodeTrash,
  encodeTrashList,
  NO_STAT,
  type RawLooked,
  type RawOp,
  STATUS,
  TRASH,
} from "../../src/replica/native_format.ts";
import {
  ABSENT,
  ApplyDriver,
  expected,
  helperPath,
  LABEL,
  move,
  putDir,
  putFile,
  putLink,
  remove,
  setMeta,
  tree,
  withRoot,
} from "../native/apply_driver.ts";
import { seededRandom } from "./random.ts";
import { SECRET } from "./hostile_world.ts";

/** What came out. */
export interface Found {
  readonly faults: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** A file system without a disk: races are in the calls, not in the flushes. */
const FAST_DIR = "/dev/shm";

/** A file whose look nobody made. */
const GONE: RawLooked = { status: STATUS.absent, errno: 0, stat: null, target: "", digest: null, content: null };

/** One lawful record of each kind. */
function lawful(): Uint8Array[] {
  const [f, d] = [parseRelPath("f"), parseRelPath("d/e")];
  const ops: RawOp[] = [putFile("f", "x"), putDir("d"), putLink("l", "t"), remove("f", GONE), move("f", "d/e", GONE)];
  const look = { contentLimitBytes: 100, digests: true, paths: [f, d] };
  return [
    encodeLook(5, look),
    joinBytes(encodeCommit(5, { label: LABEL, ops: [...ops, setMeta("f", GONE, { mode: 0o600 })] })),
    encodeSupply(5, { batch: "b", files: [{ id: 1, path: f, stat: NO_STAT }] }),
    encodePrepare(5, { batch: "b", files: [{ id: 1, path: f, stat: NO_STAT }] }),
    encodeRelease(5, "b"),
    encodeTrashList(5, { classes: 3, limit: 5, after: "" }),
    encodeTrash(5, { label: LABEL, actions: [{ what: TRASH.restore, kept: `${LABEL}.removed/f`, to: f }] }),
  ];
}

/** Damages lawful records at random, and sends them to one process after another. */
export async function runRecords(seed: number, rounds: number): Promise<Found> {
  const next = seededRandom(seed);
  const faults: string[] = [];
  await withRoot(async (parent) => {
    await Deno.mkdir(`${parent}/root`);
    await Deno.writeTextFile(`${parent}/outside`, SECRET);
    for (let round = 0; round < rounds; round++) {
      await Deno.writeTextFile(`${parent}/root/f`, "a user's");
      const bytes = Array.from({ length: 1 + next(4) }, () => damaged(lawful(), next));
      const told = await bear(`${parent}/root`, bytes).catch((error) => [String(error)]);
      faults.push(...told.map((fault) => `round ${round}: ${fault}`));
      const outside = await Deno.readTextFile(`${parent}/outside`);
      if (outside !== SECRET) faults.push(`round ${round}: what lies outside became ${outside}`);
    }
    const names = [...Deno.readDirSync(parent)].map(({ name }) => name).sort();
    if (names.join() !== "outside,root") faults.push(`beside the root lies ${names.join()}`);
  });
  return { faults, counts: { "processes fed": rounds } };
}

function damaged(records: Uint8Array[], next: (below: number) => number): Uint8Array {
  const record = records[next(records.length)]!.slice();
  for (let i = next(4); i >= 0; i--) {
    const at = next(8) === 0 ? next(9) : 9 + next(record.length - 9);
    // Small numbers and edges reach further than any byte.
    record[at] = [0, 1, 2, 0x2e, 0x2f, 0x7f, 0xff, next(256)][next(8)]!;
  }
  return next(6) === 0 ? record.subarray(0, next(record.length)) : record;
}

/** Feeds records to one process on an adopted root; tells what it should not have done. */
async function bear(root: string, records: readonly Uint8Array[]): Promise<string[]> {
  await using driver = await ApplyDriver.spawn();
  const ready = await driver.open(root);
  await driver.adopt("pair 1\n", "lock 1\n", ready.lock);
  for (const record of records) await driver.sendRaw(record);
  const code = await driver.end();
  return code === 0 || code === 2 ? [] : [`it ended with ${code}`];
}

/** Makes every request on `dir/...` while `dir` and a link to outside are exchanged without a pause. */
export async function runSwaps(seed: number, rounds: number): Promise<Found> {
  const next = seededRandom(seed);
  const faults: string[] = [];
  const tally: Record<string, number> = {};
  const outside = await Deno.makeTempDir({ dir: FAST_DIR });
  await Deno.writeTextFile(`${outside}/f`, SECRET);
  await Deno.mkdir(`${outside}/sub`);
  const before = await stateOf(outside);
  try {
    await withRoot(async (root) => {
      await using driver = await ApplyDriver.start(root, { isPlain: true });
      await Deno.mkdir(`${root}/dir`);
      await Deno.symlink(outside, `${root}/link`);
      const user = new Deno.Command(await helperPath("apply_user"), {
        args: ["swap", `${root}/dir`, `${root}/link`],
        stdin: "piped",
        stdout: "null",
      }).spawn();
      for (let i = 0; i < rounds; i++) {
        const { name, status, isTold } = await oneRequest(driver, next, i);
        tally[`${name} ${status}`] = (tally[`${name} ${status}`] ?? 0) + 1;
        if (isTold) faults.push(`round ${i}: ${name} told what lies outside`);
      }
      await user.stdin.close();
      await user.status;
      const inside = JSON.stringify([tree(root), tree(`${root}/.psync`)]);
      if (inside.includes(SECRET)) faults.push("what lies outside came inside");
    }, FAST_DIR);
    const after = await stateOf(outside);
    if (after !== before) faults.push(`outside: ${before} became ${after}`);
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
  const done = Object.entries(tally).filter(([key]) => key.endsWith(` ${STATUS.done}`));
  const orphans = Object.entries(tally).filter(([key]) => key.endsWith(` ${STATUS.orphan}`));
  const sum = (entries: [string, number][]) => entries.reduce((total, [, count]) => total + count, 0);
  return { faults, counts: { requests: rounds, done: sum(done), "met the link": sum(orphans) } };
}

async function stateOf(dir: string): Promise<string> {
  const { stdout } = await new Deno.Command("find", { args: [dir, "-printf", "%P %y %m %s %T@ %C@ %n\\n"] }).output();
  return new TextDecoder().decode(stdout).split("\n").sort().join("\n");
}

/** One request of a kind that the seed chooses. */
async function oneRequest(driver: ApplyDriver, next: (below: number) => number, i: number) {
  const name = ["look", "put", "new", "remove", "link", "move", "meta", "supply", "basis", "restore"][next(10)]!;
  const looked = await driver.look("dir/f");
  const content = looked.content === null ? "" : new TextDecoder().decode(looked.content);
  const isTold = content === SECRET;
  const file = { id: 1, path: parseRelPath("dir/f"), stat: looked.stat ?? NO_STAT };
  const commit = async (op: RawOp) => (await driver.make(op)).status;
  const batch = async (results: Promise<readonly { readonly status: number }[]>) => {
    const status = (await results)[0]!.status;
    await driver.release("b");
    return status;
  };
  switch (name) {
    case "look":
      return { name, status: looked.status, isTold };
    case "put":
      return { name, isTold, status: await commit(putFile("dir/f", `psync ${i}`, { expected: expected(looked) })) };
    case "new":
      return { name, isTold, status: await commit(putFile(`dir/n${i % 50}`, "new", { expected: ABSENT })) };
    case "remove":
      return { name, isTold, status: await commit(remove("dir/f", looked)) };
    case "link":
      return { name, isTold, status: await commit(putLink(`dir/l${i % 50}`, "t", { expected: ABSENT })) };
    case "move":
      return { name, isTold, status: await commit(move("dir/f", `dir/m${i % 50}`, looked)) };
    case "meta":
      return { name, isTold, status: await commit(setMeta("dir/f", looked, { mode: 0o600 + next(8) })) };
    case "supply":
      return { name, isTold, status: await batch(driver.supply("b", [file])) };
    case "basis":
      return { name, isTold, status: await batch(driver.prepare("b", [file])) };
    default:
      return { name, isTold, status: (await restore(driver, i)).status };
  }
}

async function restore(driver: ApplyDriver, i: number): Promise<{ readonly status: number }> {
  const [kept] = await driver.trashPlaces();
  if (kept === undefined) return { status: STATUS.absent };
  const [result] = await driver.trash([{ what: TRASH.replace, kept, to: parseRelPath(`dir/r${i % 50}`) }]);
  return result!;
}
