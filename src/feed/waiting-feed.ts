/** A feed that waits at the start until its servers can be read. */
import { durationText } from '../config/duration.js';
import type {
  Clock,
  Feed,
  FeedHealth,
  FeedSink,
  PositionOutcome,
  PublishOutcome,
  StoredOutcome,
  StoredRange,
  UpstreamStats,
} from '../feed-contract/feed.js';
import type { FeedErrors } from '../feed-contract/feed-errors.js';
import {
  type FeedFailure,
  type FeedOutcome,
  failed,
  NOT_PUBLISHED,
  NOT_RUNNING,
} from '../feed-contract/feed-outcome.js';
import { FeedStarter } from './feed-starter.js';

/** While the reason stays the same, the log repeats it at this interval. */
export const WAITING_NOTE_MS = 30_000;

interface WaitingFeedOptions {
  readonly name: Feed['name'];
  readonly open: () => Feed;
  /** How long to wait, ms; 0: without end. */
  readonly timeoutMs: number;
  readonly errors: FeedErrors;
  readonly clock: Clock;
}

export class WaitingFeed implements Feed {
  readonly name: Feed['name'];
  readonly #options: WaitingFeedOptions;
  readonly #starter: FeedStarter;
  #feed: Feed | undefined;
  #isStopped = false;
  #noted = '';
  #notedMs = Number.NEGATIVE_INFINITY;

  constructor(options: WaitingFeedOptions) {
    this.name = options.name;
    this.#options = options;
    this.#starter = new FeedStarter(options);
  }

  /** Fails if a setting is unusable, or if the time is over. */
  async start(sink: FeedSink): Promise<FeedOutcome> {
    const { timeoutMs } = this.#options;
    const sinceMs = this.#nowMs();
    const leftMs = () => (timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs - (this.#nowMs() - sinceMs));
    const first = await this.#starter.attempt(sink);
    if (first.ok) return this.#started(first.feed);
    let failure: FeedFailure = first;
    const mayWait = (): boolean => {
      if (this.#isStopped) return false;
      this.#note(sink, failure, this.#nowMs() - sinceMs);
      return failure.code !== 'misconfigured' && leftMs() > 0;
    };
    if (!mayWait()) return this.#unstarted(failure);
    const feed = await this.#starter.retry(
      sink,
      latest => {
        failure = latest;
        return mayWait();
      },
      leftMs,
    );
    return feed === undefined ? this.#unstarted(failure) : this.#started(feed);
  }

  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome> {
    return this.#feed?.follow(subject, wanted) ?? NOT_RUNNING;
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    this.#feed?.deadLetter(subject, payload, reason);
  }

  async publish(subject: string, payload: Uint8Array, mark: string, key: string): Promise<PublishOutcome> {
    return this.#feed?.publish(subject, payload, mark, key) ?? NOT_PUBLISHED;
  }

  position(subject: string): PositionOutcome {
    return this.#feed?.position(subject) ?? NOT_RUNNING;
  }

  async stored(range: StoredRange): Promise<StoredOutcome> {
    return this.#feed?.stored(range) ?? NOT_RUNNING;
  }

  get health(): FeedHealth {
    const { errors } = this.#options;
    const nothing = { behind: 0, headersIgnored: 0, roundTripMs: undefined, queuedBytes: 0 };
    return { ...(this.#feed?.health ?? nothing), errors: errors.counts, ...errors.recoveries };
  }

  get stats(): UpstreamStats | undefined {
    return this.#feed?.stats;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#starter.end();
    await this.#feed?.stop();
  }

  #started(feed: Feed): FeedOutcome {
    this.#feed = feed;
    return { ok: true };
  }

  #unstarted(failure: FeedFailure): FeedFailure {
    const { timeoutMs } = this.#options;
    if (this.#isStopped) return NOT_RUNNING;
    if (failure.code === 'misconfigured') return failure;
    return failed(failure.code, `NATS_START_TIMEOUT=${durationText(timeoutMs)} is over: ${failure.detail}`);
  }

  #note(sink: FeedSink, { code, detail }: FeedFailure, waitedMs: number): void {
    const kind = code === 'refused' ? 'authorization' : 'connection';
    this.#options.errors.count(kind);
    const nowMs = this.#nowMs();
    if (detail === this.#noted && nowMs - this.#notedMs < WAITING_NOTE_MS) return;
    this.#noted = detail;
    this.#notedMs = nowMs;
    sink.notice?.(`not ready: waiting for NATS for ${Math.round(waitedMs / 1000)} s`, detail);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMicros() / 1000;
  }
}
