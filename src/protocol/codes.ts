/**
 * The protocol's codes with their meanings, as Markdown: what errors, refusals, gaps and closes tell a client. The
 * tables of README.md, the AsyncAPI document and the types of the SDK are made from these.
 */

import { CloseCode } from './close-code.js';

/** `code` of an error frame. */
export const ERROR_CODES = {
  invalid_json: 'not JSON, or not one MessagePack map of plain types',
  invalid_message: 'a member is missing or invalid; or the `id` of a `publish` was used for other `data`',
  unknown_action: 'no such action',
  unknown_stream: 'no such stream, or one that clients cannot publish to',
  unknown_channel: 'no such analytics channel, or none named',
  missing_symbol: 'no symbol named where one is needed',
  invalid_symbol: 'an unknown symbol',
  unauthorized: 'a credential is needed, or the one given is refused',
  forbidden: 'the credential does not allow it; `product` is the code of the product that it lacks, if it lacks one',
  not_subscribed: '`resync` of a topic that is not subscribed',
  too_many_subscriptions:
    'more than `WS_MAX_SUBSCRIPTIONS` topics, or as many names in one command: nothing of the command was done; ' +
    'or the gateway follows too many topics, or too many that this user created (with `topics`)',
  unavailable:
    'NATS does not let this gateway follow the topics in `topics`, or publish into the room: what its user may do there has to change',
  rate_limited:
    'more messages than `WS_MESSAGE_RATE`, more work than `WS_COST_RATE`, too many commands waiting for a reply, ' +
    'more bytes published by this user than `ROOM_BYTES_RATE`, market data on more connections of this user than `USE_MAX`, `auth` after too many refused credentials, or an overloaded gateway. ' +
    'Nothing was done; `retry_after_ms`, where present, says when to try again',
  payload_too_large:
    'the `data` of a `publish` is too long; or a message over 64 KiB that is not a `publish` by a client with a credential, ' +
    'with `action` in its first 256 bytes',
  internal:
    'a defect, or a failed `publish`: `message` begins with `not published`, or says that it may have been published; repeat it with the same `id`',
} as const satisfies Codes;

/** `code` of an error frame, a warning, or a refused upgrade. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Codes that occur only in the HTTP answer to an upgrade. */
export type HttpCode = 'not_found' | 'upgrade_required' | 'journal_unavailable';

/** The HTTP answers to a refused upgrade. */
export interface RefusalMeaning {
  readonly when: string;
  readonly codes: readonly (ErrorCode | HttpCode)[];
  /** Whether the header `Retry-After` says when to try again. */
  readonly retryAfter: boolean;
}

/** By status. */
export const REFUSALS = {
  400: {
    when: 'nothing valid to subscribe to, an invalid query member, no symbol where one is needed',
    codes: ['invalid_message', 'missing_symbol', 'invalid_symbol', 'unknown_channel', 'too_many_subscriptions'],
    retryAfter: false,
  },
  401: {
    when: 'no credential where one is required (everywhere, unless the gateway allows anonymous clients), or one that is malformed, expired, revoked or not signed by a known key',
    codes: ['unauthorized'],
    retryAfter: false,
  },
  403: {
    when: 'not entitled, a role is missing, a class faster than the tier allows, an origin or a host that is not allowed',
    codes: ['forbidden'],
    retryAfter: false,
  },
  404: { when: 'no such path', codes: ['not_found'], retryAfter: false },
  426: {
    when: 'plain HTTP on a WebSocket endpoint, or another WebSocket version',
    codes: ['upgrade_required'],
    retryAfter: false,
  },
  429: {
    when: 'too many connections of this address or user, or too many with market data (`USE_MAX`), too many attempts a second, too much work, a used-up share of topics, or too many refused credentials; `Retry-After` grows with every further refused credential',
    codes: ['rate_limited', 'too_many_subscriptions'],
    retryAfter: true,
  },
  503: {
    when: 'too many connections in all, or no place left for clients without a credential or for retail clients; draining, overloaded (retail clients only), the keys are out of reach, or NATS does not let this gateway follow the topics; `journal_unavailable`: what clients do cannot be recorded, which the operator requires',
    codes: ['unavailable', 'journal_unavailable'],
    retryAfter: true,
  },
} as const satisfies Readonly<Record<number, RefusalMeaning>>;
export type RefusalStatus = keyof typeof REFUSALS;

/** When the gateway closes with each of them, and what the client should do then. */
export const CLOSE_CODES: Readonly<Record<CloseCode, { readonly when: string; readonly client: string }>> = {
  [CloseCode.goingAway]: { when: 'the gateway is closing', client: 'reconnect after the time that `going_away` gave' },
  [CloseCode.payloadTooLarge]: {
    when: 'a message was longer than `WS_MAX_MESSAGE_SIZE`',
    client: 'send shorter ones',
  },
  [CloseCode.tokenExpired]: { when: 'the credential expired', client: 'reconnect with another one' },
  [CloseCode.slowConsumer]: { when: 'the client did not keep up', client: 'reconnect' },
  [CloseCode.idle]: {
    when: 'no pong within `WS_PONG_TIMEOUT`, or nothing at all for `WS_IDLE_TIMEOUT`',
    client: 'reconnect',
  },
  [CloseCode.rateLimited]: {
    when:
      'far too many messages (ten seconds’ worth were refused, for their number or their cost), or one that took the gateway longer than `THREAD_BUSY_AFTER`; ' +
      'with `explain=1`, in place of 429 or of 503 `journal_unavailable`, after a `going_away`',
    client: 'reconnect, and send fewer; after a `going_away`, when its time is over',
  },
  [CloseCode.revoked]: { when: 'the credential was revoked', client: 'do not reconnect with it' },
  [CloseCode.unauthorized]: {
    when: 'with `explain=1`, in place of 401: no credential where one is required, or one that was refused',
    client: 'do not reconnect, except with another credential',
  },
  [CloseCode.forbidden]: {
    when:
      'an operator ended the connection; or a newer connection of the same user took the slot of this one (`WS_USER_LIMIT_POLICY=replace-oldest`) or its use of market data (`USE_MAX`); ' +
      'with `explain=1`, in place of 403: the credential or the origin does not allow it',
    client: 'do not reconnect',
  },
};

/** `reason` of a gap: why events are missing. */
export const GAP_REASONS = {
  slow_consumer: 'this connection did not keep up',
  overload: 'the queue of an encoder was full',
  overrun: 'a gateway thread fell behind the encoders',
  encoder_restart: 'an encoder thread died and was replaced',
  publisher: 'there is a hole in the numbering of the publisher',
  refused:
    'messages of the publisher were invalid (`millrace_feed_rejected_total` says why, `deadletter.<subject>` has them)',
  stream_limits:
    'messages left the JetStream stream before the gateway could read them; some may have been of this topic',
  new_epoch: 'sequences restart in `epoch`, at `to` (`from` is 0): whether anything was lost before is unknown',
} as const satisfies Codes;
export type GapReason = keyof typeof GAP_REASONS;
/** In the order that frames number them in. */
export const GAP_REASON_NAMES = Object.keys(GAP_REASONS) as readonly GapReason[];
/** How frames number it, from 1; 0: no such reason. */
export const gapNumber = (reason: string): number => GAP_REASON_NAMES.indexOf(reason as GapReason) + 1;

/** `reason` of `stale`: why a state topic is held back. */
export const STALE_REASONS = {
  publisher_gap: 'there is a hole in the numbering of the publisher',
  refused: 'a message of the publisher was invalid',
  too_large: 'a message, or the book it leads to, is beyond a limit',
  no_snapshot: 'changes came without a whole message before them',
} as const satisfies Codes;
export type StaleReason = keyof typeof STALE_REASONS;
/** In the order that records and frames number them in. */
export const STALE_REASON_NAMES = Object.keys(STALE_REASONS) as readonly StaleReason[];
/** How frames number it, from 1. */
export const staleNumber = (reason: StaleReason): number => STALE_REASON_NAMES.indexOf(reason) + 1;

/** Why a publisher's message is refused: `Reason` of its dead letter, and a label of `millrace_feed_rejected_total`. */
export const REJECT_REASONS = {
  invalid_encoding: 'neither JSON nor a MessagePack map, or a text in it is not valid UTF-8',
  invalid_json: 'not JSON',
  invalid_msgpack: 'not MessagePack, or nested too deeply',
  not_an_object: 'not one JSON object or MessagePack map',
  invalid_symbol: 'the name in the subject cannot be a symbol, user, channel or room',
  wrong_symbol: '`symbol`, or `user_id` of an order, is not the name in the subject',
  missing_field: 'a member is missing',
  invalid_field: 'a member is invalid, or beyond a limit',
  too_large: 'the message, or the book it leads to, is beyond a limit',
  too_many_symbols: 'more symbols than `SYMBOLS_MAX`, all of them followed by clients',
  internal: 'an encoder failed on it: a defect of Millrace, which the log names',
} as const satisfies Codes;
export type RejectReason = keyof typeof REJECT_REASONS;

type Codes = Readonly<Record<string, string>>;
