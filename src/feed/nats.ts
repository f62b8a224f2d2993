import type {
  Feed,
  FeedHealth,
  FeedSink,
  FeedStatus,
  PositionOutcome,
  PublishOutcome,
  StoredOutcome,
} from '../feed-contract/feed.js';
import { DONE, type FeedOutcome, failed, NOT_PUBLISHED, NOT_RUNNING } from '../feed-contract/feed-outcome.js';
import { NatsLink, type NatsLinkOptions } from './nats-link.js';

const MARKET_DATA = 'md.>';
const ANALYTICS = 'analytics.*';
const NOT_STORED = failed('not_stored', 'core NATS stores nothing');

/**
 * Core NATS. Always follows `md.>` and `analytics.*`, so that snapshots and missed events are ready for new clients,
 * and follows `orders.<user>` and `rooms.<room>` on demand. `seq` and `epoch` are the publisher's own (headers `Seq`,
 * `Epoch`), if it sends them. Reconnects forever.
 */
export class NatsFeed implements Feed {
  readonly name = 'nats';
  readonly #options: NatsLinkOptions;
  /** Undefined before the start and after the stop. */
  #link: NatsLink | undefined;
  #hasStarted = false;
  #isStopped = false;
  /** Undefined before the start and after the stop: nothing reaches it then. */
  #sink: FeedSink | undefined;

  constructor(options: NatsLinkOptions) {
    this.#options = options;
  }

  async start(sink: FeedSink): Promise<FeedOutcome> {
    const opened = await NatsLink.open(this.#options, sink, {
      disconnected: detail => this.#say('stale', detail),
      reconnected: () => this.#reconnected(),
      subjectChanged: (subject, refusal) => this.#subjectChanged(subject, refusal),
    });
    if (!opened.ok) return opened;
    const { link } = opened;
    this.#link = link;
    this.#sink = sink;
    if (this.#isStopped) return this.#unstarted(NOT_RUNNING);
    void link.subjects.follow(ANALYTICS);
    const outcome = await link.subjects.follow(MARKET_DATA);
    if (!outcome.ok) {
      return this.#unstarted(failed(outcome.code, `cannot subscribe to ${MARKET_DATA} at NATS: ${outcome.detail}`));
    }
    this.#hasStarted = true;
    if (link.isConnected) this.#say('live', `connected to ${link.server}`);
    else this.#say('stale', 'disconnected from NATS');
    return DONE;
  }

  /** Market data is always followed; if the server refuses it, the whole feed is stale. */
  follow(subject: string, wanted: boolean): FeedOutcome | Promise<FeedOutcome> {
    const subjects = this.#link?.subjects;
    if (subjects === undefined) return NOT_RUNNING;
    if (subject.startsWith('md.')) return DONE;
    if (!subject.startsWith('analytics.')) return wanted ? subjects.follow(subject) : subjects.unfollow(subject);
    const refusal = subjects.refusalOf(ANALYTICS);
    return refusal === undefined ? DONE : failed('refused', refusal);
  }

  deadLetter(subject: string, payload: Uint8Array, reason: string): void {
    this.#link?.deadLetter(subject, payload, reason);
  }

  async publish(subject: string, payload: Uint8Array, mark: string): Promise<PublishOutcome> {
    return this.#link?.subjects.publish(subject, payload, mark) ?? NOT_PUBLISHED;
  }

  position(): PositionOutcome {
    return NOT_STORED;
  }

  async stored(): Promise<StoredOutcome> {
    return NOT_STORED;
  }

  get health(): FeedHealth | undefined {
    return this.#link?.health;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#sink = undefined;
    const link = this.#link;
    this.#link = undefined;
    await link?.stop();
  }

  async #unstarted(outcome: FeedOutcome): Promise<FeedOutcome> {
    await this.stop();
    return outcome;
  }

  /** If the start has not succeeded, its outcome says so. */
  #say(status: FeedStatus, detail: string): void {
    if (this.#hasStarted) this.#sink?.status(status, detail);
  }

  #reconnected(): void {
    const refusal = this.#link?.subjects.refusalOf(MARKET_DATA);
    if (refusal === undefined) this.#say('live', `reconnected to ${this.#link?.server}`);
    else this.#say('stale', `subscription to ${MARKET_DATA} refused: ${refusal}`);
  }

  #subjectChanged(subject: string, refusal: string): void {
    if (subject !== MARKET_DATA) return;
    if (refusal !== '') this.#say('stale', `subscription to ${MARKET_DATA} refused: ${refusal}`);
    else if (this.#link?.isConnected === true) this.#say('live', `${MARKET_DATA} is followed again`);
  }
}
