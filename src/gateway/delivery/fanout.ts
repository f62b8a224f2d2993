/**
 * Ring → sockets. A turn copies the next frames of each ring and publishes them: first to all institutional views,
 * then, in the next turn of the event loop, to all retail views. Within one loop turn, uWS writes to sockets in
 * reverse order of publishing. Only a separate turn puts institutional sockets first on the wire
 * (native-notes/uws.md).
 */

import { ALL_TRADES_SOURCE } from '../../protocol/topics.js';
import { REALTIME, type Tier } from '../../protocol/view-options.js';
import { classOfLane, detailOfLane, laneWith, TRADES_FULL, variantOfLane } from '../../threads/lanes.js';
import { epochTagOf, FrameKind, type RingReader } from '../../threads/ring.js';
import { AUDIENCE_ALL_TRADES, AUDIENCE_RETAIL, type TraceReportWriter } from '../../threads/trace-reports.js';
import type { Gaps } from '../events/gaps.js';
import type { DeliveryJournal } from '../journal/delivery-journal.js';
import type { Place } from '../journal/place.js';
import { NOTHING_SENT, type TaggedPosition } from '../model/positions.js';
import type { View } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Ladder } from '../slow-consumers/ladder.js';
import type { Published } from '../slow-consumers/overload.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import type { Turn } from '../views/native-topics.js';
import type { Views } from '../views/views.js';
import { FrameLatencies } from './frame-latencies.js';

/** Maximum bytes of frames published in one turn, so that commands and drains get their turns under load. */
const TURN_BYTES_MAX = 32 * 1024;
/** A frame this old indicates a queue; younger ones are just a turn or two in transit. */
const LAGGING_MICROS = 20_000;

const textDecoder = new TextDecoder();

interface FanoutCounters extends Published {
  turns: number;
  /** Latency of the last realtime frame published. */
  lastMicros: number;
}

export class Fanout {
  readonly counters: FanoutCounters = {
    turns: 0,
    overruns: 0,
    youngestMicros: Number.POSITIVE_INFINITY,
    lastMicros: 0,
  };
  readonly latencies = new FrameLatencies();
  readonly #rings: readonly RingReader[];
  readonly #filled: boolean[];
  readonly #views: Views;
  readonly #subscriptions: Subscriptions;
  readonly #outbox: Outbox;
  readonly #journal: DeliveryJournal | undefined;
  readonly #gaps: Gaps;
  readonly #nowMicros: () => number;
  readonly #timeOfDayMicros: () => number;
  readonly #ladder: Ladder;
  readonly #turn: Turn;
  readonly #traces: TraceReportWriter | undefined;
  /** When this pass over the frames began, µs since the Unix epoch. */
  #passMicros = 0;

  constructor(options: {
    rings: readonly RingReader[];
    views: Views;
    subscriptions: Subscriptions;
    outbox: Outbox;
    gaps: Gaps;
    /** A monotonic clock, and the time of day: µs. */
    nowMicros: () => number;
    timeOfDayMicros: () => number;
    ladder: Ladder;
    turn: Turn;
    /** Undefined: nothing is traced. */
    traces?: TraceReportWriter | undefined;
  }) {
    this.#rings = options.rings;
    this.#filled = options.rings.map(() => false);
    this.#views = options.views;
    this.#subscriptions = options.subscriptions;
    this.#outbox = options.outbox;
    this.#journal = options.outbox.journal;
    this.#gaps = options.gaps;
    this.#nowMicros = options.nowMicros;
    this.#timeOfDayMicros = options.timeOfDayMicros;
    this.#ladder = options.ladder;
    this.#turn = options.turn;
    this.#traces = options.traces;
  }

  /** Number of the turn whose publishes may still be buffered in uWS. */
  get turn(): number {
    return this.#turn.current;
  }

  get hasMore(): boolean {
    return this.#rings.some(ring => ring.hasMore);
  }

  /**
   * More frames are waiting, and the last ones published were old: even the turn's youngest, which indicates a queue.
   */
  get isLagging(): boolean {
    return this.counters.lastMicros > LAGGING_MICROS && this.hasMore;
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

  /** Publishes the frames just read to the views of one tier, in order. */
  publish(tier: Tier): void {
    if (this.#views.count(tier) === 0) return;
    const nowMicros = this.#nowMicros();
    this.#passMicros = this.#timeOfDayMicros();
    this.#journal?.beginPass(this.#passMicros);
    for (let i = 0; i < this.#rings.length; i++) {
      const ring = this.#rings[i];
      if (ring === undefined || !this.#filled[i]) continue;
      ring.rewind();
      while (ring.next()) {
        this.#frame(ring, i, tier, nowMicros);
        // After a drop, queue nothing more: if the socket drained, the client would see the hole before its repair.
        if (this.#ladder.hasPending) this.#ladder.settle();
      }
    }
  }

  #frame(ring: RingReader, ringIndex: number, tier: Tier, nowMicros: number): void {
    switch (ring.kind) {
      case FrameKind.delta:
      case FrameKind.snapshot: {
        const view = this.#views.get(tier, ring.source, ring.lane);
        if (view === undefined || view.isBroken) return;
        if (ring.kind === FrameKind.snapshot) view.beginEpoch(this.#epochText(ring));
        view.advance(ring.seq);
        this.#observe(ring, nowMicros);
        this.#publishTo(view, ring, nowMicros);
        if (view.awaitingCatchUp.size > 0) this.#subscriptions.viewChanges.advanced(view);
        return;
      }
      case FrameKind.stale:
      case FrameKind.staleAnswer:
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

  /** Reports that the topic is stale, to its sockets or to those about to receive its document. */
  #stale(ring: RingReader, tier: Tier): void {
    const isAnswer = ring.kind === FrameKind.staleAnswer;
    const view = isAnswer ? this.#views.asked(ring.tag) : this.#views.get(tier, ring.source, ring.lane);
    if (view === undefined || view.tier !== tier || (view.isBroken && !isAnswer)) return;
    const frame = ring.copy.slice(ring.payloadStart, ring.payloadEnd);
    view.markStale({ frame, reason: ring.eventMicrosOrReason, epoch: this.#epochText(ring), seq: ring.seq });
    if (!isAnswer) this.#outbox.publishStale(view);
  }

  #event(ring: RingReader, tier: Tier, nowMicros: number): void {
    const isTrade = detailOfLane(ring.lane) <= TRADES_FULL;
    const lane = isTrade ? ring.lane : laneWith(REALTIME, 0, variantOfLane(ring.lane));
    const view = this.#views.get(tier, ring.source, lane);
    const all = isTrade ? this.#views.allTrades(tier, lane) : undefined;
    if (view === undefined && all === undefined) return;
    this.#observe(ring, nowMicros);
    if (view !== undefined) this.#publishEvent(view, ring, nowMicros);
    if (all !== undefined) this.#publishEvent(all, ring, nowMicros);
  }

  #publishEvent(view: View, ring: RingReader, nowMicros: number): void {
    const turn = this.#turn.current;
    // Record the position before publishing: a drop while publishing must find this turn's sequences.
    const position = view.seqs.at(ring.source, ring.seq, turn);
    if (position.tag !== ring.tag) position.beginEpoch(ring.tag, this.#epochText(ring), turn);
    position.note(ring.seq, turn);
    view.moveTo(position.epoch, ring.seq);
    if (!view.isBroken) this.#publishTo(view, ring, nowMicros);
  }

  #publishTo(view: View, ring: RingReader, nowMicros: number): void {
    view.told(nowMicros);
    if (view.buffering.size > 0) {
      // Queue before publishing: publishing stamps the bytes in place, and these sockets need them unstamped.
      const bytes = ring.copy.subarray(ring.payloadStart, ring.payloadEnd);
      const place = this.#journal && placeOf(view, ring);
      this.#subscriptions.viewChanges.queueForBuffering(view, bytes, ring.seq, ring.tag, place);
    }
    const { control, announcements } = this.#outbox;
    const isGap = ring.kind === FrameKind.gap;
    if (isGap) announcements.gap(ring.eventMicrosOrReason, view.subscribers);
    const counted = isGap ? control : view.sent;
    this.#outbox.publish(view, ring.copy, ring.payloadStart, ring.payloadEnd, counted);
    if (this.#journal !== undefined) this.#journal.published(view, ring);
    if (ring.trace !== 0) this.#tracePublished(view, ring, nowMicros);
  }

  /** One report per view, however many sockets it has. */
  #tracePublished(view: View, { trace, source, lane, seq }: RingReader, startedMicros: number): void {
    const audience = (view.tier === 'retail' ? AUDIENCE_RETAIL : 0) | (view.isAllTrades ? AUDIENCE_ALL_TRADES : 0);
    const endedMicros = this.#nowMicros();
    this.#traces?.published(trace, source, lane, seq, startedMicros, endedMicros, view.subscribers, audience);
  }

  /** Handles a message that clients missed, or the marker that ends the replay. */
  #replay(ring: RingReader, tier: Tier): void {
    const { recoveries } = this.#subscriptions;
    const replay = recoveries.asked(ring.tag);
    if (replay === undefined) {
      if (ring.kind !== FrameKind.replay) this.#views.requests.settled(ring.tag);
      return;
    }
    if (replay.view.tier !== tier) return;
    if (ring.kind === FrameKind.replay) {
      // Replays are sent to all who asked for the same; what they announce is counted once.
      this.#outbox.announcements.gap(ring.eventMicrosOrReason, 1);
      const bytes = ring.copy.subarray(ring.payloadStart, ring.payloadEnd);
      recoveries.frame(replay, bytes, ring);
      return;
    }
    const epochBytes = ring.copy.subarray(ring.epochStart, ring.payloadStart);
    const end = { epoch: textDecoder.decode(epochBytes), seq: ring.seq };
    recoveries.ended(replay, ring.kind === FrameKind.recovered, end, epochTagOf(epochBytes));
  }

  #answer(ring: RingReader, ringIndex: number, tier: Tier): void {
    const view = this.#views.asked(ring.tag);
    // Nothing waits for it any more.
    if (view === undefined) this.#views.requests.settled(ring.tag);
    if (view?.tier !== tier) return;
    const isReady = ring.kind === FrameKind.ready;
    const epochBytes = ring.copy.subarray(ring.epochStart, ring.payloadStart);
    const epoch = textDecoder.decode(epochBytes);
    if (isReady && ring.source !== ALL_TRADES_SOURCE) {
      view.seqs.moveTo(ring.source, ring.seq, epochTagOf(epochBytes), epoch);
      // Reported on behalf of `trades:*`; its own answer follows.
      if (view.isAllTrades) return;
    }
    if (!this.#views.answered(view, ring.source, ringIndex)) return;
    view.moveTo(epoch, ring.seq);
    view.told(this.#nowMicros());
    if (isReady) {
      if (view.isBroken) this.#announceLosses(view);
      this.#subscriptions.viewChanges.answered(view, undefined);
      return;
    }
    const bytes = ring.copy.slice(ring.payloadStart, ring.payloadEnd);
    this.#subscriptions.viewChanges.answered(view, { seq: ring.seq, epoch, bytes });
  }

  /** A broken event view is whole again: reports what its sockets lost in between. */
  #announceLosses(view: View): void {
    const sent = view.sentBeforeBreak ?? new Map<number, TaggedPosition>();
    for (const loss of view.seqs.lossesSince(sent)) {
      const gap = this.#gaps.gapOf(view, loss, 'overrun');
      this.#outbox.publishControl(view, gap);
      this.#journal?.lossPublished(view, loss.source, gap);
      const last = sent.get(loss.source) ?? NOTHING_SENT;
      view.seqs.find(loss.source)?.announced(last, this.#turn.current);
    }
  }

  /** The thread missed frames of this ring: every view fed by it requests a new document. */
  #repair(ringIndex: number, tier: Tier): void {
    this.#views.requests.answersLost(ringIndex);
    this.#subscriptions.recoveries.lost(ringIndex, tier);
    for (const view of this.#views.all()) {
      const isFed = view.ring === ringIndex || view.source < 0 || view.isAllTrades;
      if (view.tier === tier && isFed) this.#subscriptions.viewChanges.broken(view);
    }
  }

  #epochText(ring: RingReader): string {
    return textDecoder.decode(ring.copy.subarray(ring.epochStart, ring.payloadStart));
  }

  #observe({ hubMicros, eventMicrosOrReason: eventMicros, lane }: RingReader, nowMicros: number): void {
    if (hubMicros === 0) return;
    const micros = Math.max(0, nowMicros - hubMicros);
    const rateClass = classOfLane(lane);
    this.latencies.published(rateClass, micros);
    if (eventMicros > 0) this.latencies.sent(rateClass, this.#passMicros - eventMicros);
    // Frames of slower classes are older by design.
    if (rateClass !== REALTIME) return;
    this.counters.lastMicros = micros;
    if (micros < this.counters.youngestMicros) this.counters.youngestMicros = micros;
  }
}

/** The place of the ring's frame in the view's chain. */
function placeOf({ epoch }: View, { kind, prevSeq, seq, eventMicrosOrReason: reason }: RingReader): Place {
  return {
    epoch,
    prev: prevSeq,
    isWhole: kind === FrameKind.snapshot,
    seq,
    gapReason: kind === FrameKind.gap ? reason : 0,
  };
}
