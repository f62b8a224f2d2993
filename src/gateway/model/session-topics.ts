/** What a session is subscribed to, and how far it was sent the state topics that it left. */
import assert from 'node:assert/strict';
import { BoundedMap } from '../../protocol/bounded-map.js';
import type { StreamPosition } from '../../protocol/stream-position.js';

/** Maximum topics a session left whose positions are remembered; the oldest are evicted first. */
const LEFT_TOPICS_MAX = 128;

/**
 * Only this class writes its fields, and only subscriptions/ calls what writes.
 * @typeParam Item a subscription (session.ts), which knows its session
 */
export class SessionTopics<Item extends { readonly topic: string }> {
  readonly #byTopic = new Map<string, Item>();
  #left: BoundedMap<string, StreamPosition> | undefined;

  get size(): number {
    return this.#byTopic.size;
  }

  has(topic: string): boolean {
    return this.#byTopic.has(topic);
  }

  get(topic: string): Item | undefined {
    return this.#byTopic.get(topic);
  }

  /** In the order in which they were added. The current one may be deleted while iterating. */
  values(): IterableIterator<Item> {
    return this.#byTopic.values();
  }

  add(item: Item): void {
    assert(!this.has(item.topic), 'a session has one subscription per topic');
    this.#byTopic.set(item.topic, item);
  }

  delete(item: Item): void {
    assert(this.get(item.topic) === item, 'only a current subscription ends');
    this.#byTopic.delete(item.topic);
  }

  /** Moves these behind all others. */
  moveToEnd(items: readonly Item[]): void {
    for (const item of items) {
      this.delete(item);
      this.add(item);
    }
  }

  /** The session leaves a state topic and may return to it. @param sent how far it was sent the topic */
  leave(topic: string, sent: StreamPosition): void {
    this.#left ??= new BoundedMap(LEFT_TOPICS_MAX);
    this.#left.set(topic, sent);
  }

  /** Takes the position at which it left the topic, and forgets it. */
  takeLeft(topic: string): StreamPosition | undefined {
    const sent = this.#left?.get(topic);
    this.#left?.delete(topic);
    return sent;
  }
}
