/**
 * The change of one quote: JSON Patch operations on `{"quotes":{…}}`, written straight from what changed, without building
 * the operations first (native-notes/measurements.md).
 */

import { Known } from '../protocol/byte-writer.js';
import { stringifyExact } from '../protocol/exact-json.js';
import type { MsgpackWriter } from '../protocol/msgpack-writer.js';
import { pointerToken } from '../protocol/topics.js';
import type { Encodable, Stamps } from './frame-encoder.js';
import { inJson, type JsonWriter } from './json-writer.js';
import { MSGPACK_OPERATION, MSGPACK_VALUE, PatchHead } from './patch-head.js';
import { type Field, indexOfField, type Quote } from './quote.js';

const CLOSING_BRACE = 0x7d;
const COMMA = 0x2c;
const JSON_END = Known.text(']}');

/** What all patches of a symbol in one epoch begin with, and their operations. */
export class PatchBeginnings {
  readonly head: PatchHead;
  /** JSON of an operation up to the field's name. */
  readonly replace: Known;
  readonly #path: string;
  #utf8Path: Known | undefined;

  constructor(
    symbol: string,
    readonly epoch: string,
  ) {
    this.#path = `/quotes/${pointerToken(symbol)}/`;
    this.head = new PatchHead('quotes_patch', symbol, epoch);
    this.replace = this.#operation('replace');
  }

  /** Of an operation, up to the field's name: as UTF-8, which only MessagePack needs. */
  get path(): Known {
    this.#utf8Path ??= Known.text(this.#path);
    return this.#utf8Path;
  }

  /** Rarer than `replace`, so not kept. */
  get add(): Known {
    return this.#operation('add');
  }

  get remove(): Known {
    return this.#operation('remove');
  }

  #operation(op: 'add' | 'replace' | 'remove'): Known {
    return Known.text(`{"op":"${op}","path":"${inJson(this.#path)}`);
  }
}

/** Where a quote has no such member. */
const ABSENT = Symbol('absent');
const NO_FIELDS: readonly Field[] = [];

export class QuotePatch implements Encodable {
  readonly #to: Quote;
  /** What each member of `to` was before. */
  readonly #before: readonly unknown[];
  readonly #removed: readonly Field[];
  readonly #operations: number;
  readonly #beginnings: PatchBeginnings;
  readonly #prevSeq: number;
  readonly #seq: number;

  constructor(from: Quote, to: Quote, beginnings: PatchBeginnings, prevSeq: number, seq: number) {
    this.#to = to;
    this.#beginnings = beginnings;
    this.#prevSeq = prevSeq;
    this.#seq = seq;
    const isAlike = from.layout === to.layout;
    this.#before = isAlike ? from.values : to.layout.map(({ name }) => valueIn(from, name));
    this.#removed = isAlike ? NO_FIELDS : from.layout.filter(({ name }) => indexOfField(to.layout, name) < 0);
    let operations = this.#removed.length;
    for (let at = 0; at < to.values.length; at++) if (!isSame(this.#before[at], to.values[at])) operations++;
    this.#operations = operations;
  }

  get isEmpty(): boolean {
    return this.#operations === 0;
  }

  json(out: JsonWriter): void {
    const { head, replace } = this.#beginnings;
    const { layout, values } = this.#to;
    head.json(out, this.#prevSeq, this.#seq);
    for (let at = 0; at < values.length; at++) {
      const before = this.#before[at];
      const after = values[at];
      if (isSame(before, after)) continue;
      out.copy(before === ABSENT ? this.#beginnings.add : replace);
      out.copy((layout[at] as Field).json);
      out.value(after);
      out.byte(CLOSING_BRACE);
      out.byte(COMMA);
    }
    for (const { jsonRemoved } of this.#removed) {
      out.copy(this.#beginnings.remove);
      out.copy(jsonRemoved);
    }
    // Each operation ends with a comma.
    if (this.#operations > 0) out.length--;
    out.copy(JSON_END);
  }

  msgpack(out: MsgpackWriter, stamps: Stamps | undefined): void {
    const { head, path } = this.#beginnings;
    const { layout, values } = this.#to;
    head.msgpack(out, this.#prevSeq, this.#seq, this.#operations, stamps?.members ?? 0);
    for (let at = 0; at < values.length; at++) {
      const before = this.#before[at];
      const after = values[at];
      if (isSame(before, after)) continue;
      out.copy(before === ABSENT ? MSGPACK_OPERATION.add : MSGPACK_OPERATION.replace);
      writePath(out, path, layout[at] as Field);
      out.copy(MSGPACK_VALUE);
      out.value(after);
    }
    for (const field of this.#removed) {
      out.copy(MSGPACK_OPERATION.remove);
      writePath(out, path, field);
    }
    stamps?.msgpack(out);
  }
}

function valueIn({ layout, values }: Quote, name: string): unknown {
  const at = indexOfField(layout, name);
  return at < 0 ? ABSENT : values[at];
}

/** The publisher's own members may hold objects: those are replaced whole when their JSON differs. */
function isSame(before: unknown, after: unknown): boolean {
  // Apart from each other, so that each is compiled for its own type.
  if (typeof after === 'number') return typeof before === 'number' && before === after;
  if (typeof after === 'string') return typeof before === 'string' && before === after;
  return before === after || (typeof after === 'object' && isAlike(before, after));
}

function isAlike(before: unknown, after: unknown): boolean {
  return typeof before === 'object' && stringifyExact(before) === stringifyExact(after);
}

function writePath(out: MsgpackWriter, path: Known, { utf8 }: Field): void {
  out.textHeader(path.bytes.length + utf8.bytes.length);
  out.copy(path);
  out.copy(utf8);
}
