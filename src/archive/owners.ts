/**
 * Numbers for owners, so that a row of the archive holds one small integer and not two names.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ArchiveError } from "../base/errors.ts";
import type { Owner } from "../core/entry.ts";
import { decodeBytes, encodeBytes } from "../core/path.ts";
import { bytesAt, type OwnerIds, prepare, type SqlRow } from "./rows.ts";

/** Table `owner`, with what was used of it in memory: a host has few owners. */
export class Owners implements OwnerIds {
  readonly #find: StatementSync;
  readonly #add: StatementSync;
  readonly #read: StatementSync;
  readonly #ids = new Map<string, number>();
  readonly #owners = new Map<number, Owner>();

  constructor(db: DatabaseSync) {
    this.#find = db.prepare("SELECT id FROM owner WHERE user_name = ? AND group_name = ?");
    this.#add = db.prepare("INSERT INTO owner (user_name, group_name) VALUES (?, ?)");
    this.#read = prepare(db, "SELECT user_name, group_name FROM owner WHERE id = ?");
  }

  /** The owner's number; makes one inside the transaction that is under way. */
  idOf(owner: Owner): number {
    const key = `${owner.user}\0${owner.group}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const found = this.#find.get(encodeBytes(owner.user), encodeBytes(owner.group));
    const id = found === undefined
      ? Number(this.#add.run(encodeBytes(owner.user), encodeBytes(owner.group)).lastInsertRowid)
      : Number(found["id"]);
    this.#ids.set(key, id);
    return id;
  }

  ownerOf(id: number): Owner {
    const known = this.#owners.get(id);
    if (known !== undefined) return known;
    const cells = this.#read.get(id) as unknown as SqlRow | undefined;
    if (cells === undefined) throw new ArchiveError(`Cannot find owner ${id} of the archive: found no row`);
    const owner = { user: decodeBytes(bytesAt(cells, 0)), group: decodeBytes(bytesAt(cells, 1)) };
    this.#owners.set(id, owner);
    return owner;
  }

  /** Forgets what a rolled back transaction may have taught. */
  reset(): void {
    this.#ids.clear();
    this.#owners.clear();
  }
}
