import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { SetupError } from "../base/errors.ts";
import { encodeBytes } from "../core/path.ts";
import { callerCwd, checkKernel, lastArguments, locateLaunched, operands } from "./self.ts";

/** What a program that uses self.ts prints, started by sh so that bytes can be given. */
async function tell(shell: string): Promise<string> {
  const self = new URL("self.ts", import.meta.url).href;
  const program = `import * as self from ${JSON.stringify(self)}; self.restoreHome();
    console.log(JSON.stringify([self.operands(), self.callerCwd(), Deno.env.get("HOME") ?? null,
    self.readEnvironment().get("HOME") ?? null, self.readEnvironment().get("ODD") ?? null]))`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", shell],
      env: { RUN: `${Deno.execPath()} run -A --quiet --no-lock ${file}` },
    }).output();
    return new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("lastArguments() takes the last words with their bytes, empty ones too", () => {
  const cmdline = encodeBytes("deno\0run\0main.ts\0a\udcff\0\0-x\0");
  assertEquals(lastArguments(cmdline, 3), ["a\udcff", "", "-x"]);
  assertEquals(lastArguments(cmdline, 0), []);
});

Deno.test("operands() and callerCwd() keep bytes that are no UTF-8", async () => {
  const printed = await tell(
    `dir=$(mktemp -d); cd "$dir"; mkdir $'d\\xff'; cd $'d\\xff'; ODD=$'\\xfe' $RUN $'a\\xff' -- ''; rm -r "$dir"`,
  );
  const [args, cwd, , , odd] = JSON.parse(printed);
  assertEquals(args, ["a\udcff", "--", ""]);
  assertMatch(cwd, /\/d\udcff$/);
  assertEquals(odd, "\udcfe");
});

Deno.test("restoreHome() and readEnvironment() take back the HOME that the launcher hid", async () => {
  const home = async (shell: string) => JSON.parse(await tell(shell)).slice(2, 4);
  assertEquals(await home("HOME=/proc PSYNC_HOME=/dev/null $RUN"), ["/dev/null", "/dev/null"]);
  assertEquals(await home("HOME=/proc PSYNC_HOME= $RUN"), [null, null]);
  assertEquals(await home("HOME=/tmp $RUN"), ["/tmp", "/tmp"]);
});

Deno.test("operands() of this process are what Deno knows, too", () => {
  assertEquals(operands(), Deno.args);
  assertEquals(callerCwd(), Deno.cwd());
});

Deno.test("checkKernel() refuses what lacks openat2", () => {
  for (const release of ["5.6.0", "5.10.0-28-amd64", "6.1.0", "10.0"]) checkKernel(release);
  for (const release of ["5.5.19", "4.19.0-26-amd64", "3.10.0-1160.el7.x86_64"]) {
    assertThrows(() => checkKernel(release), SetupError, "5.6 or later");
  }
});

Deno.test("locateLaunched() believes only a whole and sound description", () => {
  const env = { PSYNC_SELF: "/p", PSYNC_HASH: "ab".repeat(32), PSYNC_SIZE: "36", PSYNC_NATIVE: "/n" };
  const sound = locateLaunched(new Map(Object.entries(env)));
  assertEquals(sound, { path: "/p", hash: env.PSYNC_HASH, sizeBytes: 36, nativePath: "/n" });
  for (const name of Object.keys(env)) {
    assertEquals(
      locateLaunched(new Map(Object.entries({ ...env, [name]: "" }))) === null,
      name !== "PSYNC_SELF" && name !== "PSYNC_NATIVE",
    );
    const without = new Map(Object.entries(env));
    without.delete(name);
    assertEquals(locateLaunched(without), null);
  }
});
