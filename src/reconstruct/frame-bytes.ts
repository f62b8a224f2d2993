/** The bytes that an encoder writes for one view, taken from its ring. */
import { FrameEncoder } from '../encoder/frame-encoder.js';
import { requesterOf } from '../encoder/track.js';
import type { VariantMasks } from '../encoder/variant-masks.js';
import { createDoorbells, createRings, RingReader, RingWriter } from '../threads/ring.js';
import { TS_SENT_PLACEHOLDER } from '../threads/stamp.js';

/** The only reader. */
const READER = 0;

export class FrameBytes {
  readonly #writer: RingWriter;
  readonly #reader: RingReader;
  readonly #encoder: FrameEncoder;

  constructor() {
    const [ring] = createRings(1) as [SharedArrayBuffer];
    this.#writer = new RingWriter(ring, createDoorbells(1));
    this.#reader = new RingReader(ring, READER);
    this.#encoder = new FrameEncoder(this.#writer, () => TS_SENT_PLACEHOLDER);
  }

  /** @param write emits one frame. @returns its payload, with `ts_sent` as the placeholder */
  of(lane: number, write: (encoder: FrameEncoder, masks: VariantMasks) => void): Buffer {
    write(this.#encoder, requesterOf(lane, READER));
    this.#writer.commit();
    const reader = this.#reader;
    // Where the ring ends, the first thing that is read may be its filler.
    while (reader.read() === 'frames') {
      if (reader.next()) return Buffer.from(reader.copy.subarray(reader.payloadStart, reader.payloadEnd));
    }
    throw new Error('the encoder wrote no frame');
  }
}
