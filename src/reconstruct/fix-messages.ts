/** Messages of FIX as a session writes them, without the fields that are the session's own. */
import { Entries } from '../fix/market/entries.js';
import { MarketMessages } from '../fix/market/market-messages.js';
import { STALE, staleText, TRADES_LOST, tradesLostText } from '../fix/market/news.js';
import { Resolution } from '../fix/market/resolution.js';
import { Tag } from '../fix/wire/tags.js';
import { MessageWriter } from '../fix/wire/writer.js';
import type { Delivery } from '../journal/delivery.js';
import { topicName } from '../protocol/topic-parts.js';
import { entriesOf, fixPartOf } from './fix-part.js';

const NOTHING = new Entries();

export class FixMessages {
  readonly #writer = new MessageWriter();
  readonly #plain = this.#messages(false);
  readonly #positioned = this.#messages(true);

  /** `gap` or `stale`: News. */
  announcement({ kind, view, prev, seq, reason }: Delivery): Buffer {
    const symbol = topicName(view.topic);
    const isStale = kind === 'stale';
    const text = isStale ? staleText(view.topic, reason) : tradesLostText(symbol, { from: prev + 1, to: seq }, reason);
    this.#plain.news([symbol], isStale ? STALE : TRADES_LOST, text);
    return this.#body();
  }

  /** W or X. @param parts its entries, in their order */
  message(delivery: Delivery, parts: readonly Buffer[]): Buffer {
    const { view, epoch, prev, seq, resolution, kind, hasSeqTags } = delivery;
    const symbol = topicName(view.topic);
    const recipient = { request: { id: view.id ?? '' }, symbol };
    const entries = parts.map(entriesOf);
    const [first = NOTHING] = entries;
    // A part of the book has no checksum.
    const checksum = view.part === undefined ? first.checksum : undefined;
    const place = { epoch, prevSeq: prev, seq, checksum };
    const messages = hasSeqTags ? this.#positioned : this.#plain;
    if (kind === 'message') {
      const isPlaced =
        resolution !== Resolution.ended && (view.part === undefined || fixPartOf(view.part, symbol).hasPosition);
      messages.change(recipient, first, isPlaced ? place : undefined, resolution);
    } else messages.whole(recipient, entries, place, resolution);
    return this.#body();
  }

  #body(): Buffer {
    return this.#writer.copyFrom(0);
  }

  #messages(hasSeqTags: boolean): MarketMessages {
    return new MarketMessages({
      hasSeqTags,
      begin: type => {
        this.#writer.begin();
        this.#writer.field(Tag.msgType, type);
        return this.#writer;
      },
      end: () => {},
      isActive: () => true,
      // It is the session's own.
      depth: () => undefined,
      journal: undefined,
    });
  }
}
