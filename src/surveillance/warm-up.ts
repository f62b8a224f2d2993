/** Judges the last minutes first: live messages wait meanwhile, and those that the history holds, too, count once. */
import { QUEUE_MAX } from '../threads/surveillance-messages.js';
import type { RawMessage } from './intake.js';
import type { HistoryOutcome, PastMessage } from './market-history.js';

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
  /** What the history holds of the last seconds. */
  #overlap = new Set<string>();
  #overlapEndMicros = 0;
  #run = 0;

  constructor(options: WarmUpOptions) {
    this.#options = options;
  }

  /** @returns why the history is unknown; '' if it is known, or if `end` was called before */
  async begin(read: () => Promise<HistoryOutcome>): Promise<string> {
    const run = ++this.#run;
    const fromMicros = this.#options.nowMicros() - OVERLAP_MICROS;
    this.#held = [];
    this.#overlap.clear();
    const history = await read();
    if (run !== this.#run) return '';
    if (history.ok) {
      for (const message of history.messages) {
        if (message.storedMicros >= fromMicros) this.#overlap.add(keyOf(message));
        this.#options.past(message);
      }
      this.#overlapEndMicros = this.#options.nowMicros() + OVERLAP_MICROS;
    }
    this.#release();
    return history.ok ? '' : history.detail;
  }

  /** Not watching any more: what waits is another gateway's. */
  end(): void {
    this.#run++;
    this.#held = undefined;
    this.#overlap.clear();
  }

  take(message: RawMessage): void {
    if (this.#held === undefined) this.#live(message);
    else {
      this.#held.push(message);
      // It takes too long: go without the history.
      if (this.#held.length >= QUEUE_MAX / 2) {
        this.#run++;
        this.#release();
      }
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
