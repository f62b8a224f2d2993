/** The main thread's side of FIX: the sequence numbers of all sessions, and where they are kept. */
import { randomBytes } from 'node:crypto';
import { ConfigError } from './config/config-error.js';
import type { Config } from './config/environment.js';
import { connectNats } from './feed/nats-connection.js';
import { BucketEntries } from './fix/store/bucket-entries.js';
import type { Entries } from './fix/store/entries.js';
import { FolderEntries } from './fix/store/folder-entries.js';
import { MemoryEntries } from './fix/store/memory-entries.js';
import { NumberStore, sessionKey } from './fix/store/number-store.js';
import { UserSessions } from './fix/store/user-sessions.js';
import { type Logger, LogSampler } from './observe/log.js';
import { WallClock } from './protocol/wall-clock.js';
import type { FromFix, ToFix } from './threads/fix-messages.js';

const SAMPLE_LOG_MS = 1_000;
const HOLDER_BYTES = 8;

export class FixSide {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #sampler = new LogSampler(SAMPLE_LOG_MS);
  readonly #post: (message: ToFix) => void;
  #store: NumberStore | undefined;
  #sessions: UserSessions | undefined;
  #isTakeover = false;

  /** @param post to the FIX thread */
  constructor(config: Config, log: Logger, post: (message: ToFix) => void) {
    this.#config = config;
    this.#log = log;
    this.#post = post;
  }

  /**
   * Call before the FIX thread starts.
   * @param isTakeover another process has the port until this one serves
   * @throws {ConfigError} if the folder of FIX_STORE cannot be used
   */
  async open(isTakeover: boolean): Promise<void> {
    const { fix, nodeName } = this.#config;
    this.#isTakeover = isTakeover;
    if (fix === undefined) return;
    const clock = new WallClock();
    const nowMs = () => clock.nowMicros() / 1000;
    const entries = await this.#entries();
    const store = new NumberStore({
      entries,
      holder: `${nodeName} ${randomBytes(HOLDER_BYTES).toString('hex')}`,
      nowMs,
      resetTimeMs: fix.resetTimeMs,
      onLost: key => this.#post({ type: 'fix_lost', key }),
      onFault: (what, cause) => {
        const suppressed = this.#sampler.pass(what);
        if (suppressed !== undefined)
          this.#log.error({ what, err: cause, suppressed }, 'FIX sequence numbers unavailable');
      },
    });
    this.#store = store;
    this.#sessions = new UserSessions({
      entries,
      max: fix.compIdsPerUserMax,
      nowMs,
      removeSpare: key => store.removeSpare(key),
    });
  }

  /** A thread starts. */
  welcome(worker: number): void {
    if (this.#isTakeover && worker === this.#config.workers) this.#post({ type: 'fix_takeover' });
  }

  receive(message: FromFix): void {
    switch (message.type) {
      case 'fix_open':
        void this.#open(message);
        break;
      case 'fix_save':
        for (const [key, nextIn, nextOut] of message.sessions) this.#store?.save(key, { nextIn, nextOut });
        break;
      case 'fix_release':
        void this.#store?.release(message.key, message);
    }
  }

  /** Writes what is open as released. */
  async close(): Promise<void> {
    await this.#store?.close();
  }

  async #open({ id, senderCompId, user }: Extract<FromFix, { type: 'fix_open' }>): Promise<void> {
    const key = sessionKey(senderCompId, user);
    const outcome = await this.#store?.open(key, senderCompId, () => this.#whyNot(user, key));
    const numbers = outcome?.ok === true ? outcome.numbers : undefined;
    const detail = outcome?.ok === false ? outcome.detail : '';
    const isFull = outcome?.ok === false && outcome.code === 'full';
    this.#post({ type: 'fix_opened', id, key, numbers, detail, isFull });
  }

  /** Why a user may not begin another session. */
  async #whyNot(user: string, key: string): Promise<string | undefined> {
    if ((await this.#sessions?.admit(user, key)) !== false) return undefined;
    const { compIdsPerUserMax = 0, resetTimeMs } = this.#config.fix ?? {};
    const later = resetTimeMs === undefined ? '' : ', or with a new one after the daily reset';
    return `too many SenderCompIDs of this user, at most ${compIdsPerUserMax}; log on with one that was used before${later}`;
  }

  async #entries(): Promise<Entries> {
    const { fix, nats, nodeName } = this.#config;
    const store = fix?.store;
    if (store === undefined) return new MemoryEntries();
    if ('bucket' in store) {
      return new BucketEntries(() => connectNats(nats, `${nodeName}-fix`), store.bucket, nats.jsApiPrefix);
    }
    try {
      return await FolderEntries.open(store.folder);
    } catch (cause) {
      throw new ConfigError(`FIX_STORE=${store.folder}: ${(cause as Error).message}`, { cause });
    }
  }
}
