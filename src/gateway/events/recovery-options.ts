/** What recovery depends on. */
import type { Session, Subscription } from '../model/session.js';
import type { Deliveries } from '../sending/deliveries.js';
import type { Outbox } from '../sending/outbox.js';
import type { Views } from '../views/views.js';

export interface RecoveryOptions {
  readonly views: Views;
  readonly outbox: Outbox;
  readonly deliveries: Deliveries;
  readonly replayKeptBytesMin?: number | undefined;
  /** Reserves what a replay may cost its client; a negative number returns it (limits/work-budgets.ts). */
  readonly reserve?: ((session: Session, units: number) => void) | undefined;
  /** While more than this is buffered for a socket, the rest of what it missed waits. */
  readonly bufferedBytesMax: number;
  /** True when another subscription of the session already delivers the topic's messages. */
  readonly isCovered: (subscription: Subscription) => boolean;
  /** Everything has been sent: the subscription continues natively. `sentSeqs` is set when something was lost. */
  readonly goLive: (subscription: Subscription) => void;
  /** The same for a subscription whose mark never came: it continues with its view, once that is live. */
  readonly continueWithView: (subscription: Subscription) => void;
}
