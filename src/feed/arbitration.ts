/**
 * Two sources that carry the same messages, as exchanges send them on lines A and B: where the publisher numbers them, the
 * first copy of each counts, from whichever source, and the other is a duplicate. So nothing is missing as long as one of
 * the two has it, without waiting until anybody has noticed that the other is silent.
 *
 * A message that comes before those that it follows waits for them as long as one of the lines may still bring them: up to what
 * that line is late, as measured. Only then there is a hole.
 *
 * A publisher that begins again with 1 in the same epoch begins a new **life** of its numbering. Each line shows that by itself,
 * when its own numbers fall back to 1: late copies of the life before, from the other line, stay duplicates.
 */
import { fnv1a } from '../protocol/fnv.js';
import { AheadMessages } from './ahead-messages.js';
import type { SourceIndex } from './failover-judge.js';
import type { FeedMessage } from './feed.js';
import { LAG_MS_MAX, LineLags } from './line-lags.js';

/** Subjects whose place is kept. Of others, only what the active source brings is taken. */
const SUBJECTS_MAX = 500_000;
/** Payload bytes that wait for what they follow. Beyond it the subject that gets one more waits no longer: there is a hole. */
const AHEAD_BYTES_MAX = 32 * 1024 * 1024;

export interface ArbiterOptions {
  readonly nowMs: () => number;
  readonly isLive: (line: SourceIndex) => boolean;
  /** Takes the messages that count, in order. */
  readonly deliver: (message: FeedMessage) => void;
  readonly aheadBytesMax?: number;
}

/** `taken`, or kept until it can be; a `duplicate` was taken before; `pass`: it only counts if it comes from the active source. */
export type Arbitration = 'taken' | 'duplicate' | 'pass';

/** Where a line stands by its own numbers. */
interface LinePlace {
  /** '' before its first message. */
  epoch: string;
  seq: number;
  /** Stands for the bytes of its newest message 1. */
  began: number;
  /** Lives of the epoch before this one. */
  restarts: number;
  /** Connections of the line before that it came on. */
  connection: number;
}

interface Place {
  readonly subject: string;
  epoch: string;
  seq: number;
  restarts: number;
  /** The epoch before, of which late copies may still come, and since when it is over; the same of the life before. */
  epochBefore: string;
  sinceMs: number;
  readonly lines: readonly [LinePlace, LinePlace];
  /** Messages that wait for the one behind `seq`, how long, and which `seq` that was said of. */
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

  /** A message of the line that is read (`isActive`), or of the other one: that is taken where it surely is the next. */
  received(line: SourceIndex, m: FeedMessage, isActive: boolean): Arbitration {
    if (!m.contiguous) return isActive ? this.#takeUnnumbered(m) : 'pass';
    const place = this.#places.get(m.subject);
    if (place === undefined) return this.#begin(line, m, isActive);
    this.#lags.seen(line, m);
    return this.#take(place, line, m, isActive, this.#relate(place, line, m, isActive));
  }

  /** The same of a message of the line that is active now, which it brought when it was not, and which was passed over then. */
  takeHeld(line: SourceIndex, m: FeedMessage): Arbitration {
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

  /** The subject is not followed any more. */
  forget(subject: string): void {
    const place = this.#places.get(subject);
    if (place === undefined) return;
    this.#dropAhead(place);
    this.#places.delete(subject);
  }

  /** The line is connected again: what it would have brought while it was not, it will not bring. */
  reconnected(line: SourceIndex): void {
    this.#connections[line]++;
  }

  /** Looks at what waits: to be called every now and then, and when a line is lost or left. */
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

  #begin(line: SourceIndex, m: FeedMessage, isActive: boolean): Arbitration {
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

  /** Notes where the line stands, and says what its message is to what was taken so far. */
  #relate(place: Place, line: SourceIndex, m: FeedMessage, isActive: boolean): Relation {
    const own = place.lines[line];
    const isOfEpoch = m.epoch === place.epoch;
    const isReconnected = own.connection !== this.#connections[line];
    if (m.epoch !== own.epoch) {
      // A line that is new here is taken for one that keeps up.
      own.restarts = isOfEpoch && (own.epoch === '' || isReconnected) ? place.restarts : 0;
    } else if (m.seq === 1 && (own.seq > 1 || (own.seq === 1 && own.began !== fnv1a(m.payload)))) {
      own.restarts++;
      if (isOfEpoch && isReconnected) own.restarts = Math.max(own.restarts, place.restarts);
    } else if (isOfEpoch && (isReconnected || m.seq < own.seq)) {
      // It did not see the beginning of this life.
      own.restarts = Math.max(own.restarts, place.restarts);
    }
    own.epoch = m.epoch;
    own.seq = m.seq;
    own.connection = this.#connections[line];
    if (m.seq === 1) own.began = fnv1a(m.payload);
    if (!isOfEpoch) return m.epoch === place.epochBefore && !this.#isLongOver(place) ? 'old' : 'other';
    if (own.restarts > place.restarts) return 'restart';
    if (own.restarts === place.restarts) return 'same';
    // Copies of the life before come no later than that: the line lost the beginning of this one.
    if (!isActive || !this.#isLongOver(place)) return 'old';
    own.restarts = place.restarts;
    return 'same';
  }

  #isLongOver(place: Place): boolean {
    return this.#options.nowMs() - place.sinceMs >= LAG_MS_MAX;
  }

  #take(place: Place, line: SourceIndex, m: FeedMessage, isActive: boolean, relation: Relation): Arbitration {
    if (relation === 'old') return 'duplicate';
    // The active source alone begins an epoch: of two that alternate, neither is known to be the newer one.
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

  /** Delivers what follows now; waits for what is missing where a line may still bring it, else passes over it. */
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

  /** False when no line brings the next message any more. */
  #waits(place: Place): boolean {
    const [a, b] = [this.#mayBring(place, 0), this.#mayBring(place, 1)];
    if (!a && !b) return false;
    this.#waiting.add(place);
    if (place.dueOfSeq === place.seq) return true;
    place.dueOfSeq = place.seq;
    place.dueMs = this.#options.nowMs() + Math.max(a ? this.#lags.waitMs(0) : 0, b ? this.#lags.waitMs(1) : 0);
    return true;
  }

  /** A line brings its messages in order: it is not past the one that is missing. */
  #mayBring(place: Place, line: SourceIndex): boolean {
    const { epoch, seq, restarts } = place.lines[line];
    if (epoch === '' || !this.#options.isLive(line)) return false;
    if (epoch !== place.epoch) return epoch === place.epochBefore;
    return restarts < place.restarts || (restarts === place.restarts && seq <= place.seq);
  }

  /** It waited long enough: what is missing is passed over. */
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
