/**
 * The sequence numbers of all sessions, for longer than their connections last. While a session is open, the entry is
 * ahead of it: after a crash its next message has a number that was never used, and the client fills the hole as it
 * fills any other. Where gateways share the entries, one of them holds a session at a time.
 */
import { createHash } from 'node:crypto';
import { FIRST_NUMBERS, type SessionNumbers } from '../session/numbers.js';
import { lastReset } from './daily-reset.js';
import type { Entries } from './entries.js';

/** How far an entry is ahead of its open session: several seconds of messages at full speed. */
export const AHEAD = 20_000;
/** How long a session belongs to a gateway that does not renew it. */
export const HELD_MS = 15_000;
const RENEW_MS = 5_000;
/** Numbers that were not used for so long may make room for others. */
export const UNUSED_MS = 30 * 86_400_000;

type OpenOutcome =
  | { readonly ok: true; readonly numbers: SessionNumbers }
  | { readonly ok: false; readonly code: 'held' | 'full' | 'unavailable'; readonly detail: string };

interface StoredNumbers extends SessionNumbers {
  readonly senderCompId: string;
  /** The reset that these numbers began with, ms since the Unix epoch. */
  readonly resetMs: number;
  /** The gateway that has the session open, and until when unless it renews that. */
  readonly holder?: string;
  readonly heldUntilMs?: number;
  /** When it was written. */
  readonly usedMs?: number;
}

interface OpenSession {
  readonly senderCompId: string;
  readonly resetMs: number;
  revision: number | undefined;
  numbers: SessionNumbers;
  saved: SessionNumbers;
  savedAtMs: number;
  writing: Promise<void> | undefined;
  /** Its numbers are final. It stays here while they cannot be written. */
  isClosed: boolean;
}

interface NumberStoreOptions {
  readonly entries: Entries;
  /** Names this run of this gateway. */
  readonly holder: string;
  /** Ms since the Unix epoch. */
  readonly nowMs: () => number;
  /** Ms after midnight UTC; undefined: no daily reset. */
  readonly resetTimeMs: number | undefined;
  /** Another gateway has taken the session. */
  readonly onLost: (key: string) => void;
  readonly onFault: (what: string, cause: unknown) => void;
}

/** The name of a session's entry. Users who choose the same CompID have sessions of their own. */
export function sessionKey(senderCompId: string, user: string): string {
  const hash = createHash('sha256').update(`${senderCompId}\0${user}`).digest('hex');
  return `${senderCompId.replaceAll(/[^\w-]/g, '_')}-${hash.slice(0, 24)}`;
}

function currentNumbers(stored: StoredNumbers | undefined, resetMs: number): SessionNumbers {
  return stored === undefined || stored.resetMs < resetMs
    ? FIRST_NUMBERS
    : { nextIn: stored.nextIn, nextOut: stored.nextOut };
}

export class NumberStore {
  readonly #options: NumberStoreOptions;
  readonly #open = new Map<string, OpenSession>();
  /** Sessions that `open` works on. */
  readonly #opening = new Set<string>();

  constructor(options: NumberStoreOptions) {
    this.#options = options;
  }

  /**
   * Takes a session. It is this gateway's until `release`, or until another one has taken it. Never rejects.
   * @param whyNot asked for a session that has no entry yet: why it may not have one; undefined: it may
   */
  async open(
    key: string,
    senderCompId: string,
    whyNot: () => Promise<string | undefined> = async () => undefined,
  ): Promise<OpenOutcome> {
    const { entries, nowMs, resetTimeMs, holder } = this.#options;
    this.#opening.add(key);
    try {
      // An earlier connection may still be writing, and release the session after that.
      for (let writing = this.#open.get(key)?.writing; writing !== undefined; ) {
        await writing;
        writing = this.#open.get(key)?.writing;
      }
      const entry = await entries.read(key);
      const stored = entry === undefined ? undefined : (JSON.parse(entry.text) as StoredNumbers);
      const heldMs = (stored?.heldUntilMs ?? 0) - nowMs();
      if (entries.areShared && stored?.holder !== undefined && stored.holder !== holder && heldMs > 0) {
        const detail = `another gateway has this session; log on again in ${Math.ceil(heldMs / 1000)} s`;
        return { ok: false, code: 'held', detail };
      }
      const full = entry === undefined && !this.#open.has(key) ? await whyNot() : undefined;
      if (full !== undefined) return { ok: false, code: 'full', detail: full };
      const lastResetMs = lastReset(nowMs(), resetTimeMs);
      const resetMs = Number.isFinite(lastResetMs) ? lastResetMs : 0;
      const numbers = this.#unwritten(key, entry?.revision, resetMs) ?? currentNumbers(stored, resetMs);
      const session: OpenSession = {
        senderCompId,
        resetMs,
        revision: entry?.revision,
        numbers,
        saved: FIRST_NUMBERS,
        savedAtMs: 0,
        writing: undefined,
        isClosed: false,
      };
      if (!(await this.#write(key, session, true))) {
        return {
          ok: false,
          code: 'held',
          detail: 'another gateway has just taken this session; log on here once it has ended there',
        };
      }
      this.#open.set(key, session);
      return { ok: true, numbers };
    } catch (cause) {
      this.#options.onFault('cannot read or write sequence numbers', cause);
      return { ok: false, code: 'unavailable', detail: 'sequence numbers are unavailable; log on again later' };
    } finally {
      this.#opening.delete(key);
    }
  }

  /** Removes the entry of a session whose numbers mean nothing any more. @throws {Error} if it cannot be read or removed */
  async removeSpare(key: string): Promise<'removed' | 'absent' | 'kept'> {
    const { entries, nowMs, resetTimeMs } = this.#options;
    const entry = await entries.read(key);
    if (this.#open.has(key) || this.#opening.has(key)) return 'kept';
    if (entry === undefined) return 'absent';
    const { heldUntilMs = 0, usedMs = Number.POSITIVE_INFINITY, ...stored } = JSON.parse(entry.text) as StoredNumbers;
    if (entries.areShared && heldUntilMs > nowMs()) return 'kept';
    const isReset = stored.resetMs < lastReset(nowMs(), resetTimeMs);
    const isNew = stored.nextIn === FIRST_NUMBERS.nextIn && stored.nextOut === FIRST_NUMBERS.nextOut;
    const isSpare = isReset || isNew || nowMs() - usedMs > UNUSED_MS;
    return isSpare && (await entries.remove(key, entry.revision)) ? 'removed' : 'kept';
  }

  /** Numbers of a session that ended while its entry could not be written, unless another gateway has written it since. */
  #unwritten(key: string, revision: number | undefined, resetMs: number): SessionNumbers | undefined {
    const session = this.#open.get(key);
    if (session?.isClosed !== true || session.resetMs < resetMs) return undefined;
    const isOurs = !this.#options.entries.areShared || session.revision === revision;
    return isOurs ? session.numbers : undefined;
  }

  /** The numbers of an open session now. Call every second or so, also if they are the same. */
  save(key: string, numbers: SessionNumbers): void {
    const session = this.#open.get(key);
    if (session === undefined) return;
    session.numbers = numbers;
    if (session.writing !== undefined) return;
    const { saved, savedAtMs } = session;
    const isAhead = saved.nextIn === numbers.nextIn && saved.nextOut - numbers.nextOut > AHEAD / 2;
    const isHeld = !this.#options.entries.areShared || this.#options.nowMs() - savedAtMs < RENEW_MS;
    if (!isAhead || !isHeld || numbers.nextOut < saved.nextOut - AHEAD) this.#writeSoon(key, session);
  }

  /** The session is closed, with these numbers. Resolves once they are written; never rejects. */
  async release(key: string, numbers: SessionNumbers): Promise<void> {
    const session = this.#open.get(key);
    if (session === undefined) return;
    session.numbers = numbers;
    session.isClosed = true;
    await session.writing;
    // It may have been lost, or opened again.
    if (this.#open.get(key) !== session) return;
    session.writing = this.#write(key, session, false)
      .then(isOurs => {
        if (isOurs && this.#open.get(key) === session) this.#open.delete(key);
      })
      .catch((cause: unknown) => this.#options.onFault('cannot write sequence numbers', cause))
      .finally(() => {
        session.writing = undefined;
      });
    await session.writing;
  }

  /** Writes all sessions that are still open, as released. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map(([key, { numbers }]) => this.release(key, numbers)));
    await this.#options.entries.close();
  }

  #writeSoon(key: string, session: OpenSession): void {
    session.writing = this.#write(key, session, true)
      .then(isOurs => {
        if (isOurs || this.#open.get(key) !== session) return;
        this.#open.delete(key);
        this.#options.onLost(key);
      })
      .catch((cause: unknown) => this.#options.onFault('cannot write sequence numbers', cause))
      .finally(() => {
        session.writing = undefined;
      });
  }

  /** @returns false if another gateway has written the entry */
  async #write(key: string, session: OpenSession, isOpen: boolean): Promise<boolean> {
    const { entries, holder, nowMs } = this.#options;
    const { senderCompId, resetMs, numbers } = session;
    const nextOut = isOpen ? numbers.nextOut + AHEAD : numbers.nextOut;
    const stored: StoredNumbers = {
      senderCompId,
      nextIn: numbers.nextIn,
      nextOut,
      resetMs,
      usedMs: nowMs(),
      ...(isOpen ? { holder, heldUntilMs: nowMs() + HELD_MS } : {}),
    };
    const text = JSON.stringify(stored);
    let revision = await entries.write(key, text, session.revision);
    // Without an entry, the store was emptied, or made again: no other gateway has the session.
    const isGone = revision === undefined && session.revision !== undefined && (await entries.read(key)) === undefined;
    if (isGone) revision = await entries.write(key, text, undefined);
    if (revision === undefined) return false;
    session.revision = revision;
    session.saved = { nextIn: numbers.nextIn, nextOut };
    session.savedAtMs = nowMs();
    return true;
  }
}
