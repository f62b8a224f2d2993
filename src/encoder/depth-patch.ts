/** A `depth_patch`, written straight from what changed: prices and quantities are decimal texts, which need no escapes. */
import type { LevelChange } from './book.js';
import { encoded } from './byte-writer.js';
import type { Encodable, Stamps } from './frame-encoder.js';
import type { JsonWriter } from './json-writer.js';
import type { MsgpackWriter } from './msgpack-writer.js';

export interface DepthChange {
  readonly symbol: string;
  readonly epoch: string;
  readonly prevSeq: number;
  readonly seq: number;
  readonly changes: readonly LevelChange[];
  /** Of the book that the changes lead to. */
  readonly checksum: number;
}

const COMMA = 0x2c;
const CLOSING_BRACE = 0x7d;
const BEGINNING = encoded('{"type":"depth_patch","symbol":');
const EPOCH = encoded(',"epoch":');
const PREV_SEQ = encoded(',"prev_seq":');
const SEQ = encoded(',"seq":');
const OPERATIONS = encoded(',"operations":[');
const CHECKSUM = encoded('],"checksum":');
const OPERATION = {
  add: { bids: operation('add', 'bids'), asks: operation('add', 'asks') },
  replace: { bids: operation('replace', 'bids'), asks: operation('replace', 'asks') },
  remove: { bids: operation('remove', 'bids'), asks: operation('remove', 'asks') },
};
const VALUE = encoded('","value":"');
const END_OF_OPERATION = encoded('"}');
/** `type`, `symbol`, `epoch`, `prev_seq`, `seq`, `operations`, `checksum`. */
const MEMBERS = 7;

export class DepthPatch implements Encodable {
  readonly #change: DepthChange;

  constructor(change: DepthChange) {
    this.#change = change;
  }

  json(out: JsonWriter): void {
    const { symbol, epoch, prevSeq, seq, changes, checksum } = this.#change;
    out.copy(BEGINNING);
    out.string(symbol);
    out.copy(EPOCH);
    out.string(epoch);
    out.copy(PREV_SEQ);
    out.number(prevSeq);
    out.copy(SEQ);
    out.number(seq);
    out.copy(OPERATIONS);
    for (const [index, { op, side, price, quantity }] of changes.entries()) {
      if (index > 0) out.byte(COMMA);
      out.copy(OPERATION[op][side]);
      out.ascii(price);
      if (quantity !== undefined) {
        out.copy(VALUE);
        out.ascii(quantity);
      }
      out.copy(END_OF_OPERATION);
    }
    out.copy(CHECKSUM);
    out.number(checksum);
    out.byte(CLOSING_BRACE);
  }

  msgpack(out: MsgpackWriter, stamps: Stamps | undefined): void {
    const { symbol, epoch, prevSeq, seq, changes, checksum } = this.#change;
    out.map(MEMBERS + (stamps?.members ?? 0));
    for (const text of ['type', 'depth_patch', 'symbol', symbol, 'epoch', epoch, 'prev_seq']) out.string(text);
    out.number(prevSeq);
    out.string('seq');
    out.number(seq);
    out.string('operations');
    out.array(changes.length);
    for (const { op, side, price, quantity } of changes) {
      out.map(quantity === undefined ? 2 : 3);
      out.string('op');
      out.string(op);
      out.string('path');
      out.string(`/${side}/${price}`);
      if (quantity === undefined) continue;
      out.string('value');
      out.string(quantity);
    }
    out.string('checksum');
    out.number(checksum);
    stamps?.msgpack(out);
  }
}

/** JSON of an operation up to the price. */
function operation(op: LevelChange['op'], side: LevelChange['side']): Uint8Array {
  return encoded(`{"op":"${op}","path":"/${side}/`);
}
