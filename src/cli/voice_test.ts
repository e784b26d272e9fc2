import { assertEquals } from "@std/assert";
import { isJournal, type LogSink, Voice, type VoiceStyle } from "./voice.ts";

const WALL_MS = Date.UTC(2020, 0, 1, 12, 34, 56, 789);

const RECORD = {
  category: ["psync", "brain", "pair"],
  level: "warning",
  message: ["lost"],
  rawMessage: "lost",
  timestamp: WALL_MS,
  properties: { n: 1 },
} as const;

/** What a voice says and logs: `e` lines are on stderr, `f` in the file. */
function said(
  style: Omit<VoiceStyle, "file"> & { readonly file?: boolean; readonly isStderr?: boolean },
  options: { readonly isTerminal?: boolean; readonly isJournal?: boolean } = {},
): string[] {
  const lines: string[] = [];
  const file: LogSink = { isTerminal: false, isStderr: style.isStderr ?? false, write: () => Promise.resolve() };
  const terminal = {
    isErrTerminal: options.isTerminal ?? false,
    err: (line: string) => void lines.push(`e ${line}`),
    to: (stream: unknown, line: string) => void lines.push(`${stream === file ? "f" : "?"} ${line}`),
  };
  const voice = new Voice(terminal, { isJournal: options.isJournal ?? false, wallMs: () => WALL_MS });
  voice.setStyle({ format: style.format, file: style.file === true ? file : null });
  voice.say("hello");
  voice.say("psync: bad", "error");
  voice.log(RECORD);
  return lines;
}

Deno.test("Voice speaks text on stderr, where log records have the time of day", () => {
  assertEquals(said({ format: "text" }), ["e hello", "e psync: bad", "e 12:34:56.789 warning brain.pair: lost n=1"]);
});

Deno.test("Voice gives the journal of systemd priorities, and no time of its own", () => {
  assertEquals(said({ format: "text" }, { isJournal: true }), [
    "e <6>hello",
    "e <3>psync: bad",
    "e <4>warning brain.pair: lost n=1",
  ]);
  assertEquals(said({ format: "json" }, { isJournal: true }), [
    'e <6>{"level":"info","category":"psync","message":"hello"}',
    'e <3>{"level":"error","category":"psync","message":"psync: bad"}',
    'e <4>{"level":"warning","category":"brain.pair","message":"lost","fields":{"n":1}}',
  ]);
});

Deno.test("Voice writes one JSON object a line", () => {
  const objects = said({ format: "json" }).map((line) => JSON.parse(line.slice(2)));
  assertEquals(objects.map(({ time, level }) => [time, level]), [
    ["2020-01-01T12:34:56.789Z", "info"],
    ["2020-01-01T12:34:56.789Z", "error"],
    ["2020-01-01T12:34:56.789Z", "warning"],
  ]);
});

Deno.test("Voice writes to a file, with date; a terminal shows what is told, stderr what ends psync", () => {
  const inFile = [
    "f 2020-01-01T12:34:56.789Z info psync: hello",
    "f 2020-01-01T12:34:56.789Z error psync: psync: bad",
    "f 2020-01-01T12:34:56.789Z warning brain.pair: lost n=1",
  ];
  const isIn = (which: string) => (line: string) => line.startsWith(which);
  const onTerminal = said({ format: "text", file: true }, { isTerminal: true });
  assertEquals(onTerminal.filter(isIn("f")), inFile);
  assertEquals(onTerminal.filter(isIn("e")), ["e hello", "e psync: bad"]);
  const elsewhere = said({ format: "text", file: true });
  assertEquals(elsewhere.filter(isIn("e")), ["e psync: bad"]);
  assertEquals(said({ format: "text", file: true, isStderr: true }), inFile, "never twice in one file");
});

Deno.test("isJournal() believes JOURNAL_STREAM where stderr is what it names", () => {
  assertEquals(isJournal("9:1234", { dev: 9, ino: 1234 }), true);
  assertEquals(isJournal("9:1234", { dev: 9, ino: 12345 }), false);
  assertEquals(isJournal("9:1234", null), false);
  assertEquals(isJournal(undefined, { dev: 9, ino: 1234 }), false);
});
