/** What a worker's subscriptions depend on. */
import type { Gaps } from '../events/gaps.js';
import type { Session } from '../model/session.js';
import type { Outbox } from '../sending/outbox.js';
import type { Turn } from '../views/native-topics.js';
import type { Views } from '../views/views.js';
import type { Room } from './send-room.js';

/** How many topics of one socket resume together, if there is room for them. */
export const RESUMED_AT_ONCE_MAX = 256;

export interface SubscriptionsOptions {
  readonly views: Views;
  readonly outbox: Outbox;
  readonly gaps: Gaps;
  readonly turn: Turn;
  /** While more than this is buffered for a socket, sending it missed messages waits. */
  readonly bufferedBytesMax: number;
  /** Requests `deliveries.turn` soon. */
  readonly wake: () => void;
  /** Charges a client for snapshots and missed messages (protocol/costs.ts). */
  readonly charge?: (session: Session, units: number) => void;
  /** Reserves units for a client that may be charged for them; a negative number returns them. */
  readonly reserve?: (session: Session, units: number) => void;
  /** Number of symbols with known trades: a request for `trades:*` is answered once for each. */
  readonly tradesSymbols?: () => number;
  /** Maximum bytes of snapshots and missed messages in one turn. */
  readonly deliveredBytesMax?: number;
  readonly resumedAtOnceMax?: number;
  /** How much a session may be sent; default: no limit. */
  readonly room?: Room;
  /** A monotonic clock, above 0. */
  readonly nowMs: () => number;
  readonly assemblyBytesMax?: number;
  /** How much a replay must contain for later clients to share it. */
  readonly replayKeptBytesMin?: number;
}
