/**
 * What clients publish, until it is known which sequence it got: the feed's store says so, or the message comes back through
 * the feed. A client that repeats itself, because the answer did not reach it, gets the same answer and publishes once.
 */

/** Publications waiting for their sequence; beyond it they are refused. */
export const PENDING_MAX = 10_000;
/** Answers remembered for clients that ask again; the oldest are forgotten first. */
export const ANSWERS_MAX = 10_000;
export const PUBLISH_TIMEOUT_MS = 5_000;

export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

export interface Publication {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Publications with one key are one publication; '' for none. */
  readonly key: string;
}

export interface PublicationsOptions {
  /** Tells this process's publications from all others. */
  readonly origin: string;
  /** Hands it to the feed; resolves with its place where the feed knows it, undefined where it comes back with `id`. */
  readonly publish: (subject: string, payload: Uint8Array, id: string, key: string) => Promise<Position | undefined>;
}

export class Publications {
  readonly #options: PublicationsOptions;
  /** By the id that comes back with the message. */
  readonly #awaited = new Map<string, (position: Position) => void>();
  /** By key: answers given, and those to come. */
  readonly #answers = new Map<string, Promise<Position>>();
  #last = 0;

  constructor(options: PublicationsOptions) {
    this.#options = options;
  }

  /** Resolves with the message's place in its topic. @throws {Error} when it is not published, or that is not known */
  publish(publication: Publication): Promise<Position> {
    const { key } = publication;
    const before = key === '' ? undefined : this.#answers.get(key);
    if (before !== undefined) return before;
    const answer = this.#publish(publication);
    if (key === '') return answer;
    this.#answers.set(key, answer);
    if (this.#answers.size > ANSWERS_MAX) {
      for (const oldest of this.#answers.keys()) {
        this.#answers.delete(oldest);
        break;
      }
    }
    answer.catch(() => {
      // What failed may be tried again; it may have been forgotten, and another stand in its place.
      if (this.#answers.get(key) === answer) this.#answers.delete(key);
    });
    return answer;
  }

  /** A message of the feed came with this id and got this place. */
  arrived(id: string, position: Position): void {
    this.#awaited.get(id)?.(position);
  }

  async #publish({ subject, payload, key }: Publication): Promise<Position> {
    if (this.#awaited.size >= PENDING_MAX) throw new Error('too many publications are under way');
    const id = `${this.#options.origin}.${++this.#last}`;
    let timer: NodeJS.Timeout | undefined;
    const echoed = new Promise<Position>((resolve, reject) => {
      this.#awaited.set(id, resolve);
      timer = setTimeout(() => reject(new Error('it did not come back in time')), PUBLISH_TIMEOUT_MS);
    });
    // Where the feed fails first, nobody waits for this one.
    echoed.catch(() => {});
    try {
      return (await this.#options.publish(subject, payload, id, key)) ?? (await echoed);
    } finally {
      clearTimeout(timer);
      this.#awaited.delete(id);
    }
  }
}
