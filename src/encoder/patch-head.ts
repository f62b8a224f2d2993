/** What quote and book patches share: how they begin, and how MessagePack encodes an operation. */
import { Known } from '../protocol/byte-writer.js';
import { type MsgpackWriter, packedTexts } from '../protocol/msgpack-writer.js';
import { FixNames } from './fix-message.js';
import type { JsonWriter } from './json-writer.js';

/** `type`, `symbol`, `epoch`, `prev_seq`, `seq`, `operations`. */
const MEMBERS = 6;
const JSON_SEQ = Known.text(',"seq":');
const JSON_OPERATIONS = Known.text(',"operations":[');
const MSGPACK_SEQ = packedTexts('seq');
const MSGPACK_OPERATIONS = packedTexts('operations');

/** An operation up to the value of `path`. */
export const MSGPACK_OPERATION = {
  add: operation(3, 'add'),
  replace: operation(3, 'replace'),
  remove: operation(2, 'remove'),
};
export const MSGPACK_VALUE = packedTexts('value');

/** Writes the beginning of a symbol's patches of one kind in one epoch, up to the first operation. */
export class PatchHead {
  readonly #type: string;
  readonly #symbol: string;
  /** Up to the value of `prev_seq`. */
  #json: Known | undefined;
  /** The same without the map's header. */
  #msgpack: Known | undefined;
  #fixNames: FixNames | undefined;

  constructor(
    type: string,
    symbol: string,
    readonly epoch: string,
  ) {
    this.#type = type;
    this.#symbol = symbol;
  }

  /** The beginnings of the symbol's entries in FIX. */
  get fixNames(): FixNames {
    this.#fixNames ??= new FixNames(this.#symbol);
    return this.#fixNames;
  }

  json(out: JsonWriter, prevSeq: number, seq: number): void {
    if (this.#json === undefined) {
      const [symbol, epoch] = [this.#symbol, this.epoch].map(text => JSON.stringify(text));
      this.#json = Known.text(`{"type":"${this.#type}","symbol":${symbol},"epoch":${epoch},"prev_seq":`);
    }
    out.copy(this.#json);
    out.number(prevSeq);
    out.copy(JSON_SEQ);
    out.number(seq);
    out.copy(JSON_OPERATIONS);
  }

  /** @param moreMembers number of members after the operations */
  msgpack(out: MsgpackWriter, prevSeq: number, seq: number, operations: number, moreMembers: number): void {
    this.#msgpack ??= packedTexts('type', this.#type, 'symbol', this.#symbol, 'epoch', this.epoch, 'prev_seq');
    out.map(MEMBERS + moreMembers);
    out.copy(this.#msgpack);
    out.number(prevSeq);
    out.copy(MSGPACK_SEQ);
    out.number(seq);
    out.copy(MSGPACK_OPERATIONS);
    out.array(operations);
  }
}

function operation(members: number, op: string): Known {
  return new Known(Uint8Array.of(0x80 | members, ...packedTexts('op', op, 'path').bytes));
}
