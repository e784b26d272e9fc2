/**
 * An endpoint without a disk, whose answers a test decides; it remembers what it was asked.
 *
 * Only for tests of what stands between a brain and an endpoint.
 * @module
 */
import type { Checkup } from "../../src/core/checkup.ts";
import type {
  Endpoint,
  EndpointEvent,
  EndpointFacts,
  Findings,
  LookOptions,
  SyncOptions,
} from "../../src/core/endpoint.ts";
import { BoundedQueue } from "../../src/base/queue.ts";
import type { RelPath } from "../../src/core/path.ts";
import type { CommitBatch } from "../../src/core/transition.ts";

/** A healthy host and root. */
export const FAKE_CHECKUP: Checkup = {
  host: {
    hostName: "fake",
    kernel: "6.12.1",
    glibc: "2.41",
    distribution: "debian",
    rsync: "rsync  version 3.5.0  protocol version 32",
    ssh: "OpenSSH_9.2p1",
    isRootUser: true,
    watchLimit: 100_000,
    watchesInUse: 10,
    openFileLimit: 1_048_576,
    hasLeases: true,
  },
  root: {
    freeBytes: 5e11,
    totalBytes: 1e12,
    freeInodes: 1e6,
    totalInodes: 2e6,
    dirs: 100,
    entries: 1_000,
    bytes: 1e9,
    mounts: [],
    unreadable: 0,
    tmpfile: "works",
    lease: "works",
    owner: "works",
    exchange: "works",
  },
};

/** What the host of a fake endpoint is. */
export const FAKE_FACTS: EndpointFacts = {
  hostName: "fake",
  bootId: "boot",
  root: "/srv/fake",
  isRootUser: true,
  processId: 1,
  processStart: "1",
  fsId: "1",
  fsType: "ext4",
  rootInode: 2n,
  rootDevice: 3n,
  mountId: 4n,
  ancestors: ["3:1"],
  isEmpty: true,
  pairMarker: null,
  lock: null,
  lockHolderLives: false,
  age: null,
  reduced: [],
  rsync: "rsync 3.5.0",
  build: "0123456789abcdef",
  clockMs: 1.5,
};

/** Every path is absent, every listing empty, every transition done; a test overrides what it wants. */
export class FakeEndpoint implements Endpoint {
  facts: EndpointFacts = FAKE_FACTS;
  readonly asked: { readonly name: string; readonly what: unknown }[] = [];
  isDisposed = false;
  readonly #events = new BoundedQueue<EndpointEvent>(100_000);
  #counter = 0;

  #note(name: string, what: unknown): void {
    this.asked.push({ name, what });
  }

  report(event: EndpointEvent): void {
    this.#events.tryPush(event);
  }

  failEvents(error: unknown): void {
    this.#events.close(error);
  }

  setCompareOwners(on: boolean): Promise<void> {
    this.#note("setCompareOwners", on);
    return Promise.resolve();
  }

  list: Endpoint["list"] = (dirs) => {
    this.#note("list", dirs);
    const self = (path: RelPath) => ({ kind: "busy" as const, path, began: 0 });
    const flags = { isWatched: true, hasIgnored: false, began: 1 };
    return Promise.resolve(
      dirs.map((path) => ({ kind: "listed" as const, path, self: self(path), entries: [], ...flags })),
    );
  };

  verify: Endpoint["verify"] = (key, claims) => {
    this.#note("verify", { key, claims });
    return Promise.resolve(claims.map(() => false));
  };

  look: Endpoint["look"] = (paths, { signal: _, ...options }: LookOptions) => {
    this.#note("look", { paths, options });
    return Promise.resolve(paths.map((path) => ({ kind: "absent" as const, path, began: ++this.#counter })));
  };

  pack: Endpoint["pack"] = (requests) => {
    this.#note("pack", requests);
    const pieces = requests.map(({ stamp }) => new Uint8Array(stamp.sizeBytes));
    return Promise.resolve({ digests: requests.map(() => "0".repeat(64)), pieces, carried: null });
  };

  carry: Endpoint["carry"] = () => {
    this.#note("carry", null);
    return Promise.resolve({ socket: "psync-0", nativePath: "/bin/psync-native" });
  };

  commit: Endpoint["commit"] = (batch: CommitBatch) => {
    this.#note("commit", batch.transitions);
    const done = () => ({ kind: "done" as const, ended: ++this.#counter, stamp: null, kept: null, masked: false });
    return Promise.resolve(batch.transitions.map(done));
  };

  supply: Endpoint["supply"] = (batch, requests) => {
    this.#note("supply", { batch, requests });
    return Promise.resolve(requests.map(({ id }) => ({ id, kind: "supplied" as const, diskBytes: 0 })));
  };

  prepare: Endpoint["prepare"] = (batch, requests) => {
    this.#note("prepare", { batch, requests });
    return Promise.resolve(requests.map(({ id }) => ({ id, stamp: null, ended: ++this.#counter })));
  };

  release: Endpoint["release"] = (batch) => {
    this.#note("release", batch);
    return Promise.resolve({ stable: [1, 2], stamps: [{ id: 3, stamp: null, ended: ++this.#counter }] });
  };

  adopt: Endpoint["adopt"] = (marks) => {
    this.#note("adopt", marks);
    return Promise.resolve({ kept: ["2.conflict/found/x"], renewed: [] });
  };

  releaseLock(): Promise<void> {
    this.#note("releaseLock", null);
    return Promise.resolve();
  }

  sync(what: SyncOptions = { contents: false }): Promise<Findings> {
    this.#note("sync", what);
    return Promise.resolve({ kept: ["1.conflict/late"] });
  }

  trashList: Endpoint["trashList"] = (query) => {
    this.#note("trashList", query);
    return Promise.resolve({ items: [], hasMore: false });
  };

  trashAct: Endpoint["trashAct"] = (actions) => {
    this.#note("trashAct", actions);
    return Promise.resolve(actions.map(() => ({ kind: "done" as const, kept: null })));
  };

  space: Endpoint["space"] = () => {
    this.#note("space", null);
    return Promise.resolve({ freeBytes: 1e12, totalBytes: 1e12 });
  };

  findProgram: Endpoint["findProgram"] = (parts) => {
    this.#note("findProgram", { parts });
    return Promise.resolve("soffice.bin");
  };

  barrier: Endpoint["barrier"] = (id) => {
    this.#note("barrier", { id });
    return Promise.resolve();
  };

  checkup: Endpoint["checkup"] = () => {
    this.#note("checkup", null);
    return Promise.resolve(FAKE_CHECKUP);
  };

  echo: Endpoint["echo"] = (size) => {
    this.#note("echo", size);
    return Promise.resolve({ clockMs: 1.5 });
  };

  vitals: Endpoint["vitals"] = () => {
    this.#note("vitals", null);
    return Promise.resolve({ watches: 3, watchLimit: null });
  };

  events(): AsyncIterable<EndpointEvent> {
    return this.#events;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
    this.#events.close();
    return Promise.resolve();
  }
}
