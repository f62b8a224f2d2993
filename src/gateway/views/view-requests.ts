/**
 * What a worker asks the hub for on behalf of its lanes: that they are encoded, their documents, and what was missed of them.
 * Each encoder's requests wait in a queue of their own, so that one that stands still holds up no other's.
 *
 * What is no longer wanted is said at once: only what the hub knows to be wanted can become so.
 */
import type { InterestChange } from '../../threads/thread-messages.js';
import type { LaneEntry } from '../model/session.js';
import type { HeldPlace } from '../model/view.js';
import { type Asker, type Queued, RequestQueue } from './request-queue.js';
import { LaneOwners } from './view-owners.js';

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

/** A request for what was missed of an event lane. */
export interface ReplayRequest extends Queued {
  readonly entry: LaneEntry;
  readonly since: HeldPlace;
  /** Called when the hub is told of it. */
  readonly onTold: () => void;
}

export class LaneRequests {
  /** By encoder. */
  readonly #lanes: readonly RequestQueue<LaneEntry>[];
  readonly #replays: readonly RequestQueue<ReplayRequest>[];
  readonly #asking = new Map<number, LaneEntry>();
  /** Entries that the hub knows of, by what it knows: tiers share its interest, as the same bytes serve both. */
  readonly #wants = new Map<string, number>();
  readonly #owners = new LaneOwners();
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
      () => new RequestQueue<LaneEntry>(requestsCostMax, REQUEST_LOOKS_MAX, entry => this.#tellLane(entry)),
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

  /** The entry that asked, when the answer is to its newest request. */
  asked(request: number): LaneEntry | undefined {
    return this.#asking.get(request);
  }

  /** Asks for a lane in the asker's turn; where that waits already, in the first turn that comes up. False when it is under way. */
  ask(entry: LaneEntry, asker: Asker, held?: HeldPlace): boolean {
    const queue = this.#laneQueue(entry);
    const isNew = entry.request === 0;
    if (isNew) {
      this.#number(entry, held);
    } else if (!queue.isWaiting(entry)) return false;
    queue.add(asker, entry);
    return isNew;
  }

  /** A room's lane is held on behalf of this owner too. */
  hold(entry: LaneEntry, owner: number): void {
    this.#owners.hold(wantKey(entry), owner);
  }

  /** This owner holds it once less. */
  leave(entry: LaneEntry, owner: number): void {
    const heir = this.#owners.leave(wantKey(entry), owner);
    if (heir === undefined) return;
    entry.chargeTo(heir);
    if (entry.isWanted) this.#tell({ op: 'own', source: entry.sourceName, lane: entry.lane, owner: heir });
  }

  /** Wants a lane that was refused to one owner on behalf of another that holds it. */
  wantFor(entry: LaneEntry, owner: number): void {
    this.answered(entry);
    this.#unwant(entry);
    this.#owners.charge(wantKey(entry), owner);
    entry.chargeTo(owner);
    this.#number(entry);
    this.#laneQueue(entry).addRepair(entry.tier, entry);
  }

  /** As `ask`, before what clients ask for, and where an answer that is on its way may have been lost. */
  askAgain(entry: LaneEntry): void {
    const queue = this.#laneQueue(entry);
    if (!queue.isWaiting(entry)) {
      this.#forget(entry);
      this.#number(entry);
    }
    queue.addRepair(entry.tier, entry);
  }

  /** The lane is answered: nothing is asked of it any more. */
  answered(entry: LaneEntry): void {
    const { request } = entry;
    this.#forget(entry);
    this.settled(request);
  }

  /** An answer came, or will not come, whoever still waits for it. */
  settled(request: number): void {
    for (const queue of this.#lanes) queue.settled(request);
    for (const queue of this.#replays) queue.settled(request);
  }

  /** Nobody waits for a fresh document any more: the request ends if it was not told. */
  withdraw(entry: LaneEntry): void {
    if (this.#laneQueue(entry).cancel(entry)) this.#forget(entry);
  }

  /** Nobody holds the entry any more. */
  end(entry: LaneEntry): void {
    this.#laneQueue(entry).cancel(entry);
    // One that was told takes its room until it is answered.
    this.#forget(entry);
    if (entry.isWanted && this.#unwant(entry)) this.#tell({ op: 'unwant', source: entry.sourceName, lane: entry.lane });
  }

  /** Asks for what was missed of an event lane behind a place, in the asker's turn. */
  replay(entry: LaneEntry, asker: Asker, since: HeldPlace, onTold = () => {}): ReplayRequest {
    const replay = { request: ++this.#last, cost: 1, entry, since, onTold };
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
    this.#tell({ op: 'cancel', source: replay.entry.sourceName, request: replay.request });
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

  #laneQueue(entry: LaneEntry): RequestQueue<LaneEntry> {
    return this.#lanes[entry.shard] as RequestQueue<LaneEntry>;
  }

  #replayQueue({ entry }: ReplayRequest): RequestQueue<ReplayRequest> {
    return this.#replays[entry.shard] as RequestQueue<ReplayRequest>;
  }

  #number(entry: LaneEntry, held?: HeldPlace): void {
    entry.ask(++this.#last, entry.isAllTrades ? this.#lanes.length : 1, held);
    this.#asking.set(entry.request, entry);
  }

  #forget(entry: LaneEntry): void {
    this.#asking.delete(entry.request);
    entry.settle();
  }

  #tellLane(entry: LaneEntry): void {
    const { sourceName: source, lane, request, askedHeld: held } = entry;
    const key = wantKey(entry);
    const wants = this.#wants.get(key) ?? 0;
    const isFirst = !entry.isWanted;
    if (isFirst) {
      entry.setWanted(true);
      this.#wants.set(key, wants + 1);
    }
    // Where the other tier has it, this may be what has it made all the same: that may have been refused.
    const owner = this.#owners.chargedFor(key) ?? entry.owner;
    if (isFirst && (wants === 0 || held === undefined)) this.#tell({ op: 'want', source, lane, request, owner });
    else this.#tell({ op: 'ask', source, lane, request, held });
  }

  /** @returns whether that was the last entry that wanted what the hub knows of */
  #unwant(entry: LaneEntry): boolean {
    if (!entry.isWanted) return false;
    entry.setWanted(false);
    const key = wantKey(entry);
    const left = (this.#wants.get(key) ?? 1) - 1;
    if (left > 0) this.#wants.set(key, left);
    else this.#wants.delete(key);
    return left <= 0;
  }

  /** Not before the lane: what is live has to follow what was missed. */
  #tellReplay({ entry, request, since, onTold }: ReplayRequest): void {
    this.#laneQueue(entry).tellNow(entry);
    this.#tell({ op: 'replay', source: entry.sourceName, lane: entry.lane, tier: entry.tier, request, since });
    onTold();
  }
}

function wantKey(entry: LaneEntry): string {
  return `${entry.lane}|${entry.sourceName}`;
}
