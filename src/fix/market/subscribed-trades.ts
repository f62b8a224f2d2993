/** The trades of one subscription: in order, and none missing without notice. */
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { ChainPlace, Entries } from './entries.js';
import type { MarketClient, Recipient } from './market-client.js';
import { type MissingTrades, TRADES_LOST, tradesLostText } from './news.js';
import type { SubscriptionJournal } from './subscription-journal.js';
import type { FixView } from './view.js';

export class SubscribedTrades {
  readonly view: FixView;
  readonly #subscription: Recipient;
  readonly #client: MarketClient;
  readonly #journal: SubscriptionJournal | undefined;
  /** Position of the last one that was sent, or announced as lost, without an epoch if there was none yet; undefined: not known yet. */
  #sent: StreamPosition | undefined;

  constructor(view: FixView, subscription: Recipient, client: MarketClient, journal: SubscriptionJournal | undefined) {
    this.view = view;
    this.#subscription = subscription;
    this.#client = client;
    this.#journal = journal;
  }

  /** The position that the client's trades begin behind. @param isSilent nothing is sent yet */
  begin({ epoch, seq }: StreamPosition, isSilent: boolean): void {
    const isUnknown = this.#sent === undefined || (this.#sent.epoch === '' && !isSilent);
    if (isUnknown) this.#sent = { epoch, seq };
    if (!isSilent) this.#journal?.live(this.view, { epoch, seq });
  }

  sent(entries: Entries, place: ChainPlace): void {
    this.#client.change(this.#subscription, entries, place);
    this.#sent = place;
  }

  lost(missing: MissingTrades, reason: string): void {
    const { epoch, seq } = this.view;
    const { symbol } = this.#subscription;
    this.#client.news([symbol], TRADES_LOST, tradesLostText(symbol, missing, reason));
    this.#sent = { epoch, seq };
  }

  pause(): void {
    if (this.#sent !== undefined) this.#journal?.pause(this.view, this.#sent, 'slow_consumer');
  }

  /** Announces what was not sent. */
  resume(): void {
    if (this.#sent === undefined) return;
    const { view } = this;
    const { epoch, seq } = this.#sent;
    const isSameEpoch = epoch === view.epoch;
    const missing = isSameEpoch ? { from: seq + 1, to: view.seq } : { from: 0, to: 0 };
    if (!isSameEpoch || missing.to >= missing.from) {
      this.lost(missing, 'slow_consumer');
      this.#journal?.lost(view, missing.from, missing.to, 'slow_consumer');
    }
    this.#journal?.live(view, { epoch: view.epoch, seq: view.seq });
  }
}
