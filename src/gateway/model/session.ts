/** One connected client, as the worker sees it. */
import type { WebSocket } from 'uWebSockets.js';
import type { Credential, Entitlements } from '../../auth/credential.js';
import { type Format, servedLane, type Tier } from '../../protocol/lanes.js';
import type { Stream } from '../../protocol/topics.js';
import type { TokenBucket } from '../limits/message-rate.js';
import type { Account } from '../limits/work-budgets.js';
import type { Circuit, KeepaliveState, Pace } from './flow.js';
import type { Place } from './positions.js';
import type { HeldPlace, LaneEntry } from './view.js';

/** A connection that may open, and what it begins with. */
export interface Admission {
  readonly session: Session;
  readonly wanted: readonly Wanted[];
  /** Sent behind the first snapshot. */
  readonly warning: object | undefined;
  /** Lanes held on behalf of the session until it is open. */
  readonly lanes: LaneEntry[];
}

/** What uWS keeps with the socket. */
export interface SocketData {
  readonly session: Session;
  /** What the socket begins with; gone once it is open, and its memory with it. */
  admission: Admission | undefined;
}

export type Socket = WebSocket<SocketData>;

/**
 * Where a subscription stands: `waiting` for its snapshot (or, for events, for the lane) · `held`: has its part, waits
 * for those of other symbols of the same snapshot frame, or for what was missed · `live` · `paused`: the socket is stalled.
 */
export type SubscriptionState = 'waiting' | 'held' | 'live' | 'paused';

export interface Subscription {
  readonly session: Session;
  /** `stream:symbol`. */
  readonly topic: string;
  readonly stream: Stream;
  readonly symbol: string;
  readonly entry: LaneEntry;
  /** The lane asked for; of a state topic, `entry` may be another one. */
  readonly asked: number;
  state: SubscriptionState;
  /** True while uWS delivers the native topic to the socket. */
  isNative: boolean;
  /** The turn in which it last was: what was published to it in that turn may still be dropped. */
  nativeInTurn: number;
  /** Event subscriptions that were paused: the last place surely sent, by source number. */
  sentSeqs: Map<number, Place> | undefined;
  /** State topics: up to where the session was sent it before this subscription began, or was paused. It never goes back. */
  heldAt: HeldPlace | undefined;
  /** The encoder has been told so. */
  hasAskedHeld: boolean;
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
  left: Map<string, HeldPlace> | undefined;
  /** Undefined before the upgrade completes and after the close. */
  socket: Socket | undefined;
  /** Live topics are suspended until the socket has drained. */
  isStalled: boolean;
  /** uWS reported a drop in this turn (number of the turn), which is handled outside its callback; 0: none. */
  droppedInTurn: number;
  readonly circuit: Circuit;
  readonly pace: Pace;
  /** Bytes waiting in user space when it was sampled last. */
  sampledBytes: number;
  /** A command is waiting for an answer of the hub; later ones wait in line. */
  isBusy: boolean;
  backlogBytes: number;
  readonly backlog: { readonly bytes: ArrayBuffer; readonly isBinary: boolean }[];
}

/** One topic asked for. */
export interface Wanted {
  readonly stream: Stream;
  readonly symbol: string;
  readonly lane: number;
}

/** A subscription that waits for its lane. */
export function newSubscription(session: Session, asked: number, entry: LaneEntry, heldAt?: HeldPlace): Subscription {
  return {
    session,
    // The lane's texts: those of the request would be one copy for each subscriber, and may keep the whole request.
    topic: entry.topic,
    stream: entry.stream,
    symbol: entry.symbol,
    entry,
    asked,
    state: 'waiting',
    isNative: false,
    nativeInTurn: 0,
    sentSeqs: undefined,
    heldAt,
    hasAskedHeld: false,
  };
}

/** What a subscription stands for. */
export const wantedOf = ({ stream, symbol, asked }: Subscription): Wanted => ({ stream, symbol, lane: asked });

/** False while another lane than the present one is to serve what was asked for. */
export function isServed({ session, entry, asked }: Subscription): boolean {
  return !entry.isState || entry.lane === servedLane(asked, session.tier, session.pace.steps);
}

/** It waits for nothing of its lane any more. */
export function leaveLane(subscription: Subscription): void {
  const { waiting, behind, held } = subscription.entry;
  waiting.delete(subscription);
  behind.delete(subscription);
  held.delete(subscription);
}

/** Puts these subscriptions behind all others of their session. */
export function moveToEnd({ subscriptions }: Session, some: readonly Subscription[]): void {
  for (const subscription of some) {
    subscriptions.delete(subscription.topic);
    subscriptions.set(subscription.topic, subscription);
  }
}

/** True while state topics wait for the socket to drain, to go on in a slower class. */
export const isLeaving = ({ pace }: Session): boolean => pace.leavingSinceMs > 0;

/** True while the subscription cannot begin: its socket has to drain first. */
export const mustWait = ({ session, entry }: Subscription): boolean =>
  session.isStalled || (entry.isState && isLeaving(session));
