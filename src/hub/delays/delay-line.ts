/** Everything that is held back for one delay. */
import { Cursor } from '../../threads/cursor.js';
import { CapturePace } from './capture-pace.js';
import { type DelayMemory, DelayQueue } from './delay-queue.js';
import type { HeldTopic } from './held-topic.js';

/** How often a line captures documents and releases what is due. */
export const TICK_MS = 100;
/** A document is captured at most this often. */
const CAPTURE_INTERVAL_MS = 1_000;
/** Documents captured per tick: writing one takes an encoder some 20 µs, during which its live messages wait. */
const CAPTURES_MAX = 50;
/** Topics that one tick looks at. */
const VISITS_MAX = 5_000;
/** A capture that is not answered by then is asked for again: its encoder died. */
const ANSWER_MICROS_MAX = 5_000_000;
const RECORD_BYTES = 64;

export class DelayLine {
  readonly delayMicros: number;
  readonly states: DelayQueue;
  readonly events: DelayQueue;
  /** Its state topics. */
  readonly #topics = new Set<HeldTopic>();
  readonly #cursor = new Cursor(this.#topics);
  readonly #pace: CapturePace;

  /** @param stateBytes of `states` that this delay may plan with */
  constructor(delayMs: number, states: DelayMemory, events: DelayMemory, stateBytes: number) {
    this.delayMicros = delayMs * 1000;
    this.states = new DelayQueue(states);
    this.events = new DelayQueue(events);
    this.#pace = new CapturePace(stateBytes, delayMs, TICK_MS);
  }

  add(topic: HeldTopic): void {
    this.#topics.add(topic);
  }

  delete(topic: HeldTopic): void {
    this.#topics.delete(topic);
  }

  /** Requests, in turn, the documents of topics that have changed since their last capture. */
  capture(nowMicros: number, ask: (topic: HeldTopic) => void): void {
    this.#pace.tick();
    let captures = 0;
    for (let visits = Math.min(VISITS_MAX, this.#topics.size); visits > 0 && captures < CAPTURES_MAX; visits--) {
      // The topic at the cursor has its turn in the next tick.
      if (!this.#pace.hasRoom) return;
      const topic = this.#cursor.next();
      if (topic === undefined || !isDue(topic, nowMicros)) continue;
      captures++;
      topic.askedAtMicros = nowMicros;
      topic.messagesAsked = topic.live?.messages ?? 0;
      topic.restsUntilMicros = nowMicros + CAPTURE_INTERVAL_MS * 1000;
      this.#pace.spend(topic.bytes + RECORD_BYTES);
      ask(topic);
    }
  }

  /** The capture is answered. @param bytes length of the document */
  captured(topic: HeldTopic, bytes: number): void {
    this.#pace.spend(bytes - topic.bytes);
    topic.bytes = bytes;
    topic.askedAtMicros = 0;
  }
}

function isDue({ live, messages, askedAtMicros, restsUntilMicros }: HeldTopic, nowMicros: number): boolean {
  if (live === undefined || live.messages === messages || nowMicros < restsUntilMicros) return false;
  return askedAtMicros === 0 || nowMicros - askedAtMicros > ANSWER_MICROS_MAX;
}
