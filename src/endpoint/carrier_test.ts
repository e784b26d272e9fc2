import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { FakeEndpoint } from "../../tests/support/fake_endpoint.ts";
import type { CarrierPlace } from "../core/endpoint.ts";
import { Carrier, CarrierAhead } from "./carrier.ts";

const SOCKET = `psync-${"0".repeat(32)}`;
const PLACE: CarrierPlace = { socket: SOCKET, nativePath: "/opt/a b/psync-native" };

/** A carrier whose psync-native writes down what it is called with, one line a call, and does `rest`. */
async function make(
  place: CarrierPlace | null | Promise<CarrierPlace>,
  host: string | null = "host.example",
  rest = "",
  begin = false,
) {
  const dir = await Deno.makeTempDir();
  const nativePath = `${dir}/native`;
  await Deno.writeTextFile(nativePath, `#!/bin/sh\necho "$@" >>${dir}/calls\n${rest.replaceAll("$dir", dir)}\n`);
  await Deno.chmod(nativePath, 0o755);
  await new Deno.Command("mkfifo", { args: [`${dir}/started`] }).output();
  const [left, right] = [new FakeEndpoint(), new FakeEndpoint()];
  left.carry = () => Promise.resolve({ socket: "psync-left", nativePath });
  right.carry = () => Promise.resolve(place);
  const clock = new FakeClock();
  const route = { sshCommand: "ssh -p 2222", nativePath };
  const ahead = begin && host !== null ? new CarrierAhead({ host, ...route }) : null;
  const carrier = new Carrier({ left, right, host, ...route, clock, ahead });
  return {
    carrier,
    clock,
    ahead,
    /** Settles when the process has written to `$dir/started`, which is made a FIFO. */
    started: () => Deno.readTextFile(`${dir}/started`),
    /** How often something was called. */
    counts: async () => (await Deno.readTextFile(`${dir}/calls`)).split("\n").length - 1,
    /** Ends the carrier; what was called, the words of a command decoded. */
    async calls(): Promise<string[]> {
      await carrier[Symbol.asyncDispose]();
      await ahead?.[Symbol.asyncDispose]();
      const text = await Deno.readTextFile(`${dir}/calls`).catch(() => "");
      await Deno.remove(dir, { recursive: true });
      const decode = (word: string) =>
        /^([0-9a-f]{2}){2,}$/.test(word) ? new TextDecoder().decode(Uint8Array.fromHex(word)) : word;
      return text.split("\n").filter(Boolean).map((line) => line.split(" ").map(decode).join(" "));
    },
  };
}

Deno.test("a carrier to another host is a command of its own there, over the same ssh", async () => {
  const { carrier, calls } = await make(PLACE);
  carrier.want();
  await carrier.ended;
  const [call, ...more] = await calls();
  assertEquals(more, []);
  assertEquals(call!.startsWith("carry psync-left exec ssh -p 2222 -T "), true, call);
  assertEquals(call!.endsWith(`-- host.example exec '/opt/a b/psync-native' carry ${SOCKET}`), true, call);
});

Deno.test("a carrier finds a psync-native below a home of any name", async () => {
  const { carrier, calls } = await make({ ...PLACE, nativePath: "/home/$Jörg/\udcff/psync-native" });
  carrier.want();
  await carrier.ended;
  const [call] = await calls();
  assertEquals(call!.endsWith(` exec '/home/$Jörg/\ufffd/psync-native' carry ${SOCKET}`), true, call);
});

Deno.test("a connection that was begun ahead is told what it carries, and serves once", async () => {
  const { carrier, clock, calls } = await make(PLACE, "host.example", "[ $2 = ahead ] && cat >>$dir/calls", true);
  for (const waitMs of [0, 10_000]) {
    await clock.advance(waitMs);
    carrier.want();
    await carrier.ended;
  }
  const [began, name, command, again, ...more] = await calls();
  assertEquals(more, []);
  assertEquals(began!.startsWith("carry ahead ssh -p 2222 -T "), true, began);
  assertEquals(began!.endsWith(`-- host.example exec sh -c 'IFS= read -r line && eval "exec $line"'`), true, began);
  assertEquals([name, command], ["psync-left", `'/opt/a b/psync-native' carry ${SOCKET}`]);
  assertEquals(again!.startsWith("carry psync-left exec ssh "), true, again);
});

Deno.test("a connection that was begun ahead and has ended by then is none", async () => {
  const { carrier, ahead, calls } = await make(PLACE, "host.example", "exec true", true);
  await ahead!.ended;
  carrier.want();
  await carrier.ended;
  const [began, brought, ...more] = await calls();
  assertEquals(more, []);
  assertEquals(began!.startsWith("carry ahead ssh "), true, began);
  assertEquals(brought!.startsWith("carry psync-left exec ssh "), true, brought);
});

Deno.test("a connection that cannot be begun ahead is none, and nothing ends by it", () => {
  assertEquals(CarrierAhead.begin({ host: "host.example", nativePath: "/nowhere/psync-native" }), null);
  assertEquals(CarrierAhead.begin({ host: "-oProxyCommand=x", nativePath: "/bin/true" }), null);
});

Deno.test("a host that names a path that is a command is told nothing by a connection that was begun ahead", async () => {
  const place = { ...PLACE, nativePath: "/bin/'; touch /tmp/x; '" };
  const { carrier, calls } = await make(place, "host.example", "cat >>$dir/calls", true);
  carrier.want();
  await carrier.ended;
  assertEquals((await calls()).filter((line) => !line.startsWith("carry ahead ")), []);
});

Deno.test("a carrier between two of one host needs no ssh", async () => {
  const { carrier, calls } = await make(PLACE, null);
  carrier.want();
  await carrier.ended;
  assertEquals(await calls(), [`carry psync-left join ${SOCKET}`]);
});

for (
  const [what, place] of [
    ["no place", null],
    ["a socket that is a command", { ...PLACE, socket: "psync-0; touch /tmp/x" }],
    ["a path that is a command", { ...PLACE, nativePath: "/bin/'; touch /tmp/x; '" }],
    ["a path of two lines", { ...PLACE, nativePath: "/bin/a\ntouch /tmp/x" }],
    ["a path that is not absolute", { ...PLACE, nativePath: "psync-native" }],
  ] as const
) {
  Deno.test(`a host that names ${what} gets no carrier`, async () => {
    const { carrier, calls } = await make(place);
    carrier.want();
    await carrier.ended;
    assertEquals(await calls(), []);
  });
}

Deno.test("a carrier that nobody wants any more ends, and is there again when it is wanted", async () => {
  const { carrier, clock, started, counts, calls } = await make(PLACE, null, "echo >$dir/started; exec sleep 1000");
  let isOver = false;
  const first = carrier.want();
  carrier.ended.then(() => isOver = true);
  await started();
  const second = carrier.want();
  first[Symbol.dispose]();
  await clock.advance(600_000);
  second[Symbol.dispose]();
  await clock.advance(59_000);
  carrier.want()[Symbol.dispose]();
  await clock.advance(59_000);
  assertEquals([isOver, await counts()], [false, 1]);
  await clock.advance(1_000);
  await carrier.ended;
  carrier.want();
  await started();
  assertEquals((await calls()).length, 2);
});

Deno.test("a carrier that ended by itself is brought again, but not at once, and each time later", async () => {
  const { carrier, clock, counts } = await make(PLACE, null);
  const made: number[] = [];
  for (const waitMs of [0, 9_000, 2_000, 10_000, 11_000]) {
    await clock.advance(waitMs);
    carrier.want();
    carrier.want();
    await carrier.ended;
    made.push(await counts());
  }
  await carrier[Symbol.asyncDispose]();
  assertEquals(made, [1, 1, 2, 2, 3]);
});

Deno.test("a carrier ends though an endpoint does not answer, and is not brought when it does", async () => {
  const { promise, resolve } = Promise.withResolvers<CarrierPlace>();
  const { carrier, calls } = await make(promise);
  carrier.want();
  await carrier[Symbol.asyncDispose]();
  resolve(PLACE);
  await carrier.ended;
  assertEquals(await calls(), []);
});
