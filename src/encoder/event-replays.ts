/**
 * A **replay** sends the events that some connections missed, from the hub's memory of raw messages, to these
 * connections only. After it they receive what everyone receives.
 */
import { gapNumber } from '../protocol/codes.js';
import { REALTIME } from '../protocol/view-options.js';
import { detailOfLane } from '../threads/lanes.js';
import { FrameKind } from '../threads/ring.js';
import type { EventKind } from './event-kinds.js';
import type { BatchedMessage, FrameEncoder, FrameOrigin, Message, Mutable } from './frame-encoder.js';
import { newVariantMasks, setWanted, type VariantMasks } from './variant-masks.js';

/** Most published bytes in one array of messages. */
export const BATCH_BYTES_MAX = 256 * 1024;

/** A replay in progress: who gets it, after which sequence, and the sequence that the next message follows. */
interface Replay {
  readonly lane: number;
  readonly worker: number;
  readonly since: number;
  prevSeq: number;
  /** The newest refused message that is not announced yet; 0: none. */
  refusedSeq: number;
  batch: BatchedMessage[];
  batchBytes: number;
}

/** A missed message's position, event time, and published bytes. */
interface MissedAt {
  readonly seq: number;
  readonly tsEventMicros: number;
  readonly bytes: number;
}

/** The message with its position in the source's chain. */
export function placed(message: Message, { epoch }: FrameOrigin, prevSeq: number, seq: number): Message {
  message.epoch = epoch;
  message.prev_seq = prevSeq;
  message.seq = seq;
  return message;
}

/** Workers do not stamp the frames of a batched topic, so gaps sent next to the arrays are stamped here. */
export function emitGap(
  out: FrameEncoder,
  { isBatched }: EventKind,
  kind: FrameKind,
  detail: number,
  masks: VariantMasks,
  origin: FrameOrigin,
  message: Message,
): void {
  if (isBatched) out.emitBesideBatches(kind, detail, masks, origin, message);
  else out.emit(kind, REALTIME, detail, masks, origin, message);
}

export class EventReplays {
  /** The source's position. */
  readonly #origin: Mutable<FrameOrigin>;
  readonly #kind: EventKind;
  readonly #topic: string;
  readonly #out: FrameEncoder;
  readonly #batchMax: number;
  /** By number of the worker's request. */
  readonly #replays = new Map<number, Replay>();

  constructor(
    origin: Mutable<FrameOrigin>,
    kind: EventKind,
    topic: string,
    { out, batchMax }: { readonly out: FrameEncoder; readonly batchMax: number },
  ) {
    this.#origin = origin;
    this.#kind = kind;
    this.#topic = topic;
    this.#out = out;
    this.#batchMax = batchMax;
  }

  begin(lane: number, worker: number, request: number, since: number): void {
    const replay = { lane, worker, since, prevSeq: since, refusedSeq: 0, batch: [], batchBytes: 0 };
    this.#replays.set(request, replay);
  }

  get(request: number): Replay | undefined {
    return this.#replays.get(request);
  }

  delete(request: number): void {
    this.#replays.delete(request);
  }

  /** Drops the replays of a worker that died. */
  forget(worker: number): void {
    for (const [request, replay] of this.#replays) if (replay.worker === worker) this.#replays.delete(request);
  }

  /** Adds the next message of the replay, in its lane's view. */
  add(replay: Replay, request: number, message: Message, { seq, tsEventMicros, bytes }: MissedAt): void {
    this.#tellRefused(replay, request);
    if (replay.batchBytes + bytes > BATCH_BYTES_MAX) this.#send(replay, request);
    replay.batch.push({ message: placed(message, this.#origin, replay.prevSeq, seq), tsEventMicros });
    replay.batchBytes += bytes;
    replay.prevSeq = seq;
    if (!this.#kind.isBatched || replay.batch.length >= this.#batchMax) this.#send(replay, request);
  }

  /**
   * Ends the replay: the next frame in the ring continues it. If messages are missing (`isWhole` is false, or one
   * failed), the client is told that nothing was recovered.
   */
  end(lane: number, worker: number, request: number, isWhole: boolean): void {
    const replay = this.#replays.get(request);
    this.#replays.delete(request);
    const origin = this.#origin;
    const isRecovered = isWhole && replay !== undefined;
    if (isRecovered) {
      this.#tellRefused(replay, request);
      this.#send(replay, request);
      // The topic learns later of messages that a full queue dropped; this replay delivered them.
      if (replay.prevSeq > replay.since) origin.seq = Math.max(origin.seq, replay.prevSeq);
      // A replacement encoder, or one that starts mid-stream, stands at the newest message, even if that was refused:
      // the next message follows it.
      if (replay.prevSeq < origin.seq) this.#tellGap(replay, request, origin.seq, 'encoder_restart');
    }
    const kind = isRecovered ? FrameKind.recovered : FrameKind.unrecovered;
    this.#out.emitEmpty(kind, lane, 1 << worker, { ...origin, request });
  }

  #tellRefused(replay: Replay, request: number): void {
    if (replay.refusedSeq === 0) return;
    const to = replay.refusedSeq;
    replay.refusedSeq = 0;
    this.#send(replay, request);
    this.#tellGap(replay, request, to, 'refused');
    replay.prevSeq = to;
  }

  #tellGap(replay: Replay, request: number, to: number, reason: string): void {
    const { epoch } = this.#origin;
    const message = { type: 'gap', topic: this.#topic, from: replay.prevSeq + 1, to, reason, epoch };
    const times = { tsEventMicros: 0, hubMicros: 0 };
    const chain = { prevSeq: replay.prevSeq, seq: to };
    const origin = { ...this.#origin, ...times, ...chain, request, reason: gapNumber(reason) };
    const detail = detailOfLane(replay.lane);
    emitGap(this.#out, this.#kind, FrameKind.replay, detail, receiversOf(replay), origin, message);
  }

  #send(replay: Replay, request: number): void {
    const { lane, batch } = replay;
    if (batch.length === 0) return;
    replay.batch = [];
    replay.batchBytes = 0;
    const origin = { ...this.#origin, request, seq: replay.prevSeq, hubMicros: 0 };
    const receivers = receiversOf(replay);
    if (this.#kind.isBatched) {
      origin.prevSeq = batch[0]?.message.prev_seq as number;
      this.#out.emitBatch(FrameKind.replay, 0, receivers, origin, batch);
      return;
    }
    for (const { message, tsEventMicros } of batch) {
      origin.tsEventMicros = tsEventMicros;
      origin.prevSeq = message.prev_seq as number;
      this.#out.emit(FrameKind.replay, REALTIME, detailOfLane(lane), receivers, origin, message);
    }
  }
}

function receiversOf({ lane, worker }: Replay): VariantMasks {
  const receivers = newVariantMasks();
  setWanted(receivers, lane, worker, true);
  return receivers;
}
