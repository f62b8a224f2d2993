/** What recovery is made of. */
import type { Session, Subscription } from '../model/session.js';
import type { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import type { Views } from '../views/views.js';

export interface RecoveryOptions {
  readonly table: Views;
  readonly outbox: Outbox;
  readonly deliveries: Deliveries;
  readonly replayKeptBytesMin?: number | undefined;
  /** Sets aside what a replay may cost its client; negative: gives it back (limits/work-budgets.ts). */
  readonly reserve?: ((session: Session, units: number) => void) | undefined;
  /** More than this waiting for a socket, and the rest of what it missed waits too. */
  readonly bufferedBytesMax: number;
  /** Another subscription of the session delivers the topic's messages already. */
  readonly isCovered: (subscription: Subscription) => boolean;
  /** All is sent: the subscription goes on natively. `sentSeqs` is set where something was lost. */
  readonly goLive: (subscription: Subscription) => void;
  /** The same for one whose mark never came: it continues with its view, once that is live. */
  readonly goOn: (subscription: Subscription) => void;
}
