/**
 * Bounds the sessions of one user whose numbers are kept: whoever logs on with ever new SenderCompIDs must not fill the store. The
 * names of a user's sessions are an entry of their own. Beyond the bound, sessions make room whose numbers mean nothing any more;
 * others stay, because their clients count on them.
 */
import { createHash } from 'node:crypto';
import type { Entries } from './entries.js';

/** How long a session that was noted may be without an entry. */
const OPENING_MS_MAX = 60_000;
/** Sessions read at once, at most, to find some that can be removed; the next time, those behind them. */
const READ_MAX = 64;
/** Sessions removed at once, at most. */
const REMOVED_MAX = 16;
/** Attempts to write the names while other gateways write them. */
const ATTEMPTS_MAX = 5;

/** A session, and when it was noted, ms since the Unix epoch. */
type Named = readonly [key: string, notedMs: number];

interface UserSessionsOptions {
  readonly entries: Entries;
  /** Sessions of one user. */
  readonly max: number;
  /** Ms since the Unix epoch. */
  readonly nowMs: () => number;
  /** Removes a session's entry if its numbers mean nothing any more. */
  readonly removeSpare: (key: string) => Promise<'removed' | 'absent' | 'kept'>;
}

export class UserSessions {
  readonly #options: UserSessionsOptions;
  /** One at a time: an entry of a folder has no revision that would tell of others. */
  #last: Promise<unknown> = Promise.resolve();
  /** Sessions read so far to find some that can be removed. */
  #read = 0;

  constructor(options: UserSessionsOptions) {
    this.#options = options;
  }

  /** Notes a session that has no entry yet. @returns false if the user has too many. @throws {Error} if they cannot be read or written */
  admit(user: string, key: string): Promise<boolean> {
    const admitted = this.#last.then(() => this.#admit(namesKey(user), key));
    this.#last = admitted.catch(() => undefined);
    return admitted;
  }

  async #admit(namesAt: string, key: string): Promise<boolean> {
    const { entries, max, nowMs } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const entry = await entries.read(namesAt);
      let names = entry === undefined ? [] : (JSON.parse(entry.text) as readonly Named[]);
      const known = names.find(([name]) => name === key);
      if (known !== undefined) {
        if (nowMs() - known[1] < OPENING_MS_MAX / 2) return true;
        // Its entry is gone. Noted again, no other gateway takes it for a spare one before there is a new entry.
        names = names.filter(named => named !== known);
      } else if (names.length >= max) names = await this.#withoutSpare(names);
      if (known === undefined && names.length >= max) return false;
      const written = await entries.write(namesAt, JSON.stringify([...names, [key, nowMs()]]), entry?.revision);
      if (written !== undefined) return true;
    }
    throw new Error('the names of the sessions of a user are written too often by others');
  }

  async #withoutSpare(names: readonly Named[]): Promise<Named[]> {
    const { nowMs, removeSpare } = this.#options;
    const spare = new Set<Named>();
    for (let read = 0; read < Math.min(READ_MAX, names.length) && spare.size < REMOVED_MAX; read++) {
      const named = names[this.#read++ % names.length] as Named;
      const [key, notedMs] = named;
      const outcome = await removeSpare(key);
      const isOpening = outcome === 'absent' && nowMs() - notedMs < OPENING_MS_MAX;
      if (outcome !== 'kept' && !isOpening) spare.add(named);
    }
    return names.filter(named => !spare.has(named));
  }
}

/** No name of a session has a dot. */
function namesKey(user: string): string {
  return `user.${createHash('sha256').update(user).digest('hex').slice(0, 24)}`;
}
