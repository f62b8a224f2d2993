/** The topics that streams of this client follow, each once, however many streams share it. */

import type { StreamPosition } from '../protocol/stream-position.js';
import { ALL_SYMBOLS, isStateStream, type Stream, topicOf } from '../protocol/topics.js';
import type { MillraceError } from './errors.js';
import type { Gap, Resync, Stale, Whole } from './frames.js';

/** What a stream learns about its topics. */
export interface Sink {
  /** The gateway now sends the topic, for the first time or again. */
  accepted(topic: Topic): void;
  /** The gateway refused the topic; unless it is retried, the stream has lost it. */
  refused(topic: Topic, error: MillraceError): void;
  /** A `StateChange` or `StreamEvent`. */
  item(item: object): void;
  gap(gap: Gap): void;
  resync(resync: Resync): void;
  /** @param change the old document, as the newest one there is; undefined if there is none */
  stale(stale: Stale, change: object | undefined): void;
  whole(whole: Whole): void;
  /** The client is closed; undefined if the application closed it. */
  ended(error: MillraceError | undefined): void;
}

export interface Topic {
  readonly stream: Stream;
  /** Symbol, channel or room; `*` for all trades, '' for the orders of the credential's user. */
  readonly name: string;
  readonly isState: boolean;
  /** The topic's name on the wire. For orders it is `orders:` until the gateway says whose they are. */
  wire: string;
  /** Levels of a depth topic: the most that any of its streams asked for. */
  levels: number | undefined;
  readonly sinks: Set<Sink>;
  /** `idle`: to be subscribed. `refused`: to be subscribed again later. */
  state: 'idle' | 'asked' | 'live' | 'refused';
  /** The gateway has sent it at some time. */
  wasLive: boolean;
  /** When anything about it last arrived, including heartbeats. */
  heardMicros: number | undefined;
  /** When a snapshot was last requested. */
  resyncMicros: number;
  /** For a held-back topic: its position in the heartbeat that last triggered a request for a snapshot. */
  staleAsked: StreamPosition | undefined;
}

/** For names from the gateway rather than from a stream: symbols of all trades, and whose the orders are. */
const GIVEN_WIRE_LENGTH_MAX = 640;

/** The key of the topic that includes this one, if there is one. */
function wholeOf(wire: string): string {
  if (wire.startsWith('trades:')) return topicOf('trades', ALL_SYMBOLS);
  return wire.startsWith('orders:') ? 'orders:' : wire;
}

export class TopicTable {
  readonly #topics = new Map<string, Topic>();
  /** Number of unanswered unsubscribes of a topic: its frames may still arrive. */
  readonly #leaving = new Map<string, number>();
  readonly #byWire = new Map<string, Topic>();

  /** All topics. */
  values(): IterableIterator<Topic> {
    return this.#topics.values();
  }

  find(stream: Stream, name: string): Topic | undefined {
    return this.#topics.get(topicOf(stream, name));
  }

  /** @param wire the name in frames */
  byWire(wire: string): Topic | undefined {
    return this.#byWire.get(wire);
  }

  /** True for a topic that streams follow, by its name or with all trades or orders. */
  isFollowed(wire: string): boolean {
    return this.#topics.has(wire) || (wire.length <= GIVEN_WIRE_LENGTH_MAX && this.#topics.has(wholeOf(wire)));
  }

  /** True while the gateway may still send frames of a topic that no stream follows. */
  isLeaving(wire: string): boolean {
    return this.#leaving.has(wire) || this.#leaving.has(wholeOf(wire));
  }

  /** An unsubscribe of these was sent (1) or answered (−1). */
  leaving(topics: readonly Topic[], change: 1 | -1): void {
    for (const { stream, name } of topics) {
      const key = topicOf(stream, name);
      const count = (this.#leaving.get(key) ?? 0) + change;
      if (count > 0) this.#leaving.set(key, count);
      else this.#leaving.delete(key);
    }
  }

  /** The connection is lost, with all requests. */
  down(): void {
    this.#leaving.clear();
    for (const topic of this.#topics.values()) topic.state = 'idle';
  }

  has(topic: Topic): boolean {
    return this.find(topic.stream, topic.name) === topic;
  }

  add(stream: Stream, name: string, levels: number | undefined): Topic {
    const wire = topicOf(stream, name);
    const topic: Topic = {
      stream,
      name,
      isState: isStateStream(stream),
      wire,
      levels,
      sinks: new Set(),
      state: 'idle',
      wasLive: false,
      heardMicros: undefined,
      resyncMicros: Number.NEGATIVE_INFINITY,
      staleAsked: undefined,
    };
    this.#topics.set(wire, topic);
    this.#byWire.set(wire, topic);
    return topic;
  }

  remove(topic: Topic): void {
    this.#topics.delete(topicOf(topic.stream, topic.name));
    this.#byWire.delete(topic.wire);
  }

  rename(topic: Topic, wire: string): void {
    this.#byWire.delete(topic.wire);
    topic.wire = wire;
    this.#byWire.set(wire, topic);
  }

  /**
   * Event topics to resume with `since`. All trades may be among them, but they are many chains and have no position. A
   * topic that is not subscribed yet may have a position through all trades, and must not resume from it.
   */
  resumable(): ReadonlySet<string> {
    const wires = new Set<string>();
    for (const topic of this.#topics.values()) {
      if (!topic.isState && topic.wasLive) wires.add(topic.wire);
    }
    return wires;
  }
}
