/**
 * What the users did while psync was down, or what happens to psync's own state: the starting points
 * of the proof of the kill points. Numbers are those of the table of scenarios that the proof is
 * about. Scripts run in a root; `w NAME TOKEN` writes a whole file with a token of its own.
 * @module
 */

/** One starting point. */
export interface KillScenario {
  readonly number: number;
  readonly name: string;
  /** Makes the left root before the first sync. */
  readonly before: string;
  /** What each user does before the sync that is killed. */
  readonly left: string;
  readonly right: string;
  /** The archive is lost as well. */
  readonly forgets?: true;
  /** The next life is started twice at once. */
  readonly twice?: true;
}

/** In front of every script: writes a whole file in place; `s`: with a new inode, as editors save. */
export const PRELUDE = [
  `w() { { echo "<$2"; seq \${3:-50}; echo "$2>"; } >"$1"; }`,
  `s() { w "$1.tmp~" "$2" "\${3:-50}"; mv "$1.tmp~" "$1"; }`,
].join("\n");

/** All of them. */
export const KILL_SCENARIOS: readonly KillScenario[] = [
  {
    number: 1,
    name: "both edit",
    before: "w f T1; w g T2",
    left: "w f T11; w g T12; touch -d 2001-01-01 f",
    right: "w f T21 60; w g T22 60; touch -d 2001-01-01 g",
  },
  {
    number: 3,
    name: "edit against removal",
    before: "mkdir d; w f T1; w g T2; w d/x T3",
    left: "rm f; w g T12; rm -r d",
    right: "w f T21; rm g; w d/x T23",
  },
  {
    number: 5,
    name: "a directory removed, a child made in it",
    before: "mkdir -p d/e; w d/x T1; w d/e/y T2",
    left: "rm -r d",
    right: "w d/e/new T21; w d/other T22",
  },
  {
    number: 6,
    name: "a file becomes a directory, and the other way round",
    before: "w f T1; mkdir d; w d/x T2; w g T3",
    left: "rm f; mkdir f; w f/in T11; rm -r d; w d T12",
    right: "w f T21; w d/y T22; rm g; ln -s nowhere g",
  },
  {
    number: 11,
    name: "a rename against an edit",
    before: "w f T1; w g T2; mkdir d; w d/x T3",
    left: "mv f f2; w g T12; mv d/x d/x2",
    right: "w f T21; mv g g2; w d/x T23",
  },
  {
    number: 15,
    name: "two files exchanged",
    before: "w a T1; w b T2; mkdir d e; w d/x T3; w e/y T4",
    left: "mv a t; mv b a; mv t b; mv d t; mv e d; mv t e",
    right: "w c T21",
  },
  {
    number: 16,
    name: "a chain of renames",
    before: "w a T1; w b T2; w c T3",
    left: "mv c d; mv b c; mv a b; w a T11",
    right: "w e T21",
  },
  {
    number: 18,
    name: "a directory renamed, its children edited and made",
    before: "mkdir -p d/e; w d/x T1; w d/e/y T2",
    left: "mv d d2; w d2/own T11",
    right: "w d/x T21; w d/e/new T22",
  },
  {
    number: 20,
    name: "moves out of the root and into it",
    before: "mkdir d in; w d/x T1; w f T2",
    left: "rm -r d; mkdir -p new/deep; w new/deep/x T11; w new/y T12",
    right: "rm f; w in/z T21",
  },
  {
    number: 25,
    name: "files saved under new inodes",
    before: "w f T1; w g T2; w h T3",
    left: "s f T11; s g T12",
    right: "s g T22 60; s h T23",
  },
  {
    number: 27,
    name: "files truncated and written again",
    before: "w f T1 200; w g T2 200; w h T3 200",
    left: "w f T11 5; w g T12 500; : >h; w h T13 3",
    right: "w new T21",
  },
  {
    number: 46,
    name: "a tree removed",
    before: "mkdir -p t/a t/b; for i in 1 2 3 4 5 6; do w t/a/$i T1$i; w t/b/$i T2$i; done; w stay T3",
    left: "rm -r t",
    right: "w t/a/3 T43; w t/c T44",
  },
  {
    number: 61,
    name: "new directories, many levels",
    before: "w f T1",
    left: "mkdir -p a/b/c/d; for p in a a/b a/b/c a/b/c/d; do w $p/x T1$(echo $p | tr -d /); done",
    right: "mkdir -p a/b/q; w a/x2 T21; w a/b/q/y T22",
  },
  {
    number: 65,
    name: "large files",
    before: "w big T1 200000; w other T2 200000",
    left: "w big T11 210000; w new T12 180000",
    right: "w other T21 250000",
  },
  {
    number: 66,
    name: "some of everything",
    before: "mkdir d; w d/x T1; w f T2; w g T3; ln -s f l; w m T4",
    left: "w f T11; mv d d2; rm g; ln -sfn elsewhere l; mkfifo p; w n T12; chmod 600 m",
    right: "w d/x T21; w h T22; rm l; mkdir e; w e/z T23; touch -d 2002-02-02 m",
  },
  {
    number: 69,
    name: "the archive lost",
    before: "w f T1; w g T2; w h T3",
    left: "w f T11; rm g",
    right: "w f T21 60; w h T23",
    forgets: true,
  },
  {
    number: 71,
    name: "two started at once",
    before: "w f T1; mkdir d; w d/x T2",
    left: "w f T11; mv d e",
    right: "w g T21; w d/x T22",
    twice: true,
  },
];
