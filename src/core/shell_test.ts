import { assertEquals } from "@std/assert";
import { decodeBytes, encodeBytes } from "./path.ts";
import { shellWord } from "./shell.ts";

Deno.test("shellWord() is read by bash as the bytes that it stands for", async () => {
  const bytes = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
  for (const text of ["/srv/a", "it's", "a b", "é$(rm)", "-n", "", decodeBytes(bytes), "\u202egpj", "\u{1f600}"]) {
    const { stdout } = await new Deno.Command("bash", { args: ["-c", `printf %s ${shellWord(text)}`] }).output();
    assertEquals(stdout, encodeBytes(text), JSON.stringify(text));
  }
});
