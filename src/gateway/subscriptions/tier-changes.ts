/**
 * Moves a session's event topics to other views: of another tier, or with other members. A topic changes over when
 * both views are at the same position, so that nothing is lost or duplicated. (State topics do not need this: they
 * restart with a snapshot.)
 */
import { topicOf } from '../../protocol/topics.js';
import type { RequestedTopic, Session, Subscription, View } from '../model/session.js';
import type { Views } from '../views/views.js';
import type { Subscriptions } from './subscriptions.js';

/**
 * Views that have not aligned by now will not, for example when nothing is published; the difference is announced as a
 * gap.
 */
const PATIENCE_MS = 1_000;

/** One topic to move. */
interface Move {
  readonly subscription: Subscription;
  readonly requested: RequestedTopic;
  /** The target view, kept in use so that it becomes and stays live. */
  readonly view: View;
}

/**
 * Topics that move together. `trades:*` and trades of single symbols hand over to each other, which requires views of
 * one tier.
 */
interface Change {
  readonly session: Session;
  moves: readonly Move[];
  readonly dueMs: number;
  readonly done: () => void;
}

/** For pairs of views: whether the first needs catch-up with the second, cached for one pass. */
type Compared = Map<View, Map<View, boolean>>;

interface TierChangesOptions {
  readonly views: Views;
  readonly subscriptions: Subscriptions;
  /** A monotonic clock. */
  readonly nowMs: () => number;
  /** Requests a `settle` soon. */
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

  /**
   * Resolves once all topics are on their views; undefined when they already are.
   * @param requested event topics that the session has
   */
  change(session: Session, requested: readonly RequestedTopic[]): Promise<void> | undefined {
    const moves = requested.flatMap(topic => this.#moveTo(session, topic) ?? []);
    if (moves.length === 0) return undefined;
    this.#options.wake();
    return new Promise(done => {
      this.#pending.add({ session, moves, dueMs: this.#options.nowMs() + PATIENCE_MS, done });
    });
  }

  /**
   * Completes the changes that can be completed. Do not call between publishing a turn's frames to one tier and to the
   * other.
   */
  settle(): void {
    // Many sessions change between the same two views, and `trades:*` has one position per symbol.
    const compared: Compared = new Map();
    for (const change of this.#pending) {
      this.#forgetEnded(change);
      if (!this.#isReady(change, compared)) continue;
      this.#pending.delete(change);
      for (const move of change.moves) {
        this.#move(change.session, move);
        this.#options.views.release(move.view, change.session.owner);
      }
      change.done();
    }
  }

  #moveTo(session: Session, requested: RequestedTopic): Move | undefined {
    const { views } = this.#options;
    const { stream, symbol, lane } = requested;
    const subscription = session.subscriptions.get(topicOf(stream, symbol));
    if (subscription === undefined) return undefined;
    const view = views.acquire(stream, symbol, lane, session);
    if (view !== subscription.view) return { subscription, requested, view };
    views.release(view, session.owner);
    return undefined;
  }

  /** Drops topics that have ended or whose socket is closed. */
  #forgetEnded(change: Change): void {
    const { session, moves } = change;
    const isThere = ({ subscription }: Move) =>
      session.socket !== undefined && session.subscriptions.get(subscription.topic) === subscription;
    if (moves.every(isThere)) return;
    for (const move of moves) if (!isThere(move)) this.#options.views.release(move.view, session.owner);
    change.moves = moves.filter(isThere);
  }

  #isReady({ session, moves, dueMs }: Change, compared: Compared): boolean {
    // What a stalled socket was sent stays recorded until it resumes.
    if (session.isSuspended && moves.length > 0) return false;
    const isDue = this.#options.nowMs() >= dueMs;
    return moves.every(({ subscription, view }) => {
      const { view: former, state } = subscription;
      if (state !== 'live' || former.isBroken || view.source < 0 || view.isBroken) return false;
      // Messages still to come on a view that needs catch-up would be duplicates.
      return !needsCatchUp(view, former, compared) && (isDue || !needsCatchUp(former, view, compared));
    });
  }

  #move(session: Session, { subscription, requested }: Move): void {
    const { subscriptions } = this.#options;
    const sent = subscription.view.seqs.surelySent(0);
    subscriptions.unsubscribe(session, subscription.topic);
    // Live at once, because its view is.
    subscriptions.subscribe(session, [requested]);
    const moved = session.subscriptions.get(subscription.topic);
    if (moved !== undefined) subscriptions.trades.continueFrom(moved, sent);
  }
}

/** True when the other view has published something that this one has not. */
function needsCatchUp(view: View, other: View, compared: Compared): boolean {
  const known = compared.get(view) ?? new Map<View, boolean>();
  compared.set(view, known);
  let is = known.get(other);
  if (is === undefined) {
    is = other.seqs.lossesSince(view.seqs.surelySent(0)).next().done !== true;
    known.set(other, is);
  }
  return is;
}
