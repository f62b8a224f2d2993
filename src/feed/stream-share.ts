/** What comes from a JetStream stream, and what, as the stream does not store it, from core NATS. */
import type { StreamInfo } from 'nats';
import { stores } from './jetstream-stream.js';
import type { NatsSubjects } from './nats-subjects.js';

const MARKET_DATA = 'md.>';
const ANALYTICS = 'analytics.*';
/** What a stream may store besides market data. */
const OTHERS = ['orders.>', 'analytics.>', 'rooms.>'];

export class StreamShare {
  readonly #core: NatsSubjects;
  #stored: readonly string[] = [];
  /** True when the consumer gets every message of the stream, so that a hole in the stream's numbers is a loss. */
  readsAll = false;

  constructor(core: NatsSubjects) {
    this.#core = core;
  }

  /** What a consumer is to read of the stream: one consumer for all that it stores, as its order is one. */
  get filter(): string {
    return this.#stored.length > 0 ? '>' : MARKET_DATA;
  }

  isStored(subject: string): boolean {
    return subject.startsWith('md.') || this.#stored.some(pattern => subject.startsWith(pattern.slice(0, -1)));
  }

  /** Looks at what the stream stores. The rest of what is followed whoever listens comes from core NATS. */
  divide(info: StreamInfo): void {
    this.#stored = OTHERS.filter(pattern => stores(info, pattern));
    const subjects = info.config.subjects ?? [];
    const isMarketDataOnly = subjects.length > 0 && subjects.every(subject => subject.startsWith('md.'));
    this.readsAll = this.filter === '>' || isMarketDataOnly;
    if (this.isStored(ANALYTICS)) this.#core.unfollow(ANALYTICS);
    else void this.#core.follow(ANALYTICS);
  }

  /** What the stream stores is read all the time, whoever wants it. */
  interest(subject: string, wanted: boolean): Promise<void> | undefined {
    if (this.isStored(subject) || subject.startsWith('analytics.')) return undefined;
    return wanted ? this.#core.follow(subject) : this.#core.unfollow(subject);
  }
}
