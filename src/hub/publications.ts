/**
 * What clients publish, until it is known which sequence it got: the feed's store says so, or the message comes back through
 * the feed. A client that repeats itself, because the answer did not reach it, gets the same answer and publishes once; with
 * other content under the same id, it is told so.
 */
import { BoundedMap } from '../protocol/bounded-map.js';
import { markText, parseMark } from '../protocol/publication-mark.js';
import type { StreamPosition } from '../protocol/stream-position.js';
import { RecentKeys } from './recent-keys.js';

/** Publications waiting for their sequence; beyond it they are refused. */
export const PENDING_MAX = 10_000;
/** Answers remembered for clients that ask again; the oldest are forgotten first. */
export const ANSWERS_MAX = 10_000;
export const PUBLISH_TIMEOUT_MS = 5_000;

/** Where the feed's store has it. */
export interface StoredPosition extends StreamPosition {
  /** The store had a message of this key already: what `Publication.content` was then, '' where that cannot be read. */
  readonly content?: string | undefined;
}

export interface Publication {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Publications with one key are one publication; '' for none. Without blanks. */
  readonly key: string;
  /** Stands for what is published under the key. Without blanks. */
  readonly content: string;
}

export interface PublicationsOptions {
  /** Tells this process's publications from all others. */
  readonly origin: string;
  /**
   * Hands it to the feed; resolves with its place where the feed knows it, undefined where it comes back with `mark`. A failure's
   * text says whether the message may have been published.
   */
  readonly publish: (
    subject: string,
    payload: Uint8Array,
    mark: string,
    key: string,
  ) => Promise<StoredPosition | undefined>;
}

/** The key stands for a message with other content: this one is not published. */
export class OtherContent extends Error {
  constructor() {
    super('id: already used for another message of yours in this room');
  }
}

interface Awaited {
  readonly resolve: (position: StreamPosition) => void;
  readonly reject: (cause: Error) => void;
}

export class Publications {
  readonly #options: PublicationsOptions;
  /** By the id that comes back with the message. */
  readonly #awaited = new Map<string, Awaited>();
  /** By key: answers given, and those to come. */
  readonly #answers = new BoundedMap<string, { readonly content: string; readonly position: Promise<StreamPosition> }>(
    ANSWERS_MAX,
  );
  /** What came through the feed, whichever gateway published it. */
  readonly #recent = new RecentKeys();
  #last = 0;

  constructor(options: PublicationsOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the message's place in its topic.
   * @throws {OtherContent}
   * @throws {Error} when it is not published, or that is not known; the text says which
   */
  async publish(publication: Publication): Promise<StreamPosition> {
    const { subject, key, content } = publication;
    if (key === '') return this.#publish(publication);
    const before = this.#answers.get(key) ?? this.#recent.find(subject, key);
    if (before === undefined) return this.#publishKeyed(publication);
    if (before.content !== content) throw new OtherContent();
    return 'position' in before ? before.position : { epoch: before.epoch, seq: before.seq };
  }

  /** True for a message that came before under its key, and is to be dropped. */
  isRepeat(subject: string, mark: string): boolean {
    const { id, key, content } = parseMark(mark);
    const before = key === '' ? undefined : this.#recent.find(subject, key);
    if (before === undefined) return false;
    const awaited = this.#awaited.get(id);
    if (before.content === content) awaited?.resolve({ epoch: before.epoch, seq: before.seq });
    else awaited?.reject(new OtherContent());
    return true;
  }

  /** A message of the feed came with this mark and got this place. */
  arrived(subject: string, mark: string, position: StreamPosition): void {
    const { id, key, content } = parseMark(mark);
    if (key !== '') this.#recent.add(subject, key, { ...position, content });
    this.#awaited.get(id)?.resolve(position);
  }

  #publishKeyed(publication: Publication): Promise<StreamPosition> {
    const { key, content } = publication;
    const position = this.#publish(publication);
    const answer = { content, position };
    this.#answers.set(key, answer);
    position.catch(() => {
      // What failed may be tried again; it may have been forgotten, and another stand in its place.
      if (this.#answers.get(key) === answer) this.#answers.delete(key);
    });
    return position;
  }

  async #publish({ subject, payload, key, content }: Publication): Promise<StreamPosition> {
    if (this.#awaited.size >= PENDING_MAX) throw new Error('not published: too many publications are under way');
    const id = `${this.#options.origin}.${++this.#last}`;
    let timer: NodeJS.Timeout | undefined;
    const echoed = new Promise<StreamPosition>((resolve, reject) => {
      this.#awaited.set(id, { resolve, reject });
      const late = new Error(`${MAY_BE_PUBLISHED}: it did not come back in time`);
      timer = setTimeout(() => reject(late), PUBLISH_TIMEOUT_MS);
    });
    // Where the feed fails first, nobody waits for this one.
    echoed.catch(() => {});
    try {
      const stored = await this.#options.publish(subject, payload, markText({ id, key, content }), key);
      if (stored === undefined) return await echoed;
      checkContent(stored.content, content);
      return { epoch: stored.epoch, seq: stored.seq };
    } finally {
      clearTimeout(timer);
      this.#awaited.delete(id);
    }
  }
}

const MAY_BE_PUBLISHED = 'may have been published; repeat it with the same id';

/** @param before what was stored under the key; undefined: nothing was */
function checkContent(before: string | undefined, content: string): void {
  if (before === undefined || before === content) return;
  if (before === '') throw new Error('published before under this id, but it cannot be read whether with this content');
  throw new OtherContent();
}
