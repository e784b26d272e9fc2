import { assertEquals } from "@std/assert";
import { accuse, readLog } from "./oracle.ts";
import { differences, type Thing } from "./survey.ts";
import { accuseBy, readTestimony } from "./witness.ts";

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

Deno.test("a witness tells of half files, and of what vanished though nobody touched it on the other side", () => {
  const exact = (text: string) => text.replaceAll(/^([+-]) (\d+) /gm, "$1 $2 $2 ");
  const untouched = exact("+ 0 T1 a\n+ 0 T2 b\n+ 0 T3 c\n+ 0 T4 d\n- 5000 T2 b\n+ 5000 T2 b2\n");
  const vanished = "- 6000 T1 a\n- 5100 T2 b\n+ 5200 T2 b2\n- 6000 T3 c\n+ 6400 T3 c\n- 6000 T4 d\ntorn e\n";
  const [left, right] = [readTestimony(untouched), readTestimony(untouched + exact(vanished))];
  assertEquals(accuseBy({ left, right }, (token) => token === "T4"), [
    "torn, and shown on the right: e",
    "vanished on the right, untouched on the left: T1 at a",
  ]);
});

Deno.test("a witness accuses nobody of what may lie between two of its looks", () => {
  const left = readTestimony("+ 0 0 T1 a\n");
  const accused = (right: string) =>
    accuseBy({ left, right: readTestimony(`+ 0 0 T1 a\n${right}`) }, () => false).length;
  assertEquals(accused("- 6000 6900 T1 a\n"), 1);
  assertEquals(accused("- 6000 6900 T1 a\n+ 7800 9900 T1 b\n"), 0);
  assertEquals(accused("- 6000 6900 T1 a\n+ 8000 9900 T1 b\n"), 1);
  const seenLate = readTestimony("+ 0 5800 T1 a\n");
  assertEquals(accuseBy({ left: seenLate, right: readTestimony("+ 0 0 T1 a\n- 6000 6900 T1 a\n") }, () => false), []);
});

Deno.test("what nobody removed may not lie in the trash of what was removed alone", () => {
  const thing = (path: string, token: string): Thing => ({
    ...{ path, kind: "f", shape: "", print: "", isTorn: false },
    tokens: [token],
  });
  const [old, lost, both] = ["L00000000001", "L00000000002", "L00000000003"] as const;
  const log = readLog(`0 t create +${old} +${lost} +${both} @ f\n1 t remove -${old} @ f\n`);
  const kept = [old, lost, both].map((token, i) => thing(`.psync/trash/2026-1.removed/${i}`, token));
  assertEquals(accuse({ logs: [log], live: [thing("g", both)], kept }), [`removed by nobody: ${lost}`]);
});
