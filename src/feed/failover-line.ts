/** One of the two upstreams of a failover feed. Stays connected, and retries until it has started. */

import assert from 'node:assert/strict';
import type { Clock, Feed, FeedMessage, FeedSink, Respond } from '../feed-contract/feed.js';
import { type FeedOutcome, NOT_RUNNING } from '../feed-contract/feed-outcome.js';
import type { UpstreamIndex, UpstreamState } from './failover-policy.js';
import { FeedStarter } from './feed-starter.js';

/** Most messages an upstream may lag behind its stream before a switch back: older values would replace newer ones. */
const BEHIND_MAX = 256;

/** What a line reports. */
export interface LineOwner {
  message(line: FailoverLine, message: FeedMessage): void;
  status(line: FailoverLine, detail: string): void;
  control(subject: string, payload: Uint8Array, respond?: Respond): void;
  notice(what: string, detail: string): void;
  gap(line: FailoverLine, subject: string): void;
}

interface LineOptions {
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
  readonly #starter: FeedStarter;
  #isStarting = false;
  #isStopped = false;

  constructor(options: LineOptions) {
    this.#options = options;
    this.name = options.name;
    this.index = options.index;
    this.#starter = new FeedStarter(options);
  }

  /** The upstream's state, for a check. */
  check(nowMicros: number): UpstreamState {
    if (this.delivered !== this.#deliveredBefore) this.lastMessageMicros = nowMicros;
    this.#deliveredBefore = this.delivered;
    const { isLive, delivered } = this;
    return { isLive, delivered, isBehind: (this.feed?.health?.behind ?? 0) > BEHIND_MAX };
  }

  /** One attempt; call `keepTrying` if it fails. */
  async start(): Promise<FeedOutcome> {
    const outcome = await this.#starter.attempt(this.#sink());
    if (outcome.ok) this.#started(outcome.feed);
    else this.isLive = false;
    return outcome;
  }

  /** Starts in the background, however long it takes. */
  keepTrying(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    void this.#keepTrying();
  }

  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome> {
    if (wanted) this.#wanted.add(subject);
    else this.#wanted.delete(subject);
    return this.feed?.follow(subject, wanted) ?? NOT_RUNNING;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    // An attempt that is connecting notices by itself, and nothing of it reaches the owner.
    await this.#starter.end();
    await this.feed?.stop();
  }

  #started(feed: Feed): void {
    assert(this.feed === undefined, 'a line starts once');
    this.feed = feed;
    for (const subject of this.#wanted) void feed.follow(subject, true);
  }

  async #keepTrying(): Promise<void> {
    let noted = '';
    const feed = await this.#starter.retry(this.#sink(), ({ detail }) => {
      this.isLive = false;
      if (detail !== noted) this.#options.owner.notice(`the ${this.name} upstream cannot be read`, detail);
      noted = detail;
      return true;
    });
    if (feed !== undefined) this.#started(feed);
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
      gap: subject => owner.gap(this, subject),
    };
  }
}
