/**
 * A JSON Web Key Set at a URL. jose caches it, refetches it when it is old or lacks a key that a token names, and lets
 * tokens that wait for the same fetch share it. This adds limits on the size of the answer and on retries of a failing
 * URL.
 */
import {
  createRemoteJWKSet,
  customFetch,
  type ExportedJWKSCache,
  type FetchImplementation,
  type JWTVerifyGetKey,
  jwksCache,
} from 'jose';

/** A fetch fails after this time. Short, because connecting clients wait for it. */
export const KEY_SET_TIMEOUT_MS = 3_000;
/** A key missing from the set triggers a refetch, at most this often: tokens with invented key ids cost no more. */
export const KEY_SET_COOLDOWN_MS = 10_000;
/** The set is refetched after this time, so that withdrawn keys stop counting. */
export const KEY_SET_AGE_MAX_MS = 5 * 60_000;
/** Pause after a failed fetch: tokens are refused at once until it ends. */
export const KEY_SET_RETRY_MS = 1_000;
/** A longer answer is a failed fetch. */
export const KEY_SET_BYTES_MAX = 1024 ** 2;
/** A larger difference from the monotonic clock means that the system clock was set. */
const CLOCK_STEP_MIN_MS = 1_000;

/**
 * @param monotonicMs of a clock that is never set. jose measures ages with the system clock: when that is set, the
 *   cached keys are shifted to keep their age, so that neither a withdrawn key nor a cooldown lasts longer.
 */
export function remoteKeySet(url: URL, monotonicMs: () => number): JWTVerifyGetKey {
  const fetchKeys = restrainedFetch(monotonicMs);
  const difference = () => Date.now() - monotonicMs();
  let kept: ExportedJWKSCache | Record<string, never> = {};
  let differenceMs = difference();
  let find = keySet();
  function keySet() {
    return createRemoteJWKSet(url, {
      timeoutDuration: KEY_SET_TIMEOUT_MS,
      cooldownDuration: KEY_SET_COOLDOWN_MS,
      cacheMaxAge: KEY_SET_AGE_MAX_MS,
      [jwksCache]: kept,
      [customFetch]: fetchKeys,
    });
  }
  return (header, token) => {
    const setByMs = difference() - differenceMs;
    if (Math.abs(setByMs) > CLOCK_STEP_MIN_MS) {
      differenceMs += setByMs;
      kept = 'uat' in kept ? { jwks: kept.jwks, uat: kept.uat + setByMs } : {};
      find = keySet();
    }
    return find(header, token);
  };
}

function restrainedFetch(monotonicMs: () => number): FetchImplementation {
  let failedAtMs = Number.NEGATIVE_INFINITY;
  return async (url, options) => {
    if (monotonicMs() - failedAtMs < KEY_SET_RETRY_MS) throw new Error('the last fetch of the key set failed just now');
    try {
      const response = await fetch(url, options);
      if (response.status !== 200) throw new Error(`the key set URL answered HTTP ${response.status}`);
      const text = await boundedText(response);
      if (!hasKeys(JSON.parse(text))) throw new Error('the answer is not a key set: it has no "keys"');
      return new Response(text);
    } catch (error) {
      failedAtMs = monotonicMs();
      throw error;
    }
  };
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > KEY_SET_BYTES_MAX) throw new Error(`the key set has more than ${KEY_SET_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** An empty set is valid: it withdraws every key. */
function hasKeys(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false;
  return Array.isArray(value.keys) && value.keys.every(key => typeof key === 'object' && key !== null);
}
