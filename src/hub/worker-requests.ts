/** What the gateway workers ask for on behalf of their clients: topics, what was missed of them, and to publish. */
import { RecordKind } from '../protocol/records.js';
import type { FromWorker, InterestChange, ToWorker } from '../protocol/thread-messages.js';
import type { Interest } from './interest.js';
import { OtherContent, type Position, type Publications } from './publications.js';
import type { Replays } from './replays.js';
import type { Shard } from './shard.js';
import type { Source } from './source-table.js';

/** A place in no epoch. */
const NOWHERE: Position = { epoch: '\0', seq: 0 };

export interface WorkerRequestsOptions {
  readonly interest: Interest;
  readonly replays: Replays;
  readonly publications: Publications;
  /** The source of a name that may be wanted, `<kind>:<symbol>`, made if it is new; undefined when it cannot be had. */
  readonly sourceNamed: (name: string) => Source | undefined;
  /** The same, where it is there. */
  readonly sourceFound: (name: string) => Source | undefined;
  /** The shards that serve a source: one, but all of them the trades of all symbols. */
  readonly shardsOf: (source: Source) => readonly Shard[];
  /** Where the feed's own numbering stands that counts this subject. */
  readonly feedPosition: (subject: string) => Position | undefined;
  readonly toWorker: (worker: number, message: ToWorker) => void;
}

export class WorkerRequests {
  readonly #options: WorkerRequestsOptions;

  constructor(options: WorkerRequestsOptions) {
    this.#options = options;
  }

  change(worker: number, change: InterestChange): void {
    const { sourceNamed, sourceFound } = this.#options;
    // What was refused is given up too: that must not make it.
    const source = change.op === 'unwant' ? sourceFound(change.source) : sourceNamed(change.source);
    if (source === undefined) {
      // Of one that is full or unknown nothing is wanted, and nothing was.
      if (change.op !== 'unwant') this.#options.toWorker(worker, { type: 'refused', request: change.request });
      return;
    }
    if (change.op === 'want' || change.op === 'unwant') {
      const wanted = change.op === 'want';
      this.#options.interest.set(source, change.lane, worker, wanted);
      const kind = wanted ? RecordKind.want : RecordKind.unwant;
      for (const shard of this.#options.shardsOf(source)) shard.control(kind, source.id, change.lane, worker);
    }
    if (change.op === 'unwant') return;
    const ask = () => this.#ask(worker, source, change);
    // An answer says that every message from here on will come: not before the feed follows the subject.
    if (source.opening === undefined) ask();
    else void source.opening.then(ask, ask);
  }

  async publish(worker: number, message: Extract<FromWorker, { type: 'publish' }>): Promise<void> {
    const { id, room, payload, key, content } = message;
    const { interest, publications, sourceNamed, toWorker } = this.#options;
    const source = sourceNamed(`rooms:${room}`);
    if (source === undefined) {
      const failure = 'not published: too many topics are followed here';
      toWorker(worker, { type: 'published', id, code: 'internal', failure });
      return;
    }
    // Followed until the message has come back, so that it has a place among the others.
    interest.hold(source);
    try {
      await source.opening;
      const position = await publications.publish({ subject: source.subject, payload, key, content });
      toWorker(worker, { type: 'published', id, ...position });
    } catch (cause) {
      const code = cause instanceof OtherContent ? 'invalid_message' : 'internal';
      const failure = cause instanceof Error ? cause.message : String(cause);
      toWorker(worker, { type: 'published', id, code, failure });
    } finally {
      interest.release(source);
    }
  }

  #ask(worker: number, source: Source, change: Exclude<InterestChange, { op: 'unwant' }>): void {
    const { lane, request } = change;
    const shards = this.#options.shardsOf(source);
    if (change.op !== 'replay') {
      const held = change.op === 'ask' ? change.held : undefined;
      const heldSeq = held?.epoch === source.epoch ? held.seq : 0;
      for (const shard of shards) shard.control(RecordKind.snapshot, source.id, lane, worker, request, heldSeq);
      return;
    }
    const { tier } = change;
    const { epoch, seq } = change.since;
    const { replays } = this.#options;
    const begin = (): void => {
      // Who stands further on in a numbering that counts other subjects too has missed nothing up to there.
      const since = this.#isPast(source, change.since) ? { epoch, seq: Math.min(seq, source.seq) } : NOWHERE;
      replays.begin({ source, shard: shards[0] as Shard, lane, tier, worker, request, since });
    };
    replays.whenHere(source, worker, () => !this.#isAhead(source, change.since), begin);
  }

  /** True for a place that another gateway has reached, it may be, but this one not yet. */
  #isAhead(source: Source, since: Position): boolean {
    if (source.retention !== null || since.epoch !== source.epoch) return false;
    const position = this.#options.feedPosition(source.subject);
    return position?.epoch === since.epoch && since.seq > position.seq;
  }

  /** False for a place that the source never was at. */
  #isPast(source: Source, since: Position): boolean {
    if (source.retention !== null || since.epoch !== source.epoch || since.seq < 0) return false;
    if (since.seq <= source.seq) return true;
    const position = this.#options.feedPosition(source.subject);
    // The feed's numbering counts other subjects too: a client may stand where another one was.
    return source.seq > 0 && position?.epoch === since.epoch && since.seq <= position.seq;
  }
}
