import { assertEquals } from "@std/assert";
import { countTests } from "./test.ts";

const PASSED =
  "running 2 tests from ./a_test.ts\na ... ok (1ms)\n\nok | 12 passed (3 steps) | 0 failed | 1 ignored (4s)\n";
const FAILED = "FAILURES\n\nFAILED | 10 passed | 2 failed (1m3s)\n\nerror: Test failed\n";

Deno.test("countTests() reads what passed, failed and was left out", () => {
  assertEquals(countTests(PASSED, true), { passed: 12, failed: 0, ignored: 1 });
  assertEquals(countTests(FAILED, false), { passed: 10, failed: 2, ignored: 0 });
});

Deno.test("countTests() takes a run that ends badly for a failure, whatever it printed", () => {
  assertEquals(countTests("error: Module not found", false), { passed: 0, failed: 1, ignored: 0 });
  assertEquals(countTests(PASSED, false), { passed: 12, failed: 1, ignored: 1 });
});

Deno.test("countTests() is not misled by what tests print", () => {
  const printed = `a ... ok\n77 passed, 5 failed\n${PASSED}`;
  assertEquals(countTests(printed, true), { passed: 12, failed: 0, ignored: 1 });
});
