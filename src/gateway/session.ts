/** One connected client, as the worker sees it. */
import type { WebSocket } from 'uWebSockets.js';
import type { Credential, Entitlements } from '../auth/credential.js';
import type { Format, Tier } from '../protocol/lanes.js';
import type { Stream } from '../protocol/topics.js';
import type { Admission } from './admission.js';
import type { LaneEntry, Part } from './lane-table.js';

/** What uWS keeps with the socket. */
export interface SocketData {
  readonly session: Session;
  readonly admission: Admission;
}

export type Socket = WebSocket<SocketData>;

/**
 * Where a subscription stands: `waiting` for its snapshot (or, for events, for the lane) · `held`: has its part, waits
 * for those of other symbols of the same snapshot frame · `live` · `paused`: the socket is stalled.
 */
export type SubscriptionState = 'waiting' | 'held' | 'live' | 'paused';

export interface Subscription {
  readonly session: Session;
  /** `stream:symbol`. */
  readonly topic: string;
  readonly stream: Stream;
  readonly symbol: string;
  readonly entry: LaneEntry;
  state: SubscriptionState;
  /** True while uWS delivers the native topic to the socket. */
  isNative: boolean;
  /** The turn in which it last was: what was published to it in that turn may still be dropped. */
  nativeInTurn: number;
  /** The snapshot frame that this subscription's part goes into; quotes only. */
  assembly: SnapshotAssembly | undefined;
  /** Paused event subscriptions: the last sequence surely sent, by source number. */
  sentSeqs: Map<number, number> | undefined;
}

/** One `quotes_patch` snapshot of several symbols under construction. */
export interface SnapshotAssembly {
  readonly session: Session;
  readonly parts: Map<Subscription, Part>;
  /** Parts still awaited. */
  missing: number;
  /** Deltas that came behind a part already here, to be sent behind the snapshot. */
  queue: { readonly entry: LaneEntry; readonly bytes: Uint8Array }[];
  queueBytes: number;
  /** Sent behind the snapshot: warnings about symbols that were left out. */
  readonly after: object | undefined;
}

export interface Session {
  readonly id: number;
  readonly credential: Credential;
  readonly entitlements: Entitlements;
  readonly format: Format;
  readonly isStamped: boolean;
  readonly tier: Tier;
  /** Class of subscriptions that name none; the fastest that the tier may have is `fastestClass`. */
  readonly defaultClass: number;
  readonly fastestClass: number;
  readonly subscriptions: Map<string, Subscription>;
  /** Undefined before the upgrade completes and after the close. */
  socket: Socket | undefined;
  /** Live topics are suspended until the socket has drained. */
  isStalled: boolean;
  /** uWS reported a drop in this turn (number of the turn), which is handled outside its callback; 0: none. */
  droppedInTurn: number;
  /** Bytes waiting in user space when it was sampled last. */
  sampledBytes: number;
  /** A command is waiting for an answer of the hub; later ones wait in line. */
  isBusy: boolean;
  readonly backlog: { readonly bytes: ArrayBuffer; readonly isBinary: boolean }[];
}
