/** How long a test waits for a condition before it fails. Generous: a condition that holds costs no wait, on a busy machine either. */
export const PATIENCE_MS = 20_000;
const POLL_INTERVAL_MS = 5;

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
  const deadlineMs = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      cause = undefined;
      const result = await condition();
      if (result) return result;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadlineMs) {
      throw new Error(`not within ${timeoutMs} ms: ${awaited}`, cause === undefined ? undefined : { cause });
    }
    await new Promise(resolve => setTimeout(resolve, POLL_INTERVAL_MS));
  }
}
