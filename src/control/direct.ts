/**
 * Answers requests without a running psync: opens the archive itself, and each root when it is needed.
 *
 * The archive is held exclusively, so that no psync starts meanwhile; a root is locked like by a psync
 * before anything in it is changed, and given back at the end. A root that is not of the pair (not
 * mounted, replaced) is refused.
 * @module
 */
import { openArchive } from "../archive/archive.ts";
import { archivePath, type Pair } from "../archive/pair_store.ts";
import type { Clock } from "../base/clock.ts";
import { EndpointLostError, SetupError } from "../base/errors.ts";
import { recordRenewed } from "../brain/findings.ts";
import { answerControl, type ControlAnswer, type ControlRequest, listFindings } from "../brain/control_requests.ts";
import { lockState, nextTerm, takenMessage } from "../brain/identity.ts";
import { isAlive, ownLock, SSH_COMMAND } from "../brain/join.ts";
import { translationOf } from "../brain/translation_change.ts";
import type { SelfBinary } from "../brain/settings.ts";
import type { Archive } from "../core/archive.ts";
import type { Endpoint } from "../core/endpoint.ts";
import { NO_RULES } from "../core/ignore.ts";
import { parsePair, printPair } from "../core/marks.ts";
import { showPath } from "../core/path.ts";
import type { Side } from "../core/problem.ts";
import { compileTranslation } from "../core/translation.ts";
import { TranslatedEndpoint } from "../endpoint/translated.ts";
import { LocalEndpoint } from "../endpoint/local.ts";
import { connectSsh } from "../endpoint/ssh.ts";
import { type Control, expectAnswer } from "./client.ts";

/** How often what is left of a psync that died is waited for, and how long each time. */
const ENDING_TRIES = 20;
const ENDING_POLL_MS = 500;
const CONNECT_TIMEOUT_MS = 15_000;

const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** What a pair is opened with. */
export interface DirectOptions {
  readonly stateDir: string;
  readonly self: SelfBinary;
  readonly clock: Clock;
  /** From the command line; null: as the last psync called it. */
  readonly sshCommand: string | null;
  readonly signal: AbortSignal;
}

/**
 * Opens a pair that no psync works on.
 * @throws {SetupError} where one does; {ArchiveError} for a broken archive.
 */
export function openDirect(pair: Pair, options: DirectOptions): Control {
  return new DirectControl(pair, openArchive(archivePath(options.stateDir, pair.id)), options);
}

class DirectControl implements Control {
  readonly #pair: Pair;
  readonly #archive: Archive;
  readonly #options: DirectOptions;
  readonly #endpoints = new Map<Side, Endpoint>();
  readonly #adopted = new Set<Side>();

  constructor(pair: Pair, archive: Archive, options: DirectOptions) {
    this.#pair = pair;
    this.#archive = archive;
    this.#options = options;
  }

  async ask<K extends ControlAnswer["kind"]>(
    request: ControlRequest,
    kind: K,
  ): Promise<Extract<ControlAnswer, { kind: K }>> {
    const isChange = request.kind !== "trash.list";
    const answer = await answerControl(request, {
      archive: this.#archive,
      endpoint: (side) => this.#endpoint(side, isChange),
      session: null,
    });
    return expectAnswer(answer, kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const side of this.#adopted) await this.#endpoints.get(side)?.releaseLock().catch(() => {}); // it ends anyway
      for (const endpoint of this.#endpoints.values()) await endpoint[Symbol.asyncDispose]();
    } finally {
      this.#archive[Symbol.dispose]();
    }
  }

  async #endpoint(side: Side, isChange: boolean): Promise<Endpoint> {
    const endpoint = this.#endpoints.get(side) ?? this.#translated(side, await this.#openUnlocked(side));
    this.#endpoints.set(side, endpoint);
    if (isChange && !this.#adopted.has(side)) {
      await this.#adopt(side, endpoint);
      this.#adopted.add(side);
    }
    return endpoint;
  }

  /** With the names that the last psync gave it. */
  #translated(side: Side, endpoint: Endpoint): Endpoint {
    const pairs = translationOf(this.#archive);
    if (pairs.length === 0) return endpoint;
    return new TranslatedEndpoint(endpoint, compileTranslation(pairs), { isRight: side === "right" });
  }

  /** Opens a root; where the end of a psync that died holds it still, it is waited for. */
  async #openUnlocked(side: Side): Promise<Endpoint> {
    const bootId = Deno.readTextFileSync(BOOT_ID).trim();
    for (let tries = 1;; tries++) {
      const endpoint = await this.#open(side);
      try {
        const { facts } = endpoint;
        if (facts.pairMarker === null || parsePair(facts.pairMarker) !== this.#pair.id) {
          throw new SetupError(
            `Cannot use "${showPath(facts.root)}" on ${
              showPath(facts.hostName)
            }: it is not the root that was synced; is it mounted?`,
          );
        }
        const state = lockState(facts, { bootId, isAlive });
        if (state.kind === "taken") throw new SetupError(takenMessage(facts, state.lock));
        if (state.kind === "free") return endpoint;
        if (tries === ENDING_TRIES) throw new SetupError("Cannot take the lock: an earlier psync is still ending");
      } catch (error) {
        await endpoint[Symbol.asyncDispose]();
        throw error;
      }
      await endpoint[Symbol.asyncDispose]();
      await this.#options.clock.sleep(ENDING_POLL_MS, this.#options.signal);
    }
  }

  async #open(side: Side): Promise<Endpoint> {
    const { self, clock, signal } = this.#options;
    const { leftRoot, rightRoot, rightHost } = this.#pair;
    if (side === "left" || rightHost === null) {
      const root = side === "left" ? leftRoot : rightRoot;
      return await LocalEndpoint.open({ root, rules: NO_RULES, nativePath: self.nativePath, clock });
    }
    const sshCommand = this.#options.sshCommand ?? this.#archive.meta(SSH_COMMAND);
    try {
      return await connectSsh({
        host: rightHost,
        root: rightRoot,
        rules: NO_RULES,
        self,
        nativePath: self.nativePath,
        clock,
        signal,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        ...(sshCommand === null ? {} : { sshCommand }),
      });
    } catch (error) {
      if (!(error instanceof EndpointLostError)) throw error;
      throw new SetupError(`Cannot reach the right root on ${showPath(rightHost)}: ${error.message}`, { cause: error });
    }
  }

  async #adopt(side: Side, endpoint: Endpoint): Promise<void> {
    const { facts } = endpoint;
    const term = nextTerm({ left: facts, right: facts }, Number(this.#archive.meta("term") ?? "0"));
    this.#archive.transact(() => this.#archive.setMeta("term", String(term)));
    const brain = { term, brainHost: Deno.hostname(), brainBoot: Deno.readTextFileSync(BOOT_ID).trim() };
    const marks = { pair: printPair(this.#pair.id), lock: ownLock(facts, brain), oldLock: facts.lock };
    const adopted = await endpoint.adopt(marks);
    recordRenewed(this.#archive, side, adopted);
    listFindings(this.#archive, side, adopted);
  }
}
