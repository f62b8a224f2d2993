/**
 * Records which market data reaches which sockets. What is published to a view is recorded once, as numbers. Per connection, only
 * changes are recorded: when a view starts and stops reaching it, and what it alone is sent.
 *
 * **Order is the rule.** The records of a thread, publishes included, are in the journal in the order in which things happened
 * (threads/journal-outlet.ts). So a connection was handed exactly: the `snapshot`, `sent`, `gap` and `stale` records with its id,
 * and the `emit`, `gap` and `stale` records of each view between its `live` on that view and the `paused`, `unsubscribed` or
 * `closed` that ends it. What uWS dropped is known only to the turn: `paused` names the last position that was
 * certainly handed over, and anything that the view published after it since `live` may be lost.
 *
 * Frames that carry no data are not recorded: replies, heartbeats, warnings, the feed's status.
 */
import { productMembers } from '../../auth/product.js';
import { GAP_REASON_NAMES, STALE_REASON_NAMES } from '../../protocol/codes.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { JournalOutlet } from '../../threads/journal-outlet.js';
import type { NewRecord } from '../../threads/journal-records.js';
import { FrameKind, type RingReader } from '../../threads/ring.js';
import { NOWHERE } from '../model/emit-trail.js';
import type { Session, Subscription, View } from '../model/session.js';
import { type RefusedTopics, recordOf } from './control-records.js';
import type { FrameOfDocument, Place } from './place.js';
import { membersOf } from './view-members.js';
import { symbolOf, ViewTrails } from './view-trails.js';

/** The thread's way to the journal. */
type Outlet = Pick<JournalOutlet, 'record' | 'emits'>;

/**
 * Why a view no longer reaches a socket.
 *
 * | reason | meaning |
 * |---|---|
 * | `dropped` | uWS dropped something for the socket |
 * | `slow_consumer` | the ladder paused the topic |
 * | `no_room` | its snapshot does not fit now |
 * | `resync` | another snapshot comes first |
 * | `covered` | `trades:*` delivers it from now on |
 * | `moved` | another view takes over |
 * | `ended` | the subscription or the connection ends, which another record says |
 */
export type EndReason = 'dropped' | 'slow_consumer' | 'no_room' | 'resync' | 'covered' | 'moved' | 'ended';

/** Runs in one `sent` record at most. */
const RUNS_MAX = 256;
/** A clock this far behind its last time was set back. */
const SET_BACK_MICROS = 1_000_000;

interface DeliveryJournalOptions {
  readonly outlet: Outlet;
  /** Number of this thread. */
  readonly worker: number;
  /** The current publishing turn. */
  readonly turn: { readonly current: number };
  readonly connectionOf: (session: Session) => string;
  /** Maps a trades source number to its symbol. */
  readonly symbolOf: (source: number) => string | undefined;
}

/** A `gap` that the gateway found. */
interface PublishedLoss {
  readonly from: number;
  readonly to: number;
  readonly epoch: string;
  readonly reason: string;
}

/** What a connection alone was sent and is not recorded yet. */
interface Sent {
  readonly session: Session;
  readonly view: View;
  readonly epoch: string;
  readonly runs: [number, number][];
}

/** A view that stopped reaching a socket in the current turn, after something was published to it in that turn. */
interface Ended {
  readonly session: Session;
  readonly topic: string;
  readonly symbol: string | undefined;
  readonly surelySent: StreamPosition;
}

export class DeliveryJournal {
  readonly #options: DeliveryJournalOptions;
  readonly #emits: Outlet['emits'];
  readonly #turn: { readonly current: number };
  readonly #trails: ViewTrails;
  /** The time of day of what is published now, µs, and the time before which nothing may seem to be published. */
  #micros = 0;
  #floorMicros = 0;
  #sent: Sent | undefined;
  /** The view whose next message is about to be published, and its position. */
  #next: { readonly view: View; readonly at: StreamPosition } | undefined;
  /** At most one per subscription that began before the turn, or in it. */
  #ended: Ended[] = [];
  #endedInTurn = 0;

  constructor(options: DeliveryJournalOptions) {
    this.#options = options;
    this.#emits = options.outlet.emits;
    this.#turn = options.turn;
    this.#trails = new ViewTrails(options.outlet.emits, options.symbolOf);
  }

  /** The time of day of what is published now, µs. */
  get micros(): number {
    return this.#micros;
  }

  /** A pass over the frames begins. @param micros the time of day */
  beginPass(micros: number): void {
    const isSetBack = this.#floorMicros - micros > SET_BACK_MICROS;
    this.#micros = isSetBack ? micros : Math.max(this.#floorMicros, micros);
  }

  /** A ping is handed to a socket at this time: what follows it must not seem to be as early. */
  notBefore(micros: number): void {
    this.#floorMicros = micros;
    this.#micros = Math.max(this.#micros, micros);
  }

  /** The ring's frame was published to the view, whose epoch is the frame's. */
  published(view: View, ring: RingReader): void {
    if (view.subscribers === 0) return;
    const trail = this.#trails.of(view, ring);
    const { epoch } = view;
    trail.advance(epoch, ring.seq, this.#turn.current);
    if (ring.kind === FrameKind.gap) {
      this.#gap(
        view,
        { epoch, prev: ring.prevSeq, seq: ring.seq, gapReason: ring.eventMicrosOrReason },
        symbolOf(trail),
      );
      return;
    }
    this.#emits.beginEpoch(trail.number, epoch);
    if (ring.kind === FrameKind.snapshot) this.#wholeEmitted(view, epoch, ring.prevSeq, ring.seq);
    else this.#emits.emitted(trail.number, ring.prevSeq, ring.seq, this.#micros);
  }

  /** A whole document of the encoder names the position before it, other than one that repairs the chain. */
  #wholeEmitted(view: View, epoch: string, prev: number, seq: number): void {
    const { worker: w } = this.#options;
    this.#record({ k: 'emit', w, ...membersOf(view), epoch, runs: [[prev, seq]], whole: true });
  }

  /** A whole document was published to the view, to repair its chain. */
  wholePublished(view: View, { epoch, seq }: StreamPosition): void {
    if (view.subscribers === 0) return;
    const trail = this.#trails.ofTopic(view);
    trail.advance(epoch, seq, this.#turn.current);
    this.#emits.beginEpoch(trail.number, epoch);
    this.#emits.whole(trail.number, seq, this.#micros);
  }

  /** All sockets of the view were told of a loss. @param source whose messages are lost */
  lossPublished(view: View, source: number, { from, to, epoch, reason }: PublishedLoss): void {
    if (view.subscribers === 0) return;
    const trail = this.#trails.ofSource(view, source);
    trail.advance(epoch, to, this.#turn.current);
    this.#record({ k: 'gap', w: this.#options.worker, ...membersOf(view, symbolOf(trail)), epoch, from, to, reason });
  }

  /** One socket was told of a loss. @see lossPublished */
  lossTold(session: Session, view: View, source: number, { from, to, epoch, reason }: PublishedLoss): void {
    if (session.socket === undefined) return;
    const symbol = symbolOf(this.#trails.ofSource(view, source));
    this.#record({ k: 'gap', c: this.#id(session), ...membersOf(view, symbol), epoch, from, to, reason });
  }

  stalePublished(view: View): void {
    const { stale, trail } = view;
    if (stale === undefined || view.subscribers === 0) return;
    if (trail !== undefined) {
      const { epoch, seq } = trail.surelySent(0);
      trail.advance(epoch, seq, this.#turn.current);
    }
    const { epoch, seq, reason } = stale;
    const name = STALE_REASON_NAMES[reason - 1] ?? '';
    this.#record({ k: 'stale', w: this.#options.worker, ...membersOf(view), epoch, seq, reason: name });
  }

  /** While the view's next frame is queued for some sockets, its publish is still to come. @param place undefined: no longer */
  awaitPublish(view: View, place: Place | undefined): void {
    this.#next = place && { view, at: place.isWhole === true ? NOWHERE : { epoch: place.epoch, seq: place.prev } };
  }

  /** The session is subscribed to the topic. */
  subscribed({ session, view }: Subscription): void {
    const { worker: w } = this.#options;
    const products = productMembers(session.entitlements.productsOf(view.stream, view.symbol));
    this.#record({ k: 'subscribed', c: this.#id(session), w, ...membersOf(view), ...products, epoch: '', seq: null });
  }

  unsubscribed(session: Session, topic: string): void {
    this.#record({ k: 'unsubscribed', c: this.#id(session), topic });
  }

  /** The session returns to the topic, and names how far it was sent it before. */
  resumed(session: Session, topic: string, { epoch, seq }: StreamPosition): void {
    this.#record({ k: 'resumed', c: this.#id(session), topic, epoch, seq });
  }

  /** The view reaches the socket from here on. Call before it counts as a subscriber. */
  began({ session, view }: Subscription): void {
    const at = this.#next?.view === view ? this.#next.at : positionOf(view);
    if (view.subscribers === 0) this.#trails.restart(view, at);
    const { worker } = this.#options;
    this.#record({ k: 'live', c: this.#id(session), w: worker, ...membersOf(view), epoch: at.epoch, seq: at.seq });
  }

  /**
   * The view no longer reaches the socket.
   * @param droppedIn the turn in which uWS dropped something for the socket; 0: none
   */
  ended(subscription: Subscription, reason: EndReason, droppedIn: number): void {
    const { session, view, topic } = subscription;
    // The place of the record that ends a connection shows what came last before it.
    if (session.socket === undefined) return;
    if (droppedIn === 0) this.#noteEnded(subscription);
    if (reason === 'ended') return;
    if (!view.isAllTrades) {
      const at = view.trail?.surelySent(droppedIn) ?? NOWHERE;
      this.#pause(session, topic, undefined, at, reason);
      return;
    }
    this.#pause(session, topic, undefined, NOWHERE, reason);
    if (droppedIn === 0) return;
    for (const trail of this.#trails.all(view)) {
      if (trail.isIn(droppedIn)) this.#pause(session, topic, symbolOf(trail), trail.surelySent(droppedIn), reason);
    }
  }

  /** uWS dropped something for the socket, of what was published in this turn. Call before its topics pause. */
  dropped(session: Session, turn: number): void {
    if (turn === 0 || this.#endedInTurn !== turn) return;
    for (const ended of this.#ended) {
      if (ended.session === session) this.#pause(session, ended.topic, ended.symbol, ended.surelySent, 'dropped');
    }
  }

  /** The socket was sent a whole document. */
  snapshotSent(session: Session, view: View, { epoch, seq }: StreamPosition, frame: FrameOfDocument = {}): void {
    if (session.socket === undefined) return;
    this.#record({ k: 'snapshot', c: this.#id(session), ...membersOf(view), epoch, seq, ...frame });
  }

  /** The socket alone was sent a message of the view. Call `sentAll` before anything else is published. */
  sent(session: Session, view: View, place: Place): void {
    const { epoch, prev, seq, gapReason } = place;
    if (gapReason > 0) this.#gap(view, place, undefined, session);
    else if (place.isWhole === true) this.snapshotSent(session, view, { epoch, seq }, { prev });
    else {
      const isSame = this.#sent?.session === session && this.#sent.view === view && this.#sent.epoch === epoch;
      if (!isSame || this.#sent?.runs.length === RUNS_MAX) {
        this.sentAll();
        this.#sent = { session, view, epoch, runs: [] };
      }
      this.#sent?.runs.push([prev, seq]);
    }
  }

  /** Records what `sent` collected. */
  sentAll(): void {
    const sent = this.#sent;
    if (sent === undefined) return;
    this.#sent = undefined;
    const { session, view, epoch, runs } = sent;
    this.#options.outlet.record({ k: 'sent', c: this.#id(session), ...membersOf(view), epoch, runs });
  }

  /** The socket was told that the view's topic is stale. */
  staleSent(session: Session, view: View): void {
    const { stale } = view;
    if (stale === undefined) return;
    const { epoch, seq } = stale;
    const reason = STALE_REASON_NAMES[stale.reason - 1] ?? '';
    this.#record({ k: 'stale', c: this.#id(session), ...membersOf(view), epoch, seq, reason });
  }

  /** The socket was sent a message that is not of a view. */
  controlSent(session: Session, message: object, refused?: RefusedTopics): void {
    const record = session.socket === undefined ? undefined : recordOf(message, this.#id(session), refused);
    if (record !== undefined) this.#record(record);
  }

  /** The view is no longer used. */
  forget(view: View): void {
    this.#trails.forget(view);
  }

  /** These numbers will be given to other sources. */
  forgetSources(sources: readonly number[]): void {
    this.#trails.forgetSources(sources);
  }

  /** Records what is no publish, in its place. */
  record(record: NewRecord): void {
    this.#record(record);
  }

  #record(record: NewRecord): void {
    this.sentAll();
    this.#options.outlet.record(record);
  }

  #id(session: Session): string {
    return this.#options.connectionOf(session);
  }

  #pause(session: Session, topic: string, symbol: string | undefined, at: StreamPosition, reason: EndReason): void {
    const { epoch, seq } = at;
    const of = symbol === undefined ? undefined : { symbol };
    this.#record({ k: 'paused', c: this.#id(session), topic, ...of, epoch, seq, reason });
  }

  #gap(view: View, place: Place, symbol: string | undefined, session?: Session): void {
    const { epoch, prev, seq, gapReason } = place;
    const whose = session === undefined ? { w: this.#options.worker } : { c: this.#id(session) };
    const reason = GAP_REASON_NAMES[gapReason - 1] ?? '';
    this.#record({ k: 'gap', ...whose, ...membersOf(view, symbol), epoch, from: prev + 1, to: seq, reason });
  }

  /** If uWS drops something of this turn, what the view published in it may be lost. */
  #noteEnded({ session, view, topic }: Subscription): void {
    const { current } = this.#turn;
    if (this.#endedInTurn !== current) {
      this.#endedInTurn = current;
      this.#ended = [];
    }
    if (current === 0) return;
    for (const trail of this.#trails.all(view)) {
      if (!trail.isIn(current)) continue;
      this.#ended.push({ session, topic, symbol: symbolOf(trail), surelySent: trail.surelySent(current) });
    }
  }
}

/** How far the view has published its topic; `trades:*` has a position for each symbol instead. */
function positionOf({ isState, isAllTrades, epoch, lastSeq, seqs, source }: View): StreamPosition {
  if (isAllTrades) return NOWHERE;
  if (isState) return { epoch, seq: lastSeq };
  const position = seqs.find(source);
  return position === undefined ? NOWHERE : { epoch: position.epoch, seq: position.newest };
}
