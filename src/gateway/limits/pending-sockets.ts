/**
 * Sockets that are accepted and have not sent a whole request. uWS ends each after some ten seconds, but they hold descriptors
 * until then, and no other limit counts them. Only a newcomer can be refused: uWS does not say which socket a request came on.
 */
import type { Config } from '../../config/environment.js';
import type { GatewayThreadData } from '../../threads/thread-messages.js';
import { SharedCounts } from './shared-counts.js';

/** While there are too many in all, an address may still have so many: its clients get in, a flood of one address does not. */
export const PRESSED_PER_ADDRESS = 8;

export interface PendingSocketsOptions {
  /** Of all threads, by address. */
  readonly counts: SharedCounts;
  readonly perAddressMax: number;
  /** Of this thread, before an address may have `PRESSED_PER_ADDRESS` only. */
  readonly max: number;
}

/** Those of one thread. */
export function pendingSocketsOf(data: GatewayThreadData, { limits, workers }: Config): PendingSockets {
  return new PendingSockets({
    counts: new SharedCounts(data.pending, data.worker),
    perAddressMax: limits.pendingPerAddressMax,
    max: Math.ceil(limits.pendingMax / workers),
  });
}

export class PendingSockets {
  /** Sockets of this thread. */
  size = 0;
  /** Sockets that were closed unread. */
  refused = 0;
  readonly #options: PendingSocketsOptions;

  constructor(options: PendingSocketsOptions) {
    this.#options = options;
  }

  /** Counts a socket, to be given back by `leave`. @returns false where there are too many: it is not counted, close it */
  enter(address: string): boolean {
    const { counts, perAddressMax, max } = this.#options;
    const ofAddress = counts.add(address);
    const allowed = this.size < max ? perAddressMax : Math.min(perAddressMax, PRESSED_PER_ADDRESS);
    if (ofAddress <= allowed) {
      this.size++;
      return true;
    }
    // A full table has counted nothing.
    if (Number.isFinite(ofAddress)) counts.remove(address);
    this.refused++;
    return false;
  }

  /** Its request is there, or it has gone. */
  leave(address: string): void {
    if (this.#options.counts.remove(address)) this.size--;
  }
}
