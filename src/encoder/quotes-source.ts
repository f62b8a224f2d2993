/** `md.quotes.<symbol>` → `quotes_patch`: JSON Patch (RFC 6902) over the client's document `{"quotes":{}}`. */

import { isCarriable } from '../protocol/plain.js';
import { pointerToken } from '../protocol/topics.js';
import { isAmount, type PlainObject } from './decode.js';
import type { FrameOrigin, Message } from './frame-encoder.js';
import { AMOUNT_FIELDS, PatchBeginnings, type Quote, QuotePatch } from './quote-patch.js';
import type { DataOutcome, Rebuild } from './source.js';
import { StateSource } from './state-source.js';

const AMOUNTS: ReadonlySet<string> = new Set(AMOUNT_FIELDS);
/** Members one quote can have, so that partial messages cannot grow it without bound. */
const FIELDS_MAX = 64;
const FIELD_NAME_CHARS_MAX = 128;
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
  let fields = 0;
  for (const name in value) {
    if (++fields > FIELDS_MAX) return 'invalid_field';
    const field = value[name];
    if (name === 'symbol' || name === 'partial') continue;
    if (AMOUNTS.has(name)) {
      if (!isAmount(field)) return 'invalid_field';
    } else if (name === 'last_updated') {
      if (typeof field !== 'string') return 'invalid_field';
    } else if (!isOwnField(name, field)) {
      return 'invalid_field';
    }
  }
  return undefined;
}

/** A member that the publisher has added to AssetQuote's. */
function isOwnField(name: string, field: unknown): boolean {
  if (name.length > FIELD_NAME_CHARS_MAX || !isCarriable(field)) return false;
  if (typeof field === 'string') return field.length <= FIELD_CHARS_MAX;
  return typeof field !== 'object' || JSON.stringify(field).length <= FIELD_CHARS_MAX;
}

function withoutPartial(value: PlainObject): Quote {
  if (value.partial === undefined) return value;
  const { partial: _, ...quote } = value;
  return quote;
}
