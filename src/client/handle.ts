/** One stream's share in the topics of its client. */
import { ALL_SYMBOLS, type Stream } from '../protocol/topics.js';
import type { TopicChains } from './chain.js';
import type { WholeClock } from './clock.js';
import type { Delivery } from './delivery.js';
import type { Stale } from './frames.js';
import type { Lease } from './stream.js';
import type { Subscriber } from './subscriber.js';
import type { Sink, Topic, TopicTable } from './topic-table.js';

export interface HandleParts {
  readonly table: TopicTable;
  readonly subscriber: Subscriber;
  readonly chains: TopicChains;
  readonly delivery: Delivery;
  readonly clock: WholeClock;
}

export class Handle implements Lease {
  readonly #topics = new Set<Topic>();
  readonly #parts: HandleParts;
  readonly #sink: Sink;
  readonly #stream: Stream;

  constructor(parts: HandleParts, sink: Sink, stream: Stream, names: readonly string[], levels: number | undefined) {
    this.#parts = parts;
    this.#sink = sink;
    this.#stream = stream;
    for (const name of stream === 'trades' && names.includes(ALL_SYMBOLS) ? [ALL_SYMBOLS] : names) {
      this.#topics.add(this.#join(name, levels));
    }
  }

  get topics(): ReadonlySet<Topic> {
    return this.#topics;
  }

  drop(topic: Topic): void {
    this.#topics.delete(topic);
    topic.sinks.delete(this.#sink);
  }

  release(): void {
    const left: Topic[] = [];
    for (const topic of this.#topics) {
      topic.sinks.delete(this.#sink);
      if (topic.sinks.size === 0) left.push(topic);
    }
    this.#topics.clear();
    this.#parts.subscriber.leave(left);
  }

  current(): readonly object[] {
    const changes: object[] = [];
    for (const topic of this.#topics) {
      const change = this.#parts.delivery.current(topic);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  documentOf(symbol: string): unknown {
    const topic = this.#parts.table.find(this.#stream, symbol);
    return topic !== undefined && this.#topics.has(topic) ? this.#parts.chains.documentOf(topic.wire) : undefined;
  }

  stale(): readonly Stale[] {
    const all: Stale[] = [];
    for (const topic of this.#topics) {
      const stale = this.#parts.delivery.staleOf(topic);
      if (stale !== undefined) all.push(stale);
    }
    return all;
  }

  isStale(symbol: string): boolean {
    const topic = this.#parts.table.find(this.#stream, symbol);
    return topic !== undefined && this.#topics.has(topic) && this.#parts.chains.staleness(topic.wire) !== undefined;
  }

  stalenessMs(name: string | undefined): number | undefined {
    let heardMicros: number | undefined;
    for (const topic of this.#topics) {
      if (name !== undefined && topic.name !== name) continue;
      if (topic.heardMicros !== undefined) heardMicros = Math.max(topic.heardMicros, heardMicros ?? 0);
    }
    if (heardMicros === undefined) return undefined;
    return Math.max(0, (this.#parts.clock.monotonicMicros() - heardMicros) / 1000);
  }

  #join(name: string, levels: number | undefined): Topic {
    const { table, subscriber } = this.#parts;
    const shared = table.find(this.#stream, name);
    const topic = shared ?? table.add(this.#stream, name, levels);
    const isDeeper = levels !== undefined && levels > (topic.levels ?? 0);
    if (isDeeper) topic.levels = levels;
    if (shared === undefined || isDeeper) subscriber.want(topic);
    topic.sinks.add(this.#sink);
    return topic;
  }
}
