/** What a worker's subscriptions are made of. */
import type { EventLosses } from './event-losses.js';
import type { LaneTable } from './lane-table.js';
import type { Turn } from './native-topics.js';
import type { Outbox } from './outbox.js';

/** Topics of one socket that are resumed together. */
export const RESUMED_AT_ONCE_MAX = 32;

export interface SubscriptionsOptions {
  readonly table: LaneTable;
  readonly outbox: Outbox;
  readonly losses: EventLosses;
  readonly turn: Turn;
  /** More than this waiting for a socket, and what it missed is sent to it later. */
  readonly bufferedBytesMax: number;
  /** Asks for `deliveries.turn` soon. */
  readonly wake: () => void;
  /** Bytes of snapshots and missed messages in one turn. */
  readonly deliveredBytesMax?: number;
  readonly resumedAtOnceMax?: number;
  readonly assemblyBytesMax?: number;
  /** What a replay must have held so that whoever comes later reads it too. */
  readonly replayKeptBytesMin?: number;
}
