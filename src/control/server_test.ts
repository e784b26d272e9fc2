/** Tests of the control socket, over real sockets in a directory of the test. @module */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { EndpointLostError, SetupError } from "../base/errors.ts";
import type { ControlAnswer, ControlRequest } from "../brain/control_requests.ts";
import { connectControl, type Control } from "./client.ts";
import { socketPaths } from "./place.ts";
import { serveControl } from "./server.ts";

const ID = "0123456789abcdef0123456789abcdef";

/** A state directory with the pair's own. */
async function withDir(test: (stateDir: string, path: string) => Promise<void>): Promise<void> {
  const stateDir = await Deno.makeTempDir({ prefix: "psync-control-" });
  try {
    await Deno.mkdir(`${stateDir}/${ID}`, { mode: 0o700 });
    await test(stateDir, `${stateDir}/${ID}/control.sock`);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
}

function serve(stateDir: string, answer: (request: ControlRequest) => Promise<ControlAnswer>): AsyncDisposable {
  const server = serveControl(ID, { stateDir, runtimeDir: undefined, answer });
  assert(server !== null);
  return server;
}

async function connect(stateDir: string): Promise<Control> {
  const control = await connectControl(ID, { stateDir, runtimeDir: undefined });
  assert(control !== null);
  return control;
}

const nothing = (): Promise<ControlAnswer> => Promise.resolve({ kind: "conflicts", conflicts: [] });

Deno.test("the socket answers one request after another, many clients at once, and is private", async () => {
  await withDir(async (stateDir, path) => {
    const asked: ControlRequest[] = [];
    await using _server = serve(stateDir, (request) => {
      asked.push(request);
      return request.kind === "trash.list" ? Promise.reject(new SetupError("cannot now")) : nothing();
    });
    assertEquals((await Deno.lstat(path)).mode! & 0o777, 0o600);
    const controls = await Promise.all(Array.from({ length: 5 }, () => connect(stateDir)));
    for (const control of controls) {
      assertEquals(await control.ask({ kind: "conflicts.list" }, "conflicts"), { kind: "conflicts", conflicts: [] });
      const list = { kind: "trash.list", side: "left", only: null, after: null } as const;
      await assertRejects(() => control.ask(list, "page"), SetupError, "cannot now");
      await assertRejects(() => control.ask({ kind: "conflicts.list" }, "page"), SetupError);
    }
    assertEquals(asked.length, 15);
    for (const control of controls) await control[Symbol.asyncDispose]();
  });
});

Deno.test("a dead psync's socket is replaced; no socket, a dead one and one in an open directory answer nobody", async () => {
  await withDir(async (stateDir, path) => {
    const of = { stateDir, runtimeDir: undefined };
    assertEquals(await connectControl(ID, of), null);
    const { pid, status } = new Deno.Command("python3", {
      args: ["-c", "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()", path],
    }).spawn();
    assert(pid > 0);
    await status;
    assert((await Deno.lstat(path)).isSocket);
    assertEquals(await connectControl(ID, of), null);
    {
      await using _server = serve(stateDir, nothing);
      await using control = await connect(stateDir);
      assertEquals((await control.ask({ kind: "conflicts.list" }, "conflicts")).conflicts, []);
      await Deno.chmod(`${stateDir}/${ID}`, 0o755);
      assertEquals(await connectControl(ID, of), null);
    }
    assertEquals(serveControl(ID, { ...of, answer: nothing }), null);
  });
});

Deno.test("a request that is none is told so, one that never ends cuts its connection, and the others go on", async () => {
  await withDir(async (stateDir, path) => {
    await using _server = serve(stateDir, nothing);
    const send = async (bytes: Uint8Array) => {
      const connection = await Deno.connect({ transport: "unix", path });
      const writer = connection.writable.getWriter();
      const writing = writer.write(bytes).catch(() => {});
      const text = await new Response(connection.readable).text().catch(() => "");
      await writing;
      return text;
    };
    const hung = await Deno.connect({ transport: "unix", path });
    await hung.write(new TextEncoder().encode(`{"kind":`));
    assert((await send(new Uint8Array(2 << 20).fill(97))).length < 1000);
    assert((await send(Uint8Array.of(0xff, 0xfe, 10))).includes("UTF-8"));
    const control = await connect(stateDir);
    assertEquals((await control.ask({ kind: "conflicts.list" }, "conflicts")).conflicts, []);
    await control[Symbol.asyncDispose]();
    hung.close();
  });
});

Deno.test("a client whose psync ends is told so, and nothing is left of the socket", async () => {
  await withDir(async (stateDir, path) => {
    const answered = Promise.withResolvers<void>();
    const server = serve(stateDir, () => answered.promise.then(nothing));
    await using control = await connect(stateDir);
    const asking = control.ask({ kind: "conflicts.list" }, "conflicts");
    const ending = server[Symbol.asyncDispose]();
    answered.resolve();
    await ending;
    await asking.catch((error) => assert(error instanceof EndpointLostError, String(error)));
    await assertRejects(() => control.ask({ kind: "conflicts.list" }, "conflicts"), EndpointLostError);
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  });
});

Deno.test("socketPaths() prefers the state directory, where its path is short enough for a socket", () => {
  const long = `/${"x".repeat(80)}`;
  assertEquals(socketPaths(ID, { stateDir: "/var/lib/psync", runtimeDir: "/run/user/0" }), [
    `/var/lib/psync/${ID}/control.sock`,
    `/run/user/0/psync/${ID}.sock`,
  ]);
  assertEquals(socketPaths(ID, { stateDir: long, runtimeDir: "/run/user/0" }), [`/run/user/0/psync/${ID}.sock`]);
  assertEquals(socketPaths(ID, { stateDir: long, runtimeDir: "relative" }), []);
  assertEquals(socketPaths(ID, { stateDir: "/a\udcff", runtimeDir: undefined }), []);
});
