/** `md.quotes.<symbol>` → `quotes_patch`: JSON Patch (RFC 6902) over the client's document `{"quotes":{}}`. */

import { isCarriable } from '../protocol/plain.js';
import { pointerToken } from '../protocol/topics.js';
import { isAmount, type PlainObject } from './decode.js';
import type { FrameOrigin, Message } from './frame-encoder.js';
import { AMOUNT_FIELDS, ASSET_QUOTE_FIELDS, PatchBeginnings, type Quote, QuotePatch } from './quote-patch.js';
import type { DataOutcome, Rebuild } from './source.js';
import { StateSource } from './state-source.js';

const KNOWN_FIELDS: ReadonlySet<string> = new Set(ASSET_QUOTE_FIELDS);
/** Members one quote can have, so that partial messages cannot grow it without bound. */
const FIELDS_MAX = 64;
/** Longest value of a publisher's own member, as JSON text. */
const FIELD_CHARS_MAX = 4096;

export class QuotesSource extends StateSource<Quote> {
  protected override readonly partIsFrame = false;
  #beginnings: PatchBeginnings | undefined;
  #quote: Quote | undefined;
  #awaitsWhole = false;
  /** True once a partial message was merged: the last raw message alone no longer rebuilds the quote. */
  #needsCheckpoints = false;

  protected override apply(value: PlainObject, lossBefore: boolean): DataOutcome {
    if (value.symbol !== this.symbol) return 'wrong_symbol';
    const partial = value.partial === true;
    const reason = checkFields(value);
    if (reason !== undefined) return reason;
    if (partial) return this.#merge(value, lossBefore);
    if (value.current_price === undefined) return 'missing_field';
    this.#quote = withoutPartial(value);
    this.#awaitsWhole = false;
    return 'applied';
  }

  #merge(value: PlainObject, lossBefore: boolean): DataOutcome {
    if (lossBefore) this.#awaitsWhole = true;
    if (this.#quote === undefined || this.#awaitsWhole) return 'no_base';
    const merged = { ...this.#quote, ...withoutPartial(value) };
    if (Object.keys(merged).length > FIELDS_MAX) return 'invalid_field';
    this.#quote = merged;
    this.#needsCheckpoints = true;
    return 'applied';
  }

  protected override view(): Quote | undefined {
    return this.#quote;
  }

  protected override delta(_detail: number, from: Quote, to: Quote, prevSeq: number, at: FrameOrigin) {
    if (this.#beginnings?.epoch !== this.epoch) {
      this.#beginnings = new PatchBeginnings(this.symbol, this.epoch);
    }
    const patch = new QuotePatch(from, to, this.#beginnings, prevSeq, at.seq);
    return patch.isEmpty ? undefined : patch;
  }

  protected override whole(_detail: number, quote: Quote, _prevSeq: number, at: FrameOrigin): Message {
    return {
      type: 'quotes_patch',
      snapshot: true,
      epoch: this.epoch,
      seqs: { [this.symbol]: at.seq },
      operations: [this.part(0, quote)],
    };
  }

  protected override part(_detail: number, quote: Quote): Message {
    return { op: 'add', path: `/quotes/${pointerToken(this.symbol)}`, value: quote };
  }

  override checkpoint(isNeeded: boolean): Rebuild | undefined {
    if (this.#quote === undefined) return undefined;
    this.#needsCheckpoints ||= isNeeded;
    if (!this.#needsCheckpoints) return undefined;
    return { epoch: this.epoch, seq: this.seq, text: JSON.stringify(this.#quote) };
  }
}

function checkFields(value: PlainObject): 'invalid_field' | undefined {
  for (const name of AMOUNT_FIELDS) {
    const amount = value[name];
    if (amount !== undefined && !isAmount(amount)) return 'invalid_field';
  }
  if (value.last_updated !== undefined && typeof value.last_updated !== 'string') return 'invalid_field';
  let fields = 0;
  for (const name in value) {
    if (++fields > FIELDS_MAX) return 'invalid_field';
    if (KNOWN_FIELDS.has(name) || name === 'partial') continue;
    const own = value[name];
    if (name.length > 128 || !isCarriable(own)) return 'invalid_field';
    if (typeof own === 'string' && own.length > FIELD_CHARS_MAX) return 'invalid_field';
    if (typeof own === 'object' && JSON.stringify(own).length > FIELD_CHARS_MAX) return 'invalid_field';
  }
  return undefined;
}

function withoutPartial(value: PlainObject): Quote {
  if (value.partial === undefined) return value;
  const { partial: _, ...quote } = value;
  return quote;
}
