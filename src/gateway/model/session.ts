/** One connected client, as the worker sees it, and its subscriptions. */

import type { WebSocket } from 'uWebSockets.js';
import assert from 'node:assert/strict';
import type { Credential, Entitlements } from '../../auth/credential.js';
import { type Format, servedLane, type Tier } from '../../protocol/lanes.js';
import type { Stream } from '../../protocol/topics.js';
import type { TokenBucket } from '../limits/message-rate.js';
import type { Account } from '../limits/work-budgets.js';
import type { Circuit, ConflationState, KeepaliveState } from './flow.js';
import type { Place } from './positions.js';
import type { StreamPosition, ViewOf } from './view.js';

/** A connection that may open, and what it begins with. */
export interface Admission {
  readonly session: Session;
  readonly wanted: readonly RequestedTopic[];
  /** Sent behind the first snapshot. */
  readonly warning: object | undefined;
  /** Views held on behalf of the session until it is open. */
  readonly lanes: View[];
}

/** What uWS keeps with the socket. */
export interface SocketData {
  readonly session: Session;
  /** What the socket begins with; gone once it is open, and its memory with it. */
  admission: Admission | undefined;
}

export type Socket = WebSocket<SocketData>;

/** A view whose waiters are subscriptions. */
export type View = ViewOf<Subscription>;

/**
 * Where a subscription stands: `waiting` for its snapshot (or, for events, for the view) · `held`: has its part, waits for those
 * of other symbols of the same snapshot frame, or for what was missed · `live` · `paused`: the socket is stalled.
 */
export type SubscriptionState = 'waiting' | 'held' | 'live' | 'paused';

/**
 * | from | to | when |
 * |---|---|---|
 * | waiting | held | its part has come, or it has come to its mark |
 * | waiting | live | its snapshot was sent, or its view is live |
 * | held | live | all parts, or all that was missed, were sent |
 * | held | waiting | its view was overrun, or the frame was dropped: it waits for a new part |
 * | live | held | a resync of several quotes: its part has come |
 * | live | waiting | the trades of all symbols end, and it delivers again |
 * | any | paused | the socket takes no more |
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
  /** The view asked for; of a state topic, `view` may be another one. */
  readonly asked: number;
  /** Event subscriptions that were paused: the last place surely sent, by source number. Written by the room `events`. */
  sentSeqs: Map<number, Place> | undefined;
  #state: SubscriptionState = 'waiting';
  #isNative = false;
  #nativeInTurn = 0;
  #heldAt: StreamPosition | undefined;
  #hasAskedHeld = false;

  /** One that waits for its view. */
  constructor(session: Session, asked: number, view: View, heldAt?: StreamPosition) {
    this.session = session;
    // The view's texts: those of the request would be one copy for each subscriber, and may keep the whole request.
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

  /** True where something published in this turn may still be dropped for the socket. */
  wasNativeIn(turn: number): boolean {
    return this.#isNative || (turn !== 0 && this.#nativeInTurn === turn);
  }

  /** State topics: up to where the session was sent it before this subscription began, or was paused. It never goes back. */
  get heldAt(): StreamPosition | undefined {
    return this.#heldAt;
  }

  /** The encoder was told of `heldAt`. */
  get hasAskedHeld(): boolean {
    return this.#hasAskedHeld;
  }

  moveTo(next: SubscriptionState): void {
    assert(TRANSITIONS[this.#state].includes(next), `a subscription does not go from ${this.#state} to ${next}`);
    this.#state = next;
  }

  /** uWS delivers the native topic from this turn on, or no longer. */
  setNative(isNative: boolean, turn: number): void {
    this.#isNative = isNative;
    this.#nativeInTurn = turn;
  }

  /** The session holds the topic up to there. */
  holdAt(held: StreamPosition | undefined): void {
    this.#heldAt = held;
  }

  /** The encoder is told of `heldAt`, or has to be told again. */
  setAskedHeld(hasAsked: boolean): void {
    this.#hasAskedHeld = hasAsked;
  }

  /** It waits for nothing of its view any more. */
  leaveView(): void {
    const { waiting, behind, held } = this.view;
    waiting.delete(this);
    behind.delete(this);
    held.delete(this);
  }
}

export interface Session {
  readonly id: number;
  /** What its address counts as (client-address.ts). */
  readonly address: string;
  /** What it counts as where topics are shared among users (owner.ts): who it was when it opened. */
  readonly owner: number;
  /** Replaced by `auth`, and with it what follows from it. */
  credential: Credential;
  entitlements: Entitlements;
  tier: Tier;
  /** What the connection asked for; undefined: nothing, so that it gets what its tier does. */
  readonly askedClass: number | undefined;
  /** Class of subscriptions that name none; the fastest that the tier may have is `fastestClass`. */
  defaultClass: number;
  fastestClass: number;
  readonly format: Format;
  readonly isStamped: boolean;
  readonly keepalive: KeepaliveState;
  readonly messageTokens: TokenBucket;
  /** Of pings and pongs. */
  readonly controlTokens: TokenBucket;
  /** What it owes for work that it has made. */
  readonly account: Account;
  readonly subscriptions: Map<string, Subscription>;
  /** State topics that it left, and up to where it was sent them; the oldest are forgotten first. */
  left: Map<string, StreamPosition> | undefined;
  /** Undefined before the upgrade completes and after the close. */
  socket: Socket | undefined;
  /** Live topics are suspended until the socket has drained. */
  isStalled: boolean;
  /** uWS reported a drop in this turn (number of the turn), which is handled outside its callback; 0: none. */
  droppedInTurn: number;
  readonly circuit: Circuit;
  readonly conflation: ConflationState;
  /** Bytes waiting in user space when it was sampled last. */
  sampledBytes: number;
  /** A command is waiting for an answer of the hub; later ones wait in line. */
  isBusy: boolean;
  backlogBytes: number;
  readonly backlog: { readonly bytes: ArrayBuffer; readonly isBinary: boolean }[];
}

/** One topic asked for. */
export interface RequestedTopic {
  readonly stream: Stream;
  readonly symbol: string;
  readonly lane: number;
}

/** What a subscription stands for. */
export const requestedOf = ({ stream, symbol, asked }: Subscription): RequestedTopic => ({
  stream,
  symbol,
  lane: asked,
});

/** False while another view than the present one is to serve what was asked for. */
export function isServed({ session, view, asked }: Subscription): boolean {
  return !view.isState || view.lane === servedLane(asked, session.tier, session.conflation.level);
}

/** Puts these subscriptions behind all others of their session. */
export function moveToEnd({ subscriptions }: Session, some: readonly Subscription[]): void {
  for (const subscription of some) {
    subscriptions.delete(subscription.topic);
    subscriptions.set(subscription.topic, subscription);
  }
}

/** True while state topics wait for the socket to drain, to go on in a slower class. */
export const isSteppingDown = ({ conflation }: Session): boolean => conflation.steppingDownSinceMs > 0;

/** True while the subscription cannot begin: its socket has to drain first. */
export const mustWait = ({ session, view }: Subscription): boolean =>
  session.isStalled || (view.isState && isSteppingDown(session));
