/**
 * Tracks who wants what: workers by view, and publications that await their echo. It tells the feed of the first and
 * the last interest in each subject, so that the feed follows at NATS exactly what is wanted.
 */
import assert from 'node:assert/strict';
import type { Feed } from '../../feed-contract/feed.js';
import { type FeedOutcome, failed } from '../../feed-contract/feed-outcome.js';
import { ALL_TRADES_SOURCE, isOnDemand } from '../../protocol/topics.js';
import type { Subject, SubjectTable } from './subject-table.js';

/**
 * How long an unwanted subject is still followed: a client that lost its connection returns to the same numbering and
 * can recover what it missed.
 */
export const LINGER_MS = 3_000;
/** How long to wait for a feed that cannot confirm a subject because its server does not answer. */
const OPEN_MS_MAX = 2_000;
const LATE = failed('unreachable', 'the server does not answer');

interface InterestOptions {
  readonly subjects: SubjectTable;
  readonly follow: Feed['follow'];
  /** The subject is wanted from now on, or no longer. */
  readonly onChange: (subject: Subject) => void;
  /** The subject is unwanted, and nothing about it has to be kept. */
  readonly forget: (subject: Subject) => void;
}

export class Interest {
  readonly #options: InterestOptions;
  readonly #lingering = new Map<Subject, NodeJS.Timeout>();

  constructor(options: InterestOptions) {
    this.#options = options;
  }

  set(subject: Subject, lane: number, worker: number, wanted: boolean): void {
    subject.wants ??= new Map();
    const mask = subject.wants.get(lane) ?? 0;
    const next = wanted ? mask | (1 << worker) : mask & ~(1 << worker);
    const before = isWanted(subject);
    if (next === 0) subject.wants.delete(lane);
    else subject.wants.set(lane, next);
    this.#changed(subject, before);
  }

  /**
   * Keeps the subject wanted for something other than a view, until `release`.
   * @returns whether the feed starts to follow it
   */
  hold(subject: Subject): boolean {
    const before = isWanted(subject);
    const isFollowed = before || this.#lingering.has(subject);
    subject.holds++;
    this.#changed(subject, before);
    return !isFollowed;
  }

  release(subject: Subject): void {
    assert(subject.holds > 0, 'only what is held is released');
    subject.holds--;
    this.#changed(subject, true);
  }

  /** Ends a lingering subject early. */
  endNow(subject: Subject): void {
    const timer = this.#lingering.get(subject);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#end(subject);
  }

  /** Nothing is wanted on behalf of the worker any more. */
  forgetWorker(worker: number): void {
    for (const subject of this.#options.subjects) {
      if (subject.wants === null) continue;
      for (const lane of [...subject.wants.keys()]) this.set(subject, lane, worker, false);
    }
  }

  close(): void {
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    this.#lingering.clear();
  }

  #changed(subject: Subject, before: boolean): void {
    const after = isWanted(subject);
    if (before === after) return;
    this.#options.onChange(subject);
    if (after) {
      const lingering = this.#lingering.get(subject);
      clearTimeout(lingering);
      // It was followed all the time, unless the server refused it.
      if (!this.#lingering.delete(subject) || subject.refusal !== '') this.#open(subject);
    } else if (isTemporary(subject)) {
      this.#lingering.set(
        subject,
        setTimeout(() => this.#end(subject), LINGER_MS),
      );
    } else {
      this.#unfollow(subject);
    }
  }

  #open(subject: Subject): void {
    // The feed knows only live subjects, and follows their market data anyway.
    if (subject.delayMs > 0) return;
    const followed = this.#options.follow(subject.name, true);
    if (!(followed instanceof Promise)) {
      opened(subject, followed);
      return;
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<FeedOutcome>(resolve => {
      timer = setTimeout(() => resolve(LATE), OPEN_MS_MAX);
    });
    const opening: Promise<void> = Promise.race([followed, late]).then(outcome => {
      clearTimeout(timer);
      if (subject.opening !== opening) return;
      subject.opening = undefined;
      opened(subject, outcome);
    });
    subject.opening = opening;
  }

  #unfollow(subject: Subject): void {
    if (subject.delayMs > 0) return;
    // Nothing depends on it: what still arrives is ignored.
    void this.#options.follow(subject.name, false);
  }

  #end(subject: Subject): void {
    this.#lingering.delete(subject);
    this.#unfollow(subject);
    // Market data that arrived since has a last value, which is kept.
    if (isTemporary(subject)) this.#options.forget(subject);
  }
}

/** True when nothing is lost by forgetting the subject. `trades:*` is no subject of its own, and stays. */
function isTemporary({ kind, seq, id, delayMs, isClientMade }: Subject): boolean {
  // What a delayed subject will get is already held back.
  if (delayMs > 0) return isClientMade;
  return isOnDemand(kind) || (seq === 0 && id !== ALL_TRADES_SOURCE);
}

function isWanted(subject: Subject): boolean {
  return subject.holds > 0 || (subject.wants !== null && subject.wants.size > 0);
}

/** A subject that cannot be reached is followed once the upstream is back, and clients are told that the feed is stale. */
function opened(subject: Subject, outcome: FeedOutcome): void {
  subject.refusal = !outcome.ok && outcome.code === 'refused' ? outcome.detail : '';
}
