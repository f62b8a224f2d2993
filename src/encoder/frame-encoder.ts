/**
 * Client messages → bytes in the ring, once per format in demand.
 *
 * A stamped variant ends with `ts_event` and `ts_sent`; `ts_sent` is a placeholder of fixed width that the gateway
 * worker overwrites in its own copy just before it publishes (see threads/stamp.ts).
 */

import type { ByteWriter } from '../protocol/byte-writer.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { MsgpackWriter } from '../protocol/msgpack-writer.js';
import { REALTIME } from '../protocol/view-options.js';
import { FIX_VARIANT, FRAME_VARIANTS, laneWith } from '../threads/lanes.js';
import { epochTagOf, FrameKind, type RingWriter } from '../threads/ring.js';
import { TS_SENT_PLACEHOLDER } from '../threads/stamp.js';
import { writeFixMessage } from './fix-message.js';
import { FixWriter } from './fix-writer.js';
import { FrameTraces } from './frame-traces.js';
import { JsonWriter } from './json-writer.js';
import type { VariantMasks } from './variant-masks.js';

const textEncoder = new TextEncoder();

/** A client message under construction: plain members only. */
export type Message = Record<string, unknown>;

/** A client message that can be written in each format; only formats in demand are written. */
export interface Encodable {
  json(out: JsonWriter): void;
  /** `stamps` are the last members of a stamped message. */
  msgpack(out: MsgpackWriter, stamps: Stamps | undefined): void;
  fix(out: FixWriter): void;
}

/** `ts_event`, if the publisher sent it, and the placeholder of `ts_sent`. */
export class Stamps {
  readonly #tsEventMicros: number;

  constructor(tsEventMicros: number) {
    this.#tsEventMicros = Math.floor(tsEventMicros);
  }

  get members(): number {
    return this.#tsEventMicros > 0 ? 2 : 1;
  }

  /** Replaces the message's closing brace. */
  json(out: JsonWriter): void {
    const event = this.#tsEventMicros > 0 ? `,"ts_event":${this.#tsEventMicros}` : '';
    out.ascii(`${event},"ts_sent":${TS_SENT_PLACEHOLDER}}`);
  }

  msgpack(out: MsgpackWriter): void {
    if (this.#tsEventMicros > 0) {
      out.string('ts_event');
      out.number(this.#tsEventMicros);
    }
    out.string('ts_sent');
    out.number(TS_SENT_PLACEHOLDER);
  }

  /** A copy of the message that ends with the stamps. */
  addedTo(message: Message, tsSentMicros = TS_SENT_PLACEHOLDER): Message {
    const stamped: Message = { ...message };
    if (this.#tsEventMicros > 0) stamped.ts_event = this.#tsEventMicros;
    stamped.ts_sent = tsSentMicros;
    return stamped;
  }
}

/** A message built as an object before it is written in any format. */
export class BuiltMessage implements Encodable {
  readonly #message: Message;

  constructor(message: Message) {
    this.#message = message;
  }

  json(out: JsonWriter): void {
    out.text(stringifyExact(this.#message));
  }

  msgpack(out: MsgpackWriter, stamps: Stamps | undefined): void {
    out.value(stamps === undefined ? this.#message : stamps.addedTo(this.#message));
  }

  fix(out: FixWriter): void {
    writeFixMessage(out, this.#message);
  }
}

/** A message that is sent in an array with others. */
export interface BatchedMessage {
  readonly message: Message;
  readonly tsEventMicros: number;
}

/** A frame's header without its lane. */
export interface FrameOrigin {
  readonly source: number;
  readonly epoch: string;
  readonly epochBytes: Uint8Array;
  readonly seq: number;
  /** The seq that the frame follows; of a gap, the last one before the loss. */
  readonly prevSeq: number;
  /** Publisher's event time, µs; 0: unknown. */
  readonly tsEventMicros: number;
  readonly hubMicros: number;
  /** The number of the reason in a frame that gives one (protocol/codes.ts), from 1; else 0. */
  readonly reason: number;
  /** The number of the worker's request that this answers; else 0. */
  readonly request: number;
  /** Represents the epoch, so that a reader sees a change without reading the text. */
  readonly epochTag: number;
}

export type Mutable<T> = { -readonly [member in keyof T]: T[member] };

/** The origin of a source before its first message; its owner updates it. */
export const newOrigin = (source: number): Mutable<FrameOrigin> => ({
  source,
  epoch: '',
  epochBytes: new Uint8Array(0),
  seq: 0,
  prevSeq: 0,
  tsEventMicros: 0,
  hubMicros: 0,
  reason: 0,
  request: 0,
  epochTag: 0,
});

/** Counts the source's sequences in this epoch from now on. */
export function setEpoch(origin: Mutable<FrameOrigin>, epoch: string): void {
  origin.epoch = epoch;
  origin.epochBytes = textEncoder.encode(epoch);
  origin.epochTag = epochTagOf(origin.epochBytes);
}

export class FrameEncoder {
  readonly #ring: RingWriter;
  /** µs since the Unix epoch. */
  readonly nowMicros: () => number;
  readonly traces: FrameTraces;
  readonly #json = new JsonWriter();
  readonly #msgpack = new MsgpackWriter();
  readonly #fix = new FixWriter();
  /** Frames written since the start. */
  frames = 0;
  /** Bytes of their payloads. */
  bytes = 0;

  constructor(ring: RingWriter, nowMicros: () => number, traces = new FrameTraces(undefined)) {
    this.#ring = ring;
    this.nowMicros = nowMicros;
    this.traces = traces;
  }

  /**
   * Encodes a message built as an object, in each variant whose mask is not empty.
   * @param isFrame false for a piece of a frame, which is never stamped itself
   */
  emit(
    kind: FrameKind,
    rateClass: number,
    detail: number,
    masks: VariantMasks,
    origin: FrameOrigin,
    message: Message,
    isFrame = true,
  ): void {
    this.emitEncodable(kind, rateClass, detail, masks, origin, new BuiltMessage(message), isFrame);
  }

  /** Like `emit`, for a message that writes itself. */
  emitEncodable(
    kind: FrameKind,
    rateClass: number,
    detail: number,
    masks: VariantMasks,
    origin: FrameOrigin,
    message: Encodable,
    isFrame = true,
  ): void {
    const stamps = isFrame && ((masks[2] ?? 0) | (masks[3] ?? 0)) !== 0 ? new Stamps(origin.tsEventMicros) : undefined;
    let jsonEnd = 0;
    for (let variant = 0; variant < FRAME_VARIANTS; variant++) {
      const workers = masks[variant] ?? 0;
      if (workers === 0) continue;
      const lane = laneWith(rateClass, detail, variant);
      const stamped = variant < 2 ? undefined : stamps;
      if ((variant & 1) === 0) {
        if (jsonEnd === 0) {
          this.#json.clear();
          message.json(this.#json);
          jsonEnd = this.#json.length;
        }
        if (stamped !== undefined) {
          this.#json.length = jsonEnd - 1;
          stamped.json(this.#json);
        }
        this.#write(kind, lane, workers, origin, this.#json);
      } else {
        this.#msgpack.clear();
        message.msgpack(this.#msgpack, stamped);
        this.#write(kind, lane, workers, origin, this.#msgpack);
      }
    }
    const fixWorkers = masks[FIX_VARIANT] ?? 0;
    if (fixWorkers === 0) return;
    this.#fix.begin();
    message.fix(this.#fix);
    this.#fix.end();
    this.#write(kind, laneWith(rateClass, detail, FIX_VARIANT), fixWorkers, origin, this.#fix);
  }

  /**
   * Encodes the messages as one array in each variant whose mask is not empty. A stamped array has the times of its
   * encoding, because a worker can only stamp the end of a frame.
   */
  emitBatch(
    kind: FrameKind,
    detail: number,
    masks: VariantMasks,
    origin: FrameOrigin,
    batch: readonly BatchedMessage[],
  ): void {
    this.#emitDated(kind, detail, masks, origin, stamped =>
      batch.map(({ message, tsEventMicros }) => stamped(message, tsEventMicros)),
    );
  }

  /** Encodes one message of a batched topic, stamped like its arrays. */
  emitBesideBatches(kind: FrameKind, detail: number, masks: VariantMasks, origin: FrameOrigin, message: Message): void {
    this.#emitDated(kind, detail, masks, origin, stamped => stamped(message, 0));
  }

  #emitDated(
    kind: FrameKind,
    detail: number,
    masks: VariantMasks,
    origin: FrameOrigin,
    contentOf: (stamped: (message: Message, tsEventMicros: number) => Message) => unknown,
  ): void {
    for (let variant = 0; variant < FRAME_VARIANTS; variant++) {
      const workers = masks[variant] ?? 0;
      if (workers === 0) continue;
      const content = contentOf((message, tsEventMicros) => {
        return variant < 2 ? message : new Stamps(tsEventMicros).addedTo(message, Math.floor(this.nowMicros()));
      });
      const lane = laneWith(REALTIME, detail, variant);
      if ((variant & 1) === 0) {
        this.#json.clear();
        this.#json.text(stringifyExact(content));
        this.#write(kind, lane, workers, origin, this.#json);
      } else {
        this.#msgpack.clear();
        this.#msgpack.value(content);
        this.#write(kind, lane, workers, origin, this.#msgpack);
      }
    }
  }

  /** Longest payload of a frame. */
  get frameBytesMax(): number {
    return this.#ring.payloadBytesMax;
  }

  /** Bytes of the message in the longer of the two formats. */
  lengthOf(message: Message): number {
    this.#json.clear();
    this.#json.text(stringifyExact(message));
    this.#msgpack.clear();
    this.#msgpack.value(message);
    return Math.max(this.#json.length, this.#msgpack.length);
  }

  /** Writes a frame without payload. */
  emitEmpty(kind: FrameKind, lane: number, workers: number, origin: FrameOrigin): void {
    this.#json.clear();
    this.#write(kind, lane, workers, origin, this.#json);
  }

  #write(kind: FrameKind, lane: number, workers: number, origin: FrameOrigin, { written }: ByteWriter): void {
    const { tsEventMicros, reason } = origin;
    this.#ring.append(
      kind,
      lane,
      origin.source,
      workers,
      origin.seq,
      origin.hubMicros,
      reason > 0 || kind === FrameKind.replay ? reason : tsEventMicros,
      origin.request === 0 ? origin.epochTag : origin.request,
      origin.epochBytes,
      written,
      0,
      written.length,
      this.traces.current,
      origin.prevSeq,
    );
    if (this.traces.current !== 0) this.traces.wrote(origin.source, lane, origin.seq, written.length);
    this.frames++;
    this.bytes += written.length;
  }
}
