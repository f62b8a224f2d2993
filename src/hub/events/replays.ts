/**
 * Replays what a client missed of an event topic, from the history, or from the feed's own store where that reaches
 * further back.
 *
 * Replays go through the shard's queue in turn, a little at a time, so that live messages keep their pace. Each ends
 * at what is newest then: in the queue, everything before the end was replayed, and everything after it is live.
 */
import type { StoredMessage } from '../../feed-contract/feed.js';
import { type FeedFailure, failed } from '../../feed-contract/feed-outcome.js';
import type { Tier } from '../../protocol/view-options.js';
import { FLAG_INCOMPLETE, RecordKind } from '../../threads/records.js';
import type { ToWorker } from '../../threads/thread-messages.js';
import type { HubFeed } from '../hub-feed.js';
import type { Shard } from '../shards/shard.js';
import type { Subject } from '../sources/subject-table.js';
import type { EventHistories } from './event-histories.js';
import { HeldReplays, type Hold, Patience, type UpstreamSigns } from './held-replays.js';
import { ReplayTurns, type Turn } from './replay-turns.js';

/** Maximum messages replayed for one topic of one client; a client that missed more restarts. */
export const REPLAY_MESSAGES_MAX = 20_000;
/** Maximum bytes of the same, as they were published. */
export const REPLAY_BYTES_MAX = 4 * 1024 * 1024;
/** Maximum concurrent replays; beyond it a client restarts. */
export const REPLAYS_MAX = 10_000;
/** How long the store may take to answer; less than workers wait for progress (gateway/events/recovery.ts). */
export const STORE_MS_MAX = 8_000;
/** How often to read the store for one replay: each time for what arrived while it answered. */
const READS_MAX = 8;

/** How often to look whether this gateway has caught up with a client that comes from one further ahead. */
const AHEAD_POLL_MS = 50;

/** Who asks, and from which position. */
export interface ReplayRequest {
  readonly subject: Subject;
  readonly shard: Shard;
  readonly lane: number;
  readonly tier: Tier;
  readonly worker: number;
  readonly request: number;
  readonly since: { readonly epoch: string; readonly seq: number };
}

interface Replay extends ReplayRequest {
  /** The newest message replayed. */
  afterSeq: number;
  /** From the feed's store, oldest first. */
  stored: readonly StoredMessage[];
  nextStored: number;
  messages: number;
  bytes: number;
  /** The places of the next messages in the history, as far as they are known. */
  places: readonly number[];
  nextPlace: number;
  /** How often the store was read. */
  reads: number;
  /** It reached a poisonous message. */
  isPoisoned: boolean;
  hold: Hold | undefined;
}

/** A request that waits for this gateway to catch up with the client. */
interface Waiting {
  readonly subject: Subject;
  readonly worker: number;
  readonly request: number;
  readonly then: () => void;
}

interface ReplaysOptions extends UpstreamSigns {
  readonly history: EventHistories;
  readonly feed: Pick<HubFeed, 'stored'>;
  /** No encoder is given this message again: a client that asks for it restarts. */
  readonly isPoison: (subject: Subject, seq: number) => boolean;
  readonly toWorker: (worker: number, message: ToWorker) => void;
  /** Monotonic. */
  readonly nowMicros: () => number;
}

export class Replays {
  /** Replays that were sent completely, those that could not be served, and those that were no longer needed. */
  readonly counters = { recovered: 0, unrecovered: 0, cancelled: 0 };
  readonly #options: ReplaysOptions;
  readonly #active = new Set<Replay>();
  readonly #turns = new ReplayTurns<Replay>(
    (replay, turn) => this.#step(replay, turn),
    replay => this.#end(replay, 'unrecovered'),
  );
  /** By subject, with requests that have not begun: they must be answered when the subject is forgotten. */
  readonly #bySubject = new Map<Subject, Set<Replay | Waiting>>();
  /** Requests that have not begun; at most as many as concurrent replays. */
  readonly #ahead = new Set<Waiting>();
  /** All of these. */
  readonly #byRequest = new Map<string, Replay | Waiting>();
  readonly #held: HeldReplays<Replay>;

  constructor(options: ReplaysOptions) {
    this.#options = options;
    this.#held = new HeldReplays({
      ...options,
      retry: replay => this.#fetch(replay),
      giveUp: replay => this.#end(replay, 'unrecovered'),
    });
  }

  begin(request: ReplayRequest): void {
    const { subject, shard, since } = request;
    const replay: Replay = {
      ...request,
      afterSeq: since.seq,
      stored: [],
      nextStored: 0,
      messages: 0,
      bytes: 0,
      places: [],
      nextPlace: 0,
      reads: 0,
      isPoisoned: false,
      hold: undefined,
    };
    shard.control(RecordKind.replayBegin, subject.id, replay.lane, replay.worker, since.seq, replay.request);
    if (since.epoch !== subject.epoch || this.#active.size >= REPLAYS_MAX) {
      this.#end(replay, 'unrecovered');
      return;
    }
    this.#active.add(replay);
    this.#note(replay);
    this.#turns.add(replay);
  }

  /**
   * Calls `begin` once `isHere`, or anyway after a while or when the subject is about to be forgotten; never, if the
   * worker ends before.
   */
  whenHere(
    { subject, worker, request }: Pick<ReplayRequest, 'subject' | 'worker' | 'request'>,
    isHere: () => boolean,
    begin: () => void,
  ): void {
    if (isHere() || this.#ahead.size >= REPLAYS_MAX) {
      begin();
      return;
    }
    const then = (): void => {
      this.#tellHeld(waiting, false);
      begin();
    };
    const waiting: Waiting = { subject, worker, request, then };
    this.#ahead.add(waiting);
    this.#note(waiting);
    const patience = new Patience(this.#options);
    this.#tellHeld(waiting, true);
    const poll = (): void => {
      if (this.#ahead.has(waiting) && !isHere() && patience.lasts(AHEAD_POLL_MS)) {
        setTimeout(poll, AHEAD_POLL_MS).unref();
        return;
      }
      if (!this.#ahead.delete(waiting)) return;
      this.#unnote(waiting);
      then();
    };
    setTimeout(poll, AHEAD_POLL_MS).unref();
  }

  /** The replay is no longer needed: ends it, unless it has ended. */
  cancel(worker: number, request: number): void {
    const asked = this.#byRequest.get(keyOf(worker, request));
    if (asked !== undefined && 'then' in asked) {
      this.#ahead.delete(asked);
      this.#unnote(asked);
      asked.then();
    }
    const replay = this.#byRequest.get(keyOf(worker, request));
    if (replay !== undefined && !('then' in replay)) this.#end(replay, 'cancelled');
  }

  /** The worker has ended and takes no answers. */
  forgetWorker(worker: number): void {
    for (const waiting of this.#ahead) {
      if (waiting.worker !== worker) continue;
      this.#ahead.delete(waiting);
      this.#unnote(waiting);
    }
    for (const replay of this.#active) {
      if (replay.worker !== worker) continue;
      this.#active.delete(replay);
      this.#turns.delete(replay);
      this.#held.delete(replay);
      this.#unnote(replay);
    }
  }

  /** The subject is about to be forgotten: clients that asked for it have left, or learn that nothing is available. */
  forgetSubject(subject: Subject): void {
    const asked = [...(this.#bySubject.get(subject) ?? [])];
    for (const each of asked) {
      if ('then' in each) {
        this.#ahead.delete(each);
        this.#unnote(each);
        each.then();
      } else {
        this.#end(each, 'unrecovered');
      }
    }
    // The replays begun by `then`.
    for (const each of this.#bySubject.get(subject) ?? []) if (!('then' in each)) this.#end(each, 'unrecovered');
  }

  /** Call when the hub closes. */
  close(): void {
    this.#turns.close();
    this.#held.close();
    this.#active.clear();
    this.#ahead.clear();
    this.#bySubject.clear();
    this.#byRequest.clear();
  }

  async #fetch(replay: Replay): Promise<void> {
    const { subject, afterSeq } = replay;
    const toSeq = subject.seq;
    replay.reads++;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<FeedFailure>(resolve => {
      timer = setTimeout(() => resolve(failed('unreachable', 'the store does not answer')), STORE_MS_MAX);
    });
    const { epoch } = replay.since;
    const range = { subject: subject.name, epoch, afterSeq, toSeq, messagesMax: REPLAY_MESSAGES_MAX };
    const outcome = await Promise.race([this.#options.feed.stored(range), late]);
    clearTimeout(timer);
    if (!this.#active.has(replay)) return;
    if (!outcome.ok && outcome.code === 'unreachable') {
      replay.reads--;
      if (replay.hold === undefined) this.#tellHeld(replay, true);
      this.#held.add(replay);
      return;
    }
    if (!outcome.ok) {
      this.#end(replay, 'unrecovered');
      return;
    }
    this.#release(replay);
    replay.stored = outcome.messages;
    replay.nextStored = 0;
    this.#turns.add(replay);
  }

  /** Queues what the turn has room for; once nothing is left, the end. */
  #step(replay: Replay, turn: Turn): void {
    if (!this.#active.has(replay)) return;
    if (replay.subject.epoch !== replay.since.epoch) {
      this.#end(replay, 'unrecovered');
      return;
    }
    while (replay.nextStored < replay.stored.length && turn.hasRoom && !replay.isPoisoned) {
      this.#append(replay, replay.stored[replay.nextStored++] as StoredMessage, turn);
    }
    const isHistoryDue = turn.hasRoom && !replay.isPoisoned;
    const outcome = isHistoryDue ? this.#fromHistory(replay, turn) : 'more';
    if (replay.isPoisoned || replay.messages > REPLAY_MESSAGES_MAX || replay.bytes > REPLAY_BYTES_MAX)
      this.#end(replay, 'unrecovered');
    else if (outcome === 'all') this.#end(replay, 'recovered');
    else if (outcome === 'more') this.#turns.addBehind(replay);
    // If more arrived in the meantime than the history holds, read the store again for the rest. It knows no delays.
    else if (replay.reads < READS_MAX && replay.subject.delayMs === 0) void this.#fetch(replay);
    else this.#end(replay, 'unrecovered');
  }

  #fromHistory(replay: Replay, turn: Turn): 'all' | 'more' | 'gone' {
    const { history } = this.#options;
    while (turn.hasRoom && !replay.isPoisoned) {
      if (replay.nextPlace >= replay.places.length) {
        const places = history.placesAfter(replay.subject, replay.afterSeq, REPLAY_MESSAGES_MAX);
        if (places === undefined) return 'gone';
        if (places.length === 0) return 'all';
        replay.places = places;
        replay.nextPlace = 0;
      }
      const message = history.read(replay.subject, replay.places[replay.nextPlace++] as number);
      if (message !== undefined) this.#append(replay, message, turn);
      // It has left the buffer since: query the history again, which knows.
      else replay.places = [];
    }
    return replay.subject.seq <= replay.afterSeq ? 'all' : 'more';
  }

  #append(replay: Replay, message: StoredMessage, turn: Turn): void {
    if (message.seq <= replay.afterSeq) return;
    if (this.#options.isPoison(replay.subject, message.seq)) {
      replay.isPoisoned = true;
      return;
    }
    replay.shard.replay(replay.subject, message.payload, message.seq, message.tsEventMicros, replay.lane, replay);
    replay.afterSeq = message.seq;
    replay.messages++;
    replay.bytes += message.payload.length;
    turn.spend(message.payload.length);
  }

  /** The worker waits, and does not count the request as one in flight. */
  #tellHeld({ worker, request }: Replay | Waiting, isHeld: boolean): void {
    this.#options.toWorker(worker, { type: 'held', request, isHeld });
  }

  #release(replay: Replay): void {
    if (replay.hold === undefined) return;
    replay.hold = undefined;
    this.#held.delete(replay);
    this.#tellHeld(replay, false);
  }

  #end(replay: Replay, outcome: keyof Replays['counters']): void {
    const { subject, shard, lane, worker, request } = replay;
    this.#release(replay);
    this.#active.delete(replay);
    this.#turns.delete(replay);
    this.#unnote(replay);
    this.counters[outcome]++;
    const flags = outcome === 'recovered' ? 0 : FLAG_INCOMPLETE;
    shard.control(RecordKind.replayEnd, subject.id, lane, worker, 0, request, flags);
  }

  #note(asked: Replay | Waiting): void {
    const ofSubject = this.#bySubject.get(asked.subject) ?? new Set();
    this.#bySubject.set(asked.subject, ofSubject.add(asked));
    this.#byRequest.set(keyOf(asked.worker, asked.request), asked);
  }

  #unnote(asked: Replay | Waiting): void {
    const key = keyOf(asked.worker, asked.request);
    if (this.#byRequest.get(key) === asked) this.#byRequest.delete(key);
    const ofSubject = this.#bySubject.get(asked.subject);
    ofSubject?.delete(asked);
    if (ofSubject?.size === 0) this.#bySubject.delete(asked.subject);
  }
}

function keyOf(worker: number, request: number): string {
  return `${worker} ${request}`;
}
