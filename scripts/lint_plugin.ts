/**
 * The rules of the house that need to understand TypeScript, for `deno lint`.
 *
 * psync/function-length: no function has more than 80 lines. psync/no-timer: timers are started by
 * src/base/clock.ts only, so that tests can own the time. psync/no-exit: only the command line and
 * the scripts end the process. Named by deno.json.
 * @module
 */
/// <reference lib="deno.unstable" />

/** Lines; the same limit holds in C (check_house.ts). */
const MAX_FUNCTION_LINES = 80;

const TIMERS = new Set(["setTimeout", "setInterval"]);

/** Where a timer may be started, and where the process may be ended. */
const MAY_TIME = /\/src\/base\/clock\.ts$|\/(?:tests|scripts)\/|_test\.ts$/;
const MAY_EXIT = /\/src\/cli\/(?:run|system_process)\.ts$|\/main\.ts$|\/(?:tests|scripts)\//;

type FunctionNode =
  | Deno.lint.FunctionDeclaration
  | Deno.lint.FunctionExpression
  | Deno.lint.ArrowFunctionExpression;

function countLines(context: Deno.lint.RuleContext, node: FunctionNode): void {
  const lines = context.sourceCode.getText(node).split("\n").length;
  if (lines <= MAX_FUNCTION_LINES) return;
  context.report({ node, message: `The function has ${lines} lines, at most ${MAX_FUNCTION_LINES}` });
}

const plugin: Deno.lint.Plugin = {
  name: "psync",
  rules: {
    "function-length": {
      create: (context) => ({
        FunctionDeclaration: (node) => countLines(context, node),
        FunctionExpression: (node) => countLines(context, node),
        ArrowFunctionExpression: (node) => countLines(context, node),
      }),
    },
    "no-timer": {
      create: (context) => ({
        CallExpression(node) {
          if (MAY_TIME.test(context.filename) || node.callee.type !== "Identifier") return;
          if (TIMERS.has(node.callee.name)) context.report({ node, message: "Timers belong to src/base/clock.ts" });
        },
      }),
    },
    "no-exit": {
      create: (context) => ({
        MemberExpression(node) {
          if (MAY_EXIT.test(context.filename) || context.sourceCode.getText(node) !== "Deno.exit") return;
          context.report({ node, message: "Only src/cli/run.ts ends the process" });
        },
      }),
    },
  },
};

export default plugin;
