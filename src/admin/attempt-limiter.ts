/** Slows down addresses that guess credentials of the admin port. */
import { randomInt } from 'node:crypto';
import { clientAddressOf } from '../gateway/edge/client-address.js';
import { createFailedCredentials, FailedCredentials, WAIT_MS_MAX } from '../gateway/limits/failed-credentials.js';

/** Wrong tokens from one address before it must wait: an operator's script may still use the previous token. */
export const FREE_FAILURES = 10;
/** Most addresses whose failures are remembered. */
const ADDRESS_SLOTS = 1024;
const SEED_MAX = 2 ** 32;
const ONLY_WORKER = 0;

interface AttemptLimiterOptions {
  readonly nowMs: () => number;
  /** Called for each wrong token. @param address for IPv6, its /64 */
  readonly onWrong: (address: string) => void;
}

export class AttemptLimiter {
  readonly #options: AttemptLimiterOptions;
  readonly #failures: FailedCredentials;

  constructor(options: AttemptLimiterOptions) {
    this.#options = options;
    const seed = [randomInt(SEED_MAX) | 0, randomInt(SEED_MAX) | 0] as const;
    this.#failures = new FailedCredentials(createFailedCredentials(1, seed, ADDRESS_SLOTS), ONLY_WORKER, FREE_FAILURES);
  }

  /**
   * A wrong token came.
   * @param remoteAddress as Node's sockets report it
   * @returns how long the address must wait, ms; undefined: it need not, and this failure counts
   */
  failed(remoteAddress: string): number | undefined {
    const address = clientAddressOf(remoteAddress);
    const nowMs = this.#options.nowMs();
    const waitMs = this.#failures.waitMs(address, nowMs);
    if (waitMs > 0) return Math.min(waitMs, WAIT_MS_MAX);
    this.#failures.failed(address, nowMs);
    this.#options.onWrong(address);
    return undefined;
  }
}
