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
} as const;
