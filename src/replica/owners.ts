/**
 * Users and groups by name and number, as this host knows them.
 *
 * Reads /etc/passwd and /etc/group itself and asks `getent` once for what is not in them (LDAP and
 * the like). A number without a name is its decimal form. Decides nothing about who may set what.
 * @module
 */
import { Child } from "../base/process.ts";
import type { Owner } from "../core/entry.ts";
import { decodeBytes } from "../core/path.ts";
import { logger } from "../base/log.ts";

/** A table of names: `passwd` or `group`. */
export type OwnerTable = "passwd" | "group";

/** Where names come from; tests hand in others. */
export interface OwnerSources {
  /** The file of a table, or null; with a mark that changes when it does. */
  readonly markOf: (table: OwnerTable) => Promise<string>;
  readonly read: (table: OwnerTable) => Promise<string>;
  /** The line of a name or number, or null. */
  readonly ask: (table: OwnerTable, key: string) => Promise<string | null>;
}

/** A name that can be handed to getent; everything else is unknown. */
const ASKABLE = /^[^\s:,\0-][^\s:,\0]{0,255}$/;
const DECIMAL = /^(0|[1-9]\d{0,9})$/;
/** uid and gid 0xffffffff mean "none". */
const ID_LAST = 0xffff_fffe;

const log = logger("replica", "owners");

function readMark(table: OwnerTable): string {
  try {
    // WHY not async: every look and commit asks, and handing it to a thread costs far more than the call.
    const stat = Deno.statSync(`/etc/${table}`);
    return `${stat.mtime?.getTime()} ${stat.size} ${stat.ino}`;
  } catch {
    return ""; // there is none, as in a bare container
  }
}

/** The files in /etc and `getent`. */
export const systemOwnerSources: OwnerSources = {
  markOf: (table) => Promise.resolve(readMark(table)),
  read: (table) => Deno.readFile(`/etc/${table}`).then(decodeBytes, () => ""),
  async ask(table, key) {
    try {
      await using child = Child.spawn({ command: "getent", args: ["--", table, key], stdin: "null" });
      const line = (await new Response(child.stdout).text()).split("\n")[0]!;
      return (await child.status).code === 0 && line !== "" ? line : null;
    } catch (error) {
      log.debug("getent cannot be asked", { table, error: String(error) });
      return null;
    }
  },
};

/** One table in memory. */
class Names {
  readonly #table: OwnerTable;
  readonly #sources: OwnerSources;
  #mark: string | null = null;
  #nameOf = new Map<number, string>();
  #idOf = new Map<string, number | null>();

  constructor(table: OwnerTable, sources: OwnerSources) {
    this.#table = table;
    this.#sources = sources;
  }

  /** Reads the file again if it has changed; everything that was asked for is asked for again then. */
  async refresh(): Promise<void> {
    const mark = await this.#sources.markOf(this.#table);
    if (mark === this.#mark) return;
    const text = await this.#sources.read(this.#table);
    this.#nameOf = new Map();
    this.#idOf = new Map();
    for (const line of text.split("\n")) this.#learn(line);
    this.#mark = mark;
  }

  #learn(line: string): void {
    const [name, , number] = line.split(":");
    if (name === undefined || name === "" || number === undefined || !DECIMAL.test(number)) return;
    const id = Number(number);
    if (id > ID_LAST) return;
    // As getpwuid(3) does: the first line of a number or name counts.
    if (!this.#nameOf.has(id)) this.#nameOf.set(id, name);
    if ((this.#idOf.get(name) ?? null) === null) this.#idOf.set(name, id);
  }

  async learnId(id: number): Promise<void> {
    if (this.#nameOf.has(id)) return;
    const line = await this.#sources.ask(this.#table, String(id));
    if (line !== null) this.#learn(line);
    if (!this.#nameOf.has(id)) this.#nameOf.set(id, String(id));
  }

  nameOf(id: number): string {
    return this.#nameOf.get(id) ?? String(id);
  }

  async idOf(name: string): Promise<number | null> {
    const known = this.#idOf.get(name);
    if (known !== undefined) return known;
    const line = ASKABLE.test(name) && name.isWellFormed() && !/^\d+$/.test(name)
      ? await this.#sources.ask(this.#table, name)
      : null;
    if (line !== null) this.#learn(line);
    if (!this.#idOf.has(name)) this.#idOf.set(name, decimalId(name));
    return this.#idOf.get(name) ?? null;
  }
}

function decimalId(name: string): number | null {
  return DECIMAL.test(name) && Number(name) <= ID_LAST ? Number(name) : null;
}

/** The numbers of an owner on this host; null where it knows no such name. */
export interface OwnerIds {
  readonly uid: number | null;
  readonly gid: number | null;
}

/** Both tables of this host. */
export class Owners {
  readonly #users: Names;
  readonly #groups: Names;

  constructor(sources: OwnerSources = systemOwnerSources) {
    this.#users = new Names("passwd", sources);
    this.#groups = new Names("group", sources);
  }

  /** Makes sure that every number in `stats` has a name, and returns the function that tells it. */
  async namer(
    stats: Iterable<{ readonly uid: number; readonly gid: number }>,
  ): Promise<(stat: { readonly uid: number; readonly gid: number }) => Owner> {
    await Promise.all([this.#users.refresh(), this.#groups.refresh()]);
    const uids = new Set<number>();
    const gids = new Set<number>();
    for (const { uid, gid } of stats) {
      uids.add(uid);
      gids.add(gid);
    }
    for (const uid of uids) await this.#users.learnId(uid);
    for (const gid of gids) await this.#groups.learnId(gid);
    return ({ uid, gid }) => ({ user: this.#users.nameOf(uid), group: this.#groups.nameOf(gid) });
  }

  /** Makes sure that every owner in `owners` is known, and returns the function that tells its numbers. */
  async numberer(owners: Iterable<Owner>): Promise<(owner: Owner) => OwnerIds> {
    await Promise.all([this.#users.refresh(), this.#groups.refresh()]);
    const uids = new Map<string, number | null>();
    const gids = new Map<string, number | null>();
    for (const { user, group } of owners) {
      if (!uids.has(user)) uids.set(user, await this.#users.idOf(user));
      if (!gids.has(group)) gids.set(group, await this.#groups.idOf(group));
    }
    return ({ user, group }) => ({ uid: uids.get(user) ?? null, gid: gids.get(group) ?? null });
  }
}
