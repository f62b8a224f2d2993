/**
 * Merges two upstreams that carry the same messages, as exchanges send them on lines A and B. For messages that the
 * publisher numbers, the first copy counts, from either upstream, and the other is a duplicate. Nothing is lost as long
 * as one upstream has it, without waiting until a failure of the other is noticed.
 *
 * A message that arrives before its predecessors waits for them as long as a line may still deliver them: up to that
 * line's measured lag. After that there is a hole.
 *
 * A publisher that restarts at 1 in the same epoch begins a new **life** of its numbering. Each line shows a restart by
 * itself, when its own numbers fall back to 1. Late copies of the previous life from the other line are still
 * duplicates.
 */

import type { FeedMessage } from '../feed-contract/feed.js';
import { fnv1a } from '../protocol/fnv.js';
import { AheadMessages } from './ahead-messages.js';
import type { UpstreamIndex } from './failover-policy.js';
import { LAG_MS_MAX, LineLags } from './line-lags.js';

/** Most subjects tracked. For any others, only messages of the active upstream are taken. */
const SUBJECTS_MAX = 500_000;
/** Most payload bytes of waiting messages. Beyond it, the subject of the newest one stops waiting and has a hole. */
const AHEAD_BYTES_MAX = 32 * 1024 * 1024;

interface ArbiterOptions {
  readonly nowMs: () => number;
  readonly isLive: (line: UpstreamIndex) => boolean;
  /** Receives the messages that count, in order. */
  readonly deliver: (message: FeedMessage) => void;
  readonly aheadBytesMax?: number;
}

/** `taken`: delivered or waiting; `duplicate`: taken before; `pass`: counts only from the active upstream. */
type Arbitration = 'taken' | 'duplicate' | 'pass';

/** A line's position by its own numbers. */
interface LinePlace {
  /** '' before its first message. */
  epoch: string;
  seq: number;
  /** Hash of the newest message with number 1. */
  began: number;
  /** How often the numbering restarted in this epoch. */
  restarts: number;
  /** How often the line had reconnected when it delivered this. */
  connection: number;
}

interface Place {
  readonly subject: string;
  epoch: string;
  seq: number;
  restarts: number;
  /** The previous epoch, of which late copies may still arrive, and when it or the previous life ended. */
  epochBefore: string;
  sinceMs: number;
  readonly lines: readonly [LinePlace, LinePlace];
  /** Messages waiting for the one after `seq`, until when, and the `seq` that this deadline belongs to. */
  ahead: AheadMessages | undefined;
  dueMs: number;
  dueOfSeq: number;
}

type Relation = 'same' | 'old' | 'restart' | 'other';

const newLinePlace = (): LinePlace => ({ epoch: '', seq: 0, began: 0, restarts: 0, connection: 0 });

export class Arbiter {
  readonly #options: ArbiterOptions;
  readonly #places = new Map<string, Place>();
  readonly #waiting = new Set<Place>();
  readonly #lags: LineLags;
  readonly #connections: [number, number] = [0, 0];
  #aheadBytes = 0;

  constructor(options: ArbiterOptions) {
    this.#options = options;
    this.#lags = new LineLags(options.nowMs);
  }

  /**
   * Takes a message of the active upstream (`isActive`) or of the other one, which counts only if it is certainly the
   * next.
   */
  received(line: UpstreamIndex, m: FeedMessage, isActive: boolean): Arbitration {
    if (!m.contiguous) return isActive ? this.#takeUnnumbered(m) : 'pass';
    const place = this.#places.get(m.subject);
    if (place === undefined) return this.#begin(line, m, isActive);
    this.#lags.seen(line, m);
    return this.#take(place, line, m, isActive, this.#relate(place, line, m, isActive));
  }

  /** Takes a message that the active line delivered while it was inactive, and that was held back then. */
  takeHeld(line: UpstreamIndex, m: FeedMessage): Arbitration {
    const place = this.#places.get(m.subject);
    if (!m.contiguous || place === undefined || m.epoch !== place.epoch) {
      return place !== undefined && m.contiguous
        ? this.#take(place, line, m, true, 'other')
        : this.received(line, m, true);
    }
    const isRestart = m.seq === 1 && place.seq > 1;
    const own = place.lines[line];
    if (own.epoch === m.epoch) own.restarts = place.restarts + (isRestart ? 1 : 0);
    return this.#take(place, line, m, true, isRestart ? 'restart' : 'same');
  }

  /** Call when the subject is no longer followed. */
  forget(subject: string): void {
    const place = this.#places.get(subject);
    if (place === undefined) return;
    this.#dropAhead(place);
    this.#places.delete(subject);
  }

  /** The line has reconnected: it will not deliver what it missed while disconnected. */
  reconnected(line: UpstreamIndex): void {
    this.#connections[line]++;
  }

  /** Checks the waiting messages. Call it regularly, and when a line is lost or left. */
  maintain(): void {
    this.#lags.maintain();
    if (this.#waiting.size === 0) return;
    const nowMs = this.#options.nowMs();
    for (const place of [...this.#waiting]) {
      if (nowMs >= place.dueMs) this.#giveUp(place);
      else this.#settle(place);
    }
  }

  #takeUnnumbered(m: FeedMessage): Arbitration {
    const place = this.#places.get(m.subject);
    if (place !== undefined) {
      this.#dropAhead(place);
      place.epoch = '';
      place.seq = 0;
    } else if (this.#places.size < SUBJECTS_MAX) this.#add(m.subject, '', 0);
    this.#options.deliver(m);
    return 'taken';
  }

  #begin(line: UpstreamIndex, m: FeedMessage, isActive: boolean): Arbitration {
    if (this.#places.size < SUBJECTS_MAX) {
      const own = this.#add(m.subject, m.epoch, m.seq).lines[line];
      own.epoch = m.epoch;
      own.seq = m.seq;
      own.connection = this.#connections[line];
      if (m.seq === 1) own.began = fnv1a(m.payload);
    } else if (!isActive) return 'pass';
    this.#options.deliver(m);
    return 'taken';
  }

  #add(subject: string, epoch: string, seq: number): Place {
    const place: Place = {
      subject,
      epoch,
      seq,
      restarts: 0,
      epochBefore: '',
      sinceMs: 0,
      lines: [newLinePlace(), newLinePlace()],
      ahead: undefined,
      dueMs: 0,
      dueOfSeq: 0,
    };
    this.#places.set(subject, place);
    return place;
  }

  /** Records the line's position, and returns how its message relates to what was taken so far. */
  #relate(place: Place, line: UpstreamIndex, m: FeedMessage, isActive: boolean): Relation {
    const own = place.lines[line];
    const isOfEpoch = m.epoch === place.epoch;
    const isReconnected = own.connection !== this.#connections[line];
    if (m.epoch !== own.epoch) {
      // A line that is new here counts as up to date.
      own.restarts = isOfEpoch && (own.epoch === '' || isReconnected) ? place.restarts : 0;
    } else if (m.seq === 1 && (own.seq > 1 || (own.seq === 1 && own.began !== fnv1a(m.payload)))) {
      own.restarts++;
      if (isOfEpoch && isReconnected) own.restarts = Math.max(own.restarts, place.restarts);
    } else if (isOfEpoch && (isReconnected || m.seq < own.seq)) {
      // The line missed the beginning of this life.
      own.restarts = Math.max(own.restarts, place.restarts);
    }
    own.epoch = m.epoch;
    own.seq = m.seq;
    own.connection = this.#connections[line];
    if (m.seq === 1) own.began = fnv1a(m.payload);
    if (!isOfEpoch) return m.epoch === place.epochBefore && !this.#isLongOver(place) ? 'old' : 'other';
    if (own.restarts > place.restarts) return 'restart';
    if (own.restarts === place.restarts) return 'same';
    // No copies of the previous life arrive this late: the line missed the beginning of this one.
    if (!isActive || !this.#isLongOver(place)) return 'old';
    own.restarts = place.restarts;
    return 'same';
  }

  #isLongOver(place: Place): boolean {
    return this.#options.nowMs() - place.sinceMs >= LAG_MS_MAX;
  }

  #take(place: Place, line: UpstreamIndex, m: FeedMessage, isActive: boolean, relation: Relation): Arbitration {
    if (relation === 'old') return 'duplicate';
    // Only the active upstream begins an epoch: if two alternate, it is unclear which one is newer.
    if (relation === 'other' && !isActive) return 'pass';
    if (relation !== 'same') {
      this.#beginLife(place, m, place.lines[line].restarts);
      this.#options.deliver(m);
      return 'taken';
    }
    if (m.seq <= place.seq) return 'duplicate';
    if (m.seq > place.seq + 1) {
      this.#keep(place, m);
      return 'taken';
    }
    place.seq = m.seq;
    this.#lags.brought(line, m);
    this.#options.deliver(m);
    if (place.ahead !== undefined) this.#settle(place);
    return 'taken';
  }

  #beginLife(place: Place, m: FeedMessage, restarts: number): void {
    this.#dropAhead(place);
    if (m.epoch !== place.epoch) place.epochBefore = place.epoch;
    place.epoch = m.epoch;
    place.seq = m.seq;
    place.restarts = restarts;
    place.sinceMs = this.#options.nowMs();
  }

  #keep(place: Place, m: FeedMessage): void {
    place.ahead ??= new AheadMessages();
    const before = place.ahead.bytes;
    place.ahead.add(m);
    this.#aheadBytes += place.ahead.bytes - before;
    this.#settle(place);
    if (this.#aheadBytes > (this.#options.aheadBytesMax ?? AHEAD_BYTES_MAX)) this.#giveUp(place);
  }

  /** Delivers what is next. Waits for missing messages while a line may deliver them, else skips them. */
  #settle(place: Place): void {
    const { ahead } = place;
    while (ahead !== undefined && ahead.firstSeq > 0) {
      const isNext = ahead.firstSeq <= place.seq + 1;
      if (!isNext && this.#waits(place)) return;
      const before = ahead.bytes;
      const m = ahead.shift() as FeedMessage;
      this.#aheadBytes -= before - ahead.bytes;
      if (m.seq <= place.seq) continue;
      place.seq = m.seq;
      this.#options.deliver(m);
    }
    this.#dropAhead(place);
  }

  /** False if no line will deliver the next message. */
  #waits(place: Place): boolean {
    const [a, b] = [this.#mayBring(place, 0), this.#mayBring(place, 1)];
    if (!a && !b) return false;
    this.#waiting.add(place);
    if (place.dueOfSeq === place.seq) return true;
    place.dueOfSeq = place.seq;
    place.dueMs = this.#options.nowMs() + Math.max(a ? this.#lags.waitMs(0) : 0, b ? this.#lags.waitMs(1) : 0);
    return true;
  }

  /** Lines deliver in order: this line has not yet passed the missing message. */
  #mayBring(place: Place, line: UpstreamIndex): boolean {
    const { epoch, seq, restarts } = place.lines[line];
    if (epoch === '' || !this.#options.isLive(line)) return false;
    if (epoch !== place.epoch) return epoch === place.epochBefore;
    return restarts < place.restarts || (restarts === place.restarts && seq <= place.seq);
  }

  /** The wait is over: skips what is missing. */
  #giveUp(place: Place): void {
    const first = place.ahead?.firstSeq ?? 0;
    if (first > place.seq) place.seq = first - 1;
    this.#settle(place);
  }

  #dropAhead(place: Place): void {
    this.#aheadBytes -= place.ahead?.bytes ?? 0;
    place.ahead = undefined;
    place.dueOfSeq = -1;
    this.#waiting.delete(place);
  }
}
