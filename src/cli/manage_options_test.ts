/** Tests of the command lines of conflicts and trash. @module */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { manageHelp } from "./manage_help.ts";
import { type ManageCommand, parseManage } from "./manage_options.ts";

const NONE: Omit<ManageCommand, "task"> = {
  operands: [],
  remoteHost: null,
  sshCommand: null,
  side: null,
  yes: false,
  debugLevel: 0,
};

const TAKEN: readonly (readonly [string, Partial<ManageCommand> & Pick<ManageCommand, "task">])[] = [
  ["conflicts", { task: { kind: "conflicts.list" } }],
  ["conflicts list", { task: { kind: "conflicts.list" } }],
  ["conflicts a h:b", { task: { kind: "conflicts.list" }, operands: ["a", "h:b"] }],
  ["conflicts -r h a b -d", { task: { kind: "conflicts.list" }, operands: ["a", "b"], remoteHost: "h", debugLevel: 2 }],
  ["conflicts show 3 #4 a b", { task: { kind: "conflicts.show", ids: [3, 4] }, operands: ["a", "b"] }],
  ["conflicts keep left 1 2 1", { task: { kind: "conflicts.keep", keep: "left", ids: [1, 2] } }],
  ["conflicts keep both --all -y", { task: { kind: "conflicts.keep", keep: "both", ids: null }, yes: true }],
  ["conflicts keep right 7 ./3 b", {
    task: { kind: "conflicts.keep", keep: "right", ids: [7] },
    operands: ["./3", "b"],
  }],
  ["trash list", { task: { kind: "trash.list" } }],
  ["trash restore --side left x", { task: { kind: "trash.restore" }, operands: ["x"], side: "left" }],
  ["trash empty --yes --ssh s a b p", {
    task: { kind: "trash.empty" },
    operands: ["a", "b", "p"],
    sshCommand: "s",
    yes: true,
  }],
  ["trash --help", { task: { kind: "help" } }],
];

Deno.test("parseManage() reads what is asked for", () => {
  for (const [line, expected] of TAKEN) assertEquals(parseManage(line.split(" ")), { ...NONE, ...expected }, line);
});

const REFUSED: readonly (readonly [string, string])[] = [
  ["conflicts show", "without its ID"],
  ["conflicts keep", "write left, right or both"],
  ["conflicts keep 3", `"3": write left`],
  ["conflicts keep left", "write IDs, or --all"],
  ["conflicts keep left 3 --all", "one of the two"],
  ["conflicts --all", "behind keep"],
  ["conflicts --side left", "behind keep"],
  ["trash", `write "psync trash list"`],
  ["trash clear", `"clear"`],
  ["trash list --side up", `"up" as side`],
  ["trash list --al", `did you mean "--all"`],
  ["trash list --all", "behind keep"],
];

Deno.test("parseManage() refuses the rest in one line", () => {
  for (const [line, words] of REFUSED) {
    const { message } = assertThrows(() => parseManage(line.split(" ")), UsageError);
    assertStringIncludes(message, words);
    assertEquals(message.includes("\n"), false);
  }
});

Deno.test("manageHelp() fits 80 columns and names every option", () => {
  const text = manageHelp();
  assertEquals(text.split("\n").filter((line) => line.length > 80), []);
  for (const name of ["--side", "--all", "--yes", "--ssh", "--remote-host"]) assertStringIncludes(text, name);
});
