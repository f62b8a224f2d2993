/** When a client whose connection or command is refused for want of room tries again. */
export const RETRY_AFTER_SECONDS = 5;
export const RETRY_AFTER_MS = RETRY_AFTER_SECONDS * 1_000;
