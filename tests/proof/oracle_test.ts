import { assertEquals } from "@std/assert";
import { accuse, readLog } from "./oracle.ts";
import { differences, type Thing } from "./survey.ts";

const A = "L00001000001";
const B = "R00001000002";

function file(path: string, tokens: readonly string[], isTorn = false): Thing {
  return { path, kind: "f", shape: tokens.join(), print: tokens.join(), isTorn, tokens };
}

Deno.test("readLog() finds what was written, what was retired and what was torn", () => {
  const log = readLog(`0 01:02:03.004 save +${A} -> x @ .t\n1 01:02:03.004 remove -${B} !torn f @ f =ENOENT\n`);
  assertEquals([log.operations, log.written, [...log.retired], log.torn.length], [2, [A], [B], 1]);
});

Deno.test("accuse() finds nothing where each token is live, kept or retired", () => {
  const logs = [readLog(`0 t create +${A} @ f\n`), readLog(`0 t create +${B} @ g\n`)];
  assertEquals(accuse({ logs, live: [file("f", [A])], kept: [file("g", [B])] }), []);
  assertEquals(accuse({ logs: [...logs, readLog(`0 t remove -${B} @ g`)], live: [file("f", [A])], kept: [] }), []);
});

Deno.test("accuse() names what is lost, unknown, torn and foreign", () => {
  const logs = [readLog(`0 t create +${A} @ f\n`)];
  const live = [file("f", [B], true), file("d/.f.abcDEF", []), file("d/.f.Xa8Kd2", [])];
  assertEquals(accuse({ logs, live, kept: [] }), [
    `lost: ${A}`,
    `unknown: ${B}`,
    "torn: f",
    "psync's own, outside .psync: d/.f.abcDEF",
  ]);
});

Deno.test("differences() names what is on one side only, and what differs", () => {
  const left = [file("a", [A]), file("b", [A])];
  const right = [file("b", [B]), file("c", [B])];
  assertEquals(differences(left, left), []);
  assertEquals(differences(left, right), [`a: ${A} | (absent)`, `b: ${A} | ${B}`, `c: (absent) | ${B}`]);
});
