/**
 * Whether the sshd of the scenarios does what they count on.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { gone } from "./scene.ts";
import { type Sshd, startSshd } from "./sshd.ts";

function ssh(sshd: Sshd, host: string, command: string): Deno.Command {
  const [program, ...words] = sshd.sshCommand.split(" ");
  return new Deno.Command(program!, {
    args: [...words, "-o", "BatchMode=yes", "--", host, command],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

Deno.test("startSshd() lets in by both names, with a HOME of its own", async () => {
  await using sshd = await startSshd({ env: { PSYNC_TEST: "yes" } });
  for (const host of [sshd.host, sshd.alias]) {
    const { code, stdout } = await ssh(sshd, host, "echo $HOME $XDG_CACHE_HOME $PSYNC_TEST").output();
    assertEquals(new TextDecoder().decode(stdout), `${sshd.home} ${sshd.home}/.cache yes\n`);
    assertEquals(code, 0);
  }
});

Deno.test("startSshd() can refuse the key, or be a host that nobody knows", async () => {
  await using closed = await startSshd({ isKeyAuthorized: false });
  const denied = await ssh(closed, closed.host, "true").output();
  assertEquals(denied.code, 255);
  assert(new TextDecoder().decode(denied.stderr).includes("Permission denied"));
  await using unknown = await startSshd({ isHostKnown: false });
  const refused = await ssh(unknown, unknown.host, "true").output();
  assertEquals(refused.code, 255);
  assert(new TextDecoder().decode(refused.stderr).includes("Host key verification failed"));
});

Deno.test("dropSessions() cuts the link, stop() leaves no process and no directory", async () => {
  const sshd = await startSshd();
  const child = ssh(sshd, sshd.host, "echo up; exec sleep 1000").spawn();
  const reader = child.stdout.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "up\n");
  const pids = sshd.sessionPids();
  assert(pids.length >= 2, "the session and its command");
  sshd.dropSessions();
  assertEquals((await child.status).code, 255);
  await gone(pids);
  await reader.cancel();
  await child.stderr.cancel();

  const { code } = await ssh(sshd, sshd.host, "true").output();
  assertEquals(code, 0);
  await sshd.stop();
  await sshd.stop();
  assertEquals(await Deno.stat(sshd.dir).catch(() => null), null);
});
