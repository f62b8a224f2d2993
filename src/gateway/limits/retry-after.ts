/** When a client may retry after a connection or command is refused for lack of capacity. */
export const RETRY_AFTER_SECONDS = 5;
export const RETRY_AFTER_MS = RETRY_AFTER_SECONDS * 1_000;

/** The same for one of many clients that may be refused at the same time: they must not all come back at once. */
export function spreadRetrySeconds(): number {
  return RETRY_AFTER_SECONDS * (1 + Math.random());
}
