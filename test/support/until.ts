/** How long a test waits for a condition before it fails. Generous: a condition that holds costs no wait, on a busy machine either. */
export const PATIENCE_MS = 30_000;
/** At first, and after a long wait: asking may cost the gateway a page of metrics. */
const POLL_INTERVAL_MS = 5;
const POLL_INTERVAL_MS_MAX = 50;
/** Of the time waited so far. */
const POLL_INTERVAL_SHARE = 0.05;

/**
 * Resolves with the first truthy result of `condition`, asked at once and then every few milliseconds of real time.
 * @param awaited what is waited for, named in the error; the condition's source text when left out.
 * @throws {Error} after `timeoutMs`, saying what was awaited, with the last exception of `condition` as its cause.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  timeoutMs: number = PATIENCE_MS,
  awaited: string = condition.toString(),
): Promise<T> {
  const startedMs = performance.now();
  let cause: unknown;
  for (;;) {
    try {
      cause = undefined;
      const result = await condition();
      if (result) return result;
    } catch (error) {
      cause = error;
    }
    const waitedMs = performance.now() - startedMs;
    if (waitedMs >= timeoutMs) {
      throw new Error(`not within ${timeoutMs} ms: ${awaited}`, cause === undefined ? undefined : { cause });
    }
    const intervalMs = Math.min(POLL_INTERVAL_MS_MAX, Math.max(POLL_INTERVAL_MS, waitedMs * POLL_INTERVAL_SHARE));
    await new Promise(resolve => setTimeout(resolve, intervalMs));
  }
}
