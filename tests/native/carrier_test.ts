/**
 * Carriers of psync-native apply: what may come on such a stream, and who may bring one. Whatever is wrong
 * ends the carrier and nothing else.
 * @module
 */
import { assertEquals } from "@std/assert";
import { parseRelPath } from "../../src/core/path.ts";
import { ApplyDriver, KIND, nativePath, putFile, STATUS, tree, withReplica } from "./apply_driver.ts";

const GREETING = "psync-1\\n";
const PACK_MAX_BYTES = 8 << 20;
const UNTAKEN_MAX = 8;

/** Bytes as printf writes them. */
function escaped(bytes: Iterable<number>): string {
  return [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/** A pack as it is on its way; its length may be a lie. */
function frame(number: number, text: string, length = text.length): string {
  const head = new DataView(new ArrayBuffer(12));
  head.setBigUint64(0, BigInt(number), true);
  head.setUint32(8, length, true);
  return escaped(new Uint8Array(head.buffer)) + text;
}

/** Brings a stream: the stdin and stdout of a shell script. */
async function bring(
  driver: ApplyDriver,
  script: string,
  options: { readonly uid?: number } = {},
): Promise<Deno.ChildProcess> {
  const hex = ["sh", "-c", script].map((word) => new TextEncoder().encode(word).toHex());
  return new Deno.Command(await nativePath(), {
    args: ["carry", await driver.carry(), "exec", ...hex],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...options,
  }).spawn();
}

const packedFile = (name: string, sizeBytes: number) => ({
  ...putFile(name, ""),
  source: { kind: "packed" as const, sizeBytes },
});

Deno.test("apply takes packs off a stream, in any order, and sends its own on it", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/own`, "of its own");
    const { stat } = await driver.look("own");
    const into = await Deno.makeTempFile();
    const packs = `${frame(5, "five")}${frame(3, "three")}`;
    const child = await bring(driver, `printf '${GREETING}${packs}'; head -c 30 >${into}`);
    const commit = async (name: string, number: number, text: string) =>
      (await driver.commit([packedFile(name, text.length)], undefined, number))[0]!.status;
    assertEquals([await commit("c", 3, "three"), await commit("e", 5, "five")], [STATUS.done, STATUS.done]);
    assertEquals(tree(root), { c: "three", e: "five", own: "of its own" });
    await untilUp(driver, parseRelPath("own"), stat!);
    await child.status;
    const sent = new TextDecoder().decode(await Deno.readFile(into));
    assertEquals([sent.slice(0, 8), sent.slice(20)], ["psync-1\n", "of its own"]);
    await Deno.remove(into);
  });
});

/** Packs until a carrier has taken one. */
async function untilUp(
  driver: ApplyDriver,
  path: ReturnType<typeof parseRelPath>,
  stat: Parameters<ApplyDriver["pack"]>[0][0]["stat"],
) {
  for (let i = 0; i < 10_000; i++) if ((await driver.pack([{ path, stat }])).carried !== null) return;
  throw new Error("no carrier came up");
}

const WRONG: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["another greeting", "printf 'psync-2\\n'"],
  ["half a greeting", "printf psync"],
  ["a pack without a number", `printf '${GREETING}${frame(0, "text")}'`],
  ["a pack that is too large", `printf '${GREETING}${frame(1, "", PACK_MAX_BYTES + 1)}'; cat /dev/zero`],
  ["a pack that is cut", `printf '${GREETING}${frame(1, "text", 1000)}'`],
  ["a pack twice", `printf '${GREETING}${frame(1, "text")}${frame(1, "text")}'; exec cat >/dev/null`],
  [
    "packs that nobody takes",
    `printf '${GREETING}${
      Array.from({ length: UNTAKEN_MAX + 1 }, (_, i) => frame(i + 1, "x")).join("")
    }'; exec cat >/dev/null`,
  ],
];

for (const [what, script] of WRONG) {
  Deno.test(`apply gives up a carrier that brings ${what}, and goes on`, async () => {
    await withReplica(async (root, driver) => {
      const child = await bring(driver, script);
      const [late] = await driver.commit([packedFile("late", 4)], undefined, 77);
      assertEquals(late!.status, STATUS.gone);
      await child.status; // its stream was closed
      assertEquals((await driver.make(putFile("f", "by record"))).status, STATUS.done);
      assertEquals(tree(root), { f: "by record" });
    });
  });
}

Deno.test({
  name: "apply takes no carrier from another user",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await withReplica(async (root, driver) => {
      await Deno.writeTextFile(`${root}/f`, "secret");
      const { stat } = await driver.look("f");
      const into = await Deno.makeTempFile();
      await Deno.chmod(into, 0o666);
      const child = await bring(driver, `printf '${GREETING}'; cat >${into}`, { uid: 65534 });
      await child.status; // it was sent away
      const packed = await driver.pack([{ path: parseRelPath("f"), stat: stat! }]);
      assertEquals([packed.carried, stat!.kind], [null, KIND.file]);
      assertEquals(new TextDecoder().decode(packed.content), "secret");
      assertEquals(await Deno.readTextFile(into), "");
      await Deno.remove(into);
    });
  },
});

Deno.test("apply ends though a stream is stuck", async () => {
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/small`, "small");
    await Deno.writeFile(`${root}/large`, new Uint8Array(4 << 20));
    const [small, large] = await driver.looks(["small", "large"]);
    const child = await bring(driver, `printf '${GREETING}'; exec sleep 1000`);
    await untilUp(driver, parseRelPath("small"), small!.stat!);
    const stuck = driver.pack([{ path: parseRelPath("large"), stat: large!.stat! }]).catch(() => null);
    await driver.look("small");
    assertEquals(await driver.end(), 0);
    await stuck;
    child.kill();
    await child.status;
  });
});
