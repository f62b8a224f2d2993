/** What was published on event topics, as the tests know it: by topic and epoch, in order of the sequences. */
import type { StreamPosition } from '../../src/protocol/stream-position.js';

export interface Published {
  readonly seq: number;
  /** What tells it from all others. */
  readonly id: string;
  /** False where the gateway has to refuse it. */
  readonly isValid: boolean;
}

/** One topic, since it last started over, and before. */
interface Topic {
  readonly epochs: Map<string, Published[]>;
  owed: Map<string, Published[]>;
  last: StreamPosition | undefined;
  epoch: string;
}

export class EventLog {
  readonly #topics = new Map<string, Topic>();

  add(name: string, epoch: string, published: Published): void {
    const topic = this.#topics.get(name) ?? { epochs: new Map(), owed: new Map(), last: undefined, epoch };
    this.#topics.set(name, topic);
    for (const epochs of [topic.epochs, topic.owed]) {
      const messages = epochs.get(epoch) ?? [];
      messages.push(published);
      epochs.set(epoch, messages);
    }
    if (topic.epoch !== epoch) topic.last = undefined;
    topic.epoch = epoch;
    topic.last = { epoch, seq: published.seq };
  }

  /** Clients are owed none of what was published so far; counting starts over. */
  end(name: string): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    topic.owed = new Map();
    topic.last = undefined;
  }

  find(name: string, { epoch, seq }: StreamPosition): Published | undefined {
    return this.#topics
      .get(name)
      ?.epochs.get(epoch)
      ?.find(published => published.seq === seq);
  }

  /** Messages that clients were to get, or to be told of, behind one position and before another of the same epoch. */
  between(name: string, epoch: string, after: number, before: number): readonly Published[] {
    const owed = this.#topics.get(name)?.owed.get(epoch) ?? [];
    return owed.filter(({ seq }) => seq > after && seq < before);
  }

  /** The newest message that clients were to get, or to be told of, in the newest epoch. */
  last(name: string): StreamPosition | undefined {
    return this.#topics.get(name)?.last;
  }

  /** True when the topic was at this position, in its present epoch. */
  hasBeenAt(name: string, { epoch, seq }: StreamPosition): boolean {
    const topic = this.#topics.get(name);
    const newest = topic?.owed.get(epoch)?.at(-1)?.seq ?? -1;
    return topic?.epoch === epoch && seq <= newest;
  }

  /** All positions of a topic that there ever were, refused messages' too. */
  positions(name: string): readonly StreamPosition[] {
    const epochs = [...(this.#topics.get(name)?.epochs ?? [])];
    return epochs.flatMap(([epoch, messages]) => messages.map(({ seq }) => ({ epoch, seq })));
  }
}
