/**
 * What psync tells a service manager, by a socket that stands in for systemd's.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { REPO } from "../support/binary.ts";
import { eventually, Scene } from "../support/scene.ts";
import { TempTree } from "../support/temp_tree.ts";

/** Binds a datagram socket and prints each message that comes, one a line. */
const LISTEN = `use Socket; $| = 1;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die; print "bound\\n";
while (defined recv($s, my $text, 4096, 0)) { print "$text\\n" }`;

/** A stand-in for the manager. */
class Manager implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  constructor(readonly socket: string) {
    const args = ["-e", LISTEN, socket];
    this.#child = new Deno.Command("perl", { args, stdout: "piped", stderr: "inherit" }).spawn();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#reading;
    await this.#child.status;
  }
}

Deno.test("psync tells a service manager when it is ready, its status, and that it lives", async () => {
  await using scene = await Scene.make();
  await scene.left.write("f", "1");
  await using place = await TempTree.make();
  await using manager = new Manager(`${place.path}/notify`);
  await eventually("the manager listens", () => Promise.resolve(manager.lines.includes("bound")));
  const env = { NOTIFY_SOCKET: manager.socket, WATCHDOG_USEC: "400000" };
  const args = [scene.left.path, scene.right.path];
  await using psync = await scene.startWith(args, { env });
  await eventually("it is ready", () => Promise.resolve(manager.lines.includes("READY=1")));
  assertEquals(await scene.right.read("f"), "1", "ready is said after the first sync");
  assertEquals(manager.lines.filter((line) => line === "READY=1").length, 1);
  assertMatch(manager.lines.join("\n"), /^STATUS=live: 1 path agreed, nothing behind$/m);
  const alive = () => manager.lines.filter((line) => line === "WATCHDOG=1").length;
  const before = alive();
  await eventually("it goes on telling that it lives", () => Promise.resolve(alive() > before + 3));
  assertEquals((await scene.end(psync)).code, 0);
  await eventually("it says that it ends", () => Promise.resolve(manager.lines.includes("STOPPING=1")));
});

Deno.test("the unit is one that systemd takes, and each restriction that it lacks is listed with its reason", async () => {
  await using place = await TempTree.make();
  const unit = await Deno.readTextFile(`${REPO}/scripts/psync@.service`);
  await place.write("psync@x.service", unit.replace("/usr/local/bin/psync", "/bin/true"));
  const analyze = (...args: string[]) => new Deno.Command("systemd-analyze", { args }).output().catch(() => null);
  const verified = await analyze("verify", "--man=no", `${place.path}/psync@x.service`);
  if (verified === null) return; // there is no systemd
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals([verified.code, text(verified.stderr)], [0, ""]);
  const rated = await analyze("security", "--offline=yes", "--no-pager", `${place.path}/psync@x.service`);
  const lacking = [...text(rated!.stdout).matchAll(/✗ (\S+)/g)].flatMap(([, name]) => name!.split("/"));
  assert(lacking.length > 5, text(rated!.stdout));
  const docs = await Deno.readTextFile(`${REPO}/docs/service.md`);
  // Of these two some values are left, which the docs name one by one.
  const isSet = (name: string) => /^(RestrictAddressFamilies|CapabilityBoundingSet)=/.test(name);
  const missing = lacking.filter((name) => !isSet(name)).map((name) => name.replace(/=.*/, ""));
  assertEquals(missing.filter((name) => !docs.includes(`\`${name}\``)), []);
});

Deno.test("psync works where nobody listens at the socket of the service manager", async () => {
  await using scene = await Scene.make();
  const args = [scene.left.path, scene.right.path];
  await using psync = await scene.startWith(args, { env: { NOTIFY_SOCKET: "/nonexistent/notify" } });
  await psync.until(/^First sync done/m);
  await scene.left.write("f", "1");
  await eventually("it syncs", () => scene.right.exists("f"));
  assertEquals((await scene.end(psync)).code, 0);
});
