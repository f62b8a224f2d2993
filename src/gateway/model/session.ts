/** A connected client as its worker sees it, and its subscriptions. */

import type { WebSocket } from 'uWebSockets.js';
import assert from 'node:assert/strict';
import type { Credential, Entitlements } from '../../auth/credential.js';
import { type Format, servedLane, type Tier } from '../../protocol/lanes.js';
import type { StreamPosition } from '../../protocol/stream-position.js';
import type { Stream } from '../../protocol/topics.js';
import type { TokenBucket } from '../limits/message-rate.js';
import type { Account } from '../limits/work-budgets.js';
import { type Circuit, type ConflationState, type KeepaliveState, newCircuit, newConflationState } from './flow.js';
import type { Place } from './positions.js';
import type { NotServed, ViewOf } from './view.js';

/** An admitted connection and its initial state. */
export interface Admission {
  readonly session: Session;
  readonly wanted: readonly RequestedTopic[];
  /** Sent after the first snapshot. */
  readonly warning: object | undefined;
  /** Views kept in use on the session's behalf until it opens. */
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
 * The state of a subscription: `waiting` for its snapshot (or, for events, for the view) · `held`: has its part but
 * awaits either other symbols' parts of the same snapshot frame, or missed messages · `live` · `paused`: the socket is
 * stalled.
 */
export type SubscriptionState = 'waiting' | 'held' | 'live' | 'paused';

/**
 * | from | to | when |
 * |---|---|---|
 * | waiting | held | its part arrived, or its replay reached its mark |
 * | waiting | live | its snapshot was sent, or its view is live |
 * | held | live | all parts or missed messages were sent |
 * | held | waiting | its view was overrun, or the frame was dropped: it awaits a new part |
 * | live | held | a resync of several quotes: its part arrived |
 * | live | waiting | `trades:*` ended, so it delivers again |
 * | any | paused | the socket accepts no more |
 * | paused | waiting | the socket has drained |
 */
export const TRANSITIONS: Readonly<Record<SubscriptionState, readonly SubscriptionState[]>> = {
  waiting: ['waiting', 'held', 'live', 'paused'],
  held: ['held', 'live', 'waiting', 'paused'],
  live: ['live', 'held', 'waiting', 'paused'],
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
  /** Paused event subscriptions: the last position certainly sent, by source number. */
  sentSeqs: Map<number, Place> | undefined;
  #state: SubscriptionState = 'waiting';
  #isNative = false;
  #nativeInTurn = 0;
  #heldAt: StreamPosition | undefined;
  #hasAskedHeld = false;

  /** A subscription that waits for its view. */
  constructor(session: Session, asked: number, view: View, heldAt?: StreamPosition) {
    this.session = session;
    // Use the view's strings: the request's would be one copy per subscriber and might retain the whole request.
    this.topic = view.topic;
    this.stream = view.stream;
    this.symbol = view.symbol;
    this.view = view;
    this.asked = asked;
    this.#heldAt = heldAt;
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
  get heldAt(): StreamPosition | undefined {
    return this.#heldAt;
  }

  /** True once the encoder knows `heldAt`. */
  get hasAskedHeld(): boolean {
    return this.#hasAskedHeld;
  }

  moveTo(next: SubscriptionState): void {
    assert(TRANSITIONS[this.#state].includes(next), `a subscription never goes from ${this.#state} to ${next}`);
    this.#state = next;
  }

  /** uWS delivers the native topic from this turn on, or stops. */
  setNative(isNative: boolean, turn: number): void {
    this.#isNative = isNative;
    this.#nativeInTurn = turn;
  }

  /** Records how far the session was sent the topic. */
  holdAt(held: StreamPosition | undefined): void {
    this.#heldAt = held;
  }

  /** Records whether the encoder knows `heldAt`. */
  setAskedHeld(hasAsked: boolean): void {
    this.#hasAskedHeld = hasAsked;
  }

  /** Stops waiting for anything from its view. */
  leaveView(): void {
    const { waiting, behind, held } = this.view;
    waiting.delete(this);
    behind.delete(this);
    held.delete(this);
  }
}

export interface Session {
  readonly id: number;
  /** The key its address counts under (client-address.ts). */
  readonly address: string;
  /** The key it counts under where users share topics (owner.ts), fixed when it opened. */
  readonly owner: number;
  /** `auth` replaces it and everything derived from it. */
  credential: Credential;
  entitlements: Entitlements;
  tier: Tier;
  /** The class requested by the connection; undefined: none, so it gets its tier's default. */
  readonly askedClass: number | undefined;
  /** Class of subscriptions that name none; `fastestClass` is the fastest that the tier allows. */
  defaultClass: number;
  fastestClass: number;
  readonly format: Format;
  readonly isStamped: boolean;
  readonly keepalive: KeepaliveState;
  readonly messageTokens: TokenBucket;
  /** For pings and pongs. */
  readonly controlTokens: TokenBucket;
  /** What it owes for the work it caused. */
  readonly account: Account;
  readonly subscriptions: Map<string, Subscription>;
  /** State topics that it left, and how far it was sent each; the oldest are evicted first. */
  left: Map<string, StreamPosition> | undefined;
  /** Undefined before the upgrade completes and after the close. */
  socket: Socket | undefined;
  /** Live topics are suspended until the socket has drained. */
  isStalled: boolean;
  /** The turn in which uWS reported a drop that has not been handled yet (not possible in the callback); 0: none. */
  droppedInTurn: number;
  readonly circuit: Circuit;
  readonly conflation: ConflationState;
  /** Bytes buffered in user space at the last sample. */
  sampledBytes: number;
  /** A command awaits an answer from the hub; later ones queue behind it. */
  isBusy: boolean;
  backlogBytes: number;
  readonly backlog: { readonly bytes: ArrayBuffer; readonly isBinary: boolean }[];
}

/** What changes while a session lives, as it is when the session is new. */
export const newSessionState = () =>
  ({
    subscriptions: new Map(),
    left: undefined,
    socket: undefined,
    isStalled: false,
    droppedInTurn: 0,
    circuit: newCircuit(),
    conflation: newConflationState(),
    sampledBytes: 0,
    isBusy: false,
    backlogBytes: 0,
    backlog: [],
  }) satisfies Partial<Session>;

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

/** Moves these subscriptions behind all others of their session. */
export function moveToEnd({ subscriptions }: Session, some: readonly Subscription[]): void {
  for (const subscription of some) {
    subscriptions.delete(subscription.topic);
    subscriptions.set(subscription.topic, subscription);
  }
}

/** True while state topics wait for the socket to drain before they resume in a slower class. */
export const isSteppingDown = ({ conflation }: Session): boolean => conflation.steppingDownSinceMs > 0;

/** True while the subscription cannot begin because its socket has to drain first. */
export const mustWait = ({ session, view }: Subscription): boolean =>
  session.isStalled || (view.isState && isSteppingDown(session));
