/**
 * Ring → sockets. A turn copies the next frames of each ring and publishes them: first all institutional lanes, then, in
 * the next turn of the event loop, all retail lanes. uWS writes the sockets it was asked to publish to last first within
 * one loop turn, so only a turn of its own puts institutional sockets first on the wire (native-notes/uws.md).
 */
import {
  classOfLane,
  detailOfLane,
  laneWith,
  REALTIME,
  type Tier,
  TRADES_FULL,
  variantOfLane,
} from '../../protocol/lanes.js';
import { ALL_TRADES_SOURCE } from '../../protocol/topics.js';
import { epochTagOf, FrameKind, type RingReader } from '../../threads/ring.js';
import type { EventLosses } from '../events/gaps.js';
import { NOTHING_SENT, type Place } from '../model/positions.js';
import type { LaneEntry } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { SlowConsumers } from '../slow-consumers/ladder.js';
import type { Published } from '../slow-consumers/overload.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import type { Turn } from '../views/native-topics.js';
import type { LaneTable } from '../views/views.js';

/** Bytes of frames published in one turn, so that commands and drains get their turns under load. */
export const TURN_BYTES_MAX = 32 * 1024;
/** A queue this old is one: what else is on its way is a turn or two. */
const BEHIND_MICROS = 20_000;
/** Bucket b counts frames that took less than 2^b µs from the hub to their publish. */
export const LATENCY_BUCKETS = 26;

const textDecoder = new TextDecoder();

export interface FanoutCounters extends Published {
  turns: number;
  readonly latencyBuckets: Float64Array;
  latencySumMicros: number;
  /** Of the last realtime frame that was published. */
  lastMicros: number;
}

export class Fanout {
  readonly counters: FanoutCounters = {
    turns: 0,
    overruns: 0,
    youngestMicros: Number.POSITIVE_INFINITY,
    latencyBuckets: new Float64Array(LATENCY_BUCKETS),
    latencySumMicros: 0,
    lastMicros: 0,
  };
  readonly #rings: readonly RingReader[];
  readonly #filled: boolean[];
  readonly #table: LaneTable;
  readonly #subscriptions: Subscriptions;
  readonly #outbox: Outbox;
  readonly #losses: EventLosses;
  readonly #nowMicros: () => number;
  readonly #slow: SlowConsumers;
  readonly #turn: Turn;

  constructor(options: {
    rings: readonly RingReader[];
    table: LaneTable;
    subscriptions: Subscriptions;
    outbox: Outbox;
    losses: EventLosses;
    nowMicros: () => number;
    slow: SlowConsumers;
    turn: Turn;
  }) {
    this.#rings = options.rings;
    this.#filled = options.rings.map(() => false);
    this.#table = options.table;
    this.#subscriptions = options.subscriptions;
    this.#outbox = options.outbox;
    this.#losses = options.losses;
    this.#nowMicros = options.nowMicros;
    this.#slow = options.slow;
    this.#turn = options.turn;
  }

  /** Number of the turn whose publishes may still be in uWS's hands. */
  get turn(): number {
    return this.#turn.current;
  }

  get hasMore(): boolean {
    return this.#rings.some(ring => ring.hasMore);
  }

  /** More frames wait, and what was published last had waited long: the newest of a turn, so that there is a queue. */
  get isBehind(): boolean {
    return this.counters.lastMicros > BEHIND_MICROS && this.hasMore;
  }

  /** Copies the next frames of every ring; false when there are none. */
  read(): boolean {
    if (!this.hasMore) return false;
    this.#turn.current++;
    let any = false;
    this.#rings.forEach((ring, i) => {
      const result = ring.read(TURN_BYTES_MAX);
      this.#filled[i] = result === 'frames';
      any ||= result !== 'empty';
      if (result === 'overrun') {
        this.counters.overruns++;
        this.#repair(i, 'institutional');
        this.#repair(i, 'retail');
      }
    });
    if (any) this.counters.turns++;
    return any;
  }

  /** Publishes what was read to the lanes of one tier, in order. */
  publish(tier: Tier): void {
    if (this.#table.count(tier) === 0) return;
    const nowMicros = this.#nowMicros();
    for (let i = 0; i < this.#rings.length; i++) {
      const ring = this.#rings[i];
      if (ring === undefined || !this.#filled[i]) continue;
      ring.rewind();
      while (ring.next()) {
        this.#frame(ring, i, tier, nowMicros);
        // Behind a drop nothing more may be queued: were the socket to drain, it would see the hole before its repair.
        if (this.#slow.hasPending) this.#slow.settle();
      }
    }
  }

  #frame(ring: RingReader, ringIndex: number, tier: Tier, nowMicros: number): void {
    switch (ring.kind) {
      case FrameKind.delta:
      case FrameKind.snapshot: {
        const entry = this.#table.get(tier, ring.source, ring.lane);
        if (entry === undefined || entry.isBroken) return;
        if (ring.kind === FrameKind.snapshot) entry.beginEpoch(this.#epochText(ring));
        entry.advance(ring.seq);
        this.#observe(ring, nowMicros);
        this.#publishTo(entry, ring, nowMicros);
        if (entry.behind.size > 0) this.#subscriptions.advanced(entry);
        return;
      }
      case FrameKind.stale:
      case FrameKind.held:
        this.#stale(ring, tier);
        return;
      case FrameKind.event:
      case FrameKind.gap:
        this.#event(ring, tier, nowMicros);
        return;
      case FrameKind.part:
      case FrameKind.ready:
        this.#answer(ring, ringIndex, tier);
        return;
      case FrameKind.replay:
      case FrameKind.recovered:
      case FrameKind.unrecovered:
        this.#replay(ring, tier);
        return;
      case FrameKind.rebuilt:
        this.#repair(ringIndex, tier);
    }
  }

  /** The topic is held back; or it is, as whoever asked for its document is about to be told. */
  #stale(ring: RingReader, tier: Tier): void {
    const isAnswer = ring.kind === FrameKind.held;
    const entry = isAnswer ? this.#table.asked(ring.tag) : this.#table.get(tier, ring.source, ring.lane);
    if (entry === undefined || entry.tier !== tier || (entry.isBroken && !isAnswer)) return;
    entry.holdBack(ring.copy.slice(ring.payloadStart, ring.payloadEnd));
    if (!isAnswer) this.#outbox.publishStale(entry);
  }

  #event(ring: RingReader, tier: Tier, nowMicros: number): void {
    const isTrade = detailOfLane(ring.lane) <= TRADES_FULL;
    const lane = isTrade ? ring.lane : laneWith(REALTIME, 0, variantOfLane(ring.lane));
    const entry = this.#table.get(tier, ring.source, lane);
    const all = isTrade ? this.#table.allTrades(tier, lane) : undefined;
    if (entry === undefined && all === undefined) return;
    this.#observe(ring, nowMicros);
    if (entry !== undefined) this.#publishEvent(entry, ring, nowMicros);
    if (all !== undefined) this.#publishEvent(all, ring, nowMicros);
  }

  #publishEvent(entry: LaneEntry, ring: RingReader, nowMicros: number): void {
    const turn = this.#turn.current;
    // Noted before it is published: a drop while publishing must find this turn's sequences.
    const position = entry.seqs.at(ring.source, ring.seq, turn);
    if (position.tag !== ring.tag) position.beginEpoch(ring.tag, this.#epochText(ring), turn);
    position.note(ring.seq, turn);
    entry.moveTo(position.epoch, ring.seq);
    if (!entry.isBroken) this.#publishTo(entry, ring, nowMicros);
  }

  #publishTo(entry: LaneEntry, ring: RingReader, nowMicros: number): void {
    entry.told(nowMicros);
    if (entry.held.size > 0) {
      // First: publishing stamps the bytes in place, which those who get them later need unstamped.
      const bytes = ring.copy.subarray(ring.payloadStart, ring.payloadEnd);
      this.#subscriptions.queueForHeld(entry, bytes, ring.seq, ring.tag);
    }
    const { control } = this.#outbox;
    const counted = ring.kind === FrameKind.gap ? control : entry.sent;
    this.#outbox.publish(entry, ring.copy, ring.payloadStart, ring.payloadEnd, counted);
  }

  /** What clients missed, and the mark that it was all. */
  #replay(ring: RingReader, tier: Tier): void {
    const { resumptions } = this.#subscriptions;
    const replay = resumptions.asked(ring.tag);
    if (replay === undefined) {
      if (ring.kind !== FrameKind.replay) this.#table.requests.settled(ring.tag);
      return;
    }
    if (replay.entry.tier !== tier) return;
    if (ring.kind === FrameKind.replay) {
      resumptions.frame(replay, ring.copy.subarray(ring.payloadStart, ring.payloadEnd), ring.seq);
      return;
    }
    const epochBytes = ring.copy.subarray(ring.epochStart, ring.payloadStart);
    const end = { epoch: textDecoder.decode(epochBytes), seq: ring.seq };
    resumptions.ended(replay, ring.kind === FrameKind.recovered, end, epochTagOf(epochBytes));
  }

  #answer(ring: RingReader, ringIndex: number, tier: Tier): void {
    const entry = this.#table.asked(ring.tag);
    // Whoever asked has left.
    if (entry === undefined) this.#table.requests.settled(ring.tag);
    if (entry?.tier !== tier) return;
    const isReady = ring.kind === FrameKind.ready;
    const epochBytes = ring.copy.subarray(ring.epochStart, ring.payloadStart);
    const epoch = textDecoder.decode(epochBytes);
    if (isReady && ring.source !== ALL_TRADES_SOURCE) {
      entry.seqs.reach(ring.source, ring.seq, epochTagOf(epochBytes), epoch);
      // Told on behalf of the trades of all symbols; their own answer follows.
      if (entry.isAllTrades) return;
    }
    if (!this.#table.answered(entry, ring.source, ringIndex)) return;
    entry.moveTo(epoch, ring.seq);
    entry.told(this.#nowMicros());
    if (isReady) {
      if (entry.isBroken) this.#announceLosses(entry);
      this.#subscriptions.answered(entry, undefined);
      return;
    }
    const bytes = ring.copy.slice(ring.payloadStart, ring.payloadEnd);
    this.#subscriptions.answered(entry, { seq: ring.seq, epoch, bytes });
  }

  /** A broken event lane is whole again: what went by meanwhile is lost to its sockets, and they are told. */
  #announceLosses(entry: LaneEntry): void {
    const sent = entry.sentSeqs ?? new Map<number, Place>();
    for (const loss of entry.seqs.lossesSince(sent)) {
      this.#outbox.publishControl(entry, this.#losses.gapOf(entry, loss, 'overrun'));
      const last = sent.get(loss.source) ?? NOTHING_SENT;
      entry.seqs.find(loss.source)?.announced(last, this.#turn.current);
    }
  }

  /** Frames of this ring were missed: every lane that it feeds asks for a new beginning. */
  #repair(ringIndex: number, tier: Tier): void {
    this.#table.requests.answersLost(ringIndex);
    this.#subscriptions.resumptions.lost(ringIndex, tier);
    for (const entry of this.#table.entries()) {
      const isFed = entry.ring === ringIndex || entry.source < 0 || entry.isAllTrades;
      if (entry.tier === tier && isFed) this.#subscriptions.broken(entry);
    }
  }

  #epochText(ring: RingReader): string {
    return textDecoder.decode(ring.copy.subarray(ring.epochStart, ring.payloadStart));
  }

  #observe({ hubMicros, lane }: RingReader, nowMicros: number): void {
    if (hubMicros === 0) return;
    const micros = Math.max(0, nowMicros - hubMicros);
    const bucket = Math.min(LATENCY_BUCKETS - 1, 32 - Math.clz32(micros));
    this.counters.latencyBuckets[bucket] = (this.counters.latencyBuckets[bucket] ?? 0) + 1;
    this.counters.latencySumMicros += micros;
    // Those of slower classes are older by design.
    if (classOfLane(lane) !== REALTIME) return;
    this.counters.lastMicros = micros;
    if (micros < this.counters.youngestMicros) this.counters.youngestMicros = micros;
  }
}
