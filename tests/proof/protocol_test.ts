/**
 * Hostile peers: whatever frames, names and links arrive, nothing outside a root is read or written,
 * nothing of a user's is lost, and neither end can be made to hold much.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { eventually, Scene } from "../support/scene.ts";
import { testSeed } from "../support/seed.ts";
import { answerAttacks } from "./hostile_answers.ts";
import { HostileBrain } from "./hostile_brain.ts";
import { runRecords, runSwaps } from "./hostile_records.ts";
import { requestAttacks } from "./hostile_requests.ts";
import { HostileWorld } from "./hostile_world.ts";

const SEED = testSeed(415668);

/** What a brain may hold in all that is told without end of what it is to look at: four times what it holds idle. */
const HELD_MAX_BYTES = 400 << 20;

/** So many attacks run side by side: most of their time they wait. */
const AT_ONCE = 6;

/** Runs every attack, large ones alone; fails with what each of them did. */
async function all<A extends { readonly name: string; readonly isLarge?: true }>(
  attacks: readonly A[],
  run: (attack: A) => Promise<void>,
) {
  const failures: Error[] = [];
  const left = attacks.filter(({ isLarge }) => isLarge !== true);
  const worker = async () => {
    for (let attack = left.shift(); attack !== undefined; attack = left.shift()) {
      const { name } = attack;
      await run(attack).catch((error) => failures.push(new Error(`${name}: ${error}`)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  left.push(...attacks.filter(({ isLarge }) => isLarge === true));
  await worker();
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n"));
}

const requests = requestAttacks();

Deno.test(`a filter bears ${requests.length} attacks of a hostile brain`, async () => {
  await all(requests, async ({ on, play }) => {
    await using world = await HostileWorld.make();
    await using brain = on === "fresh" ? HostileBrain.start() : await HostileBrain.opened(world);
    const wrong = await play(brain, world);
    assertEquals([...wrong, ...await brain.harm(), ...await world.harm()], []);
    assertEquals(await world.read("root/mine"), "a user's");
  });
});

/** The command that stands for ssh, and lies. */
async function lyingSsh(scene: Scene, attack: string): Promise<string> {
  const info = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  const { denoDir } = JSON.parse(new TextDecoder().decode(info.stdout));
  const script = new URL("./hostile_filter.ts", import.meta.url).pathname;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const deno = `"${Deno.execPath()}" run -A -q --no-check --config "${config}" "${script}"`;
  await scene.tree.write("lying", `#!/bin/sh\nDENO_DIR="${denoDir}" exec ${deno} "${attack}" "${scene.tree.path}"\n`);
  await scene.tree.sh("chmod 755 lying; mkdir outside; echo safe >outside/secret");
  return scene.tree.at("lying");
}

/** What a terminal obeys instead of showing it; a line may end. */
function isControl(char: string): boolean {
  return char !== "\n" && /[\p{Cc}\p{Bidi_Control}]/u.test(char);
}

/** How much memory a process has held at most; 0: it has ended. */
function mostHeldBytes(pid: number): number {
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const answers = answerAttacks();

Deno.test(`a brain bears ${answers.length} attacks of a hostile filter`, async () => {
  await all(answers, async ({ name, isHeld }) => {
    await using scene = await Scene.make({ left: { mine: "a user's", dir: { x: "1" }, out: { link: "../outside" } } });
    const ssh = await lyingSsh(scene, name);
    const before = await scene.tree.sh("ls -lRA --time-style=full-iso outside");
    await using psync = await scene.startWith(["--ssh", ssh, scene.left.path, "far:/srv/fake"]);
    const came = () => scene.tree.sh("cat came 2>/dev/null || true");
    let isOver = false;
    psync.ended.then(() => isOver = true);
    await eventually("the attack has come", async () => isOver || /attacked|closed/.test(await came()), {
      tell: () => psync.text,
    });
    const heldBytes = mostHeldBytes(psync.pid);
    try {
      psync.signal("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    const { code, out, err } = await psync.ended;
    const text = out + err;
    // An attack that was never made, or could not be, proves nothing.
    assertEquals([/struck/.test(await came()), /failed: .*/.exec(await came())?.[0] ?? null], [true, null]);
    if (isHeld) assert(heldBytes < HELD_MAX_BYTES, `it held ${heldBytes} bytes`);
    // 143: SIGTERM came while it was ending by itself.
    const isOrderly = code <= 5 || code === 143;
    assertEquals([...text].filter(isControl), []);
    assertEquals(
      [/internal|TypeError|RangeError|heap/i.exec(text)?.[0] ?? null, isOrderly],
      [null, true],
      `${code}: ${text}`,
    );
    assertEquals(await scene.tree.sh("ls -lRA --time-style=full-iso outside; cat outside/secret"), `${before}safe\n`);
    assertEquals(await scene.left.sh('find . -type f -print0 | xargs -0 cat | grep -c "a user\'s"'), "1\n");
  });
});

Deno.test(`psync-native bears damaged records, seed ${SEED}`, async () => {
  assertEquals((await runRecords(SEED, 60)).faults, []);
});

Deno.test(`nothing leaves the root while a directory is swapped for a link to outside, seed ${SEED}`, async () => {
  const { faults, counts } = await runSwaps(SEED, 3_000);
  assertEquals(faults, []);
  assert(counts["done"]! > 50 && counts["met the link"]! > 50, JSON.stringify(counts));
});
