import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { parseFilterArguments } from "./filter_options.ts";

Deno.test("parseFilterArguments() takes nothing or one absolute root", () => {
  assertEquals(parseFilterArguments([]), {});
  assertEquals(parseFilterArguments(["--only", "/srv/a b"]), { only: "/srv/a b" });
  assertEquals(parseFilterArguments(["--only=/\udcff"]), { only: "/\udcff" });
});

Deno.test("parseFilterArguments() refuses what it does not know instead of serving everything", () => {
  for (const line of ["--only", "--only=", "--only srv", "--only /a /b", "--only=/a /b", "/b", "--onyl /a", "-n"]) {
    assertThrows(() => parseFilterArguments(line.split(" ")), UsageError, undefined, line);
  }
});
