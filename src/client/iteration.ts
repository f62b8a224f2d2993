/** What `for await` reads from: items wait in a bounded buffer while the consumer is busy. */
import { MillraceError } from './errors.js';

/** Decides what to keep until it is read. */
export interface IterationBuffer<Item> {
  push(item: Item): void;
  shift(): Item | undefined;
  clear(): void;
  /** Why nothing follows the kept items. */
  readonly failure: MillraceError | undefined;
}

/** Keeps the newest change of each symbol, so it is bounded by the symbols of its stream. */
export class NewestBuffer<Change extends { readonly symbol: string; readonly skipped: number }>
  implements IterationBuffer<Change>
{
  readonly failure = undefined;
  readonly #changes = new Map<string, Change>();

  push(change: Change): void {
    const older = this.#changes.get(change.symbol);
    // It keeps its place in the queue: a symbol that changes constantly does not wait forever.
    this.#changes.set(change.symbol, older === undefined ? change : { ...change, skipped: older.skipped + 1 });
  }

  shift(): Change | undefined {
    for (const [symbol, change] of this.#changes) {
      this.#changes.delete(symbol);
      return change;
    }
    return undefined;
  }

  clear(): void {
    this.#changes.clear();
  }
}

/** Keeps up to `max` events. Further ones are lost, so the iteration fails after the kept ones. */
export class EventBuffer<Event> implements IterationBuffer<Event> {
  readonly #max: number;
  #events: Event[] = [];
  #next = 0;
  #lost = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get failure(): MillraceError | undefined {
    if (this.#lost === 0) return undefined;
    const message = `the consumer was ${this.#max} events behind; ${this.#lost} were lost`;
    return new MillraceError('iteration_overflow', message, { lost: this.#lost });
  }

  push(event: Event): void {
    if (this.#lost > 0 || this.#events.length - this.#next >= this.#max) this.#lost++;
    else this.#events.push(event);
  }

  shift(): Event | undefined {
    const event = this.#events[this.#next];
    if (event !== undefined) this.#next++;
    // Read items are removed in bulk: removing them one by one would move all others each time.
    if (this.#next * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#next);
      this.#next = 0;
    }
    return event;
  }

  clear(): void {
    this.#events = [];
    this.#next = 0;
    this.#lost = 0;
  }
}

interface Reader<Item> {
  resolve(result: IteratorResult<Item, undefined>): void;
  reject(error: MillraceError): void;
}

const DONE = { done: true, value: undefined } as const;

export class Iteration<Item> implements AsyncIterableIterator<Item, undefined> {
  readonly #buffer: IterationBuffer<Item>;
  readonly #onLeave: () => void;
  /** Pending calls of `next`; a `for await` has at most one. */
  #readers: Reader<Item>[] = [];
  #hasEnded = false;
  #error: MillraceError | undefined;

  /** @param onLeave called when the consumer is done, or has received the failure. */
  constructor(buffer: IterationBuffer<Item>, onLeave: () => void) {
    this.#buffer = buffer;
    this.#onLeave = onLeave;
  }

  push(item: Item): void {
    if (this.#hasEnded) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#buffer.push(item);
    else reader.resolve({ done: false, value: item });
  }

  /** Nothing follows; the kept items can still be read, then the error if there is one. */
  end(error: MillraceError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#error = error;
    for (const reader of this.#readers.splice(0)) this.#finish(reader);
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    return new Promise((resolve, reject) => {
      const item = this.#buffer.shift();
      if (item !== undefined) {
        resolve({ done: false, value: item });
        return;
      }
      const { failure } = this.#buffer;
      if (failure !== undefined) {
        this.#leave();
        reject(failure);
      } else if (this.#hasEnded) this.#finish({ resolve, reject });
      else this.#readers.push({ resolve, reject });
    });
  }

  /** The loop ended by `break`, `return` or an error. */
  return(): Promise<IteratorResult<Item, undefined>> {
    this.#leave();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #leave(): void {
    this.end(undefined);
    this.#error = undefined;
    this.#buffer.clear();
    this.#onLeave();
  }

  /** Reports the error once. */
  #finish(reader: Reader<Item>): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) reader.resolve(DONE);
    else reader.reject(error);
  }
}
