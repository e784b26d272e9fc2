/**
 * Which options of rsync a user may add with `-x`: those that change how bytes travel. What changes
 * which files there are, or what is run, is refused with the reason.
 *
 * Pure. What is accepted goes to every rsync (transfer/rsync.ts), behind psync's own options.
 * Called by settings.ts.
 * @see rsync(1)
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { showPath } from "../core/path.ts";

/** The options that every rsync gets. */
export interface RsyncExtra {
  readonly options: readonly string[];
  /** Bytes a second over all that rsync moves; null: no limit. */
  readonly bytesPerSecond: number | null;
  /** Whether `-L` was given. It is no rsync's: psync sends a link on the left as the file that it leads to. */
  readonly followsLinks: boolean;
}

/** No option is added. */
export const NO_EXTRA: RsyncExtra = { options: [], bytesPerSecond: null, followsLinks: false };

const NUMBER = /^\d{1,9}$/;
const RATE = /^\d+(\.\d+)?([kmgtp](i?b)?|b)?$/i;
const WORD = /^[\w.,-]+$/;

const FOLLOW = "--copy-links";

/** What may be added; a pattern for the value where there is one. */
const ALLOWED: Readonly<Record<string, RegExp | null>> = {
  "--bwlimit": RATE,
  "--compress": null,
  "--no-compress": null,
  "--compress-choice": WORD,
  "--compress-level": NUMBER,
  "--timeout": NUMBER,
  "--whole-file": null,
  "--no-whole-file": null,
  "--block-size": RATE,
  "--checksum-choice": WORD,
  "--preallocate": null,
  "--blocking-io": null,
  "--no-blocking-io": null,
  "--ipv4": null,
  "--ipv6": null,
  [FOLLOW]: null,
};

/** Other spellings of what may be added. */
const SPELLINGS: Readonly<Record<string, string>> = {
  "-z": "--compress",
  "--zc": "--compress-choice",
  "--zl": "--compress-level",
  "-W": "--whole-file",
  "--no-W": "--no-whole-file",
  "-B": "--block-size",
  "--cc": "--checksum-choice",
  "-4": "--ipv4",
  "-6": "--ipv6",
  "--no-z": "--no-compress",
  "-L": FOLLOW,
};

const REMOVES = "psync itself carries removals over, and keeps what it removes in the trash";
const IN_PLACE = "psync never lets a half file be seen: rsync writes aside, and psync swaps";
const RUNS = "psync itself says what is run, and where";
const CHOOSES = "psync itself chooses what is sent; leave paths alone with --excludes or --rsync-excludes";
const METADATA = "psync itself sets mode, time and owner when it swaps a file in";
const LINKS = "psync keeps symbolic links as links, but for -L, and rsync sees only regular files";
const NAMES = "rsync sees numbers instead of names here, so it would do nothing";
const SPEAKS = "nobody would see it; psync -d shows what happens";
const KEEPS = "psync keeps what it replaces by itself (psync trash)";

/** Why an option is refused; a name that ends in `*` stands for all that begin so. */
const REFUSED: readonly (readonly [names: string, why: string])[] = [
  ["--del --delete* --remove-source-files --remove-sent-files --force --ignore-errors --max-delete", REMOVES],
  ["--inplace --append* --partial* -P --delay-updates -T --temp-dir --write-devices --copy-devices", IN_PLACE],
  ["-e --rsh --rsync-path --daemon --server --sender --sockopts --address --port --password-file --early-input", RUNS],
  ["-M --remote-option --config --dparam -s --secluded-args --protect-args --old-args --trust-sender --iconv", RUNS],
  ["-f -F --filter --exclude* --include* -C --cvs-exclude --files-from -0 --from0 --max-size --min-size", CHOOSES],
  [
    "-u --update --existing --ignore-existing -I --ignore-times --size-only -c --checksum -m --prune-empty-dirs",
    CHOOSES,
  ],
  ["-r --recursive -R --relative -d --dirs -x --one-file-system -n --dry-run --list-only --stop-*", CHOOSES],
  [
    "--ignore-non-existing --modify-window -@ --mkpath --no-implied-dirs --read-batch --write-batch --only-write-batch",
    CHOOSES,
  ],
  ["-a --archive -p --perms -t --times -o --owner -g --group -A --acls -X --xattrs -E --executability", METADATA],
  ["--chmod --chown --usermap --groupmap --numeric-ids --super --fake-super -O -J -U -N --omit-dir-times", METADATA],
  ["--omit-link-times --atimes --open-noatime --crtimes", METADATA],
  [
    "-l -k -K --links --copy-unsafe-links --safe-links --munge-links --copy-dirlinks --keep-dirlinks",
    LINKS,
  ],
  ["-H --hard-links -D --devices --specials", LINKS],
  ["-y --fuzzy --skip-compress --compare-dest --copy-dest --link-dest -S --sparse", NAMES],
  ["-v --verbose -q --quiet -i --itemize-changes -h --human-readable -8 --8-bit-output", SPEAKS],
  ["--stats --progress --info --debug --log-* --out-format --msgs2stderr --no-motd --outbuf --stderr", SPEAKS],
  ["-b --backup --backup-dir --suffix", KEEPS],
];

/**
 * Checks the values of `-x`, one option each.
 * @throws {UsageError} with the reason for an option that psync does not hand on.
 */
export function parseRsyncExtra(values: readonly string[]): RsyncExtra {
  const given = values.map(checkOption);
  const options = given.filter((option) => option !== FOLLOW);
  const limits = options.flatMap((option) => option.startsWith("--bwlimit=") ? [option.slice(10)] : []);
  return {
    options,
    bytesPerSecond: limits.length === 0 ? null : bytesOf(limits.at(-1)!),
    followsLinks: options.length < given.length,
  };
}

function checkOption(given: string): string {
  const refuse = (why: string) => new UsageError(`Cannot hand "${showPath(given)}" on to rsync: ${why}`);
  const match = /^(--[a-z0-9][\w-]*|-[a-zA-Z0-9@])(?:=([^]*))?$/.exec(given);
  if (match === null) {
    const isBundle = /^-[a-zA-Z0-9@]+$/.test(given);
    throw refuse(isBundle ? `write "-x ${given.slice(0, 2)}" and so on, one option each` : "it is no option of rsync");
  }
  const [, written, value] = match;
  const name = SPELLINGS[written!] ?? written!;
  if (!(name in ALLOWED)) {
    throw refuse(reasonFor(written!) ?? `psync knows nothing of it; it takes ${Object.keys(ALLOWED).join(", ")}`);
  }
  const form = ALLOWED[name]!;
  if (form === null) {
    if (value !== undefined) throw refuse("it takes no value");
    return name;
  }
  if (value === undefined) throw refuse(`write "-x ${name}=VALUE"`);
  if (!form.test(value)) throw refuse(`"${showPath(value)}" is no value for it`);
  return `${name}=${value}`;
}

function reasonFor(name: string): string | null {
  const isIt = (each: string) => each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : each === name;
  return REFUSED.find(([names]) => names.split(" ").some(isIt))?.[1] ?? null;
}

/** A rate in rsync's units: KiB where none is named; `KB` and the like count in thousands. */
function bytesOf(rate: string): number | null {
  const [, number, unit = "k", second = ""] = /^([\d.]+)([a-z]?)(.*)$/i.exec(rate)!;
  const base = /^b$/i.test(second) ? 1_000 : 1_024;
  const power = "bkmgtp".indexOf((unit || "k").toLowerCase());
  const bytes = Math.round(Number(number) * base ** power);
  return bytes > 0 ? bytes : null;
}
