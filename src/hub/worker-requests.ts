/** Requests of the gateway workers on behalf of their clients: topics, missed events, and publishing. */

import { failed } from '../feed-contract/feed-outcome.js';
import type { ErrorCode } from '../protocol/codes.js';
import type { StreamPosition } from '../protocol/stream-position.js';
import { RecordKind } from '../threads/records.js';
import type { FromWorker, InterestChange, ToWorker } from '../threads/thread-messages.js';
import type { ClientTopics } from './client-topics.js';
import type { PublicationFailure } from './events/publication-outcome.js';
import type { Publications } from './events/publications.js';
import type { Replays } from './events/replays.js';
import type { Shard } from './shards/shard.js';
import type { Interest } from './sources/interest.js';
import { OwnerCounts } from './sources/owner-counts.js';
import type { Subject } from './sources/subject-table.js';

/** Maximum publications of one owner that await their position; further ones are refused. */
const PUBLICATIONS_PER_OWNER_MAX = 1_000;
/** When a client may retry a publication that found no room: by then, rooms it published into are forgotten. */
const RETRY_AFTER_MS = 1_000;

/** How many messages one gateway may be behind another; a client further ahead was never there. */
const AHEAD_MAX = 100_000;
/** A position in no epoch. */
const NOWHERE: StreamPosition = { epoch: '\0', seq: 0 };

/** Requests answered through the ring. */
type Asking = Extract<InterestChange, { op: 'want' | 'ask' | 'replay' }>;

interface WorkerRequestsOptions {
  readonly interest: Interest;
  readonly replays: Replays;
  readonly publications: Publications;
  readonly topics: ClientTopics;
  /** The shards that serve a subject: one, or all of them for `trades:*`. */
  readonly shardsOf: (subject: Subject) => readonly Shard[];
  /** The current position of the feed's own numbering that counts this subject. */
  readonly feedPosition: (subject: string) => StreamPosition | undefined;
  readonly toWorker: (worker: number, message: ToWorker) => void;
}

export class WorkerRequests {
  /** Requests refused because the server does not let the feed follow their subject. */
  unavailable = 0;
  readonly #options: WorkerRequestsOptions;
  readonly #publishing = new OwnerCounts();
  /** Replays that wait until the feed follows their subject, by worker and request. */
  readonly #unopened = new Set<string>();

  constructor(options: WorkerRequestsOptions) {
    this.#options = options;
  }

  change(worker: number, change: InterestChange): void {
    const { topics } = this.#options;
    if (change.op === 'cancel') {
      this.#unopened.delete(`${worker} ${change.request}`);
      this.#options.replays.cancel(worker, change.request);
      return;
    }
    // Only 'want' creates a topic: 'ask' and 'unwant' also arrive for topics that were refused.
    const subject = change.op === 'want' ? topics.follow(change.source, change.owner) : topics.find(change.source);
    if (subject === undefined || typeof subject === 'string') {
      this.#refuse(worker, change, subject === 'share' ? 'share' : undefined);
      return;
    }
    if (change.op === 'own') {
      topics.claim(subject, change.lane, worker, change.owner);
      return;
    }
    if (change.op === 'want' || change.op === 'unwant') {
      const wanted = change.op === 'want';
      if (wanted) topics.claim(subject, change.lane, worker, change.owner);
      else topics.unclaim(subject, change.lane, worker);
      this.#options.interest.set(subject, change.lane, worker, wanted);
      const kind = wanted ? RecordKind.want : RecordKind.unwant;
      for (const shard of this.#options.shardsOf(subject)) shard.control(kind, subject.id, change.lane, worker);
    }
    if (change.op === 'unwant') return;
    // An answer promises every message from here on, so wait until the feed follows the subject.
    if (subject.opening === undefined) this.#ask(worker, subject, change);
    else this.#askOnceOpen(worker, subject, change, subject.opening);
  }

  async publish(worker: number, message: Extract<FromWorker, { type: 'publish' }>): Promise<void> {
    const { id, room, payload, key, content, owner } = message;
    const { interest, publications, topics, toWorker } = this.#options;
    const isBusy = this.#publishing.of(owner) >= PUBLICATIONS_PER_OWNER_MAX;
    const subject = isBusy ? 'share' : topics.publishInto(room, owner);
    if (typeof subject === 'string') {
      const whose = subject === 'share' ? 'of yours ' : '';
      const failure = `not published: too many messages ${whose}pending`;
      toWorker(worker, { type: 'published', id, code: 'rate_limited', failure, retryAfterMs: RETRY_AFTER_MS });
      return;
    }
    this.#publishing.add(owner);
    // Followed until the message has returned, so that it has a position among the others.
    const isOpened = interest.hold(subject);
    await subject.opening;
    const outcome =
      subject.refusal === ''
        ? await publications.publish({ subject: subject.name, payload, key, content, owner })
        : failed('refused', `not published: ${subject.refusal}`);
    const about = { type: 'published', id, isOpened } as const;
    if (outcome.ok) toWorker(worker, { ...about, ...outcome.position });
    else toWorker(worker, { ...about, code: codeOf(outcome), failure: outcome.detail });
    interest.release(subject);
    this.#publishing.remove(owner);
  }

  /**
   * @param why `share`: only this owner's share is used up, and another owner may have it; `unavailable`: the server does
   * not let the feed follow it
   */
  #refuse(worker: number, change: Exclude<InterestChange, { op: 'cancel' }>, why?: 'share' | 'unavailable'): void {
    // Nothing is wanted of a subject that is refused or unknown, and nothing was.
    if (change.op === 'unwant' || change.op === 'own') return;
    const owner = why === 'share' && change.op === 'want' ? { owner: change.owner } : undefined;
    const unavailable = why === 'unavailable' ? { isUnavailable: true } : undefined;
    this.#options.toWorker(worker, { type: 'refused', request: change.request, ...owner, ...unavailable });
  }

  #askOnceOpen(worker: number, subject: Subject, change: Asking, opening: Promise<void>): void {
    const key = `${worker} ${change.request}`;
    if (change.op === 'replay') this.#unopened.add(key);
    const ask = (): void => {
      const isCancelled = change.op === 'replay' && !this.#unopened.delete(key);
      // The mark is awaited even so.
      this.#ask(worker, subject, isCancelled ? { ...change, since: NOWHERE } : change);
    };
    void opening.then(ask);
  }

  #ask(worker: number, subject: Subject, change: Asking): void {
    if (subject.refusal !== '') {
      this.unavailable++;
      this.#refuse(worker, change, 'unavailable');
      return;
    }
    const { lane, request } = change;
    const shards = this.#options.shardsOf(subject);
    if (change.op !== 'replay') {
      const sent = change.op === 'ask' ? change.sentUpTo : undefined;
      const sentSeq = sent?.epoch === subject.epoch ? sent.seq : 0;
      for (const shard of shards) shard.control(RecordKind.snapshot, subject.id, lane, worker, request, sentSeq);
      return;
    }
    const { tier } = change;
    const { epoch, seq } = change.since;
    const { replays } = this.#options;
    const begin = (): void => {
      // A client further on, in a numbering that also counts other subjects, has missed nothing up to there.
      const since = this.#isPast(subject, change.since) ? { epoch, seq: Math.min(seq, subject.seq) } : NOWHERE;
      replays.begin({ subject, shard: shards[0] as Shard, lane, tier, worker, request, since });
    };
    replays.whenHere({ subject, worker, request }, () => !this.#isAhead(subject, change.since), begin);
  }

  /** True for a position that another gateway may have reached, but this one has not. */
  #isAhead(subject: Subject, since: StreamPosition): boolean {
    if (subject.retention !== null || since.epoch !== subject.epoch) return false;
    const position = this.#options.feedPosition(subject.name);
    const aheadBy = since.seq - (position?.seq ?? 0);
    return position?.epoch === since.epoch && aheadBy > 0 && aheadBy <= AHEAD_MAX;
  }

  /** True for a position that the subject was never at. */
  #isPast(subject: Subject, since: StreamPosition): boolean {
    if (subject.retention !== null || since.epoch !== subject.epoch || since.seq < 0) return false;
    if (since.seq <= subject.seq) return true;
    const position = this.#options.feedPosition(subject.name);
    // The feed's numbering also counts other subjects: a client's position may be another subject's.
    return subject.seq > 0 && position?.epoch === since.epoch && since.seq <= position.seq;
  }
}

/** What the client is told. */
function codeOf({ code }: PublicationFailure): ErrorCode {
  if (code === 'other_content') return 'invalid_message';
  return code === 'refused' ? 'unavailable' : 'internal';
}
