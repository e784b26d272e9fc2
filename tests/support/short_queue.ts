/**
 * A short queue of inotify events, for what is started under it: an instance keeps the limit that it was
 * made under.
 *
 * WHY a process beside the test: the limit is one of the whole machine, and a test may be killed. The keeper
 * sets it, and puts it back when its stdin ends, which it does however the test ends; a lock keeps two of
 * them from taking the other's limit for the machine's.
 * @module
 */

const LIMIT = "/proc/sys/fs/inotify/max_queued_events";
/** How many events the queue takes. */
const EVENTS = 16;
/** What the kernel begins with: for a machine on which a keeper was killed. */
const USUAL_EVENTS = 16_384;

const KEEPER = `
  old=$(cat "$0") && { [ "$old" != ${EVENTS} ] || old=${USUAL_EVENTS}; } && echo ${EVENTS} >"$0" && echo short
  cat >/dev/null
  echo "$old" >"$0"`;

/** Whether this machine lets us. */
export function canShortenQueue(): boolean {
  try {
    Deno.openSync(LIMIT, { write: true }).close();
    return true;
  } catch {
    return false;
  }
}

/** Runs `use` while the queue of a new inotify instance takes 16 events. */
export async function withShortQueue<T>(use: () => Promise<T>): Promise<T> {
  // WHY setsid: what ends the test's group is not to end the keeper before it is done.
  const keeper = new Deno.Command("setsid", {
    args: ["flock", `${Deno.env.get("TMPDIR") ?? "/tmp"}/psync-test-queue.lock`, "sh", "-c", KEEPER, LIMIT],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const reader = keeper.stdout.getReader();
    if ((await reader.read()).done) throw new Error("Cannot shorten the queue of events: the keeper ended");
    void reader.cancel();
    return await use();
  } finally {
    await keeper.stdin.close();
    await keeper.status;
  }
}
