/** `md.quotes.<symbol>` → `quotes_patch`: JSON Patch (RFC 6902) over the client's document `{"quotes":{}}`. */
import { stringifyExact } from '../protocol/exact-json.js';
import { pointerToken, topicOf } from '../protocol/topics.js';
import type { PlainObject } from './decode.js';
import { StatisticsWriter } from './fix-message.js';
import type { FixWriter } from './fix-writer.js';
import { flagOf } from './flag.js';
import { BuiltMessage, type Encodable, type FrameOrigin, type Message } from './frame-encoder.js';
import { EMPTY_QUOTE, mergeQuote, objectOf, type Quote, readQuote } from './quote.js';
import { PatchBeginnings, QuotePatch } from './quote-patch.js';
import type { DataOutcome, Rebuild } from './source.js';
import { StateSource } from './state-source.js';

/** The symbol and at least one more. */
const MEMBERS_MIN = 2;

/** A whole quote. */
class QuoteMessage extends BuiltMessage {
  readonly #quote: Quote;

  constructor(message: Message, quote: Quote) {
    super(message);
    this.#quote = quote;
  }

  override fix(out: FixWriter): void {
    const { layout, values } = this.#quote;
    const statistics = new StatisticsWriter(out, undefined);
    for (const [at, { name }] of layout.entries()) statistics.member(name, values[at]);
  }
}

export class QuotesSource extends StateSource<Quote> {
  protected override readonly partIsFrame = false;
  #beginnings: PatchBeginnings | undefined;
  #quote: Quote | undefined;
  /** True once a partial message is merged: the last raw message alone no longer rebuilds the quote. */
  #needsCheckpoints = false;

  protected override apply(value: PlainObject): DataOutcome {
    if (value.symbol !== this.symbol) return 'wrong_symbol';
    const isPartial = flagOf(value.partial);
    if (isPartial === undefined) return 'invalid_field';
    if (isPartial) return this.#merge(value);
    const quote = readQuote(value, (this.#quote ?? EMPTY_QUOTE).layout);
    if (quote === 'invalid_field') return quote;
    if (quote.layout.length < MEMBERS_MIN) return 'missing_field';
    this.#quote = quote;
    return 'applied';
  }

  #merge(value: PlainObject): DataOutcome {
    // An invalid message is refused as such, whatever it would have been merged into.
    const base = this.awaitsWhole ? undefined : this.#quote;
    const quote = mergeQuote(base ?? EMPTY_QUOTE, value);
    if (quote === 'invalid_field') return quote;
    if (base === undefined) return 'no_base';
    this.#quote = quote;
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

  protected override whole(_detail: number, quote: Quote, _prevSeq: number, at: FrameOrigin): Encodable {
    const message = {
      type: 'quotes_patch',
      snapshot: true,
      epoch: this.epoch,
      seqs: { [this.symbol]: at.seq },
      operations: [this.#operation(quote)],
    };
    return new QuoteMessage(message, quote);
  }

  protected override part(_detail: number, quote: Quote): Encodable {
    return new QuoteMessage(this.#operation(quote), quote);
  }

  #operation(quote: Quote): Message {
    return { op: 'add', path: `/quotes/${pointerToken(this.symbol)}`, value: objectOf(quote) };
  }

  protected override topic(): string {
    return topicOf('quotes', this.symbol);
  }

  override checkpoint(isNeeded: boolean): Rebuild | undefined {
    if (this.#quote === undefined) return undefined;
    this.#needsCheckpoints ||= isNeeded;
    if (!this.#needsCheckpoints) return undefined;
    return this.rebuild(stringifyExact(objectOf(this.#quote)));
  }

  protected override shown(): string | undefined {
    return this.#quote && stringifyExact(objectOf(this.#quote));
  }
}
