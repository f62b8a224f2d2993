/**
 * What a worker asks the hub for on behalf of its views: that they are encoded, their documents, and what was missed of them.
 * Each encoder's requests wait in a queue of their own, so that one that stands still holds up no other's.
 *
 * What is no longer wanted is said at once: only what the hub knows to be wanted can become so.
 */
import type { InterestChange } from '../../threads/thread-messages.js';
import type { View } from '../model/session.js';
import type { StreamPosition } from '../model/view.js';
import { type Asker, type Queued, RequestQueue } from './request-queue.js';
import { ViewOwners } from './view-owners.js';

/** What may be under way to one encoder. */
export interface RequestLimits {
  /**
   * Documents, in the unit of a small one: some tenths of a millisecond of the encoder's time, for which a live message may
   * have to wait.
   */
  readonly requestsCostMax: number;
  /** The hub gives each its turn too (hub/events/replays.ts). */
  readonly replaysAtOnceMax: number;
}

export const REQUEST_LIMITS: RequestLimits = { requestsCostMax: 64, replaysAtOnceMax: 16 };
/** Looks after which a request takes no room any more. Replays end by a limit of their own (gateway/events/recovery.ts). */
const REQUEST_LOOKS_MAX = 10;
const REQUESTS_FROM_MAX = 2 ** 31;

/** A request for what was missed of an event view. */
export interface ReplayRequest extends Queued {
  readonly view: View;
  readonly since: StreamPosition;
  /** Called when the hub is told of it. */
  readonly onTold: () => void;
}

export class ViewRequests {
  /** By encoder. */
  readonly #lanes: readonly RequestQueue<View>[];
  readonly #replays: readonly RequestQueue<ReplayRequest>[];
  readonly #asking = new Map<number, View>();
  /** Entries that the hub knows of, by what it knows: tiers share its interest, as the same bytes serve both. */
  readonly #wants = new Map<string, number>();
  readonly #owners = new ViewOwners();
  readonly #tell: (change: InterestChange) => void;
  /** Begins anywhere: an answer to the thread that this one replaced must not pass for an answer to this one. */
  #last = Math.floor(Math.random() * REQUESTS_FROM_MAX);

  /**
   * @param tell queues a change of interest for the hub
   * @param limits what may be under way to one encoder
   */
  constructor(encoders: number, tell: (change: InterestChange) => void, limits: Partial<RequestLimits> = {}) {
    const { requestsCostMax, replaysAtOnceMax } = { ...REQUEST_LIMITS, ...limits };
    this.#tell = tell;
    const perEncoder = <T>(make: () => T): T[] => Array.from({ length: encoders }, make);
    this.#lanes = perEncoder(
      () => new RequestQueue<View>(requestsCostMax, REQUEST_LOOKS_MAX, view => this.#tellLane(view)),
    );
    this.#replays = perEncoder(
      () =>
        new RequestQueue<ReplayRequest>(replaysAtOnceMax, Number.POSITIVE_INFINITY, replay => this.#tellReplay(replay)),
    );
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return [...this.#lanes, ...this.#replays].reduce((sum, queue) => sum + queue.waiting, 0);
  }

  /** The view that asked, when the answer is to its newest request. */
  asked(request: number): View | undefined {
    return this.#asking.get(request);
  }

  /** Asks for a view in the asker's turn; where that waits already, in the first turn that comes up. False when it is under way. */
  ask(view: View, asker: Asker, held?: StreamPosition): boolean {
    const queue = this.#laneQueue(view);
    const isNew = view.request === 0;
    if (isNew) {
      this.#number(view, held);
    } else if (!queue.isWaiting(view)) return false;
    queue.add(asker, view);
    return isNew;
  }

  /** A room's view is held on behalf of this owner too. */
  hold(view: View, owner: number): void {
    this.#owners.hold(wantKey(view), owner);
  }

  /** This owner holds it once less. */
  leave(view: View, owner: number): void {
    const heir = this.#owners.leave(wantKey(view), owner);
    if (heir === undefined) return;
    view.chargeTo(heir);
    if (view.isWanted) this.#tell({ op: 'own', source: view.sourceName, lane: view.lane, owner: heir });
  }

  /** Wants a view that was refused to one owner on behalf of another that holds it. */
  wantFor(view: View, owner: number): void {
    this.answered(view);
    this.#unwant(view);
    this.#owners.charge(wantKey(view), owner);
    view.chargeTo(owner);
    this.#number(view);
    this.#laneQueue(view).addRepair(view.tier, view);
  }

  /** As `ask`, before what clients ask for, and where an answer that is on its way may have been lost. */
  askAgain(view: View): void {
    const queue = this.#laneQueue(view);
    if (!queue.isWaiting(view)) {
      this.#forget(view);
      this.#number(view);
    }
    queue.addRepair(view.tier, view);
  }

  /** The view is answered: nothing is asked of it any more. */
  answered(view: View): void {
    const { request } = view;
    this.#forget(view);
    this.settled(request);
  }

  /** An answer came, or will not come, whoever still waits for it. */
  settled(request: number): void {
    for (const queue of this.#lanes) queue.settled(request);
    for (const queue of this.#replays) queue.settled(request);
  }

  /** Nobody waits for a fresh document any more: the request ends if it was not told. */
  withdraw(view: View): void {
    if (this.#laneQueue(view).cancel(view)) this.#forget(view);
  }

  /** Nobody holds the view any more. */
  end(view: View): void {
    this.#laneQueue(view).cancel(view);
    // One that was told takes its room until it is answered.
    this.#forget(view);
    if (view.isWanted && this.#unwant(view)) this.#tell({ op: 'unwant', source: view.sourceName, lane: view.lane });
  }

  /** Asks for what was missed of an event view behind a place, in the asker's turn. */
  replay(view: View, asker: Asker, since: StreamPosition, onTold = () => {}): ReplayRequest {
    const replay = { request: ++this.#last, cost: 1, view, since, onTold };
    this.#replayQueue(replay).add(asker, replay);
    return replay;
  }

  /** Somebody else waits for the same. */
  joinReplay(replay: ReplayRequest, asker: Asker): void {
    const queue = this.#replayQueue(replay);
    if (queue.isWaiting(replay)) queue.add(asker, replay);
  }

  /** True while the hub does not know of it. */
  isWaiting(replay: ReplayRequest): boolean {
    return this.#replayQueue(replay).isWaiting(replay);
  }

  /** Nobody waits for it any more. False when it was told: the hub gives it up, and it takes its room until it is answered. */
  cancelReplay(replay: ReplayRequest): boolean {
    if (this.#replayQueue(replay).cancel(replay)) return true;
    this.#tell({ op: 'cancel', source: replay.view.sourceName, request: replay.request });
    return false;
  }

  /** Frames of this ring were missed: answers may be among them. */
  answersLost(ring: number): void {
    this.#lanes[ring]?.lost();
    this.#replays[ring]?.lost();
  }

  /** To be called every now and then. */
  look(): void {
    for (const queue of this.#lanes) queue.look();
  }

  #laneQueue(view: View): RequestQueue<View> {
    return this.#lanes[view.shard] as RequestQueue<View>;
  }

  #replayQueue({ view }: ReplayRequest): RequestQueue<ReplayRequest> {
    return this.#replays[view.shard] as RequestQueue<ReplayRequest>;
  }

  #number(view: View, held?: StreamPosition): void {
    view.ask(++this.#last, view.isAllTrades ? this.#lanes.length : 1, held);
    this.#asking.set(view.request, view);
  }

  #forget(view: View): void {
    this.#asking.delete(view.request);
    view.settle();
  }

  #tellLane(view: View): void {
    const { sourceName: source, lane, request, askedHeld: held } = view;
    const key = wantKey(view);
    const wants = this.#wants.get(key) ?? 0;
    const isFirst = !view.isWanted;
    if (isFirst) {
      view.setWanted(true);
      this.#wants.set(key, wants + 1);
    }
    // Where the other tier has it, this may be what has it made all the same: that may have been refused.
    const owner = this.#owners.chargedFor(key) ?? view.owner;
    if (isFirst && (wants === 0 || held === undefined)) this.#tell({ op: 'want', source, lane, request, owner });
    else this.#tell({ op: 'ask', source, lane, request, held });
  }

  /** @returns whether that was the last view that wanted what the hub knows of */
  #unwant(view: View): boolean {
    if (!view.isWanted) return false;
    view.setWanted(false);
    const key = wantKey(view);
    const left = (this.#wants.get(key) ?? 1) - 1;
    if (left > 0) this.#wants.set(key, left);
    else this.#wants.delete(key);
    return left <= 0;
  }

  /** Not before the view: what is live has to follow what was missed. */
  #tellReplay({ view, request, since, onTold }: ReplayRequest): void {
    this.#laneQueue(view).tellNow(view);
    this.#tell({ op: 'replay', source: view.sourceName, lane: view.lane, tier: view.tier, request, since });
    onTold();
  }
}

function wantKey(view: View): string {
  return `${view.lane}|${view.sourceName}`;
}
