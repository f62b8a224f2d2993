/**
 * Sockets accepted but without a complete request. uWS ends each after about ten seconds, but until then they hold
 * descriptors, and no other limit counts them. Only new connections can be refused: uWS does not say which socket a
 * request came on.
 */
import type { Config } from '../../config/environment.js';
import type { GatewayThreadData } from '../../threads/thread-messages.js';
import { SharedCounts } from './shared-counts.js';

/**
 * When there are too many in total, an address may still have this many: its clients get in, but a flood from one
 * address does not.
 */
export const PRESSED_PER_ADDRESS = 8;

interface PendingSocketsOptions {
  /** Over all threads, by address. */
  readonly counts: SharedCounts;
  readonly perAddressMax: number;
  /** The same for a proxy, whose sockets belong to many clients. */
  readonly perProxyMax: number;
  /** Maximum for this thread before addresses are held to `PRESSED_PER_ADDRESS`. */
  readonly max: number;
}

/** The limit for one thread. */
export function pendingSocketsOf(data: GatewayThreadData, { limits, workers }: Config): PendingSockets {
  return new PendingSockets({
    counts: new SharedCounts(data.pending, data.worker),
    perAddressMax: limits.pendingPerAddressMax,
    perProxyMax: Math.max(limits.pendingMax, limits.pendingPerAddressMax),
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

  /**
   * Counts a socket, until `leave`.
   * @param isProxy the address is a trusted proxy's. Which client a socket belongs to is known only with its request.
   * @returns false when there are too many: it is not counted; close it
   */
  enter(address: string, isProxy = false): boolean {
    const { counts } = this.#options;
    const ofAddress = counts.add(address);
    const allowed = isProxy ? this.#options.perProxyMax : this.#addressMax;
    if (ofAddress <= allowed) {
      this.size++;
      return true;
    }
    // A full table has counted nothing.
    if (Number.isFinite(ofAddress)) counts.remove(address);
    this.refused++;
    return false;
  }

  get #addressMax(): number {
    const { perAddressMax, max } = this.#options;
    return this.size < max ? perAddressMax : Math.min(perAddressMax, PRESSED_PER_ADDRESS);
  }

  /** Its request is complete, or it has closed. */
  leave(address: string): void {
    if (this.#options.counts.remove(address)) this.size--;
  }
}
