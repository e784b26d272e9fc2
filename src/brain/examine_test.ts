import { assertEquals } from "@std/assert";
import { FAKE_CHECKUP, FakeEndpoint } from "../../tests/support/fake_endpoint.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import type { EchoSize } from "../core/checkup.ts";
import { examine, measureLink } from "./examine.ts";

/** A link of 40 ms each way and 1 MB/s, to a host whose clock is 5 s ahead. */
class SlowEndpoint extends FakeEndpoint {
  constructor(readonly clock: FakeClock) {
    super();
    this.echo = async (size: EchoSize) => {
      await this.clock.advance(40 + size.sendBytes / 1_000);
      const clockMs = this.clock.wallMs() + 5_000;
      await this.clock.advance(40 + size.replyBytes / 1_000);
      return { clockMs };
    };
  }
}

Deno.test("measureLink() tells the round trip, the clocks' offset and the throughput", async () => {
  const clock = new FakeClock();
  const link = await measureLink(new SlowEndpoint(clock), { clock, signal: new AbortController().signal });
  assertEquals([link.roundTripMs, link.clockOffsetMs], [80, 5_000]);
  assertEquals([link.upBytesPerSecond, link.downBytesPerSecond].map(Math.round), [1e6, 1e6]);
});

Deno.test("examine() asks both sides, and measures no way where there is none", async () => {
  const [left, right] = [new FakeEndpoint(), new FakeEndpoint()];
  const options = { clock: new FakeClock(), signal: new AbortController().signal };
  const local = await examine({ left, right }, { ...options, isRemote: false });
  assertEquals([local.link, local.left.host, local.right.root], [null, FAKE_CHECKUP.host, FAKE_CHECKUP.root]);
  assertEquals(right.asked.map(({ name }) => name), ["checkup"]);
});
