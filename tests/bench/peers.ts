/**
 * Two-way synchronisers that psync is measured against where they are installed: Unison and Syncthing.
 *
 * As quick as each can be told to be. Unison without its file monitor, which Debian does not package, looks for
 * changes every second (`-repeat 1`); Syncthing waits a second for more events, the least that it takes.
 * @module
 */
import { must } from "../support/binary.ts";
import { type Live, start, versionOf } from "./programs.ts";
import type { Roots, World } from "./world.ts";

/** The command line of Unison, for people. */
export const UNISON_LINE = `unison LEFT ssh://127.0.0.1/RIGHT -repeat 1 -batch -auto -times -sshargs "-F CONFIG"`;
/** What Syncthing is told, for people. */
export const SYNCTHING_LINE = "two instances on loopback, fsWatcherDelayS 1, no discovery, no relays";

const UNISON_READY = /Nothing to do|Synchronization complete/;
const SYNCTHING_READY =
  /Established secure connection[\s\S]*Completed initial scan|Completed initial scan[\s\S]*Established/;
const FOLDER = "bench";

/** Starts Unison over the same ssh; null where it is not installed. */
export async function startUnison(world: World, roots: Roots): Promise<Live | null> {
  if (await versionOf("unison", ["-version"]) === null) return null;
  const sshArgs = world.sshd.sshCommand.split(" ").slice(1).join(" ");
  const args = [roots.left, `ssh://${world.sshd.host}/${roots.right}`, "-repeat", "1", "-batch", "-auto", "-times"];
  const env = { ...Deno.env.toObject(), UNISON: `${roots.dir}/unison` };
  await Deno.mkdir(env.UNISON);
  return await start("unison", [...args, "-ui", "text", "-sshargs", sshArgs], { env, ready: UNISON_READY });
}

/** One of two instances that know each other. */
interface Instance {
  readonly home: string;
  readonly root: string;
  readonly port: number;
  readonly id: string;
}

/** Starts two Syncthings on this host; null where it is not installed. */
export async function startSyncthing(_world: World, roots: Roots): Promise<Live | null> {
  if (await versionOf("syncthing", ["--version"]) === null) return null;
  const [left, right] = [await instance(roots, "left"), await instance(roots, "right")];
  await configure(left, right);
  await configure(right, left);
  const run = async ({ home }: Instance, ready: RegExp) => {
    const env = { ...Deno.env.toObject(), STNORESTART: "1", STNOUPGRADE: "1" };
    return await start("syncthing", ["serve", "--home", home, "--no-browser"], { env, ready });
  };
  const far = await run(right, /Completed initial scan/);
  try {
    const near = await run(left, SYNCTHING_READY);
    const end = async () => void await Promise.all([near[Symbol.asyncDispose](), far[Symbol.asyncDispose]()]);
    return { pid: near.pid, [Symbol.asyncDispose]: end };
  } catch (error) {
    await far[Symbol.asyncDispose]();
    throw error;
  }
}

async function instance(roots: Roots, side: "left" | "right"): Promise<Instance> {
  const home = `${roots.dir}/syncthing-${side}`;
  const env = { HOME: roots.dir };
  await must("syncthing", ["generate", "--home", home, "--no-default-folder", "--skip-port-probing"], { env });
  const id = (await must("syncthing", ["--home", home, "--device-id"], { env })).trim();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await Deno.mkdir(`${roots[side]}/.stfolder`);
  return { home, root: roots[side], port: listener.addr.port, id };
}

/** Writes all that matters; Syncthing adds what is left out. */
async function configure(own: Instance, other: Instance): Promise<void> {
  const devices = [own, other].map(({ id, port }) =>
    `<device id="${id}"><address>tcp://127.0.0.1:${port}</address><autoAcceptFolders>false</autoAcceptFolders></device>`
  );
  const members = [own, other].map(({ id }) => `<device id="${id}"/>`);
  await Deno.writeTextFile(
    `${own.home}/config.xml`,
    `<configuration version="35">
<folder id="${FOLDER}" path="${own.root}" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="1">
${members.join("")}</folder>
${devices.join("\n")}
<gui enabled="false"></gui>
<options><listenAddress>tcp://127.0.0.1:${own.port}</listenAddress><globalAnnounceEnabled>false</globalAnnounceEnabled>
<localAnnounceEnabled>false</localAnnounceEnabled><relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled>
<urAccepted>-1</urAccepted><crashReportingEnabled>false</crashReportingEnabled><startBrowser>false</startBrowser></options>
</configuration>
`,
  );
}
