/**
 * Clients' publications until their sequence is known: either the feed's store tells it, or the message returns
 * through the feed. A client that repeats a publication because the answer did not reach it gets the same answer, and
 * the message is published once. If it reuses the id with different content, it gets an error.
 */

import type { StreamPosition } from '../../protocol/stream-position.js';
import { markText, parseMark } from '../../threads/publication-mark.js';
import type { StoredPosition } from '../hub-feed.js';
import { Answered } from './answered.js';
import { RecentKeys } from './recent-keys.js';

/** Maximum publications that await their sequence; further ones are refused. */
export const PENDING_MAX = 10_000;
export const PUBLISH_TIMEOUT_MS = 5_000;

export interface Publication {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Publications with the same key are the same publication; '' for none. Contains no blanks. */
  readonly key: string;
  /** Identifies what is published under the key. Contains no blanks. */
  readonly content: string;
  /** On whose behalf: see `InterestChange` in threads/thread-messages.ts. */
  readonly owner: number;
}

export interface PublicationsOptions {
  /** Distinguishes this process's publications from all others. */
  readonly origin: string;
  /**
   * Hands it to the feed. Resolves to its position if the feed knows it; to undefined if the message will return with
   * `mark`. The text of a failure says whether the message may have been published.
   */
  readonly publish: (
    subject: string,
    payload: Uint8Array,
    mark: string,
    key: string,
  ) => Promise<StoredPosition | undefined>;
}

/** The key belongs to a message with different content: this one is not published. */
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
  /** By the id that returns with the message. */
  readonly #awaited = new Map<string, Awaited>();
  readonly #answers = new Answered();
  /** Messages that came through the feed, whichever gateway published them. */
  readonly #recent = new RecentKeys();
  #last = 0;

  constructor(options: PublicationsOptions) {
    this.#options = options;
  }

  /**
   * Resolves to the message's position in its topic.
   * @throws {OtherContent}
   * @throws {Error} when it was not published or that is unknown; the text says which
   */
  async publish(publication: Publication): Promise<StreamPosition> {
    const { subject, key, content, owner } = publication;
    if (key === '') return this.#publish(publication);
    const before = this.#answers.find(owner, key) ?? this.#recent.find(subject, key);
    if (before === undefined) return this.#publishKeyed(publication);
    if (before.content !== content) throw new OtherContent();
    return 'position' in before ? before.position : { epoch: before.epoch, seq: before.seq };
  }

  /** True for a message that has come under its key before and must be dropped. */
  isRepeat(subject: string, mark: string): boolean {
    const { id, key, content } = parseMark(mark);
    const before = key === '' ? undefined : this.#recent.find(subject, key);
    if (before === undefined) return false;
    const awaited = this.#awaited.get(id);
    if (before.content === content) awaited?.resolve({ epoch: before.epoch, seq: before.seq });
    else awaited?.reject(new OtherContent());
    return true;
  }

  /** A message from the feed had this mark and got this position. */
  arrived(subject: string, mark: string, position: StreamPosition): void {
    const { id, key, content } = parseMark(mark);
    if (key !== '') this.#recent.add(subject, key, { ...position, content });
    this.#awaited.get(id)?.resolve(position);
  }

  #publishKeyed(publication: Publication): Promise<StreamPosition> {
    const { key, content, owner } = publication;
    const position = this.#publish(publication);
    const answer = { content, position };
    this.#answers.put(owner, key, answer);
    // A failed publication may be retried.
    position.catch(() => this.#answers.remove(owner, key, answer));
    return position;
  }

  async #publish({ subject, payload, key, content }: Publication): Promise<StreamPosition> {
    if (this.#awaited.size >= PENDING_MAX) throw new Error('not published: too many publications pending');
    const id = `${this.#options.origin}.${++this.#last}`;
    let timer: NodeJS.Timeout | undefined;
    const echoed = new Promise<StreamPosition>((resolve, reject) => {
      this.#awaited.set(id, { resolve, reject });
      const late = new Error(`${MAY_BE_PUBLISHED}: it did not come back in time`);
      timer = setTimeout(() => reject(late), PUBLISH_TIMEOUT_MS);
    });
    // If the feed fails first, this promise stays unused.
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

/** @param before what was stored under the key; undefined: nothing */
function checkContent(before: string | undefined, content: string): void {
  if (before === undefined || before === content) return;
  if (before === '') throw new Error('already published under this id, but its content cannot be read to compare');
  throw new OtherContent();
}
