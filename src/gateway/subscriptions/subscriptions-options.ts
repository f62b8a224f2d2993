/** What a worker's subscriptions are made of. */
import type { Gaps } from '../events/gaps.js';
import type { Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Turn } from '../views/native-topics.js';
import type { Views } from '../views/views.js';

/** Topics of one socket that are resumed together. */
export const RESUMED_AT_ONCE_MAX = 32;

export interface SubscriptionsOptions {
  readonly table: Views;
  readonly outbox: Outbox;
  readonly losses: Gaps;
  readonly turn: Turn;
  /** More than this waiting for a socket, and what it missed is sent to it later. */
  readonly bufferedBytesMax: number;
  /** Asks for `deliveries.turn` soon. */
  readonly wake: () => void;
  /** Charges a client for snapshots and missed messages (protocol/costs.ts). */
  readonly charge?: (session: Session, units: number) => void;
  /** Sets units aside for a client that may be charged for them; negative: gives them back. */
  readonly reserve?: (session: Session, units: number) => void;
  /** Symbols whose trades are known, each of which is answered for when all are asked for. */
  readonly tradesSymbols?: () => number;
  /** Bytes of snapshots and missed messages in one turn. */
  readonly deliveredBytesMax?: number;
  readonly resumedAtOnceMax?: number;
  readonly assemblyBytesMax?: number;
  /** What a replay must have held so that whoever comes later reads it too. */
  readonly replayKeptBytesMin?: number;
}
