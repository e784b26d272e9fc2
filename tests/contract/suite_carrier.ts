/**
 * Contract: packs that a carrier brings from one endpoint to the other, and what becomes of a commit
 * where it does not bring them.
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { ProtocolError } from "../../src/base/errors.ts";
import type { Endpoint, Pack } from "../../src/core/endpoint.ts";
import { NO_RULES } from "../../src/core/ignore.ts";
import type { RelPath } from "../../src/core/path.ts";
import { Carrier, type CarrierOptions } from "../../src/endpoint/carrier.ts";
import { LocalEndpoint } from "../../src/endpoint/local.ts";
import { nativePath } from "../support/native_build.ts";
import { packed, requests } from "./suite_pack.ts";
import { type OpenEndpoint, p, putFile, type RegisterTest, World } from "./world.ts";

/** How the other endpoint is reached; left out: it is on this host. */
export type Reach = () => Pick<CarrierOptions, "host" | "sshCommand">;

const NAMES = Array.from({ length: 20 }, (_, i) => `f${i}`);
const SHAPE = Object.fromEntries(NAMES.map((name) => [name, `content of ${name}`]));

/** Registers the tests of carriers. */
export function carrierSuite(test: RegisterTest, reach: Reach = () => ({ host: null })): void {
  for (const way of ["left to right", "right to left"] as const) {
    test(`a carrier brings packs from ${way}, each of them once`, async (open) => {
      await using two = await Two.open(open, reach);
      const [from, to] = way === "left to right" ? [two.left, two.right] : [two.right, two.left];
      await from.tree.fill(SHAPE);
      const pack = await carriedPack(from.endpoint, NAMES.map(p));
      const transitions = NAMES.map((name) => packed(p(name), SHAPE[name]!));
      const results = await to.endpoint.commit({ transitions, carried: pack.carried });
      assertEquals(results.map(({ kind }) => kind), NAMES.map(() => "done"));
      assertEquals(await Promise.all(NAMES.map((name) => to.tree.read(name))), Object.values(SHAPE));
      // It was taken: who waits for it waits until the carrier is lost.
      const again = to.endpoint.commit({ transitions: [packed(p("g"), "text")], carried: pack.carried });
      await two.lose();
      assertEquals((await again).map(({ kind }) => kind), ["gone"]);
    });
  }

  test("what is packed is gone where no carrier brings it, and the rest is made", async (open) => {
    await using world = await World.open(open);
    const transitions = [packed(p("f"), "text"), putFile(p("g"), "g")];
    const results = await world.endpoint.commit({ transitions, carried: 7 });
    assertEquals(results.map(({ kind }) => kind), ["gone", "done"]);
    assertEquals([await world.tree.exists("f"), await world.tree.read("g")], [false, "g"]);
  });

  test("a commit that names no number, or is too large for one record, is refused, and changes nothing", async (open) => {
    await using world = await World.open(open);
    const commit = (count: number, carried: number) => {
      const transitions = Array.from({ length: count }, (_, i) => packed(p(`f${i}`), ""));
      return world.endpoint.commit({ transitions, carried });
    };
    await assertRejects(() => commit(1, 0), ProtocolError, "number 0");
    await assertRejects(() => commit(20_000, 7), ProtocolError, "too large");
    assertEquals((await world.endpoint.commit({ transitions: [putFile(p("g"), "g")] })).map(({ kind }) => kind), [
      "done",
    ]);
    assertEquals(await world.tree.exists("f0"), false);
  });

  test("a pack that does not fit its commit is of no use, and the next one is", async (open) => {
    await using two = await Two.open(open, reach);
    await two.left.tree.fill({ f: "four", g: "more" });
    const commit = async (name: string, text: string) => {
      const { carried } = await carriedPack(two.left.endpoint, [p(name)]);
      return await two.right.endpoint.commit({ transitions: [packed(p(name), text)], carried });
    };
    assertEquals((await commit("f", "not four")).map(({ kind }) => kind), ["gone"]);
    assertEquals((await commit("g", "more")).map(({ kind }) => kind), ["done"]);
    assertEquals([await two.right.tree.exists("f"), await two.right.tree.read("g")], [false, "more"]);
  });

  test("a carrier that is lost leaves packs to the frames, and another one takes them again", async (open) => {
    await using two = await Two.open(open, reach);
    await two.left.tree.fill({ f: "text" });
    await carriedPack(two.left.endpoint, [p("f")]);
    await two.lose();
    const asked = await requests(two.left.endpoint, [p("f")]);
    await until(async () => (await two.left.endpoint.pack(asked)).carried === null);
    const { pieces } = await two.left.endpoint.pack(asked);
    assertEquals(await new Blob(pieces.map((piece) => piece.slice())).text(), "text");
    two.bring();
    const { carried } = await carriedPack(two.left.endpoint, [p("f")]);
    const results = await two.right.endpoint.commit({ transitions: [packed(p("f"), "text")], carried });
    assertEquals(results.map(({ kind }) => kind), ["done"]);
  });
}

/** A pack that went by the carrier, which may take a moment to come up. */
async function carriedPack(from: Endpoint, paths: readonly RelPath[]): Promise<Pack> {
  const asked = await requests(from, paths);
  let pack: Pack | null = null;
  await until(async () => {
    pack = await from.pack(asked);
    return pack.carried !== null;
  });
  assertEquals(pack!.pieces, []);
  assert(pack!.digests.every((digest) => digest !== null));
  return pack!;
}

/** Asks again and again; each question is a round trip. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100_000; i++) if (await isSo()) return;
  throw new Error("it did not come to that");
}

/** Two endpoints, the right one behind the door under test, and a carrier between them. */
class Two implements AsyncDisposable {
  readonly left: World;
  readonly right: World;
  readonly #reach: ReturnType<Reach>;
  readonly #native: string;
  #carrier: Carrier;

  private constructor(worlds: { left: World; right: World }, reach: ReturnType<Reach>, native: string) {
    this.left = worlds.left;
    this.right = worlds.right;
    this.#reach = reach;
    this.#native = native;
    this.#carrier = this.#make();
  }

  static async open(open: OpenEndpoint, reach: Reach): Promise<Two> {
    const native = await nativePath();
    const openLocal: OpenEndpoint = (root) =>
      LocalEndpoint.open({ root, rules: NO_RULES, nativePath: native, clock: systemClock });
    const left = await World.open(openLocal);
    const two = new Two({ left, right: await World.open(open) }, reach(), native);
    two.bring();
    return two;
  }

  bring(): void {
    this.#carrier = this.#make();
    this.#carrier.want();
  }

  async lose(): Promise<void> {
    await this.#carrier[Symbol.asyncDispose]();
  }

  #make(): Carrier {
    const endpoints = { left: this.left.endpoint, right: this.right.endpoint };
    return new Carrier({ ...endpoints, ...this.#reach, nativePath: this.#native, clock: systemClock });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lose();
    await this.left[Symbol.asyncDispose]();
    await this.right[Symbol.asyncDispose]();
  }
}
