/**
 * A source of events: a log that is never conflated. Messages leave as they arrive or, for batched kinds, as arrays
 * some time later. What a connection missed is sent to it alone (`event-replays.ts`).
 */

import { gapNumber } from '../protocol/codes.js';
import { topicOf } from '../protocol/topics.js';
import { REALTIME } from '../protocol/view-options.js';
import type { RejectReason } from '../threads/batch.js';
import { detailOfLane, laneWith, TRADES_FULL, VARIANTS } from '../threads/lanes.js';
import { FrameKind } from '../threads/ring.js';
import type { AllTrades } from './all-trades.js';
import type { PlainObject } from './decode.js';
import type { EventKind } from './event-kinds.js';
import { BATCH_BYTES_MAX, EventReplays, emitGap, placed } from './event-replays.js';
import {
  type BatchedMessage,
  type FrameEncoder,
  type FrameOrigin,
  type Message,
  type Mutable,
  newOrigin,
  setEpoch,
} from './frame-encoder.js';
import type { PendingTraces } from './frame-traces.js';
import type { DataOutcome, MessageTimes, SourceEncoder } from './source.js';
import { forgetWorker, isWantedByAny, newVariantMasks, setWanted, type VariantMasks } from './variant-masks.js';

/**
 * Detail of frames that carry no trades: subscribers to the trades of all symbols get every frame of a lower detail.
 * Clients do not know this lane; workers use it internally.
 */
const NO_TRADES = TRADES_FULL + 1;

/** JSON escapes a character with up to six bytes. */
const ESCAPE_GROWTH_MAX = 6;
/** Room for what the gateway adds to a message: the members of its chain, its times, its topic. */
const FRAME_MEMBERS_BYTES = 2048;

/** What the event sources of a shard share. */
export interface EventSourceParts {
  readonly out: FrameEncoder;
  readonly allTrades: AllTrades;
  /** Most messages of a batched kind in one frame. */
  readonly batchMax: number;
  /** Called when a batch starts: flush it within the batch interval. */
  readonly markBatch: (source: EventSource) => void;
}

export class EventSource implements SourceEncoder {
  readonly kind: EventKind;
  readonly name: string;
  readonly #parts: EventSourceParts;
  readonly #views: readonly VariantMasks[];
  readonly #receivers = newVariantMasks();
  readonly #origin: Mutable<FrameOrigin>;
  readonly #replays: EventReplays;
  /** Unsent messages of a batched kind, and when the hub received the first. */
  #batch: BatchedMessage[] = [];
  #batchBytes = 0;
  #batchHubMicros = 0;
  readonly #batchTraces: PendingTraces = [];
  /** First refused message that is not announced yet; 0: none. */
  #refusedFrom = 0;
  #refusedTo = 0;
  /** Events do not build on earlier messages, so nothing is held back. */
  readonly hold = null;

  constructor(source: number, name: string, kind: EventKind, parts: EventSourceParts) {
    this.kind = kind;
    this.name = name;
    this.#parts = parts;
    this.#views = Array.from({ length: kind.views }, newVariantMasks);
    this.#origin = newOrigin(source);
    this.#replays = new EventReplays(this.#origin, kind, topicOf(kind.stream, name), parts);
  }

  /** Events do not build on each other; a `gap` announces what is missing. */
  lost(): void {}

  drop(): void {}

  /** Events are never held back. */
  holdBack(): void {}

  /** Announces consecutive refusals once, before anything that follows them. */
  refused(_reason: RejectReason, at: MessageTimes, quiet: boolean): void {
    if (quiet) return;
    if (this.#refusedFrom === 0) {
      this.#refusedFrom = at.seq;
      this.#parts.markBatch(this);
    }
    this.#refusedTo = at.seq;
  }

  data(value: PlainObject, at: MessageTimes, quiet: boolean): DataOutcome {
    const message = this.#sendable(value, at.bytes);
    if (typeof message === 'string') {
      this.refused(message, at, quiet);
      return message;
    }
    if (this.#refusedFrom > 0) this.flush();
    const prevSeq = this.#origin.seq;
    this.#origin.seq = at.seq;
    this.#origin.prevSeq = prevSeq;
    this.#origin.tsEventMicros = at.tsEventMicros;
    this.#origin.hubMicros = at.hubMicros;
    if (quiet) return 'applied';
    if (this.kind.isBatched) {
      this.#addToBatch(placed(message, this.#origin, prevSeq, at.seq), at);
      return 'applied';
    }
    for (let view = 0; view < this.#views.length; view++) {
      if (!this.#findReceivers(view)) continue;
      const shown = placed(this.kind.view(message, view), this.#origin, prevSeq, at.seq);
      this.#parts.out.emit(FrameKind.event, REALTIME, this.#detail(view), this.#receivers, this.#origin, shown);
    }
    return 'applied';
  }

  beginEpoch(epoch: string): void {
    this.flush();
    const isFirst = this.#origin.epoch === '';
    setEpoch(this.#origin, epoch);
    // Sequences of another epoch precede nothing here.
    this.#origin.seq = 0;
    // Messages may have been lost in between, and clients are told so.
    if (!isFirst) this.gap(0, 0, 'new_epoch');
  }

  want(lane: number, worker: number): void {
    this.#setWanted(lane, worker, true);
  }

  unwant(lane: number, worker: number): void {
    this.#setWanted(lane, worker, false);
  }

  forget(worker: number): void {
    for (const masks of this.#views) forgetWorker(masks, worker);
    this.#replays.forget(worker);
  }

  snapshot(lane: number, worker: number, request: number): void {
    this.flush();
    this.#parts.out.emitEmpty(FrameKind.ready, lane, 1 << worker, { ...this.#origin, request });
  }

  /** Sends the current batch, then announces what was refused after it. */
  flush(): void {
    this.#flushBatch();
    if (this.#refusedFrom === 0) return;
    const [from, to] = [this.#refusedFrom, this.#refusedTo];
    this.#refusedFrom = 0;
    this.gap(from, to, 'refused');
  }

  #flushBatch(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    const { traces } = this.#parts.out;
    const isTraced = this.#batchTraces.length > 0;
    const before = isTraced ? traces.resume(this.#batchTraces) : 0;
    if (this.#findReceivers(0)) {
      this.#origin.hubMicros = this.#batchHubMicros;
      this.#origin.prevSeq = batch[0]?.message.prev_seq as number;
      this.#parts.out.emitBatch(FrameKind.event, this.#detail(0), this.#receivers, this.#origin, batch);
    }
    if (isTraced) traces.end(before);
  }

  gap(from: number, to: number, reason: string): void {
    this.flush();
    // No client has the refused messages before it: the range starts where the chain ends.
    const first = Math.min(from, this.#origin.seq + 1);
    this.#origin.seq = Math.max(this.#origin.seq, to);
    const topic = topicOf(this.kind.stream, this.name);
    // An announcement has no message whose age could be measured.
    const origin = { ...this.#origin, prevSeq: first - 1, hubMicros: 0, reason: gapNumber(reason) };
    for (let view = 0; view < this.#views.length; view++) {
      if (!this.#findReceivers(view)) continue;
      const message: Message = { type: 'gap', topic, from: first, to, reason, epoch: this.#origin.epoch };
      emitGap(this.#parts.out, this.kind, FrameKind.gap, this.#detail(view), this.#receivers, origin, message);
    }
  }

  resume(seq: number): void {
    this.#origin.seq = seq;
  }

  checkpoint(): undefined {
    return undefined;
  }

  capture(): undefined {
    return undefined;
  }

  beginReplay(lane: number, worker: number, request: number, since: number): void {
    this.#replays.begin(lane, worker, request, since);
  }

  /** Replays one missed message; undefined if it is unreadable. A refused one is announced, as it was on arrival. */
  replay(value: PlainObject | undefined, seq: number, tsEventMicros: number, bytes: number, request: number): void {
    const replay = this.#replays.get(request);
    if (replay === undefined) return;
    const message = value === undefined ? 'invalid_field' : this.kind.read(value, this.name);
    if (typeof message === 'string' || !(this.#isSurelyShort(bytes) || this.#fits(message))) {
      replay.refusedSeq = seq;
      return;
    }
    const shown = this.kind.view(message, detailOfLane(replay.lane));
    this.#replays.add(replay, request, shown, { seq, tsEventMicros, bytes });
  }

  /** A message of the replay could not be written: the replay fails, and its end says so. */
  failReplay(request: number): void {
    this.#replays.delete(request);
  }

  endReplay(lane: number, worker: number, request: number, isWhole: boolean): void {
    // The replay already delivered what waits in the batch.
    this.flush();
    this.#replays.end(lane, worker, request, isWhole);
  }

  #addToBatch(message: Message, at: MessageTimes): void {
    if (this.#batchBytes + at.bytes > BATCH_BYTES_MAX) this.#flushBefore(at);
    if (this.#batch.length === 0) {
      this.#batchHubMicros = at.hubMicros;
      this.#parts.markBatch(this);
    }
    this.#parts.out.traces.wait(this.#batchTraces);
    this.#batch.push({ message, tsEventMicros: at.tsEventMicros });
    this.#batchBytes += at.bytes;
    if (this.#batch.length >= this.#parts.batchMax) this.flush();
  }

  /** Sends everything before this message, which follows the previous sequence. */
  #flushBefore(at: MessageTimes): void {
    const last = this.#batch[this.#batch.length - 1];
    if (last === undefined) return;
    this.#origin.seq = last.message.seq as number;
    this.#flushBatch();
    this.#origin.seq = at.seq;
    this.#origin.hubMicros = at.hubMicros;
  }

  /** What clients get, or why a message with subscribers cannot be sent. */
  #sendable(value: PlainObject, bytes: number): Message | RejectReason {
    const message = this.kind.read(value, this.name);
    if (typeof message === 'string' || this.#isSurelyShort(bytes)) return message;
    const isWritten = this.kind.isBatched || this.#views.some((_masks, view) => this.#findReceivers(view));
    return isWritten && !this.#fits(message) ? 'too_large' : message;
  }

  /** True if it fits even when every character is escaped: a payload grows at most sixfold. */
  #isSurelyShort(bytes: number): boolean {
    return (bytes + FRAME_MEMBERS_BYTES) * ESCAPE_GROWTH_MAX <= this.#parts.out.frameBytesMax;
  }

  /** True if it fits into a frame in both formats. */
  #fits(message: Message): boolean {
    const { out } = this.#parts;
    return out.lengthOf(message) + FRAME_MEMBERS_BYTES <= out.frameBytesMax;
  }

  #setWanted(lane: number, worker: number, isWanted: boolean): void {
    const masks = this.#views[detailOfLane(lane)];
    if (masks !== undefined) setWanted(masks, lane, worker, isWanted);
  }

  get #isTrades(): boolean {
    return this.kind.isInAllTrades;
  }

  #detail(view: number): number {
    return this.#isTrades ? view : NO_TRADES;
  }

  #findReceivers(view: number): boolean {
    const { allTrades } = this.#parts;
    const isTrades = this.#isTrades;
    for (let variant = 0; variant < VARIANTS; variant++) {
      const all = isTrades ? allTrades.mask(laneWith(REALTIME, view, variant)) : 0;
      this.#receivers[variant] = (this.#views[view]?.[variant] ?? 0) | all;
    }
    return isWantedByAny(this.#receivers);
  }
}
