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
/** Expired messages that may stay in front of the array before it is cut: cutting at each message would copy it each time. */
const EXPIRED_MAX = 256;

export class MessageWindow {
  created = 0;
  cancelled = 0;
  /** Cancelled orders whose life is known; and of these, those that were short. */
  lives = 0;
  short = 0;
  #messages: WindowMessage[] = [];
  #from = 0;

  get size(): number {
    return this.#messages.length - this.#from;
  }

  /** The latest time so far. */
  get lastMicros(): number {
    return this.#messages.at(-1)?.atMicros ?? 0;
  }

  /** @param shortSeconds below this a life is short */
  add(message: WindowMessage, shortSeconds: number): void {
    this.#messages.push(message);
    this.#count(message, 1, shortSeconds);
    while (this.size > WINDOW_MAX || this.#oldestMicros() <= message.atMicros - WINDOW_MICROS) {
      this.#count(this.#messages[this.#from++] as WindowMessage, -1, shortSeconds);
    }
    if (this.#from <= EXPIRED_MAX) return;
    this.#messages = this.#messages.slice(this.#from);
    this.#from = 0;
  }

  clear(): void {
    this.#messages = [];
    this.#from = 0;
    this.created = 0;
    this.cancelled = 0;
    this.lives = 0;
    this.short = 0;
  }

  medianLife(): number {
    const lives = this.#live().flatMap(({ life }) => (life === undefined ? [] : [life]));
    return lives.sort((a, b) => a - b)[Math.floor(lives.length / 2)] ?? 0;
  }

  /** Ids of the newest orders created in it. */
  orderIds(max: number): string[] {
    return this.#live()
      .filter(({ what }) => what === 'created')
      .map(({ orderId }) => orderId)
      .slice(-max);
  }

  #live(): WindowMessage[] {
    return this.#messages.slice(this.#from);
  }

  #oldestMicros(): number {
    return this.#messages[this.#from]?.atMicros ?? Number.POSITIVE_INFINITY;
  }

  #count({ what, life }: WindowMessage, change: 1 | -1, shortSeconds: number): void {
    if (what === 'created') this.created += change;
    else if (what === 'cancelled') this.cancelled += change;
    if (life === undefined) return;
    this.lives += change;
    if (life < shortSeconds) this.short += change;
  }
}
