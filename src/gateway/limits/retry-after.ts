/** When a client may retry after a connection or command is refused for lack of capacity. */
export const RETRY_AFTER_SECONDS = 5;
export const RETRY_AFTER_MS = RETRY_AFTER_SECONDS * 1_000;
