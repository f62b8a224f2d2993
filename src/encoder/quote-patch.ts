/**
 * The change of one quote: JSON Patch operations on `{"quotes":{…}}`, written straight from what changed, without building
 * the operations first (native-notes/measurements.md).
 */
import { pointerToken } from '../protocol/topics.js';
import { encoded } from './byte-writer.js';
import type { PlainObject } from './decode.js';
import type { Encodable, Stamps } from './frame-encoder.js';
import type { JsonWriter } from './json-writer.js';
import { MsgpackWriter } from './msgpack-writer.js';

/** One symbol's quote: the members of AssetQuote and the publisher's own. Never changed, only replaced. */
export type Quote = PlainObject;

/** AssetQuote's members that hold a price, an amount or a ratio. */
export const AMOUNT_FIELDS = [
  'current_price',
  'base_price',
  'change',
  'change_percent',
  'bid',
  'ask',
  'volume',
] as const;
const ASSET_QUOTE_FIELDS: readonly string[] = [...AMOUNT_FIELDS, 'symbol', 'last_updated'];

/** A field's name as it stands at the end of an operation's path. */
interface FieldName {
  /** JSON, up to the value. */
  readonly json: Uint8Array;
  /** JSON of an operation without a value, to its end and the comma behind it. */
  readonly jsonRemoved: Uint8Array;
  readonly utf8: Uint8Array;
}

const texts = new MsgpackWriter();
const NAMES_MAX = 256;
/** AssetQuote's fields, and the first that publishers add of their own. */
const fieldNames = new Map<string, FieldName>(ASSET_QUOTE_FIELDS.map(name => [name, newFieldName(name)]));

const JSON_SEQ = encoded(',"seq":');
const JSON_OPERATIONS = encoded(',"operations":[');
const JSON_END = encoded(']}');
const JSON_END_OF_OPERATION = encoded('},');
/** `type`, `symbol`, `epoch`, `prev_seq`, `seq`, `operations`. */
const MEMBERS = 6;
const MSGPACK_SEQ = packedTexts('seq');
const MSGPACK_OPERATIONS = packedTexts('operations');
const MSGPACK_VALUE = packedTexts('value');
const MSGPACK_OPERATION = {
  add: Uint8Array.of(0x83, ...packedTexts('op', 'add', 'path')),
  replace: Uint8Array.of(0x83, ...packedTexts('op', 'replace', 'path')),
  remove: Uint8Array.of(0x82, ...packedTexts('op', 'remove', 'path')),
};

/** What all patches of a symbol in one epoch begin with, and their operations. */
export class PatchBeginnings {
  /** JSON up to the value of `prev_seq`. */
  readonly frame: Uint8Array;
  /** JSON of an operation up to the field's name. */
  readonly replace: Uint8Array;
  #msgpack: { readonly frame: Uint8Array; readonly path: Uint8Array } | undefined;
  readonly #symbol: string;
  readonly #path: string;

  constructor(
    symbol: string,
    readonly epoch: string,
  ) {
    this.#symbol = symbol;
    this.#path = `/quotes/${pointerToken(symbol)}/`;
    this.frame = encoded(
      `{"type":"quotes_patch","symbol":${JSON.stringify(symbol)},"epoch":${JSON.stringify(epoch)},"prev_seq":`,
    );
    this.replace = this.#operation('replace');
  }

  /** Rarer than `replace`, so not kept. */
  get add(): Uint8Array {
    return this.#operation('add');
  }

  get remove(): Uint8Array {
    return this.#operation('remove');
  }

  /** The same in MessagePack: the frame's members without the map's header, and the operation's path without its own. */
  get msgpack(): { readonly frame: Uint8Array; readonly path: Uint8Array } {
    this.#msgpack ??= {
      frame: packedTexts('type', 'quotes_patch', 'symbol', this.#symbol, 'epoch', this.epoch, 'prev_seq'),
      path: encoded(this.#path),
    };
    return this.#msgpack;
  }

  #operation(op: 'add' | 'replace' | 'remove'): Uint8Array {
    return encoded(`{"op":"${op}","path":"${inJson(this.#path)}`);
  }
}

export class QuotePatch implements Encodable {
  readonly #to: Quote;
  readonly #beginnings: PatchBeginnings;
  readonly #prevSeq: number;
  readonly #seq: number;
  /** Names of members that have another value, are new, or are gone. */
  readonly #replaced: string[] = [];
  readonly #added: string[] = [];
  readonly #removed: string[] = [];

  constructor(from: Quote, to: Quote, beginnings: PatchBeginnings, prevSeq: number, seq: number) {
    this.#to = to;
    this.#beginnings = beginnings;
    this.#prevSeq = prevSeq;
    this.#seq = seq;
    // Each member is asked: a quote has few, and nearly always the same ones.
    for (const name in to) {
      const before = from[name];
      const after = to[name];
      if (before === after || (typeof after === 'object' && sameValue(before, after))) continue;
      if (isAbsent(before)) this.#added.push(name);
      else this.#replaced.push(name);
    }
    for (const name in from) if (isAbsent(to[name])) this.#removed.push(name);
  }

  get isEmpty(): boolean {
    return this.#operations === 0;
  }

  get #operations(): number {
    return this.#replaced.length + this.#added.length + this.#removed.length;
  }

  json(out: JsonWriter): void {
    const { frame, replace } = this.#beginnings;
    out.copy(frame);
    out.number(this.#prevSeq);
    out.copy(JSON_SEQ);
    out.number(this.#seq);
    out.copy(JSON_OPERATIONS);
    for (const name of this.#replaced) this.#writeJson(out, replace, name);
    for (const name of this.#added) this.#writeJson(out, this.#beginnings.add, name);
    for (const name of this.#removed) {
      out.copy(this.#beginnings.remove);
      out.copy(fieldName(name).jsonRemoved);
    }
    // Each operation ends with a comma.
    if (!this.isEmpty) out.length--;
    out.copy(JSON_END);
  }

  msgpack(out: MsgpackWriter, stamps: Stamps | undefined): void {
    const { frame, path } = this.#beginnings.msgpack;
    out.map(MEMBERS + (stamps?.members ?? 0));
    out.copy(frame);
    out.number(this.#prevSeq);
    out.copy(MSGPACK_SEQ);
    out.number(this.#seq);
    out.copy(MSGPACK_OPERATIONS);
    out.array(this.#operations);
    for (const name of this.#replaced) this.#writeMsgpack(out, MSGPACK_OPERATION.replace, path, name);
    for (const name of this.#added) this.#writeMsgpack(out, MSGPACK_OPERATION.add, path, name);
    for (const name of this.#removed) {
      out.copy(MSGPACK_OPERATION.remove);
      writePath(out, path, name);
    }
    stamps?.msgpack(out);
  }

  #writeJson(out: JsonWriter, operation: Uint8Array, name: string): void {
    out.copy(operation);
    out.copy(fieldName(name).json);
    out.value(this.#to[name]);
    out.copy(JSON_END_OF_OPERATION);
  }

  #writeMsgpack(out: MsgpackWriter, operation: Uint8Array, path: Uint8Array, name: string): void {
    out.copy(operation);
    writePath(out, path, name);
    out.copy(MSGPACK_VALUE);
    out.value(this.#to[name]);
  }
}

function writePath(out: MsgpackWriter, path: Uint8Array, name: string): void {
  const { utf8 } = fieldName(name);
  out.textHeader(path.length + utf8.length);
  out.copy(path);
  out.copy(utf8);
}

function fieldName(name: string): FieldName {
  let known = fieldNames.get(name);
  if (known === undefined) {
    known = newFieldName(name);
    if (fieldNames.size < NAMES_MAX) fieldNames.set(name, known);
  }
  return known;
}

function newFieldName(name: string): FieldName {
  const text = inJson(pointerToken(name));
  return {
    json: encoded(`${text}","value":`),
    jsonRemoved: encoded(`${text}"},`),
    utf8: encoded(pointerToken(name)),
  };
}

/** The text as it stands between the quotation marks. */
function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Texts in MessagePack, one after the other. */
function packedTexts(...all: readonly string[]): Uint8Array {
  texts.clear();
  for (const text of all) texts.string(text);
  return texts.bytes.slice(0, texts.length);
}

/** Not there, whatever every object inherits: a publisher may name a member `toString`, but can send no function. */
function isAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'function';
}

/** For the publisher's own nested members only: replaced whole when their JSON differs. */
function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
