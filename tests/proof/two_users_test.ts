import { assert, assertEquals } from "@std/assert";
import { REPO } from "../support/binary.ts";
import { startSshd } from "../support/sshd.ts";
import { testSeed } from "../support/seed.ts";
import { canMakeTrouble } from "./trouble.ts";
import { runTwoUsers } from "./two_users.ts";

const SEED = testSeed(98910);
const OPERATIONS = 160;

Deno.test("two users and a real file system: nothing is lost, torn or left unequal", async (test) => {
  await using sshd = await startSshd({ env: { XDG_CACHE_HOME: `${REPO}/.cache/scenario` } });
  const ways = [
    { name: "two folders", sshd: null, isKilling: false },
    { name: "over ssh", sshd, isKilling: false },
    { name: "two folders, with kills", sshd: null, isKilling: true },
    ...(canMakeTrouble() ? [{ name: "two folders, in trouble", sshd: null, isKilling: false, isTroubled: true }] : []),
  ];
  let conflicts = 0;
  for (const [i, { name, ...way }] of ways.entries()) {
    await test.step(`${name}, seed ${SEED + i}`, async () => {
      const result = await runTwoUsers({ seed: SEED + i, operations: OPERATIONS, debugLevel: 3, ...way });
      assertEquals(result.faults, [], `what is left of it: ${result.dir}`);
      conflicts += result.conflicts;
    });
  }
  assert(conflicts > 0, "a proof without a conflict proves nothing");
});
