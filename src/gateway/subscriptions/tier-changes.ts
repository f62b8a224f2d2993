/**
 * Event topics that a session moves to another view: one of another tier, or one that shows other members. They change over
 * when both views stand at the same place, so that nothing is missed and nothing comes twice. (State topics need none
 * of this: they begin anew with a snapshot.)
 */
import { topicOf } from '../../protocol/topics.js';
import type { RequestedTopic, Session, Subscription, View } from '../model/session.js';
import type { Views } from '../views/views.js';
import type { Subscriptions } from './subscriptions.js';

/** Views that have not met by then meet no more, as where nothing happens; what is between them is announced as a gap. */
const PATIENCE_MS = 1_000;

/** One topic on its way. */
interface Move {
  readonly subscription: Subscription;
  readonly wanted: RequestedTopic;
  /** The other view; held, so that it becomes live and stays it. */
  readonly view: View;
}

/**
 * What moves together. The trades of all symbols and of single ones take turns in delivering, which they only can on views
 * of one tier.
 */
interface Change {
  readonly session: Session;
  moves: readonly Move[];
  readonly dueMs: number;
  readonly done: () => void;
}

/** Of two views whether the first is behind the second, as far as one pass has asked. */
type Compared = Map<View, Map<View, boolean>>;

export interface TierChangesOptions {
  readonly table: Views;
  readonly subscriptions: Subscriptions;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  /** Asks for a `settle` soon. */
  readonly wake: () => void;
}

export class TierChanges {
  readonly #options: TierChangesOptions;
  readonly #pending = new Set<Change>();

  constructor(options: TierChangesOptions) {
    this.#options = options;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Resolves once all topics are on their views; undefined: they are. @param wanted event topics that the session has */
  change(session: Session, wanted: readonly RequestedTopic[]): Promise<void> | undefined {
    const moves = wanted.flatMap(topic => this.#moveTo(session, topic) ?? []);
    if (moves.length === 0) return undefined;
    this.#options.wake();
    return new Promise(done => {
      this.#pending.add({ session, moves, dueMs: this.#options.nowMs() + PATIENCE_MS, done });
    });
  }

  /** Changes over what can be. Must not run while a turn's frames are published to one tier and not to the other yet. */
  settle(): void {
    // Many sessions change between the same two views, and a view of all symbols stands at as many places as there are.
    const compared: Compared = new Map();
    for (const change of this.#pending) {
      this.#forgetEnded(change);
      if (!this.#isReady(change, compared)) continue;
      this.#pending.delete(change);
      for (const move of change.moves) {
        this.#move(change.session, move);
        this.#options.table.release(move.view, change.session.owner);
      }
      change.done();
    }
  }

  #moveTo(session: Session, wanted: RequestedTopic): Move | undefined {
    const { table } = this.#options;
    const { stream, symbol, lane } = wanted;
    const subscription = session.subscriptions.get(topicOf(stream, symbol));
    if (subscription === undefined) return undefined;
    const view = table.acquire(stream, symbol, lane, session);
    if (view !== subscription.view) return { subscription, wanted, view };
    table.release(view, session.owner);
    return undefined;
  }

  /** Topics that ended meanwhile, or whose socket is gone. */
  #forgetEnded(change: Change): void {
    const { session, moves } = change;
    const isThere = ({ subscription }: Move) =>
      session.socket !== undefined && session.subscriptions.get(subscription.topic) === subscription;
    if (moves.every(isThere)) return;
    for (const move of moves) if (!isThere(move)) this.#options.table.release(move.view, session.owner);
    change.moves = moves.filter(isThere);
  }

  #isReady({ session, moves, dueMs }: Change, compared: Compared): boolean {
    // What a stalled socket was sent is remembered until it goes on.
    if (session.isStalled && moves.length > 0) return false;
    const isDue = this.#options.nowMs() >= dueMs;
    return moves.every(({ subscription, view }) => {
      const { view: former, state } = subscription;
      if (state !== 'live' || former.isBroken || view.source < 0 || view.isBroken) return false;
      // What is still to come on a view that is behind would come twice.
      return !isBehind(view, former, compared) && (isDue || !isBehind(former, view, compared));
    });
  }

  #move(session: Session, { subscription, wanted }: Move): void {
    const { subscriptions } = this.#options;
    const sentSeqs = subscription.view.seqs.surelySent(0);
    subscriptions.unsubscribe(session, subscription.topic);
    // Live at once, as its view is.
    subscriptions.subscribe(session, [wanted]);
    const moved = session.subscriptions.get(subscription.topic);
    if (moved === undefined) return;
    moved.sentSeqs = sentSeqs;
    subscriptions.trades.announce(moved);
  }
}

/** True when something was published on the other view that was not on this one. */
function isBehind(lane: View, other: View, compared: Compared): boolean {
  const ofLane = compared.get(lane) ?? new Map<View, boolean>();
  compared.set(lane, ofLane);
  let is = ofLane.get(other);
  if (is === undefined) {
    is = other.seqs.lossesSince(lane.seqs.surelySent(0)).next().done !== true;
    ofLane.set(other, is);
  }
  return is;
}
