/**
 * What this worker's sockets are subscribed to: one view per topic, class, format and tier, each with a native uWS
 * topic. A view exists while a session keeps it in use; the hub learns when the first begins and the last ends.
 */

import { delayedName } from '../../protocol/delayed-name.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import { isStateStream, type Stream } from '../../protocol/topics.js';
import { REALTIME, type Tier } from '../../protocol/view-options.js';
import { Cursor } from '../../threads/cursor.js';
import { laneWith, servedLane, TRADES_PUBLIC, variantOfLane } from '../../threads/lanes.js';
import type { InterestChange } from '../../threads/thread-messages.js';
import type { DeliveryJournal } from '../journal/delivery-journal.js';
import type { SentCell, SentCells } from '../model/sent-cell.js';
import type { Subscription, View } from '../model/session.js';
import { ViewOf } from '../model/view.js';
import type { Asker } from './request-queue.js';
import { TierViews } from './tier-views.js';
import { type RequestLimits, ViewRequests } from './view-requests.js';

export { NO_DATA, type Part } from '../model/part.js';
export type { SentCell } from '../model/sent-cell.js';

/** Finds the cell of a stream, format and class in the map, creating it if necessary. */
export function sentCellsIn(cells: Map<string, SentCell>): SentCells {
  return (stream, format, rateClass) => {
    const key = `${stream}|${format}|${rateClass}`;
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { messages: 0, bytes: 0 };
      cells.set(key, cell);
    }
    return cell;
  };
}

/**
 * How long `trades:*` views outlive their last session. They are answered symbol by symbol, and a client that leaves
 * and returns must not cause that each time.
 */
export const UNUSED_MS = 3_000;

export class Views {
  /** Requests to the hub. */
  readonly requests: ViewRequests;
  readonly sentCell: SentCells;
  readonly #views = new Map<string, View>();
  readonly #tables: Record<Tier, TierViews> = { institutional: new TierViews(), retail: new TierViews() };
  readonly #counts: Record<Tier, number> = { institutional: 0, retail: 0 };
  readonly #rings: number;
  readonly #journal: DeliveryJournal | undefined;
  #lastNative = 0;
  /** Unused views, and when a check first found them unused. */
  readonly #unused = new Map<View, { sinceMs: number | undefined }>();

  /**
   * @param rings number of encoders, each of which answers for `trades:*`
   * @param tell queues a change of interest for the hub
   * @param journal knows views by number; undefined: nothing is recorded
   */
  constructor(
    rings: number,
    tell: (change: InterestChange) => void,
    sentCell: SentCells,
    limits?: Partial<RequestLimits>,
    journal?: DeliveryJournal,
  ) {
    this.#rings = rings;
    this.#journal = journal;
    this.sentCell = sentCell;
    this.requests = new ViewRequests(rings, tell, limits);
  }

  get size(): number {
    return this.#views.size;
  }

  /** Number of views of a tier; at zero, its pass over the frames can be skipped. */
  count(tier: Tier): number {
    return this.#counts[tier];
  }

  all(): IterableIterator<View> {
    return this.#views.values();
  }

  /** Goes through all views again and again. */
  cursor(): Cursor<View> {
    return new Cursor(this.#views);
  }

  /** Forgets positions of `trades:*` in sources that no longer exist. */
  forgetSources(sources: readonly number[]): void {
    for (const table of Object.values(this.#tables)) table.forgetTrades(sources);
    this.#journal?.forgetSources(sources);
  }

  get(tier: Tier, source: number, lane: number): View | undefined {
    return this.#tables[tier].get(source, lane);
  }

  allTrades(tier: Tier, lane: number): View | undefined {
    return this.#tables[tier].allTrades(lane);
  }

  /** The view whose newest request this answers. */
  asked(request: number): View | undefined {
    return this.requests.asked(request);
  }

  /**
   * The view for a topic, created if necessary. Until it is live it is requested in the asker's turn. Match each call
   * with one `release`.
   * @param asked for a state topic, the asker's tier and `level` decide which view serves it. An asker that may not have the topic in
   *   real time gets the delayed one, whose trades never name the parties
   */
  acquire(stream: Stream, symbol: string, asked: number, asker: Asker, level = 0): View {
    const { tier } = asker;
    const delayMs = asker.delayMsOf?.(stream, symbol) ?? 0;
    const lane = isStateStream(stream)
      ? servedLane(asked, tier, level)
      : delayMs === 0
        ? asked
        : laneWith(REALTIME, TRADES_PUBLIC, variantOfLane(asked));
    const key = keyOf({ tier, stream, lane, symbol, delayMs });
    let view = this.#views.get(key);
    if (view === undefined) {
      const nativeTopic = (++this.#lastNative).toString(36);
      view = new ViewOf<Subscription>(
        { stream, symbol, lane, tier, owner: asker.owner ?? 0, delayMs },
        nativeTopic,
        this.#rings,
        this.sentCell,
      );
      this.#views.set(key, view);
      this.#counts[tier]++;
      if (view.isAllTrades) this.#tables[tier].putAllTrades(view);
    }
    if (stream === 'rooms') this.requests.pin(view, asker.owner ?? 0);
    if (view.source < 0) this.requests.ask(view, asker);
    this.#unused.delete(view);
    view.pin();
    return view;
  }

  /** @param owner the asker's owner in the call to `acquire` */
  release(view: View, owner = 0): void {
    if (view.stream === 'rooms') this.requests.unpin(view, owner);
    if (view.unpin()) {
      if (!view.isAwaited) this.requests.withdraw(view);
      return;
    }
    const isKept = view.isAllTrades && view.source >= 0 && !view.isBroken;
    if (isKept) this.#unused.set(view, { sinceMs: undefined });
    else this.#end(view);
  }

  /** Ends a view that is no longer used; false when it is used. */
  endUnused(view: View): boolean {
    if (!this.#unused.has(view)) return false;
    this.#end(view);
    return true;
  }

  /** Call periodically. @param nowMs from a monotonic clock */
  expire(nowMs: number): void {
    for (const [view, unused] of this.#unused) {
      unused.sinceMs ??= nowMs;
      if (nowMs - unused.sinceMs >= UNUSED_MS) this.#end(view);
    }
    this.requests.expire();
  }

  #end(view: View): void {
    this.#unused.delete(view);
    this.#views.delete(keyOf(view));
    this.#counts[view.tier]--;
    this.#tables[view.tier].remove(view);
    this.requests.end(view);
    this.#journal?.forget(view);
  }

  /**
   * Requests the view's document or sequence again in the asker's turn; false when that is already in flight.
   * @param sentUpTo how much of the topic the asker was sent, from another view
   */
  ask(view: View, asker: Asker, sentUpTo?: StreamPosition): boolean {
    return this.requests.ask(view, asker, sentUpTo);
  }

  /** Counts an answer; true when it was the last one due and the view is now live. */
  answered(view: View, source: number, ring: number): boolean {
    if (!view.countAnswer()) return false;
    this.requests.answered(view);
    if (view.source < 0) {
      view.bind(source, ring);
      this.#tables[view.tier].put(view);
    }
    return true;
  }
}

function keyOf(view: Pick<View, 'tier' | 'stream' | 'lane' | 'symbol' | 'delayMs'>): string {
  return `${view.tier}|${view.stream}|${view.lane}|${delayedName(view.symbol, view.delayMs)}`;
}
