/** Every code that a client can meet, and what it means. */
import { z } from 'zod';
import { CloseCode, type ErrorCode, type HoldReason } from '../codes.js';
import { describedCodes } from './members.js';

export const ERROR_CODES: Readonly<Record<ErrorCode, string>> = {
  invalid_json: 'not JSON, or not one MessagePack map of plain types',
  invalid_message: 'a member is missing or not what it must be',
  unknown_action: 'no such action',
  unknown_stream: 'no such stream',
  unknown_channel: 'no such channel of analytics, or none named',
  missing_symbol: 'no symbol is named where one is needed',
  invalid_symbol: 'a symbol that is not known',
  unauthorized: 'needs a credential, or the one given was refused',
  forbidden: 'the credential does not allow it',
  not_subscribed: 'the topic is not subscribed',
  too_many_subscriptions: 'beyond WS_MAX_SUBSCRIPTIONS; nothing of the command was subscribed',
  rate_limited: 'too many messages or connections, or the gateway is overloaded',
  payload_too_large: 'longer than a message may be',
  internal: 'a defect; try again',
};

export const GAP_REASONS = {
  slow_consumer: 'this connection did not keep up',
  overload: 'a queue of the gateway was full',
  overrun: 'a gateway thread fell behind the encoders',
  encoder_restart: 'an encoder thread died and was replaced',
  publisher: 'there is a hole in the publisher’s own numbering',
  refused: 'the publisher’s messages were refused: they are invalid',
  stream_limits: 'messages left the JetStream stream before the gateway could read them, perhaps of this topic',
  new_epoch: 'the sequences begin anew: whether something was lost is not known',
} as const;

export const STALE_REASONS: Readonly<Record<HoldReason, string>> = {
  publisher_gap: 'messages of the publisher are missing',
  refused: 'a message of the publisher was refused: it is invalid',
  too_large: 'a message, or the book that it leads to, is beyond a limit',
  no_snapshot: 'changes came without a whole message before them',
};

export const CLOSE_CODES: Readonly<Record<CloseCode, string>> = {
  [CloseCode.goingAway]: 'the gateway is closing: reconnect after the time that going_away gave',
  [CloseCode.payloadTooLarge]: 'a message was longer than WS_MAX_MESSAGE_SIZE: send shorter ones',
  [CloseCode.tokenExpired]: 'the token expired: reconnect with a new one',
  [CloseCode.slowConsumer]: 'the client did not keep up: reconnect',
  [CloseCode.idle]: 'nothing came from the client for WS_IDLE_TIMEOUT: reconnect',
  [CloseCode.insufficientState]: 'the gateway cannot go on with what it holds of the connection: reconnect',
  [CloseCode.rateLimited]:
    'too many messages, or one that took too long; or, to a connection with explain=1, too many connections or attempts: reconnect later',
  [CloseCode.revoked]: 'the credential was revoked: do not reconnect with it',
  [CloseCode.unauthorized]:
    'to a connection with explain=1: no credential where one is required, or one that was refused: do not reconnect with it',
  [CloseCode.forbidden]:
    'the credential allows nothing of this (any more), or, to a connection with explain=1, the origin is not allowed: do not reconnect',
  [CloseCode.protocolViolation]: 'what the client sends is no Millrace protocol: do not reconnect',
};

export const errorCode = describedCodes(ERROR_CODES, Object.keys(ERROR_CODES) as ErrorCode[]).describe(
  'Why a command was refused',
);
export const gapReason = describedCodes(GAP_REASONS, Object.keys(GAP_REASONS) as (keyof typeof GAP_REASONS)[]).describe(
  'Why events are missing',
);
export const staleReason = describedCodes(STALE_REASONS, Object.keys(STALE_REASONS) as HoldReason[]).describe(
  'Why a topic is held back',
);
export const closeCode = describedCodes(CLOSE_CODES, Object.values(CloseCode)).describe(
  'Close codes of the gateway’s own. 4000 to 4499: the client may reconnect; 4500 to 4999: it must not.',
);

/** HTTP answers to an upgrade that is refused, by status. */
export interface RefusalMeaning {
  readonly summary: string;
  readonly codes: readonly string[];
  /** Whether it says when to try again, in the header `Retry-After`. */
  readonly retryAfter: boolean;
}

export const REFUSALS: Readonly<Record<number, RefusalMeaning>> = {
  400: {
    summary: 'Nothing valid to subscribe to, a member of the query that cannot be, no symbol where one is needed',
    codes: ['invalid_message', 'missing_symbol', 'invalid_symbol', 'unknown_channel', 'too_many_subscriptions'],
    retryAfter: false,
  },
  401: {
    summary: 'No credential where one is required, or one that is malformed, expired, unknown or wrongly signed',
    codes: ['unauthorized'],
    retryAfter: false,
  },
  403: {
    summary: 'Not entitled, a class faster than the tier allows, an origin that is not allowed',
    codes: ['forbidden'],
    retryAfter: false,
  },
  404: { summary: 'No such path', codes: ['not_found'], retryAfter: false },
  426: { summary: 'Plain HTTP on a WebSocket endpoint', codes: ['upgrade_required'], retryAfter: false },
  429: {
    summary: 'Too many connections or attempts from that address, user or key',
    codes: ['rate_limited'],
    retryAfter: true,
  },
  503: {
    summary: 'At WS_MAX_CONNECTIONS, draining, not ready, or overloaded (retail clients)',
    codes: ['unavailable'],
    retryAfter: true,
  },
};

/** The body of the answer with that status. */
export function refusalBody({ codes }: RefusalMeaning) {
  return z.strictObject({ error: z.strictObject({ code: z.enum([...codes]), message: z.string() }) });
}
