/**
 * Client messages → bytes in the ring, once per format that somebody wants.
 *
 * A stamped variant ends with `ts_event` and `ts_sent`; `ts_sent` is a placeholder of fixed width that the gateway worker
 * overwrites in its own copy just before it publishes (see protocol/stamp.ts).
 */
import { Packr } from 'msgpackr';
import { laneWith, REALTIME, VARIANTS } from '../protocol/lanes.js';
import { epochTagOf, type FrameKind, type RingWriter } from '../protocol/ring.js';
import { TS_SENT_PLACEHOLDER } from '../protocol/stamp.js';
import type { VariantMasks } from './variant-masks.js';

/** A client message under construction: plain members only. */
export type Message = Record<string, unknown>;

/** A client message that can be written in each format; only what somebody wants is. */
export interface Encodable {
  json(): string;
  /** Its members, for MessagePack. */
  members(): Message;
}

/** A message that is built whole, whatever it is written in. */
export class BuiltMessage implements Encodable {
  readonly #message: Message;

  constructor(message: Message) {
    this.#message = message;
  }

  json(): string {
    return JSON.stringify(this.#message);
  }

  members(): Message {
    return this.#message;
  }
}

/** A message that leaves in an array with others. */
export interface BatchedMessage {
  readonly message: Message;
  readonly tsEventMicros: number;
}

/** What a frame's header says besides its lane. */
export interface FrameOrigin {
  readonly source: number;
  readonly epochBytes: Uint8Array;
  readonly seq: number;
  /** Publisher's event time, µs; 0 unknown. */
  readonly tsEventMicros: number;
  readonly hubMicros: number;
  /** In answers to a worker's request, its number; else 0. */
  readonly request: number;
  /** Stands for the epoch, so that a reader sees a change without reading the text. */
  readonly epochTag: number;
}

export type Mutable<T> = { -readonly [member in keyof T]: T[member] };

/** The origin of a source of which nothing has come yet; its owner keeps it up to date. */
export const newOrigin = (source: number): Mutable<FrameOrigin> => ({
  source,
  epochBytes: new Uint8Array(0),
  seq: 0,
  tsEventMicros: 0,
  hubMicros: 0,
  request: 0,
  epochTag: 0,
});

/** Sequences of the source count in this epoch from here on. */
export function setEpoch(origin: Mutable<FrameOrigin>, epoch: string): void {
  origin.epochBytes = textEncoder.encode(epoch);
  origin.epochTag = epochTagOf(origin.epochBytes);
}

const textEncoder = new TextEncoder();

export class FrameEncoder {
  readonly #ring: RingWriter;
  readonly #nowMicros: () => number;
  readonly #packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });
  /** No Buffer: a view of one costs more. */
  #scratch = new Uint8Array(64 * 1024);
  /** Frames written since the start. */
  frames = 0;
  /** Bytes of their payloads. */
  bytes = 0;

  constructor(ring: RingWriter, nowMicros: () => number) {
    this.#ring = ring;
    this.#nowMicros = nowMicros;
  }

  /**
   * Encodes a message that is built whole in each variant whose mask is not empty.
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

  /** As `emit`, of a message that writes itself. */
  emitEncodable(
    kind: FrameKind,
    rateClass: number,
    detail: number,
    masks: VariantMasks,
    origin: FrameOrigin,
    message: Encodable,
    isFrame = true,
  ): void {
    let json: string | undefined;
    let members: Message | undefined;
    for (let variant = 0; variant < VARIANTS; variant++) {
      const workers = masks[variant] ?? 0;
      if (workers === 0) continue;
      const lane = laneWith(rateClass, detail, variant);
      if ((variant & 1) === 0) {
        json ??= message.json();
        const text = variant === 2 && isFrame ? stampedJson(json, origin.tsEventMicros) : json;
        this.#writeText(kind, lane, workers, origin, text);
      } else {
        members ??= message.members();
        const isStamped = variant === 3 && isFrame;
        const packed = this.#packr.pack(
          isStamped ? stampedMessage(members, origin.tsEventMicros, TS_SENT_PLACEHOLDER) : members,
        );
        this.#write(kind, lane, workers, origin, packed, 0, packed.length);
      }
    }
  }

  /**
   * Encodes the messages as one array in each variant whose mask is not empty. The times of a stamped array are those of
   * its encoding: a worker can only stamp the end of a frame.
   */
  emitBatch(
    kind: FrameKind,
    detail: number,
    masks: VariantMasks,
    origin: FrameOrigin,
    batch: readonly BatchedMessage[],
  ): void {
    for (let variant = 0; variant < VARIANTS; variant++) {
      const workers = masks[variant] ?? 0;
      if (workers === 0) continue;
      const messages = batch.map(({ message, tsEventMicros }) => {
        return variant < 2 ? message : stampedMessage(message, tsEventMicros, Math.floor(this.#nowMicros()));
      });
      const lane = laneWith(REALTIME, detail, variant);
      if ((variant & 1) === 0) {
        this.#writeText(kind, lane, workers, origin, JSON.stringify(messages));
      } else {
        const packed = this.#packr.pack(messages);
        this.#write(kind, lane, workers, origin, packed, 0, packed.length);
      }
    }
  }

  /** A frame without payload. */
  emitEmpty(kind: FrameKind, lane: number, workers: number, origin: FrameOrigin): void {
    this.#write(kind, lane, workers, origin, this.#scratch, 0, 0);
  }

  #writeText(kind: FrameKind, lane: number, workers: number, origin: FrameOrigin, text: string): void {
    const bytesMax = text.length * 3;
    if (bytesMax > this.#scratch.length) this.#scratch = new Uint8Array(bytesMax * 2);
    const { written } = textEncoder.encodeInto(text, this.#scratch);
    this.#write(kind, lane, workers, origin, this.#scratch, 0, written);
  }

  #write(
    kind: FrameKind,
    lane: number,
    workers: number,
    origin: FrameOrigin,
    payload: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#ring.append(
      kind,
      lane,
      origin.source,
      workers,
      origin.seq,
      origin.hubMicros,
      origin.request === 0 ? origin.epochTag : origin.request,
      origin.epochBytes,
      payload,
      start,
      end,
    );
    this.frames++;
    this.bytes += end - start;
  }
}

function stampedJson(json: string, tsEventMicros: number): string {
  const event = tsEventMicros > 0 ? `,"ts_event":${Math.floor(tsEventMicros)}` : '';
  return `${json.slice(0, -1)}${event},"ts_sent":${TS_SENT_PLACEHOLDER}}`;
}

function stampedMessage(message: Message, tsEventMicros: number, tsSentMicros: number): Message {
  const stamped: Message = { ...message };
  if (tsEventMicros > 0) stamped.ts_event = Math.floor(tsEventMicros);
  stamped.ts_sent = tsSentMicros;
  return stamped;
}
