import { assertEquals } from "@std/assert";
import { systemClock } from "../base/clock.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { closeInspectorSoon } from "./inspector.ts";

/** A debugger that can be opened. */
function fakeInspector() {
  let url: string | undefined;
  const closed: number[] = [];
  const clock = new FakeClock();
  return {
    clock,
    closed,
    open: () => void (url = "ws://127.0.0.1:9229/x"),
    url: () => url,
    close: () => {
      url = undefined;
      closed.push(clock.nowMs());
    },
  };
}

Deno.test("closeInspectorSoon() closes a debugger whenever it opens within two seconds", async () => {
  for (const afterMs of [0, 1, 37, 1999]) {
    const inspector = fakeInspector();
    closeInspectorSoon(inspector, inspector.clock);
    await inspector.clock.advance(afterMs);
    inspector.open();
    await inspector.clock.advance(1);
    assertEquals(inspector.closed, [afterMs + 1]);
    assertEquals(inspector.clock.pending, 0);
  }
});

Deno.test("closeInspectorSoon() stops looking after two seconds", async () => {
  const inspector = fakeInspector();
  closeInspectorSoon(inspector, inspector.clock);
  await inspector.clock.advance(2001);
  assertEquals([inspector.clock.pending, inspector.closed], [0, []]);
});

Deno.test("closeInspectorSoon() closes the one that Deno opens at SIGUSR1", async () => {
  const program = `
    import inspector from "node:inspector";
    import { systemClock } from "${new URL("../base/clock.ts", import.meta.url)}";
    import { closeInspectorSoon } from "${new URL("inspector.ts", import.meta.url)}";
    const watched = {
      url: () => inspector.url(),
      close: () => { inspector.close(); console.log(inspector.url() === undefined ? "closed" : "open"); Deno.exit(0); },
    };
    Deno.addSignalListener("SIGUSR1", () => closeInspectorSoon(watched, systemClock));
    console.log("ready");
    systemClock.after(20_000, () => Deno.exit(1));
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", "--no-check", "--ext=ts", "data:application/typescript," + encodeURIComponent(program)],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let out = "";
  let isOver = false;
  // Deno installs its own handler half a second after the start; asked again until it has.
  const ask = () => {
    if (isOver) return;
    child.kill("SIGUSR1");
    systemClock.after(300, ask);
  };
  for await (const bytes of child.stdout) {
    out += new TextDecoder().decode(bytes);
    if (out === "ready\n") ask();
    else isOver = true;
  }
  isOver = true;
  assertEquals([out, (await child.status).code], ["ready\nclosed\n", 0]);
});
