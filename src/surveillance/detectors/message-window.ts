import { Fifo } from './fifo.js';

/** Order messages of one user in one symbol within the last second. */
interface WindowMessage {
  readonly atMicros: number;
  readonly orderId: string;
  readonly what: 'created' | 'replaced' | 'cancelled';
  /** How long a cancelled order lived, s; undefined when that is not known. */
  readonly life: number | undefined;
}

const WINDOW_MICROS = 1_000_000;
/** Messages remembered: beyond, the oldest is forgotten and the count is a lower bound. */
export const WINDOW_MAX = 4_096;

export class MessageWindow {
  created = 0;
  cancelled = 0;
  /** Cancelled orders whose life is known; and of these, those that were short. */
  lives = 0;
  short = 0;
  readonly #messages = new Fifo<WindowMessage>();

  get size(): number {
    return this.#messages.size;
  }

  /** The latest time so far. */
  get lastMicros(): number {
    return this.#messages.last?.atMicros ?? 0;
  }

  /** @param shortSeconds below this a life is short */
  add(message: WindowMessage, shortSeconds: number): void {
    this.#messages.push(message);
    this.#count(message, 1, shortSeconds);
    while (this.size > WINDOW_MAX || this.#oldestMicros() <= message.atMicros - WINDOW_MICROS) {
      this.#count(this.#messages.shift() as WindowMessage, -1, shortSeconds);
    }
  }

  clear(): void {
    this.#messages.clear();
    this.created = 0;
    this.cancelled = 0;
    this.lives = 0;
    this.short = 0;
  }

  medianLife(): number {
    const lives = this.#messages.all().flatMap(({ life }) => (life === undefined ? [] : [life]));
    return lives.sort((a, b) => a - b)[Math.floor(lives.length / 2)] ?? 0;
  }

  /** Ids of the newest orders created in it. */
  orderIds(max: number): string[] {
    return this.#messages
      .all()
      .filter(({ what }) => what === 'created')
      .map(({ orderId }) => orderId)
      .slice(-max);
  }

  #oldestMicros(): number {
    return this.#messages.first?.atMicros ?? Number.POSITIVE_INFINITY;
  }

  #count({ what, life }: WindowMessage, change: 1 | -1, shortSeconds: number): void {
    if (what === 'created') this.created += change;
    else if (what === 'cancelled') this.cancelled += change;
    if (life === undefined) return;
    this.lives += change;
    if (life < shortSeconds) this.short += change;
  }
}
