/** Checks ADMIN_TOKEN and slows down addresses that guess it. */
import { randomInt } from 'node:crypto';
import { isSameText } from '../auth/same-text.js';
import { clientAddressOf } from '../gateway/edge/client-address.js';
import { createFailedCredentials, FailedCredentials, WAIT_MS_MAX } from '../gateway/limits/failed-credentials.js';

/** Wrong tokens from one address before it must wait: an operator's script may still use the previous token. */
export const FREE_FAILURES = 10;
/** Most addresses whose failures are remembered. */
const ADDRESS_SLOTS = 1024;
const SEED_MAX = 2 ** 32;
const ONLY_WORKER = 0;

/** `refused`: no token, or a wrong one. */
type TokenVerdict = 'accepted' | 'refused' | { readonly retryAfterSeconds: number };

interface AttemptLimiterOptions {
  readonly token: string;
  readonly nowMs: () => number;
  /** Called for each wrong token. @param address for IPv6, its /64 */
  readonly onWrong: (address: string) => void;
}

export class AttemptLimiter {
  readonly #options: AttemptLimiterOptions;
  readonly #expected: string;
  readonly #failures: FailedCredentials;

  constructor(options: AttemptLimiterOptions) {
    this.#options = options;
    this.#expected = `Bearer ${options.token}`;
    const seed = [randomInt(SEED_MAX) | 0, randomInt(SEED_MAX) | 0] as const;
    this.#failures = new FailedCredentials(createFailedCredentials(1, seed, ADDRESS_SLOTS), ONLY_WORKER, FREE_FAILURES);
  }

  /**
   * @param authorization the header; a missing one does not count as a failure.
   * @param remoteAddress as Node's sockets report it
   */
  check(authorization: string | undefined, remoteAddress: string): TokenVerdict {
    if (authorization === undefined) return 'refused';
    const address = clientAddressOf(remoteAddress);
    const nowMs = this.#options.nowMs();
    // Accept the right token even from a limited address, which may be a proxy: 32 bytes cannot be guessed at any rate.
    if (isSameText(authorization, this.#expected)) return 'accepted';
    const waitMs = this.#failures.waitMs(address, nowMs);
    if (waitMs > 0) return { retryAfterSeconds: Math.ceil(Math.min(waitMs, WAIT_MS_MAX) / 1000) };
    this.#failures.failed(address, nowMs);
    this.#options.onWrong(address);
    return 'refused';
  }
}
