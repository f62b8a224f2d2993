/**
 * What a client missed of an event topic, from the history, or from the feed's own store where that reaches further back.
 *
 * Replays go through the shard's queue in turn, a little at a time, so that live messages keep their pace. Each ends with what is
 * newest then: in the queue, all that came before the end was replayed, and all that comes behind it is live.
 */
import type { Tier } from '../../protocol/lanes.js';
import { FLAG_INCOMPLETE, RecordKind } from '../../threads/records.js';
import type { StoredMessage } from '../hub-feed.js';
import type { Shard } from '../shards/shard.js';
import type { Source } from '../sources/source-table.js';
import type { EventHistories } from './event-histories.js';
import { ReplayTurns, type Turn } from './replay-turns.js';

/** Most messages that one topic of one client is sent again; who missed more begins anew. */
export const REPLAY_MESSAGES_MAX = 20_000;
/** The same in bytes, as they were published. */
export const REPLAY_BYTES_MAX = 4 * 1024 * 1024;
/** Replays under way at once; beyond it a client begins anew. */
export const REPLAYS_MAX = 10_000;
/** How long the store may take to answer; less than workers wait for progress (gateway/events/recovery.ts). */
export const STORE_MS_MAX = 8_000;
/** How often the store is asked for one replay: each time for what came while it answered. */
const READS_MAX = 8;

/** How long a client that stands ahead of this gateway waits for it to get there: it comes from one that is further on. */
const AHEAD_MAX_MS = 2_000;
const AHEAD_POLL_MS = 50;

/** Who asks, and from where. */
export interface ReplayRequest {
  readonly source: Source;
  readonly shard: Shard;
  readonly lane: number;
  readonly tier: Tier;
  readonly worker: number;
  readonly request: number;
  readonly since: { readonly epoch: string; readonly seq: number };
}

interface Replay extends ReplayRequest {
  /** The newest message that was replayed. */
  afterSeq: number;
  /** From the feed's store, oldest first. */
  stored: readonly StoredMessage[];
  nextStored: number;
  messages: number;
  bytes: number;
  /** Where the next messages are in the history, as far as it was asked. */
  places: readonly number[];
  nextPlace: number;
  /** How often the store was asked. */
  reads: number;
  /** It came to a message that no encoder survives. */
  isPoisoned: boolean;
}

/** A request that waits for this gateway to get where the client stands. */
interface Waiting {
  readonly source: Source;
  readonly worker: number;
  readonly request: number;
  readonly then: () => void;
}

export interface ReplaysOptions {
  readonly history: EventHistories;
  /** All messages of a subject with `afterSeq < seq ≤ toSeq`; undefined when they cannot be had, or not surely all. */
  readonly stored: (
    subject: string,
    afterSeq: number,
    toSeq: number,
    messagesMax: number,
    epoch: string,
  ) => Promise<readonly StoredMessage[] | undefined>;
  readonly onFault: (what: string, detail: string) => void;
  /** No encoder is given this message again: who asks for it begins anew. */
  readonly isPoison: (source: Source, seq: number) => boolean;
}

export class Replays {
  /** Replays that ended with everything sent, those that could not be served, and those that no client waited for any more. */
  readonly counters = { recovered: 0, unrecovered: 0, cancelled: 0 };
  readonly #options: ReplaysOptions;
  readonly #active = new Set<Replay>();
  readonly #turns = new ReplayTurns<Replay>(
    (replay, turn) => this.#step(replay, turn),
    replay => this.#end(replay, 'unrecovered'),
  );
  /** The same by source, and requests that have not begun: to be answered when the source is forgotten. */
  readonly #bySource = new Map<Source, Set<Replay | Waiting>>();
  /** Requests that have not begun; as many as may be under way. */
  readonly #ahead = new Set<Waiting>();
  /** All of these. */
  readonly #byRequest = new Map<string, Replay | Waiting>();

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  begin(request: ReplayRequest): void {
    const { source, shard, since } = request;
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
    };
    shard.control(RecordKind.replayBegin, source.id, replay.lane, replay.worker, since.seq, replay.request);
    if (since.epoch !== source.epoch || this.#active.size >= REPLAYS_MAX) {
      this.#end(replay, 'unrecovered');
      return;
    }
    this.#active.add(replay);
    this.#note(replay);
    this.#turns.add(replay);
  }

  /**
   * Calls `then` once `isHere`, or after a while all the same, or when the source is about to be forgotten; not at all where
   * the worker is gone before.
   */
  whenHere(
    { source, worker, request }: Pick<ReplayRequest, 'source' | 'worker' | 'request'>,
    isHere: () => boolean,
    then: () => void,
  ): void {
    if (isHere() || this.#ahead.size >= REPLAYS_MAX) {
      then();
      return;
    }
    const waiting: Waiting = { source, worker, request, then };
    this.#ahead.add(waiting);
    this.#note(waiting);
    let leftMs = AHEAD_MAX_MS;
    const look = (): void => {
      if (!this.#ahead.has(waiting)) return;
      leftMs -= AHEAD_POLL_MS;
      if (leftMs > 0 && !isHere()) {
        setTimeout(look, AHEAD_POLL_MS).unref();
        return;
      }
      this.#ahead.delete(waiting);
      this.#unnote(waiting);
      then();
    };
    setTimeout(look, AHEAD_POLL_MS).unref();
  }

  /** No client waits for it any more: it ends here, unless it has ended. */
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

  /** The worker is gone: nobody waits for its answers. */
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
      this.#unnote(replay);
    }
  }

  /** The source is about to be forgotten: who asked for it has left, or is told that nothing can be had. */
  forgetSource(source: Source): void {
    const asked = [...(this.#bySource.get(source) ?? [])];
    for (const each of asked) {
      if ('then' in each) {
        this.#ahead.delete(each);
        this.#unnote(each);
        each.then();
      } else {
        this.#end(each, 'unrecovered');
      }
    }
    // What `then` has begun.
    for (const each of this.#bySource.get(source) ?? []) if (!('then' in each)) this.#end(each, 'unrecovered');
  }

  /** The hub is closing. */
  close(): void {
    this.#turns.close();
    this.#active.clear();
    this.#ahead.clear();
    this.#bySource.clear();
    this.#byRequest.clear();
  }

  async #fetch(replay: Replay): Promise<void> {
    const { source, afterSeq } = replay;
    const toSeq = source.seq;
    replay.reads++;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<undefined>(resolve => {
      timer = setTimeout(() => resolve(undefined), STORE_MS_MAX);
    });
    try {
      const { epoch } = replay.since;
      const stored = await Promise.race([
        this.#options.stored(source.subject, afterSeq, toSeq, REPLAY_MESSAGES_MAX, epoch),
        silence,
      ]);
      if (!this.#active.has(replay)) return;
      if (stored === undefined) {
        this.#end(replay, 'unrecovered');
        return;
      }
      replay.stored = stored;
      replay.nextStored = 0;
      this.#turns.add(replay);
    } catch (cause) {
      this.#options.onFault('missed messages could not be read', String(cause));
      if (this.#active.has(replay)) this.#end(replay, 'unrecovered');
    } finally {
      clearTimeout(timer);
    }
  }

  /** Puts what the turn has room for into the queue, and the end, once nothing is left. */
  #step(replay: Replay, turn: Turn): void {
    if (!this.#active.has(replay)) return;
    if (replay.source.epoch !== replay.since.epoch) {
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
    // Where more came meanwhile than the history holds, the store is asked again for the rest.
    else if (replay.reads < READS_MAX) void this.#fetch(replay);
    else this.#end(replay, 'unrecovered');
  }

  #fromHistory(replay: Replay, turn: Turn): 'all' | 'more' | 'gone' {
    const { history } = this.#options;
    while (turn.hasRoom && !replay.isPoisoned) {
      if (replay.nextPlace >= replay.places.length) {
        const places = history.placesAfter(replay.source, replay.afterSeq, REPLAY_MESSAGES_MAX);
        if (places === undefined) return 'gone';
        if (places.length === 0) return 'all';
        replay.places = places;
        replay.nextPlace = 0;
      }
      const message = history.read(replay.source, replay.places[replay.nextPlace++] as number);
      if (message !== undefined) this.#append(replay, message, turn);
      // It has left the buffer since: the history is asked again, and knows.
      else replay.places = [];
    }
    return replay.source.seq <= replay.afterSeq ? 'all' : 'more';
  }

  #append(replay: Replay, message: StoredMessage, turn: Turn): void {
    if (message.seq <= replay.afterSeq) return;
    if (this.#options.isPoison(replay.source, message.seq)) {
      replay.isPoisoned = true;
      return;
    }
    replay.shard.replay(replay.source, message.payload, message.seq, message.tsEventMicros, replay.lane, replay);
    replay.afterSeq = message.seq;
    replay.messages++;
    replay.bytes += message.payload.length;
    turn.spend(message.payload.length);
  }

  #end(replay: Replay, outcome: keyof Replays['counters']): void {
    const { source, shard, lane, worker, request } = replay;
    this.#active.delete(replay);
    this.#turns.delete(replay);
    this.#unnote(replay);
    this.counters[outcome]++;
    const flags = outcome === 'recovered' ? 0 : FLAG_INCOMPLETE;
    shard.control(RecordKind.replayEnd, source.id, lane, worker, 0, request, flags);
  }

  #note(asked: Replay | Waiting): void {
    const ofSource = this.#bySource.get(asked.source) ?? new Set();
    this.#bySource.set(asked.source, ofSource.add(asked));
    this.#byRequest.set(keyOf(asked.worker, asked.request), asked);
  }

  #unnote(asked: Replay | Waiting): void {
    const key = keyOf(asked.worker, asked.request);
    if (this.#byRequest.get(key) === asked) this.#byRequest.delete(key);
    const ofSource = this.#bySource.get(asked.source);
    ofSource?.delete(asked);
    if (ofSource?.size === 0) this.#bySource.delete(asked.source);
  }
}

function keyOf(worker: number, request: number): string {
  return `${worker} ${request}`;
}
