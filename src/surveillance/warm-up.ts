/** Judges the last minutes first. Live messages wait until then; those that are in the history as well count once. */
import { QUEUE_MAX } from '../threads/surveillance-messages.js';
import type { RawMessage } from './intake.js';
import type { HistoryOutcome, PastMessage } from './market-history.js';
import { QUEUE_BYTES_MAX } from './watch.js';

/** Live messages that wait, and the bytes of their payloads: together with the history they must fit into the queue. */
const HELD_MAX = QUEUE_MAX / 2;
const HELD_BYTES_MAX = QUEUE_BYTES_MAX / 4;

/** Live messages of this time before and after may be in the history, too. */
const OVERLAP_MICROS = 2_000_000;

interface WarmUpOptions {
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
  readonly live: (message: RawMessage) => void;
  readonly past: (message: PastMessage) => void;
}

export class WarmUp {
  readonly #options: WarmUpOptions;
  /** Undefined: live messages are judged as they come. */
  #held: RawMessage[] | undefined;
  #heldBytes = 0;
  /** Why it did not wait for the history. */
  #gaveUp = '';
  /** What the history holds of the last seconds. */
  #overlap = new Set<string>();
  #overlapEndMicros = 0;
  #run = 0;

  constructor(options: WarmUpOptions) {
    this.#options = options;
  }

  /** @returns what is unknown of the history, and why; '' if nothing is, or if `end` was called before */
  async begin(read: () => Promise<HistoryOutcome>): Promise<string> {
    const run = ++this.#run;
    const fromMicros = this.#options.nowMicros() - OVERLAP_MICROS;
    this.#held = [];
    this.#heldBytes = 0;
    this.#gaveUp = '';
    this.#overlap.clear();
    const history = await read();
    if (run !== this.#run) return this.#gaveUp;
    if (history.ok) {
      for (const message of history.messages) {
        if (message.storedMicros >= fromMicros) this.#overlap.add(keyOf(message));
        this.#options.past(message);
      }
      this.#overlapEndMicros = this.#options.nowMicros() + OVERLAP_MICROS;
    }
    this.#release();
    return history.detail;
  }

  /** Not watching any more: what waits is another gateway's. */
  end(): void {
    this.#run++;
    this.#held = undefined;
    this.#gaveUp = '';
    this.#overlap.clear();
  }

  take(message: RawMessage): void {
    if (this.#held === undefined) this.#live(message);
    else {
      this.#held.push(message);
      this.#heldBytes += message.payload.length;
      if (this.#held.length < HELD_MAX && this.#heldBytes < HELD_BYTES_MAX) return;
      this.#run++;
      this.#gaveUp = 'too many messages came before they were read';
      this.#release();
    }
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) this.#live(message);
  }

  #live(message: RawMessage): void {
    if (this.#overlap.size > 0) {
      if (this.#overlap.delete(keyOf(message))) return;
      if (this.#options.nowMicros() > this.#overlapEndMicros) this.#overlap.clear();
    }
    this.#options.live(message);
  }
}

const keyOf = ({ subject, payload }: RawMessage): string => `${subject} ${Buffer.from(payload).toString('latin1')}`;
