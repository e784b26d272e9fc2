/**
 * Carriers of psync-native apply: what may come on such a stream, and who may bring one. Whatever is wrong
 * ends the carrier and nothing else.
 * @module
 */
import { assertEquals } from "@std/assert";
import { parseRelPath } from "../../src/core/path.ts";
import { ApplyDriver, helperPath, KIND, nativePath, putFile, STATUS, tree, withReplica } from "./apply_driver.ts";

/** A greeting, as printf writes it: who sends packs from number 1 on. */
const GREETING = greeting("psync-2");
/** How long a test waits for what must come. */
const PATIENCE_MS = 20_000;
const PACK_MAX_BYTES = 8 << 20;
const UNTAKEN_MAX = 8;

/** Bytes as printf writes them. */
function escaped(bytes: Iterable<number>): string {
  return [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

function greeting(word: string, first = 1): string {
  const number = new DataView(new ArrayBuffer(8));
  number.setBigUint64(0, BigInt(first), true);
  return `${word}\\n${escaped(new Uint8Array(number.buffer))}`;
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
  socket?: string,
): Promise<Deno.ChildProcess> {
  return new Deno.Command(await nativePath(), {
    args: ["carry", ...execArgs(socket ?? await driver.carry(), script)],
    ...SILENT,
  }).spawn();
}

const SILENT = { stdin: "null", stdout: "null", stderr: "null" } as const;

/** What `carry` is given to bring a script. */
function execArgs(socket: string, script: string): readonly string[] {
  return [socket, "exec", ...["sh", "-c", script].map((word) => new TextEncoder().encode(word).toHex())];
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
    const packs = `${frame(3, "three")}${frame(5, "five")}`;
    const child = await bring(driver, `printf '${GREETING}${packs}'; head -c 38 >${into}`);
    const commit = async (name: string, number: number, text: string) =>
      (await driver.commit([packedFile(name, text.length)], undefined, number))[0]!.status;
    assertEquals([await commit("e", 5, "five"), await commit("c", 3, "three")], [STATUS.done, STATUS.done]);
    assertEquals(tree(root), { c: "three", e: "five", own: "of its own" });
    await untilUp(driver, parseRelPath("own"), stat!);
    await child.status;
    const sent = new TextDecoder().decode(await Deno.readFile(into));
    assertEquals([sent.slice(0, 8), sent.slice(28)], ["psync-2\n", "of its own"]);
    await Deno.remove(into);
  });
});

/** Starts a script ahead of anybody who wants a carrier, and tells it these lines. */
async function ahead(script: string, lines: string): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(await nativePath(), {
    args: ["carry", "ahead", ...execArgs("", script).slice(2)],
    ...SILENT,
    stdin: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines)).catch(() => {});
  await writer.close().catch(() => {});
  return child;
}

Deno.test("a command that was started ahead reads its line, and carries then", async () => {
  await withReplica(async (root, driver) => {
    const into = await Deno.makeTempFile();
    const script = `IFS= read -r line; echo "$line" >${into}; printf '${GREETING}${
      frame(1, "one")
    }'; exec cat >>${into}`;
    const child = await ahead(script, `${await driver.carry()}\nwhat it is to be\n`);
    const [done] = await driver.commit([packedFile("f", 3)], undefined, 1);
    assertEquals([done!.status, tree(root)], [STATUS.done, { f: "one" }]);
    await driver[Symbol.asyncDispose]();
    assertEquals((await child.status).code, 0);
    const heard = await Deno.readTextFile(into);
    assertEquals(heard.startsWith("what it is to be\npsync-2\n"), true, heard);
    await Deno.remove(into);
  });
});

for (
  const [what, lines] of [
    ["hears nothing", ""],
    ["hears half of it", "psync-0\nhalf"],
    ["is asked for by nobody who is there", `psync-${"0".repeat(32)}\nx\n`],
  ] as const
) {
  Deno.test(`a command that was started ahead and ${what} is ended`, async () => {
    const child = await ahead("exec cat", lines);
    assertEquals((await child.status).code, 3);
  });
}

Deno.test("a command that ends before anybody wants a carrier is not waited for", async () => {
  const child = new Deno.Command(await nativePath(), {
    args: ["carry", "ahead", ...execArgs("", "exit 7").slice(2)],
    ...SILENT,
    stdin: "piped",
  }).spawn();
  assertEquals((await child.status).code, 3);
  await child.stdin.close().catch(() => {});
});

/** Packs until a carrier has taken one. */
async function untilUp(
  driver: ApplyDriver,
  path: ReturnType<typeof parseRelPath>,
  stat: Parameters<ApplyDriver["pack"]>[0][0]["stat"],
) {
  const isUp = async () => (await driver.pack([{ path, stat }])).carried !== null;
  for (const endMs = performance.now() + PATIENCE_MS; performance.now() < endMs;) if (await isUp()) return;
  throw new Error("no carrier came up");
}

/** Holds both ends of a stream until the way out is closed. WHY no exec: cat's redirection would end the way in. */
const HOLD = "cat >/dev/null; :";

const WRONG: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["another greeting", `printf '${greeting("psync-1")}'; ${HOLD}`],
  ["half a greeting", "printf psync"],
  ["a pack without a number", `printf '${GREETING}${frame(0, "text")}'`],
  ["a pack that is too large", `printf '${GREETING}${frame(1, "", PACK_MAX_BYTES + 1)}'; cat /dev/zero`],
  ["a pack that is cut", `printf '${GREETING}${frame(1, "text", 1000)}'`],
  ["a number that does not rise", `printf '${GREETING}${frame(2, "x")}${frame(1, "x")}'; ${HOLD}`],
  ["a pack twice", `printf '${GREETING}${frame(1, "text")}${frame(1, "text")}'; ${HOLD}`],
  [
    "packs that nobody takes",
    `printf '${GREETING}${Array.from({ length: UNTAKEN_MAX + 1 }, (_, i) => frame(i + 1, "x")).join("")}'; ${HOLD}`,
  ],
];

for (const [what, script] of WRONG) {
  Deno.test(`apply gives up a carrier that brings ${what}, and goes on`, async () => {
    await withReplica(async (root, driver) => {
      const child = await bring(driver, script);
      const [late] = await inTime(driver.commit([packedFile("late", 4)], undefined, 77));
      assertEquals(late!.status, STATUS.gone);
      await inTime(child.status); // its stream was closed
      assertEquals((await driver.make(putFile("f", "by record"))).status, STATUS.done);
      assertEquals(tree(root), { f: "by record" });
    });
  });
}

/** Settles as `wanted` does; where that does not settle, fails. */
async function inTime<T>(wanted: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("it did not come")), PATIENCE_MS);
  try {
    return await Promise.race([wanted, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A stream on which bytes of a pack come all the time, and nothing else. */
const TRICKLE = `printf '${frame(1_000, "", PACK_MAX_BYTES)}'; while printf x; do sleep 0.2; done`;

for (
  const [what, script, number] of [
    ["was sent before the stream began", `printf '${greeting("psync-2", 8)}'; ${TRICKLE}`, 7],
    ["must have come before another one", `printf '${GREETING}${frame(8, "x")}'; ${TRICKLE}`, 7],
  ] as const
) {
  Deno.test(`apply does not wait for a pack that ${what}`, async () => {
    await withReplica(async (_root, driver) => {
      const child = await bring(driver, script);
      const [result] = await inTime(driver.commit([packedFile("late", 4)], undefined, number));
      assertEquals(result!.status, STATUS.gone);
      child.kill();
      await child.status;
    });
  });
}

Deno.test("apply takes a new stream in place of one that is stuck, and who waits for that is told", async () => {
  await withReplica(async (root, driver) => {
    const stuck = await bring(driver, `printf '${GREETING}${frame(1, "lost")}'; ${TRICKLE}`);
    const late = driver.commit([packedFile("late", 4)], undefined, 77);
    const next = await bring(driver, `printf '${GREETING}${frame(5, "text")}'; ${HOLD}`);
    assertEquals((await inTime(late))[0]!.status, STATUS.gone);
    await inTime(stuck.status);
    const [made] = await inTime(driver.commit([packedFile("f", 4)], undefined, 5));
    assertEquals([made!.status, tree(root)], [STATUS.done, { f: "text" }]);
    assertEquals(await driver.end(), 0);
    await next.status;
  });
});

Deno.test("apply gives the lock back though a commit waits for a pack", async () => {
  await withReplica(async (_root, driver) => {
    const child = await bring(driver, `printf '${GREETING}'; ${TRICKLE}`);
    const late = driver.commit([packedFile("late", 4)], undefined, 77);
    await inTime(driver.unlock());
    assertEquals((await late)[0]!.status, STATUS.gone);
    await inTime(child.status);
  });
});

/** Packs a small file while the stream that was asked for is brought; whether it went by record. */
async function packsBeforeTheStream(): Promise<boolean> {
  let isByRecord = false;
  await withReplica(async (root, driver) => {
    await Deno.writeTextFile(`${root}/f`, "text");
    const { stat } = await driver.look("f");
    const socket = await driver.carry();
    const packing = driver.pack([{ path: parseRelPath("f"), stat: stat! }]);
    const child = await bring(driver, `printf '${GREETING}'; ${HOLD}`, socket);
    isByRecord = (await packing).carried === null;
    assertEquals(await driver.end(), 0);
    await child.status;
  });
  return isByRecord;
}

Deno.test("apply sends a small pack by record where the stream is not there yet", async () => {
  // On a busy machine the stream may be there first; one that is waited for always is.
  for (let i = 0; i < 50; i++) if (await packsBeforeTheStream()) return;
  throw new Error("It waits for the stream");
});

Deno.test({
  name: "carry gives a stream to no apply of another user",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await withReplica(async (_root, driver) => {
      const socket = await driver.carry();
      const { code } = await new Deno.Command(await nativePath(), {
        args: ["carry", ...execArgs(socket, "true")],
        uid: 65534,
        ...SILENT,
      }).output();
      assertEquals(code, 3);
    });
  },
});

Deno.test({
  name: "apply takes no carrier from another user",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await withReplica(async (root, driver) => {
      await Deno.writeTextFile(`${root}/f`, "secret");
      const { stat } = await driver.look("f");
      const into = await Deno.makeTempFile();
      await Deno.chmod(into, 0o666);
      const child = new Deno.Command(await helperPath("carry_stranger", ["exec.c"]), {
        args: [...execArgs(await driver.carry(), `printf '${GREETING}'; cat >${into}`)],
        uid: 65534,
        ...SILENT,
      }).spawn();
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
