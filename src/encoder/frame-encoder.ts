/**
 * Client messages → bytes in the ring, once per format that somebody wants.
 *
 * A stamped variant ends with `ts_event` and `ts_sent`; `ts_sent` is a placeholder of fixed width that the gateway worker
 * overwrites in its own copy just before it publishes (see protocol/stamp.ts).
 */
import { Packr } from 'msgpackr';
import { laneWith, VARIANTS } from '../protocol/lanes.js';
import type { FrameKind, RingWriter } from '../protocol/ring.js';
import { TS_SENT_PLACEHOLDER } from '../protocol/stamp.js';

/** A client message under construction: plain members only. */
export type Message = Record<string, unknown>;

/** Which workers want each variant (json, msgpack, and both stamped) of one class and detail. */
export type VariantMasks = Uint32Array;

export const newVariantMasks = (): VariantMasks => new Uint32Array(VARIANTS);

/** What a frame's header says besides its lane. */
export interface FrameOrigin {
  readonly source: number;
  readonly epochBytes: Uint8Array;
  readonly seq: number;
  /** Publisher's event time, µs; 0 unknown. */
  readonly tsEventMicros: number;
  readonly hubMicros: number;
  /** The worker's request that a `part` or `ready` frame answers; 0 in all others. */
  readonly request: number;
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
});

export class FrameEncoder {
  readonly #ring: RingWriter;
  readonly #packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });
  #scratch = Buffer.allocUnsafeSlow(64 * 1024);
  /** Frames written since the start. */
  frames = 0;
  /** Bytes of their payloads. */
  bytes = 0;

  constructor(ring: RingWriter) {
    this.#ring = ring;
  }

  /** Encodes the message in each variant whose mask is not empty. */
  emit(kind: FrameKind, rateClass: number, detail: number, masks: VariantMasks, origin: FrameOrigin, message: Message) {
    let json: string | undefined;
    for (let variant = 0; variant < VARIANTS; variant++) {
      const workers = masks[variant] ?? 0;
      if (workers === 0) continue;
      const lane = laneWith(rateClass, detail, variant);
      if ((variant & 1) === 0) {
        json ??= JSON.stringify(message);
        this.#writeText(kind, lane, workers, origin, variant === 0 ? json : stampedJson(json, origin.tsEventMicros));
      } else {
        const stamped = variant === 3 ? stampedMessage(message, origin.tsEventMicros) : message;
        const packed = this.#packr.pack(stamped);
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
    if (bytesMax > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(bytesMax * 2);
    const size = this.#scratch.write(text, 0, 'utf8');
    this.#write(kind, lane, workers, origin, this.#scratch, 0, size);
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
      origin.request,
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

function stampedMessage(message: Message, tsEventMicros: number): Message {
  const stamped: Message = { ...message };
  if (tsEventMicros > 0) stamped.ts_event = Math.floor(tsEventMicros);
  stamped.ts_sent = TS_SENT_PLACEHOLDER;
  return stamped;
}
