/**
 * An event source: a log, never conflated. Its messages leave as they come, or, where the kind is batched, as arrays some
 * time later. What somebody missed is sent to him alone (`event-replays.ts`).
 */

import { detailOfLane, laneWith, REALTIME, TRADES_FULL, VARIANTS } from '../protocol/lanes.js';
import { topicOf } from '../protocol/topics.js';
import type { RejectReason } from '../threads/batch.js';
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
import type { DataOutcome, MessageTimes, SourceEncoder } from './source.js';
import { forgetWorker, isWantedByAny, newVariantMasks, setWanted, type VariantMasks } from './variant-masks.js';

/**
 * Detail of frames that are no trades: who follows the trades of all symbols gets every frame of a lesser detail. Clients
 * know of no such lane; a worker finds those of the source.
 */
const NO_TRADES = TRADES_FULL + 1;

/** A character that JSON escapes takes six bytes. */
const ESCAPE_GROWTH_MAX = 6;
/** What a gateway adds to a message: the members of its chain, its times, its topic. */
const FRAME_MEMBERS_BYTES = 2048;

/** What a shard's event sources share. */
export interface EventSourceParts {
  readonly out: FrameEncoder;
  readonly allTrades: AllTrades;
  /** Most messages of a batched kind in one frame. */
  readonly batchMax: number;
  /** Called when a batch is begun: it is to be flushed within the batch interval. */
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
  /** Messages of a batched kind that are not sent yet, and when the hub received the first. */
  #batch: BatchedMessage[] = [];
  #batchBytes = 0;
  #batchHubMicros = 0;
  /** Messages that were refused and are not announced yet; 0: none. */
  #refusedFrom = 0;
  #refusedTo = 0;
  /** A source of events builds on no message before. */
  readonly hold = null;

  constructor(source: number, name: string, kind: EventKind, parts: EventSourceParts) {
    this.kind = kind;
    this.name = name;
    this.#parts = parts;
    this.#views = Array.from({ length: kind.views }, newVariantMasks);
    this.#origin = newOrigin(source);
    this.#replays = new EventReplays(this.#origin, kind, topicOf(kind.stream, name), parts);
  }

  /** Events do not build on each other; what is missing is announced by `gap`. */
  lost(): void {}

  drop(): void {}

  /** Events are never held back. */
  holdBack(): void {}

  /** Announced once for all that are refused in a row, and before anything that follows them. */
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
    // Whether something was lost in between cannot be known, and that is said.
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

  /** Sends the batch begun, and announces what was refused behind it. */
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
    if (!this.#findReceivers(0)) return;
    this.#origin.hubMicros = this.#batchHubMicros;
    this.#parts.out.emitBatch(FrameKind.event, this.#detail(0), this.#receivers, this.#origin, batch);
  }

  gap(from: number, to: number, reason: string): void {
    this.flush();
    // Nobody has what was refused before it: the range begins where the chain ends.
    const first = Math.min(from, this.#origin.seq + 1);
    this.#origin.seq = Math.max(this.#origin.seq, to);
    const topic = topicOf(this.kind.stream, this.name);
    for (let view = 0; view < this.#views.length; view++) {
      if (!this.#findReceivers(view)) continue;
      const message: Message = { type: 'gap', topic, from: first, to, reason, epoch: this.#origin.epoch };
      emitGap(this.#parts.out, this.kind, FrameKind.gap, this.#detail(view), this.#receivers, this.#origin, message);
    }
  }

  resume(seq: number): void {
    this.#origin.seq = seq;
  }

  checkpoint(): undefined {
    return undefined;
  }

  beginReplay(lane: number, worker: number, request: number, since: number): void {
    this.#replays.begin(lane, worker, request, since);
  }

  /** One message that was missed; undefined: it cannot be read. One that is refused is announced, as it was when it came. */
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

  /** A message of the replay could not be written: the replay counts for nothing, and its end says so. */
  failReplay(request: number): void {
    this.#replays.delete(request);
  }

  endReplay(lane: number, worker: number, request: number, isWhole: boolean): void {
    // What waits for its batch was replayed already.
    this.flush();
    this.#replays.end(lane, worker, request, isWhole);
  }

  #addToBatch(message: Message, at: MessageTimes): void {
    if (this.#batchBytes + at.bytes > BATCH_BYTES_MAX) this.#flushBefore(at);
    if (this.#batch.length === 0) {
      this.#batchHubMicros = at.hubMicros;
      this.#parts.markBatch(this);
    }
    this.#batch.push({ message, tsEventMicros: at.tsEventMicros });
    this.#batchBytes += at.bytes;
    if (this.#batch.length >= this.#parts.batchMax) this.flush();
  }

  /** Sends what came before this message, which stands at the sequence before. */
  #flushBefore(at: MessageTimes): void {
    const last = this.#batch[this.#batch.length - 1];
    if (last === undefined) return;
    this.#origin.seq = last.message.seq as number;
    this.#flushBatch();
    this.#origin.seq = at.seq;
    this.#origin.hubMicros = at.hubMicros;
  }

  /** What clients get, or why a message that somebody is to get now cannot be sent. */
  #sendable(value: PlainObject, bytes: number): Message | RejectReason {
    const message = this.kind.read(value, this.name);
    if (typeof message === 'string' || this.#isSurelyShort(bytes)) return message;
    const isWritten = this.kind.isBatched || this.#views.some((_masks, view) => this.#findReceivers(view));
    return isWritten && !this.#fits(message) ? 'too_large' : message;
  }

  /** Escapes make a payload at most six times as long. */
  #isSurelyShort(bytes: number): boolean {
    return (bytes + FRAME_MEMBERS_BYTES) * ESCAPE_GROWTH_MAX <= this.#parts.out.frameBytesMax;
  }

  /** True for what has room in a frame in both formats. */
  #fits(message: Message): boolean {
    const { out } = this.#parts;
    return out.lengthOf(message) + FRAME_MEMBERS_BYTES <= out.frameBytesMax;
  }

  #setWanted(lane: number, worker: number, isWanted: boolean): void {
    const masks = this.#views[detailOfLane(lane)];
    if (masks !== undefined) setWanted(masks, lane, worker, isWanted);
  }

  get #isTrades(): boolean {
    return this.kind.stream === 'trades';
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
