/**
 * What a root holds, read from the survey program: every object with all that the oracle compares.
 * @module
 */
import { systemClock } from "../../src/base/clock.ts";
import { program } from "./build.ts";

/** How often a survey of a moving tree is tried again before it is taken as it is. */
const ATTEMPTS = 5;

/** One object in a root. Names are text in which other bytes are `\xNN`. */
export interface Thing {
  readonly path: string;
  /** `f`, `d`, `l`, or `?` for what no user made. */
  readonly kind: string;
  /** What must be the same on both sides: kind, mode, size, mtime in ns, content or target. */
  readonly shape: string;
  /** What changes whenever anybody touches it: inode and ctime as well. */
  readonly print: string;
  readonly isTorn: boolean;
  readonly tokens: readonly string[];
}

/** Everything in a root but `.psync`, sorted by path; or, `own`, everything below `.psync`. */
export async function survey(root: string, own?: "own"): Promise<readonly Thing[]> {
  const command = await program("survey");
  for (let attempt = 1;; attempt++) {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: own === undefined ? [root] : [root, own],
      stderr: "piped",
    }).output();
    if (code !== 0 && code !== 3) throw new Error(`Cannot survey ${root}: ${new TextDecoder().decode(stderr)}`);
    if (code === 0 || attempt === ATTEMPTS) return parse(new TextDecoder().decode(stdout));
    await systemClock.sleep(20);
  }
}

function parse(text: string): readonly Thing[] {
  const things = text.split("\n").filter(Boolean).map(thingOf);
  return things.sort((a, b) => a.path < b.path ? -1 : 1);
}

function thingOf(line: string): Thing {
  const [path, kind, mode, size, mtime, inode, ctime, what, tokens] = line.split("\t") as [string, ...string[]];
  // Of a link neither mode nor time are kept equal.
  const shape = [kind, ...(kind === "l" ? [] : [mode, size, mtime]), what].join(" ");
  return {
    path,
    kind: kind ?? "?",
    shape,
    print: [shape, mtime, inode, ctime].join(" "),
    isTorn: kind === "f" && what?.startsWith("torn") === true,
    tokens: (tokens ?? "").split(" ").filter(Boolean),
  };
}

/** What a user's program leaves beside a file where it could not finish; psync sends nothing of such a name. */
const SCRATCH = /(^|\/)\.t[LR]\d+-\d+\.swp$/;

/** What differs, as lines for people; empty when nothing does. Of two sides (`shape`), but for scratch. */
export function differences(
  left: readonly Thing[],
  right: readonly Thing[],
  by: "shape" | "print" = "shape",
): readonly string[] {
  const isMeant = ({ path }: Thing) => by === "print" || !SCRATCH.test(path);
  const rights = new Map(right.map((thing) => [thing.path, thing]));
  const lefts = new Set(left.map(({ path }) => path));
  const found: string[] = [];
  for (const thing of left.filter(isMeant)) {
    const other = rights.get(thing.path);
    if (other?.[by] !== thing[by]) found.push(`${thing.path}: ${thing[by]} | ${other?.[by] ?? "(absent)"}`);
  }
  for (const thing of right.filter(isMeant)) {
    if (!lefts.has(thing.path)) found.push(`${thing.path}: (absent) | ${thing[by]}`);
  }
  return found;
}
