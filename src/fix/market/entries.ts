/** Entries of market data as the encoder wrote them (threads/fix-entries.ts), or as they were cut here. */
import { ByteWriter } from '../../protocol/byte-writer.js';
import { FIX_HAS_CHECKSUM, FIX_HEADER_BYTES } from '../../threads/fix-entries.js';
import type { RingReader } from '../../threads/ring.js';
import type { SharedFields } from '../wire/writer.js';

/** Where a message stands in the chain of its topic. */
export interface ChainPlace {
  readonly epoch: string;
  readonly prevSeq: number;
  readonly seq: number;
  /** Of the whole book after it; undefined where there is none, and for a part of the book. */
  readonly checksum: number | undefined;
}

/** A part of the book has no checksum of its own. */
export function partOf(place: ChainPlace): ChainPlace {
  const { epoch, prevSeq, seq, checksum } = place;
  return checksum === undefined ? place : { epoch, prevSeq, seq, checksum: undefined };
}

/** Fields that sessions copy, and how many entries they are. The fields of a frame are valid while it is handled. */
export class Entries implements SharedFields {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  sum = 0;
  count = 0;
  checksum: number | undefined;

  /** The current frame of the ring. */
  read({ copy, payloadStart, payloadEnd }: Pick<RingReader, 'copy' | 'payloadStart' | 'payloadEnd'>): void {
    this.bytes = copy;
    this.start = payloadStart + FIX_HEADER_BYTES;
    this.end = payloadEnd;
    this.sum = u32(copy, payloadStart);
    this.count = u32(copy, payloadStart + 4);
    const hasChecksum = (u32(copy, payloadStart + 12) & FIX_HAS_CHECKSUM) !== 0;
    this.checksum = hasChecksum ? u32(copy, payloadStart + 8) : undefined;
  }
}

/** Little-endian. */
function u32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
  return (low | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

/** Entries under construction. */
export class EntriesWriter extends ByteWriter {
  count = 0;

  begin(): void {
    this.clear();
    this.count = 0;
  }

  /** A field of ASCII. */
  field(tag: string, value: string): void {
    this.ascii(tag);
    this.byte(0x3d);
    this.ascii(value);
    this.byte(0x01);
  }

  symbol(symbol: string): void {
    this.ascii('55=');
    this.text(symbol);
    this.byte(0x01);
  }

  /** What was written, until the next `begin`. */
  end(into: Entries): void {
    const { bytes, length } = this;
    let sum = 0;
    for (let at = 0; at < length; at++) sum += bytes[at] as number;
    into.bytes = bytes;
    into.start = 0;
    into.end = length;
    into.sum = sum;
    into.count = this.count;
    into.checksum = undefined;
  }
}
