/** Close codes of a WebSocket connection. Their meanings are in codes.ts, which a browser need not load. */

/** WebSocket close codes. 4000–4499: the client may reconnect; 4500–4999: it must not. */
export const CloseCode = {
  goingAway: 1001,
  payloadTooLarge: 1009,
  tokenExpired: 4001,
  slowConsumer: 4008,
  idle: 4009,
  rateLimited: 4029,
  revoked: 4500,
  unauthorized: 4501,
  forbidden: 4503,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/** True if a client may reconnect after this close code: all but 4500 to 4999. */
export function mayReconnect(code: number): boolean {
  return code < 4500 || code > 4999;
}
