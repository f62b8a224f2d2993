/** Codes of the protocol: what errors, refusals and closes say to a client. */

/** `code` of an error frame, a warning, or a refused upgrade. */
export type ErrorCode =
  | 'invalid_json'
  | 'invalid_message'
  | 'unknown_action'
  | 'unknown_stream'
  | 'invalid_symbol'
  | 'missing_symbol'
  | 'unknown_channel'
  | 'forbidden'
  | 'unauthorized'
  | 'not_subscribed'
  | 'too_many_subscriptions'
  | 'rate_limited'
  | 'payload_too_large'
  | 'internal';

/** WebSocket close codes. 4000–4499: the client may reconnect; 4500–4999: it must not. */
export const CloseCode = {
  goingAway: 1001,
  payloadTooLarge: 1009,
  tokenExpired: 4001,
  slowConsumer: 4008,
  idle: 4009,
  insufficientState: 4010,
  rateLimited: 4029,
  revoked: 4500,
  unauthorized: 4501,
  forbidden: 4503,
  protocolViolation: 4508,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/** True where the protocol lets a client come back after a close with this code: all but 4500 to 4999. */
export function mayReconnect(code: number): boolean {
  return code < 4500 || code > 4999;
}

/** Why a state topic is held back; as clients are told. */
export const HOLD_REASONS = ['publisher_gap', 'refused', 'too_large', 'no_snapshot'] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];
