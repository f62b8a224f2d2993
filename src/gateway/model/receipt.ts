/** What a client is known to have received: the state that sending/receipts.ts maintains. */

/** A WebSocket ping of the gateway's own, which asks how far the client has received. */
export interface Probe {
  /** When it was sent, and what its payload says. */
  readonly sentMs: number;
  /** `sentBytes` at that time, and how many of them were on their way. */
  readonly sentBytes: number;
  readonly flightBytes: number;
}

/** What a client is known to have received. Times are monotonic. */
export interface ReceiptState {
  /** Probes without a pong, oldest first. */
  readonly probes: Probe[];
  /** When the last probe was sent; 0: never. */
  lastProbeMs: number;
  /** Shortest time to a pong; Infinity: no pong came yet. */
  roundTripMs: number;
  /** Bytes of snapshots sent, and how many of them have certainly been received. */
  sentBytes: number;
  receivedBytes: number;
  /** How many may be on their way. */
  windowBytes: number;
  /** Snapshots wait until the probe sent at this time is answered; 0: they do not. */
  barrierMs: number;
  /** When the client last received anything, as far as is known; 0: never. */
  progressMs: number;
  /** It was sent state topics. */
  hasState: boolean;
  /** When it was last told that what it holds is too old; 0: what it holds is fresh. */
  toldLaggingMs: number;
}

/** Enough for a first screen at once, and little enough for a slow link: half a second of 1 Mbit/s. */
const FIRST_WINDOW_BYTES = 64 * 1024;

export const newReceiptState = (): ReceiptState => ({
  probes: [],
  lastProbeMs: 0,
  roundTripMs: Number.POSITIVE_INFINITY,
  sentBytes: 0,
  receivedBytes: 0,
  windowBytes: FIRST_WINDOW_BYTES,
  barrierMs: 0,
  progressMs: 0,
  hasState: false,
  toldLaggingMs: 0,
});
