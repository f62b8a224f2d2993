/**
 * A `depth_patch`, written straight from the changes: prices and quantities are decimal texts, which need no escapes.
 */

import { Known } from '../protocol/byte-writer.js';
import { type MsgpackWriter, packedTexts } from '../protocol/msgpack-writer.js';
import type { LevelChange } from './book.js';
import { writeLevelChanges } from './fix-message.js';
import type { FixWriter } from './fix-writer.js';
import type { Encodable, Stamps } from './frame-encoder.js';
import type { JsonWriter } from './json-writer.js';
import { MSGPACK_OPERATION, MSGPACK_VALUE, type PatchHead } from './patch-head.js';

interface DepthChange {
  readonly head: PatchHead;
  readonly prevSeq: number;
  readonly seq: number;
  readonly changes: readonly LevelChange[];
  /** Checksum of the book after the changes. */
  readonly checksum: number;
}

const CLOSING_BRACE = 0x7d;
const CHECKSUM = Known.text('],"checksum":');
const OPERATION = {
  add: { bids: operation('add', 'bids'), asks: operation('add', 'asks') },
  replace: { bids: operation('replace', 'bids'), asks: operation('replace', 'asks') },
  remove: { bids: operation('remove', 'bids'), asks: operation('remove', 'asks') },
};
const VALUE = Known.text('","value":"');
const END_OF_OPERATION = Known.text('"},');
const PATH = { bids: Known.text('/bids/'), asks: Known.text('/asks/') };
const MSGPACK_CHECKSUM = packedTexts('checksum');

export class DepthPatch implements Encodable {
  readonly #change: DepthChange;

  constructor(change: DepthChange) {
    this.#change = change;
  }

  json(out: JsonWriter): void {
    const { head, prevSeq, seq, changes, checksum } = this.#change;
    head.json(out, prevSeq, seq);
    for (const { op, side, price, quantity } of changes) {
      out.copy(OPERATION[op][side]);
      out.ascii(price);
      if (quantity !== undefined) {
        out.copy(VALUE);
        out.ascii(quantity);
      }
      out.copy(END_OF_OPERATION);
    }
    // Each operation ends with a comma.
    if (changes.length > 0) out.length--;
    out.copy(CHECKSUM);
    out.number(checksum);
    out.byte(CLOSING_BRACE);
  }

  msgpack(out: MsgpackWriter, stamps: Stamps | undefined): void {
    const { head, prevSeq, seq, changes, checksum } = this.#change;
    head.msgpack(out, prevSeq, seq, changes.length, 1 + (stamps?.members ?? 0));
    for (const { op, side, price, quantity } of changes) {
      const path = PATH[side];
      out.copy(MSGPACK_OPERATION[op]);
      out.textHeader(path.bytes.length + price.length);
      out.copy(path);
      out.ascii(price);
      if (quantity === undefined) continue;
      out.copy(MSGPACK_VALUE);
      out.string(quantity);
    }
    out.copy(MSGPACK_CHECKSUM);
    out.number(checksum);
    stamps?.msgpack(out);
  }

  fix(out: FixWriter): void {
    const { head, changes, checksum } = this.#change;
    writeLevelChanges(out, head.fixNames, changes);
    out.checksum(checksum);
  }
}

/** JSON of an operation up to the price. */
function operation(op: LevelChange['op'], side: LevelChange['side']): Known {
  return Known.text(`{"op":"${op}","path":"/${side}/`);
}
