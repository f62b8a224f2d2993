/**
 * Clients' publications until their sequence is known: either the feed's store tells it, or the message returns
 * through the feed. A client that repeats a publication because the answer did not reach it gets the same answer, and
 * the message is published once. If it reuses the id with different content, it gets an error.
 */

import type { FeedPosition } from '../../feed-contract/feed.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import { markText, parseMark } from '../../threads/publication-mark.js';
import type { HubFeed } from '../hub-feed.js';
import { Answered } from './answered.js';
import { at, LATE, NOT_COMPARABLE, OTHER_CONTENT, type PublicationOutcome, TOO_MANY } from './publication-outcome.js';
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

interface PublicationsOptions {
  /** Distinguishes this process's publications from all others. */
  readonly origin: string;
  readonly publish: HubFeed['publish'];
}

type Settle = (outcome: PublicationOutcome) => void;

export class Publications {
  readonly #options: PublicationsOptions;
  /** By the id that returns with the message. */
  readonly #awaited = new Map<string, Settle>();
  readonly #answers = new Answered();
  /** Messages that came through the feed, whichever gateway published them. */
  readonly #recent = new RecentKeys();
  #last = 0;

  constructor(options: PublicationsOptions) {
    this.#options = options;
  }

  /** Resolves once the message's position in its topic is known, or is known to stay unknown. */
  async publish(publication: Publication): Promise<PublicationOutcome> {
    const { subject, key, content, owner } = publication;
    if (key === '') return this.#publish(publication);
    const before = this.#answers.find(owner, key) ?? this.#recent.find(subject, key);
    if (before === undefined) return this.#publishKeyed(publication);
    if (before.content !== content) return OTHER_CONTENT;
    return 'outcome' in before ? before.outcome : at(before);
  }

  /** True for a message that has come under its key before and must be dropped. */
  isRepeat(subject: string, mark: string): boolean {
    const { id, key, content } = parseMark(mark);
    const before = key === '' ? undefined : this.#recent.find(subject, key);
    if (before === undefined) return false;
    this.#awaited.get(id)?.(before.content === content ? at(before) : OTHER_CONTENT);
    return true;
  }

  /** A message from the feed had this mark and got this position. */
  arrived(subject: string, mark: string, position: StreamPosition): void {
    const { id, key, content } = parseMark(mark);
    if (key !== '') this.#recent.add(subject, key, { ...position, content });
    this.#awaited.get(id)?.(at(position));
  }

  #publishKeyed(publication: Publication): Promise<PublicationOutcome> {
    const { key, content, owner } = publication;
    const outcome = this.#publish(publication);
    const answer = { content, outcome };
    this.#answers.put(owner, key, answer);
    // A failed publication may be retried.
    void outcome.then(({ ok }) => {
      if (!ok) this.#answers.remove(owner, key, answer);
    });
    return outcome;
  }

  async #publish({ subject, payload, key, content }: Publication): Promise<PublicationOutcome> {
    if (this.#awaited.size >= PENDING_MAX) return TOO_MANY;
    const id = `${this.#options.origin}.${++this.#last}`;
    let timer: NodeJS.Timeout | undefined;
    const echoed = new Promise<PublicationOutcome>(resolve => {
      this.#awaited.set(id, resolve);
      timer = setTimeout(() => resolve(LATE), PUBLISH_TIMEOUT_MS);
    });
    const asked = this.#options.publish(subject, payload, markText({ id, key, content }), key).then(outcome => {
      if (!outcome.ok) return outcome;
      return outcome.position === undefined ? echoed : outcomeOf(outcome.position, content);
    });
    // A feed whose server hangs answers late or never.
    const settled = await Promise.race([asked, echoed]);
    clearTimeout(timer);
    this.#awaited.delete(id);
    return settled;
  }
}

/** @param stored its position, with what was stored under its key before */
function outcomeOf(stored: FeedPosition, content: string): PublicationOutcome {
  if (stored.content === undefined || stored.content === content) return at(stored);
  return stored.content === '' ? NOT_COMPARABLE : OTHER_CONTENT;
}
