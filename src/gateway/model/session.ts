/** A connected client as its worker sees it, and its subscriptions. */
import type { WebSocket } from 'uWebSockets.js';
import assert from 'node:assert/strict';
import type { Credential, Entitlements } from '../../auth/credential.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Stream } from '../../protocol/topics.js';
import type { Format, Tier } from '../../protocol/view-options.js';
import { servedLane } from '../../threads/lanes.js';
import type { TokenBucket } from '../limits/message-rate.js';
import { sharedNowMs } from '../limits/shared-clock.js';
import type { Account } from '../limits/work-budgets.js';
import { CommandBacklog } from './command-backlog.js';
import { FlightRecorder } from './flight-recorder.js';
import { type ConflationState, Flow, type KeepaliveState } from './flow.js';
import { Identity } from './identity.js';
import type { TaggedPosition } from './positions.js';
import { Receipt } from './receipt.js';
import { SessionTopics } from './session-topics.js';
import { Traffic } from './traffic.js';
import type { NotServed, ViewOf } from './view.js';

/** An admitted connection and its initial state. */
export interface Admission {
  readonly session: Session;
  readonly requested: readonly RequestedTopic[];
  /** Frames sent after the first snapshot. */
  readonly warnings: readonly object[];
  /** Kept in use on its behalf until it opens. */
  readonly views: View[];
}

/** The user data of a uWS socket. */
export interface SocketData {
  readonly session: Session;
  /** The initial state; cleared once the socket is open, to free its memory. */
  admission: Admission | undefined;
}

export type Socket = WebSocket<SocketData>;

/** A view that subscriptions wait for. */
export type View = ViewOf<Subscription>;
export type { NotServed };

/**
 * The state of a subscription: `waiting` for its snapshot (or, for events, for the view) · `buffering`: has its part but
 * awaits either other symbols' parts of the same snapshot frame, or missed messages · `live` · `paused`: the socket is
 * stalled.
 */
export type SubscriptionState = 'waiting' | 'buffering' | 'live' | 'paused';

/**
 * | from | to | when |
 * |---|---|---|
 * | waiting | buffering | its part arrived, or its replay reached its mark |
 * | waiting | live | its snapshot was sent, or its view is live |
 * | buffering | live | all parts or missed messages were sent |
 * | buffering | waiting | its view was overrun, or the frame was dropped: it awaits a new part |
 * | live | buffering | a resync of several quotes: its part arrived |
 * | live | waiting | `trades:*` ended, so it delivers again |
 * | any | paused | the socket accepts no more |
 * | paused | waiting | the socket has drained |
 */
export const TRANSITIONS: Readonly<Record<SubscriptionState, readonly SubscriptionState[]>> = {
  waiting: ['waiting', 'buffering', 'live', 'paused'],
  buffering: ['buffering', 'live', 'waiting', 'paused'],
  live: ['live', 'buffering', 'waiting', 'paused'],
  paused: ['waiting'],
};

/** One topic of a session. */
export class Subscription {
  readonly session: Session;
  /** `stream:symbol`. */
  readonly topic: string;
  readonly stream: Stream;
  readonly symbol: string;
  readonly view: View;
  /** The view asked for; for a state topic, `view` may differ. */
  readonly asked: number;
  #sentSeqs: Map<number, TaggedPosition> | undefined;
  #state: SubscriptionState = 'waiting';
  #isNative = false;
  #nativeInTurn = 0;
  /** What the view had published when its native delivery began. */
  #publishedBefore = 0;
  #sentUpTo: StreamPosition | undefined;
  #isSentExactly = false;
  #unsentSinceMs = 0;
  #hasAskedCatchUp = false;

  /** A subscription that waits for its view. */
  constructor(session: Session, asked: number, view: View, sentUpTo?: StreamPosition) {
    this.session = session;
    // Use the view's strings: the request's would be one copy per subscriber and might retain the whole request.
    this.topic = view.topic;
    this.stream = view.stream;
    this.symbol = view.symbol;
    this.view = view;
    this.asked = asked;
    this.#sentUpTo = sentUpTo;
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  /** True while uWS delivers the native topic to the socket. */
  get isNative(): boolean {
    return this.#isNative;
  }

  /** True when something published in this turn may still be dropped for the socket. */
  wasNativeIn(turn: number): boolean {
    return this.#isNative || (turn !== 0 && this.#nativeInTurn === turn);
  }

  /** State topics: how far the session was sent the topic before this subscription began or paused. Never goes back. */
  get sentUpTo(): StreamPosition | undefined {
    return this.#sentUpTo;
  }

  /** True when all of that is certainly on its way: a document at that position need not be sent again. */
  get isSentExactly(): boolean {
    return this.#isSentExactly;
  }

  /** State topics: since when nothing more was sent although it may have changed; 0: it is live, or has just begun. */
  get unsentSinceMs(): number {
    return this.#unsentSinceMs;
  }

  /** True once the encoder knows `sentUpTo`. */
  get hasAskedCatchUp(): boolean {
    return this.#hasAskedCatchUp;
  }

  /**
   * Event topics whose losses are still to be announced: the last positions certainly sent, by source number. Written
   * by events/ (gaps.ts says when).
   */
  get sentSeqs(): ReadonlyMap<number, TaggedPosition> | undefined {
    return this.#sentSeqs;
  }

  /** Whatever follows these positions will be announced as lost, unless it is sent. */
  recordSent(sent: Map<number, TaggedPosition>): void {
    assert(!this.view.isState, 'only event topics announce losses');
    this.#sentSeqs = sent;
  }

  /** The same for one source. @see recordSent */
  recordSentOf(source: number, sent: TaggedPosition): void {
    assert(this.#sentSeqs !== undefined, 'one position is recorded with those of all sources');
    this.#sentSeqs.set(source, sent);
  }

  /** Of the position recorded for a source and this one, keeps the one with the greater loss. */
  mergeLosses(source: number, sent: TaggedPosition): void {
    assert(this.#sentSeqs !== undefined, 'losses are merged with those recorded');
    this.view.seqs.mergeLosses(this.#sentSeqs, source, sent);
  }

  /** Takes the recorded positions: the losses since then are announced now, or by another subscription. */
  takeSent(): ReadonlyMap<number, TaggedPosition> | undefined {
    const sent = this.#sentSeqs;
    this.#sentSeqs = undefined;
    return sent;
  }

  moveTo(next: SubscriptionState): void {
    assert(TRANSITIONS[this.#state].includes(next), `a subscription never goes from ${this.#state} to ${next}`);
    this.#state = next;
    if (next === 'live') this.#unsentSinceMs = 0;
  }

  /** uWS delivers the native topic from this turn on, or stops. */
  setNative(isNative: boolean, turn: number): void {
    this.#isNative = isNative;
    this.#nativeInTurn = turn;
    if (isNative) this.#publishedBefore = this.view.publishedBytes;
    else this.session.traffic.published(this.view.publishedBytes - this.#publishedBefore);
  }

  /** Bytes that uWS delivered to the socket since native delivery began; 0 while it does not. */
  get publishedBytes(): number {
    return this.#isNative ? this.view.publishedBytes - this.#publishedBefore : 0;
  }

  /** Records how far the session was sent the topic. @param isExact false when some of that may be lost */
  recordSentUpTo(sentUpTo: StreamPosition | undefined, isExact = false): void {
    this.#sentUpTo = sentUpTo;
    this.#isSentExactly = isExact;
  }

  /** Nothing is sent from now on, or already since an earlier time. */
  recordUnsentSince(ms: number): void {
    if (this.#unsentSinceMs === 0) this.#unsentSinceMs = ms;
  }

  /** Records whether the encoder knows `sentUpTo`. */
  setAskedCatchUp(hasAsked: boolean): void {
    this.#hasAskedCatchUp = hasAsked;
  }

  /** Stops waiting for anything from its view. */
  leaveView(): void {
    const { waiting, awaitingCatchUp, buffering } = this.view;
    waiting.delete(this);
    awaitingCatchUp.delete(this);
    buffering.delete(this);
  }
}

/** What a session is made of; the rest is as it is for every new one. */
export interface NewSession extends Pick<Session, 'id' | 'address' | 'endpoint' | 'owner' | 'format' | 'isStamped'> {
  readonly credential: Credential;
  readonly entitlements: Entitlements;
  /** The class requested by the connection; undefined: none, so it gets its tier's default. */
  readonly askedClass: number | undefined;
  readonly keepalive: KeepaliveState;
  readonly messageTokens: TokenBucket;
  readonly controlTokens: TokenBucket;
  readonly account: Account;
}

/** A connected client. What changes while it lives is in parts, each with one writer. */
export class Session {
  readonly id: number;
  /** The key its address counts under (client-address.ts). */
  readonly address: string;
  /** Where it connected: `general` for `/ws`. */
  readonly endpoint: string;
  /** The key it counts under where users share topics (owner.ts), fixed when it opened. */
  readonly owner: number;
  readonly format: Format;
  readonly isStamped: boolean;
  /** Written by sessions/reauthentication.ts. */
  readonly identity: Identity;
  /** Written by sending/, the server, and the parts that change. */
  readonly events = new FlightRecorder();
  /** Written by slow-consumers/, and what is paused by subscriptions/pausing.ts. */
  readonly flow = new Flow(this.events);
  /** Written by sending/. */
  readonly receipt = new Receipt();
  readonly traffic = new Traffic();
  /** Written by subscriptions/. */
  readonly subscriptions = new SessionTopics<Subscription>();
  /** Written by commands/command-handler.ts. */
  readonly backlog = new CommandBacklog();
  /** Written by sessions/keepalive.ts. */
  readonly keepalive: KeepaliveState;
  readonly messageTokens: TokenBucket;
  /** For pings and pongs. */
  readonly controlTokens: TokenBucket;
  /** What it owes for the work it caused. Written by limits/work-budgets.ts. */
  readonly account: Account;
  #socket: Socket | undefined;
  #isClosed = false;

  constructor({ credential, entitlements, askedClass, ...session }: NewSession) {
    this.id = session.id;
    this.address = session.address;
    this.endpoint = session.endpoint;
    this.owner = session.owner;
    this.format = session.format;
    this.isStamped = session.isStamped;
    this.identity = new Identity(credential, entitlements, askedClass, sharedNowMs());
    this.keepalive = session.keepalive;
    this.messageTokens = session.messageTokens;
    this.controlTokens = session.controlTokens;
    this.account = session.account;
  }

  /** Undefined before the upgrade completes and after the close. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  get credential(): Credential {
    return this.identity.credential;
  }

  get entitlements(): Entitlements {
    return this.identity.entitlements;
  }

  get tier(): Tier {
    return this.identity.tier;
  }

  /** How late it may have a topic, ms; 0: in real time, or not at all. */
  delayMsOf(stream: Stream, symbol: string): number {
    return this.entitlements.delayMsOf(stream, symbol);
  }

  get conflation(): ConflationState {
    return this.flow.conflation;
  }

  /** All topics are paused until the socket has drained. */
  get isSuspended(): boolean {
    return this.flow.circuit.isOpen;
  }

  /** Bytes that uWS delivered to its socket by native topics so far. */
  get publishedBytes(): number {
    let bytes = this.traffic.publishedBytes;
    for (const subscription of this.subscriptions.values()) bytes += subscription.publishedBytes;
    return bytes;
  }

  /** The upgrade is complete. */
  open(socket: Socket): void {
    assert(this.#socket === undefined && !this.#isClosed, 'a session opens once');
    this.#socket = socket;
  }

  /** The socket is closed: nothing can be sent any more. */
  close(): void {
    this.#socket = undefined;
    this.#isClosed = true;
  }
}

/** One requested topic. */
export interface RequestedTopic {
  readonly stream: Stream;
  readonly symbol: string;
  readonly lane: number;
}

/** The request that a subscription fulfils. */
export const requestedOf = ({ stream, symbol, asked }: Subscription): RequestedTopic => ({
  stream,
  symbol,
  lane: asked,
});

/** False while a view other than the current one should serve the request. */
export function isServed({ session, view, asked }: Subscription): boolean {
  return !view.isState || view.lane === servedLane(asked, session.tier, session.conflation.level);
}

/** True while state topics wait until the client has received more. */
export const hasPausedStates = ({ flow }: Session): boolean => flow.pausedSinceMs > 0;

/** True while the subscription cannot begin because its socket has to drain first. */
export const mustWait = ({ session, view }: Subscription): boolean =>
  session.isSuspended || (view.isState && hasPausedStates(session));
