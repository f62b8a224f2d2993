/**
 * The change of one quote: JSON Patch operations on `{"quotes":{…}}`. As JSON it is written straight from what changed,
 * without building the operations first (native-notes/measurements.md).
 */
import { pointerToken } from '../protocol/topics.js';
import type { PlainObject } from './decode.js';
import type { Encodable, Message } from './frame-encoder.js';

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
export const ASSET_QUOTE_FIELDS: readonly string[] = [...AMOUNT_FIELDS, 'symbol', 'last_updated'];

/** What all patches of a symbol in one epoch begin with, and their operations. */
export interface PatchBeginnings {
  readonly symbol: string;
  readonly epoch: string;
  /** The symbol's place in the client's document (JSON Pointer). */
  readonly path: string;
  /** JSON up to the value of `prev_seq`. */
  readonly frame: string;
  /** JSON of an operation up to the field's name. */
  readonly add: string;
  readonly replace: string;
  readonly remove: string;
}

interface Operation {
  op: 'add' | 'replace' | 'remove';
  path: string;
  value?: unknown;
}

/** Field names whose text is kept: those of AssetQuote, and the first that publishers add of their own. */
const NAMES_MAX = 256;
const nameTexts = new Map<string, string>(ASSET_QUOTE_FIELDS.map(name => [name, name]));

export function patchBeginnings(symbol: string, epoch: string): PatchBeginnings {
  const path = `/quotes/${pointerToken(symbol)}`;
  const operation = (op: Operation['op']) => `{"op":"${op}","path":"${inJson(path)}/`;
  return {
    symbol,
    epoch,
    path,
    frame: `{"type":"quotes_patch","symbol":${JSON.stringify(symbol)},"epoch":${JSON.stringify(epoch)},"prev_seq":`,
    add: operation('add'),
    replace: operation('replace'),
    remove: operation('remove'),
  };
}

export class QuotePatch implements Encodable {
  readonly #from: Quote;
  readonly #to: Quote;
  readonly #beginnings: PatchBeginnings;
  readonly #prevSeq: number;
  readonly #seq: number;
  /** Names of members that are new or have another value. */
  readonly #changed: string[] = [];
  readonly #removed: string[] = [];

  constructor(from: Quote, to: Quote, beginnings: PatchBeginnings, prevSeq: number, seq: number) {
    this.#from = from;
    this.#to = to;
    this.#beginnings = beginnings;
    this.#prevSeq = prevSeq;
    this.#seq = seq;
    // Each member is asked: a quote has few, and nearly always the same ones.
    for (const name in to) {
      const before = memberOf(from, name);
      const after = to[name];
      if (before === after || (typeof after === 'object' && sameValue(before, after))) continue;
      this.#changed.push(name);
    }
    for (const name in from) if (memberOf(to, name) === undefined) this.#removed.push(name);
  }

  get isEmpty(): boolean {
    return this.#changed.length === 0 && this.#removed.length === 0;
  }

  json(): string {
    const { frame, add, replace, remove } = this.#beginnings;
    let operations = '';
    for (const name of this.#changed) {
      const begin = memberOf(this.#from, name) === undefined ? add : replace;
      const value = this.#to[name];
      const text = typeof value === 'number' ? value : JSON.stringify(value);
      operations += `${operations === '' ? '' : ','}${begin}${nameText(name)}","value":${text}}`;
    }
    for (const name of this.#removed) {
      operations += `${operations === '' ? '' : ','}${remove}${nameText(name)}"}`;
    }
    return `${frame}${this.#prevSeq},"seq":${this.#seq},"operations":[${operations}]}`;
  }

  members(): Message {
    const { symbol, epoch, path } = this.#beginnings;
    const operations: Operation[] = [];
    for (const name of this.#changed) {
      const op = memberOf(this.#from, name) === undefined ? 'add' : 'replace';
      operations.push({ op, path: `${path}/${pointerToken(name)}`, value: this.#to[name] });
    }
    for (const name of this.#removed) operations.push({ op: 'remove', path: `${path}/${pointerToken(name)}` });
    return { type: 'quotes_patch', symbol, epoch, prev_seq: this.#prevSeq, seq: this.#seq, operations };
  }
}

/** The field's name as it stands in the path, in JSON. */
function nameText(name: string): string {
  let text = nameTexts.get(name);
  if (text === undefined) {
    text = inJson(pointerToken(name));
    if (nameTexts.size < NAMES_MAX) nameTexts.set(name, text);
  }
  return text;
}

/** The text as it stands between the quotation marks. */
function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** The member, not what every object inherits: a publisher may name one `toString`, but can send no function. */
function memberOf(quote: Quote, name: string): unknown {
  const value = quote[name];
  return typeof value === 'function' ? undefined : value;
}

/** For the publisher's own nested members only: replaced whole when their JSON differs. */
function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
