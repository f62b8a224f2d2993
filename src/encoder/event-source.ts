/**
 * An event source: a log, never conflated. Its messages leave as they come, or, where the kind is batched, as arrays some
 * time later. What somebody missed is sent to him alone, from the hub's memory of raw messages (a **replay**).
 */
import type { RejectReason } from '../protocol/batch.js';
import { detailOfLane, laneWith, REALTIME, TRADES_FULL, VARIANTS } from '../protocol/lanes.js';
import { FrameKind } from '../protocol/ring.js';
import { topicOf } from '../protocol/topics.js';
import type { AllTrades } from './all-trades.js';
import type { PlainObject } from './decode.js';
import type { EventKind } from './event-kinds.js';
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

/** Published bytes of one array of messages. */
const BATCH_BYTES_MAX = 256 * 1024;
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

/** A replay under way: who gets it, behind which sequence, and the sequence that the next message follows. */
interface Replay {
  readonly lane: number;
  readonly worker: number;
  readonly since: number;
  prevSeq: number;
  /** The newest message that was refused, while that is not announced; 0: none. */
  refusedSeq: number;
  batch: BatchedMessage[];
  batchBytes: number;
}

export class EventSource implements SourceEncoder {
  readonly kind: EventKind;
  readonly name: string;
  readonly #parts: EventSourceParts;
  readonly #views: readonly VariantMasks[];
  readonly #receivers = newVariantMasks();
  readonly #origin: Mutable<FrameOrigin>;
  readonly #replays = new Map<number, Replay>();
  #epoch = '';
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
  }

  lost(): void {
    // Events do not build on each other; what is missing is announced by `gap`.
  }

  holdBack(): void {
    // Events are never held back.
  }

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
    const message = this.kind.read(value, this.name);
    const reason = typeof message === 'string' ? message : this.#sizeProblem(message, at.bytes);
    if (typeof message === 'string' || reason !== undefined) {
      this.refused(reason ?? 'internal', at, quiet);
      return reason ?? 'internal';
    }
    if (this.#refusedFrom > 0) this.flush();
    const prevSeq = this.#origin.seq;
    this.#origin.seq = at.seq;
    this.#origin.tsEventMicros = at.tsEventMicros;
    this.#origin.hubMicros = at.hubMicros;
    if (quiet) return 'applied';
    if (this.kind.isBatched) {
      this.#addToBatch(this.#placed(message, prevSeq, at.seq), at);
      return 'applied';
    }
    for (let view = 0; view < this.#views.length; view++) {
      if (!this.#findReceivers(view)) continue;
      const shown = this.#placed(this.kind.view(message, view), prevSeq, at.seq);
      this.#parts.out.emit(FrameKind.event, REALTIME, this.#detail(view), this.#receivers, this.#origin, shown);
    }
    return 'applied';
  }

  beginEpoch(epoch: string): void {
    this.flush();
    const isFirst = this.#epoch === '';
    this.#epoch = epoch;
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
    for (const [request, replay] of this.#replays) if (replay.worker === worker) this.#replays.delete(request);
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
      const message: Message = { type: 'gap', topic, from: first, to, reason, epoch: this.#epoch };
      this.#parts.out.emit(FrameKind.gap, REALTIME, this.#detail(view), this.#receivers, this.#origin, message);
    }
  }

  resume(seq: number): void {
    this.#origin.seq = seq;
  }

  checkpoint(): undefined {
    return undefined;
  }

  beginReplay(lane: number, worker: number, request: number, since: number): void {
    const replay = { lane, worker, since, prevSeq: since, refusedSeq: 0, batch: [], batchBytes: 0 };
    this.#replays.set(request, replay);
  }

  /** One message that was missed; undefined: it cannot be read. One that is refused is announced, as it was when it came. */
  replay(value: PlainObject | undefined, seq: number, tsEventMicros: number, bytes: number, request: number): void {
    const replay = this.#replays.get(request);
    if (replay === undefined) return;
    const message = value === undefined ? 'invalid_field' : this.kind.read(value, this.name);
    if (typeof message === 'string' || this.#sizeProblem(message, bytes) !== undefined) {
      replay.refusedSeq = seq;
      return;
    }
    this.#tellRefused(replay, request);
    if (replay.batchBytes + bytes > BATCH_BYTES_MAX) this.#sendReplayed(replay, request);
    const shown = this.kind.view(message, detailOfLane(replay.lane));
    replay.batch.push({ message: this.#placed(shown, replay.prevSeq, seq), tsEventMicros });
    replay.batchBytes += bytes;
    replay.prevSeq = seq;
    if (!this.kind.isBatched || replay.batch.length >= this.#parts.batchMax) this.#sendReplayed(replay, request);
  }

  /** A message of the replay could not be written: the replay counts for nothing, and its end says so. */
  failReplay(request: number): void {
    this.#replays.delete(request);
  }

  /**
   * All that was missed is sent: what follows in the ring follows it. Or it cannot be had, and the replay counts for
   * nothing.
   */
  endReplay(lane: number, worker: number, request: number, isWhole: boolean): void {
    // What waits for its batch was replayed already.
    this.flush();
    const replay = this.#replays.get(request);
    this.#replays.delete(request);
    const isRecovered = isWhole && replay !== undefined;
    if (isRecovered) {
      this.#tellRefused(replay, request);
      this.#sendReplayed(replay, request);
    }
    // Of messages that a full queue had no room for, the topic is told later; who missed them has them now.
    if (isRecovered && replay.prevSeq > replay.since) this.#origin.seq = Math.max(this.#origin.seq, replay.prevSeq);
    // An encoder that has replaced another one, or begins in the middle, stands at the newest message that there was, even
    // where that had been refused: what comes next follows it.
    if (isRecovered && replay.prevSeq < this.#origin.seq) {
      this.#replayGap(replay, request, this.#origin.seq, 'encoder_restart');
    }
    const kind = isRecovered ? FrameKind.recovered : FrameKind.unrecovered;
    this.#parts.out.emitEmpty(kind, lane, 1 << worker, { ...this.#origin, request });
  }

  #tellRefused(replay: Replay, request: number): void {
    if (replay.refusedSeq === 0) return;
    const to = replay.refusedSeq;
    replay.refusedSeq = 0;
    this.#sendReplayed(replay, request);
    this.#replayGap(replay, request, to, 'refused');
    replay.prevSeq = to;
  }

  #replayGap({ lane, worker, prevSeq }: Replay, request: number, to: number, reason: string): void {
    const topic = topicOf(this.kind.stream, this.name);
    const epoch = this.#epoch;
    const message = { type: 'gap', topic, from: prevSeq + 1, to, reason, epoch };
    const receivers = newVariantMasks();
    setWanted(receivers, lane, worker, true);
    const origin = { ...this.#origin, seq: to, request, tsEventMicros: 0, hubMicros: 0 };
    this.#parts.out.emit(FrameKind.replay, REALTIME, detailOfLane(lane), receivers, origin, message);
  }

  #sendReplayed(replay: Replay, request: number): void {
    const { lane, worker, batch } = replay;
    if (batch.length === 0) return;
    replay.batch = [];
    replay.batchBytes = 0;
    const origin = { ...this.#origin, request, seq: replay.prevSeq, hubMicros: 0 };
    const receivers = newVariantMasks();
    setWanted(receivers, lane, worker, true);
    if (this.kind.isBatched) {
      this.#parts.out.emitBatch(FrameKind.replay, 0, receivers, origin, batch);
      return;
    }
    for (const { message, tsEventMicros } of batch) {
      origin.tsEventMicros = tsEventMicros;
      this.#parts.out.emit(FrameKind.replay, REALTIME, detailOfLane(lane), receivers, origin, message);
    }
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

  /** A message that would not fit a frame in one of the formats. Escapes make a payload at most six times as long. */
  #sizeProblem(message: Message, bytes: number): 'too_large' | undefined {
    const { out } = this.#parts;
    const isSmall = (bytes + FRAME_MEMBERS_BYTES) * ESCAPE_GROWTH_MAX <= out.frameBytesMax;
    return isSmall || out.lengthOf(message) + FRAME_MEMBERS_BYTES <= out.frameBytesMax ? undefined : 'too_large';
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

  /** The message with its place in the chain. */
  #placed(message: Message, prevSeq: number, seq: number): Message {
    message.epoch = this.#epoch;
    message.prev_seq = prevSeq;
    message.seq = seq;
    return message;
  }
}
