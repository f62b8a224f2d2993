/**
 * What a worker requests from the hub for its views: encoding them, their documents and the events they missed. Each
 * encoder has its own request queue, so a stalled encoder does not delay the others.
 *
 * An unwanted view is reported at once: only what the hub knows to be wanted can become unwanted.
 */

import type { StreamPosition } from '../../protocol/stream-position.js';
import type { InterestChange } from '../../threads/thread-messages.js';
import type { View } from '../model/session.js';
import { type Asker, type Queued, RequestQueue } from './request-queue.js';
import { ViewOwners } from './view-owners.js';

/** Limits on the requests in flight to one encoder. */
export interface RequestLimits {
  /**
   * Total cost of documents, in units of a small one: a few tenths of a millisecond of the encoder's time, which a
   * live message may have to wait for.
   */
  readonly requestsCostMax: number;
  /** The hub also takes them in turn (hub/events/replays.ts). */
  readonly replaysAtOnceMax: number;
}

export const REQUEST_LIMITS: RequestLimits = { requestsCostMax: 64, replaysAtOnceMax: 16 };
/**
 * Checks after which a request no longer counts against the limit. Replays have a time limit of their own
 * (gateway/events/recovery.ts).
 */
const REQUEST_CHECKS_MAX = 10;
const REQUESTS_FROM_MAX = 2 ** 31;

/** A request for the events that a view missed. */
export interface ReplayRequest extends Queued {
  readonly view: View;
  readonly since: StreamPosition;
  /** Called when the request is sent to the hub. */
  readonly onTold: () => void;
}

export class ViewRequests {
  /** By encoder. */
  readonly #queues: readonly RequestQueue<View>[];
  readonly #replays: readonly RequestQueue<ReplayRequest>[];
  readonly #asking = new Map<number, View>();
  /**
   * Views wanted from the hub, by the key it knows them by. Tiers share the hub's interest, because the same bytes
   * serve both.
   */
  readonly #wants = new Map<string, number>();
  readonly #owners = new ViewOwners();
  readonly #tell: (change: InterestChange) => void;
  /** Starts at random: an answer meant for this thread's predecessor must not pass for an answer to this thread. */
  #last = Math.floor(Math.random() * REQUESTS_FROM_MAX);

  /**
   * @param tell queues a change of interest for the hub
   * @param limits what may be in flight to one encoder
   */
  constructor(encoders: number, tell: (change: InterestChange) => void, limits: Partial<RequestLimits> = {}) {
    const { requestsCostMax, replaysAtOnceMax } = { ...REQUEST_LIMITS, ...limits };
    this.#tell = tell;
    const perEncoder = <T>(make: () => T): T[] => Array.from({ length: encoders }, make);
    this.#queues = perEncoder(
      () => new RequestQueue<View>(requestsCostMax, REQUEST_CHECKS_MAX, view => this.#tellView(view)),
    );
    this.#replays = perEncoder(
      () =>
        new RequestQueue<ReplayRequest>(replaysAtOnceMax, Number.POSITIVE_INFINITY, replay => this.#tellReplay(replay)),
    );
  }

  /** Requests waiting for their turn. */
  get waiting(): number {
    return [...this.#queues, ...this.#replays].reduce((sum, queue) => sum + queue.waiting, 0);
  }

  /** The view whose newest request this answers. */
  asked(request: number): View | undefined {
    return this.#asking.get(request);
  }

  /**
   * Requests a view in the asker's turn; one already queued goes out in whichever turn comes first. False when it is
   * already in flight.
   */
  ask(view: View, asker: Asker, sentUpTo?: StreamPosition): boolean {
    const queue = this.#viewQueue(view);
    const isNew = view.request === 0;
    if (isNew) {
      this.#number(view, sentUpTo);
    } else if (!queue.isWaiting(view)) return false;
    queue.add(asker, view);
    return isNew;
  }

  /** Pins a room's view on behalf of this owner. */
  pin(view: View, owner: number): void {
    this.#owners.pin(wantKey(view), owner);
  }

  /** Takes back one pin of this owner. */
  unpin(view: View, owner: number): void {
    const nextOwner = this.#owners.unpin(wantKey(view), owner);
    if (nextOwner === undefined) return;
    view.chargeTo(nextOwner);
    if (view.isWanted) this.#tell({ op: 'own', source: view.sourceName, lane: view.lane, owner: nextOwner });
  }

  /** Requests a view on behalf of another owner that pins it, after it was refused to the first. */
  wantFor(view: View, owner: number): void {
    this.answered(view);
    this.#unwant(view);
    this.#owners.charge(wantKey(view), owner);
    view.chargeTo(owner);
    this.#number(view);
    this.#viewQueue(view).addRepair(view.tier, view);
  }

  /** Like `ask`, but ahead of client requests, and also when an answer in flight may have been lost. */
  askAgain(view: View): void {
    const queue = this.#viewQueue(view);
    if (!queue.isWaiting(view)) {
      this.#forget(view);
      this.#number(view);
    }
    queue.addRepair(view.tier, view);
  }

  /** The view is answered: it has no open request any more. */
  answered(view: View): void {
    const { request } = view;
    this.#forget(view);
    this.settled(request);
  }

  /** An answer came or will not come, whether or not it is still needed. */
  settled(request: number): void {
    for (const queue of this.#queues) queue.settled(request);
    for (const queue of this.#replays) queue.settled(request);
  }

  /** A fresh document is no longer needed: cancels the request unless it was sent. */
  withdraw(view: View): void {
    if (this.#viewQueue(view).cancel(view)) this.#forget(view);
  }

  /** The view is no longer used. */
  end(view: View): void {
    this.#viewQueue(view).cancel(view);
    // A request already sent counts against the limit until it is answered.
    this.#forget(view);
    if (view.isWanted && this.#unwant(view)) this.#tell({ op: 'unwant', source: view.sourceName, lane: view.lane });
  }

  /** Requests the events of a view after a position, in the asker's turn. */
  replay(view: View, asker: Asker, since: StreamPosition, onTold = () => {}): ReplayRequest {
    const replay = { request: ++this.#last, cost: 1, view, since, onTold };
    this.#replayQueue(replay).add(asker, replay);
    return replay;
  }

  /** Another asker waits for the same replay. */
  joinReplay(replay: ReplayRequest, asker: Asker): void {
    const queue = this.#replayQueue(replay);
    if (queue.isWaiting(replay)) queue.add(asker, replay);
  }

  /** True while the request has not been sent to the hub. */
  isWaiting(replay: ReplayRequest): boolean {
    return this.#replayQueue(replay).isWaiting(replay);
  }

  /**
   * The replay is no longer needed. False when the request was sent: the hub gives it up, and it counts against the
   * limit until it is answered.
   */
  cancelReplay(replay: ReplayRequest): boolean {
    if (this.#replayQueue(replay).cancel(replay)) return true;
    this.#tell({ op: 'cancel', source: replay.view.sourceName, request: replay.request });
    return false;
  }

  /** The thread missed frames of this ring, which may have included answers. */
  answersLost(ring: number): void {
    this.#queues[ring]?.lost();
    this.#replays[ring]?.lost();
  }

  /** Call periodically. */
  expire(): void {
    for (const queue of this.#queues) queue.expire();
  }

  #viewQueue(view: View): RequestQueue<View> {
    return this.#queues[view.shard] as RequestQueue<View>;
  }

  #replayQueue({ view }: ReplayRequest): RequestQueue<ReplayRequest> {
    return this.#replays[view.shard] as RequestQueue<ReplayRequest>;
  }

  #number(view: View, sentUpTo?: StreamPosition): void {
    view.ask(++this.#last, view.isAllTrades ? this.#queues.length : 1, sentUpTo);
    this.#asking.set(view.request, view);
  }

  #forget(view: View): void {
    this.#asking.delete(view.request);
    view.settle();
  }

  #tellView(view: View): void {
    const { sourceName: source, lane, request, askerSentUpTo: sentUpTo } = view;
    const key = wantKey(view);
    const wants = this.#wants.get(key) ?? 0;
    const isFirst = !view.isWanted;
    if (isFirst) {
      view.setWanted(true);
      this.#wants.set(key, wants + 1);
    }
    // Even if the other tier has this view, this may be the request that creates it: the other one may have been
    // refused.
    const owner = this.#owners.chargedFor(key) ?? view.owner;
    if (isFirst && (wants === 0 || sentUpTo === undefined)) this.#tell({ op: 'want', source, lane, request, owner });
    else this.#tell({ op: 'ask', source, lane, request, sentUpTo });
  }

  /** @returns whether this was the last view that wanted it from the hub */
  #unwant(view: View): boolean {
    if (!view.isWanted) return false;
    view.setWanted(false);
    const key = wantKey(view);
    const left = (this.#wants.get(key) ?? 1) - 1;
    if (left > 0) this.#wants.set(key, left);
    else this.#wants.delete(key);
    return left <= 0;
  }

  /** The view must be live before its replay: live events have to follow the missed ones. */
  #tellReplay({ view, request, since, onTold }: ReplayRequest): void {
    this.#viewQueue(view).tellNow(view);
    this.#tell({ op: 'replay', source: view.sourceName, lane: view.lane, tier: view.tier, request, since });
    onTold();
  }
}

function wantKey(view: View): string {
  return `${view.lane}|${view.sourceName}`;
}
