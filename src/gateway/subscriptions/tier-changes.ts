/**
 * Event topics that their session is to get on another lane from now on: another tier's, or with another view. They change
 * over when both lanes stand at the same place, so that nothing is missed and nothing comes twice. (State topics need none
 * of this: they begin anew with a snapshot.)
 */
import { topicOf } from '../../protocol/topics.js';
import type { LaneEntry, Session, Subscription, Wanted } from '../model/session.js';
import type { LaneTable } from '../views/views.js';
import type { Subscriptions } from './subscriptions.js';

/** Lanes that have not met by then meet no more, as where nothing happens; what is between them is announced as a gap. */
const PATIENCE_MS = 1_000;

/** One topic on its way. */
interface Move {
  readonly subscription: Subscription;
  readonly wanted: Wanted;
  /** The other lane; held, so that it becomes live and stays it. */
  readonly entry: LaneEntry;
}

/**
 * What moves together. The trades of all symbols and of single ones take turns in delivering, which they only can on lanes
 * of one tier.
 */
interface Change {
  readonly session: Session;
  moves: readonly Move[];
  readonly dueMs: number;
  readonly done: () => void;
}

/** Of two lanes whether the first is behind the second, as far as one pass has asked. */
type Compared = Map<LaneEntry, Map<LaneEntry, boolean>>;

export interface LaneChangesOptions {
  readonly table: LaneTable;
  readonly subscriptions: Subscriptions;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  /** Asks for a `settle` soon. */
  readonly wake: () => void;
}

export class LaneChanges {
  readonly #options: LaneChangesOptions;
  readonly #pending = new Set<Change>();

  constructor(options: LaneChangesOptions) {
    this.#options = options;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Resolves once all topics are on their lanes; undefined: they are. @param wanted event topics that the session has */
  change(session: Session, wanted: readonly Wanted[]): Promise<void> | undefined {
    const moves = wanted.flatMap(topic => this.#moveTo(session, topic) ?? []);
    if (moves.length === 0) return undefined;
    this.#options.wake();
    return new Promise(done => {
      this.#pending.add({ session, moves, dueMs: this.#options.nowMs() + PATIENCE_MS, done });
    });
  }

  /** Changes over what can be. Must not run while a turn's frames are published to one tier and not to the other yet. */
  settle(): void {
    // Many sessions change between the same two lanes, and a lane of all symbols stands at as many places as there are.
    const compared: Compared = new Map();
    for (const change of this.#pending) {
      this.#forgetEnded(change);
      if (!this.#isReady(change, compared)) continue;
      this.#pending.delete(change);
      for (const move of change.moves) {
        this.#move(change.session, move);
        this.#options.table.release(move.entry, change.session.owner);
      }
      change.done();
    }
  }

  #moveTo(session: Session, wanted: Wanted): Move | undefined {
    const { table } = this.#options;
    const { stream, symbol, lane } = wanted;
    const subscription = session.subscriptions.get(topicOf(stream, symbol));
    if (subscription === undefined) return undefined;
    const entry = table.acquire(stream, symbol, lane, session);
    if (entry !== subscription.entry) return { subscription, wanted, entry };
    table.release(entry, session.owner);
    return undefined;
  }

  /** Topics that ended meanwhile, or whose socket is gone. */
  #forgetEnded(change: Change): void {
    const { session, moves } = change;
    const isThere = ({ subscription }: Move) =>
      session.socket !== undefined && session.subscriptions.get(subscription.topic) === subscription;
    if (moves.every(isThere)) return;
    for (const move of moves) if (!isThere(move)) this.#options.table.release(move.entry, session.owner);
    change.moves = moves.filter(isThere);
  }

  #isReady({ session, moves, dueMs }: Change, compared: Compared): boolean {
    // What a stalled socket was sent is remembered until it goes on.
    if (session.isStalled && moves.length > 0) return false;
    const isDue = this.#options.nowMs() >= dueMs;
    return moves.every(({ subscription, entry }) => {
      const { entry: former, state } = subscription;
      if (state !== 'live' || former.isBroken || entry.source < 0 || entry.isBroken) return false;
      // What is still to come on a lane that is behind would come twice.
      return !isBehind(entry, former, compared) && (isDue || !isBehind(former, entry, compared));
    });
  }

  #move(session: Session, { subscription, wanted }: Move): void {
    const { subscriptions } = this.#options;
    const sentSeqs = subscription.entry.seqs.surelySent(0);
    subscriptions.unsubscribe(session, subscription.topic);
    // Live at once, as its lane is.
    subscriptions.subscribe(session, [wanted]);
    const moved = session.subscriptions.get(subscription.topic);
    if (moved === undefined) return;
    moved.sentSeqs = sentSeqs;
    subscriptions.trades.announce(moved);
  }
}

/** True when something was published on the other lane that was not on this one. */
function isBehind(lane: LaneEntry, other: LaneEntry, compared: Compared): boolean {
  const ofLane = compared.get(lane) ?? new Map<LaneEntry, boolean>();
  compared.set(lane, ofLane);
  let is = ofLane.get(other);
  if (is === undefined) {
    is = other.seqs.lossesSince(lane.seqs.surelySent(0)).next().done !== true;
    ofLane.set(other, is);
  }
  return is;
}
