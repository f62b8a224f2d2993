/** One of the two upstreams of a failover feed. Stays connected, and retries until it has started. */

import { textOf } from './error-text.js';
import type { UpstreamIndex, UpstreamState } from './failover-policy.js';
import { type Clock, type Feed, type FeedMessage, type FeedSink, RETRY_DELAY_MS_MAX, type Respond } from './feed.js';
import type { FeedOutcome } from './feed-outcome.js';

const RETRY_DELAY_MS_MIN = 500;
/** Most messages an upstream may lag behind its stream before a switch back: older values would replace newer ones. */
const BEHIND_MAX = 256;

/** What a line reports. */
export interface LineOwner {
  message(line: FailoverLine, message: FeedMessage): void;
  status(line: FailoverLine, detail: string): void;
  control(subject: string, payload: Uint8Array, respond?: Respond): void;
  notice(what: string, detail: string): void;
}

export interface LineOptions {
  readonly name: 'primary' | 'backup';
  readonly index: UpstreamIndex;
  /** Creates a feed for each attempt: a feed that failed to start cannot be reused. */
  readonly open: () => Feed;
  readonly owner: LineOwner;
  readonly clock: Clock;
}

export class FailoverLine {
  readonly name: LineOptions['name'];
  readonly index: UpstreamIndex;
  readonly #options: LineOptions;
  /** Undefined until it has started. */
  feed: Feed | undefined;
  isLive = false;
  delivered = 0;
  /** When a check last found new messages; 0 before the first. */
  lastMessageMicros = 0;
  #deliveredBefore = 0;
  /** Subjects in demand, for a feed that starts later. */
  readonly #wanted = new Set<string>();
  #starting: Promise<void> | undefined;
  #isStopped = false;
  #endWait: (() => void) | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    this.name = options.name;
    this.index = options.index;
  }

  /** The upstream's state, for a check. */
  check(nowMicros: number): UpstreamState {
    if (this.delivered !== this.#deliveredBefore) this.lastMessageMicros = nowMicros;
    this.#deliveredBefore = this.delivered;
    const { isLive, delivered } = this;
    return { isLive, delivered, isBehind: (this.feed?.behind?.() ?? 0) > BEHIND_MAX };
  }

  /** @throws {Error} if the upstream cannot be reached; call `keepTrying` to retry. */
  async start(): Promise<void> {
    const feed = this.#options.open();
    try {
      await feed.start(this.#sink());
    } catch (error) {
      this.isLive = false;
      throw error;
    }
    if (this.#isStopped) return feed.stop();
    this.feed = feed;
    for (const subject of this.#wanted) feed.interest(subject, true);
  }

  /** Starts in the background, however long it takes. */
  keepTrying(): void {
    this.#starting ??= this.#tryOn();
  }

  interest(subject: string, wanted: boolean): Promise<FeedOutcome> | undefined {
    if (wanted) this.#wanted.add(subject);
    else this.#wanted.delete(subject);
    return this.feed?.interest(subject, wanted);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endWait?.();
    await this.#starting;
    await this.feed?.stop();
  }

  async #tryOn(): Promise<void> {
    let delayMs = RETRY_DELAY_MS_MIN;
    let failure = '';
    while (!this.#isStopped) {
      await this.#wait(delayMs);
      delayMs = Math.min(RETRY_DELAY_MS_MAX, delayMs * 2);
      if (this.#isStopped) return;
      try {
        await this.start();
        return;
      } catch (error) {
        const text = textOf(error);
        if (text !== failure) this.#options.owner.notice(`the ${this.name} upstream cannot be read`, text);
        failure = text;
      }
    }
  }

  #wait(delayMs: number): Promise<void> {
    const { clock } = this.#options;
    return new Promise(resolve => {
      const timer = clock.setTimeout(resolve, delayMs);
      this.#endWait = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  #sink(): FeedSink {
    const { owner } = this.#options;
    return {
      message: message => {
        this.delivered++;
        if (!this.#isStopped) owner.message(this, message);
      },
      status: (status, detail) => {
        this.isLive = status === 'live';
        if (!this.#isStopped) owner.status(this, detail);
      },
      control: (subject, payload, respond) => owner.control(subject, payload, respond),
      notice: (what, detail) => owner.notice(what, `${this.name}: ${detail}`),
    };
  }
}
