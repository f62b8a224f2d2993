/** Which views serve one symbol of a request: in the client's class, and as late as the client may have each stream. */
import type { Stream } from '../../protocol/topics.js';
import { detailOfLane, FIX_VARIANT, laneWith, servedLane } from '../../threads/lanes.js';
import type { MarketClient } from './market-client.js';
import { type MarketRequest, streamsOf } from './request.js';
import type { FixView, ViewUser } from './view.js';
import { type FixViews, TRADES_LANE } from './views.js';

export class ViewChoice {
  /** How late the client gets each stream, ms; it stays so while the subscription lasts. */
  readonly delays: ReadonlyMap<Stream, number>;
  readonly #symbol: string;
  readonly #client: MarketClient;
  readonly #views: FixViews;

  constructor(request: MarketRequest, symbol: string, client: MarketClient, views: FixViews) {
    this.delays = new Map(streamsOf(request).map(stream => [stream, client.delayMsOf(stream, symbol)]));
    this.#symbol = symbol;
    this.#client = client;
    this.#views = views;
  }

  /** Match each call with one `release` of the views. @param detail levels of a book, by the lane's numbers */
  acquire(stream: Stream, detail: number, user: ViewUser): FixView {
    const lane = stream === 'trades' ? TRADES_LANE : this.#laneOf(detail);
    const delayMs = this.delays.get(stream) ?? 0;
    return this.#views.acquire({ stream, symbol: this.#symbol, lane, delayMs }, this.#client.owner, user);
  }

  /** True if the client gets the stream of this view in another class now. Never so for trades. */
  isMoving(view: FixView | undefined): boolean {
    return view !== undefined && view.lane !== this.#laneOf(detailOfLane(view.lane));
  }

  /** The slowest class has none below it. */
  #laneOf(detail: number): number {
    const { rateClass, tier, level } = this.#client;
    return servedLane(laneWith(rateClass, detail, FIX_VARIANT), tier, level);
  }
}
