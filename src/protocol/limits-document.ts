/** The content limits as a document: ops/limits.md (`npm run docs` writes it). */
import { AMOUNT_DIGITS_MAX, AMOUNT_EXPONENT_MAX } from './amount.js';
import { REJECT_REASONS, type RejectReason } from './codes.js';
import {
  BOOK_LEVELS_DEFAULT,
  LEVELS_MAX,
  MEMBER_NAME_LENGTH_MAX,
  MEMBER_VALUE_LENGTH_MAX,
  MESSAGE_BYTES_DEFAULT,
  NESTING_MAX,
  QUOTE_MEMBERS_MAX,
  SYMBOL_BYTES_MAX,
} from './content-limits.js';
import {
  ADDRESS_FACTOR,
  ALL_TRADES_SYMBOL_UNITS,
  AUTH_UNITS,
  BURST_SECONDS,
  CONNECT_UNITS,
  EXACT_BYTES_PER_UNIT,
  HAND_OVER_UNITS,
  INDEBTED_SECONDS,
  INSTITUTIONAL_FACTOR,
  MESSAGE_UNITS,
  NAME_UNITS,
  PUBLISH_BYTES_PER_UNIT,
  PUBLISH_UNITS,
  READ_BYTES_PER_UNIT,
  REPLAY_BYTES_PER_UNIT,
  REPLAY_MESSAGE_UNITS,
  REPLAY_UNITS,
  RESENT_MESSAGE_UNITS,
  ROOM_OPENED_UNITS,
  SNAPSHOT_BYTES_PER_UNIT,
  TOPIC_UNITS,
  UNSUBSCRIBE_UNITS,
  USER_FACTOR,
} from './costs.js';
import { MSGPACK_DEPTH_MAX } from './msgpack-reader.js';

interface ContentLimit {
  readonly what: string;
  readonly limit: string;
  /** Reason for refusing what exceeds it. */
  readonly beyond: RejectReason;
}

const count = (value: number): string => value.toLocaleString('en-US');

const CONTENT_LIMITS: readonly ContentLimit[] = [
  {
    what: 'Payload of one message',
    limit: `${count(MESSAGE_BYTES_DEFAULT)} bytes (setting \`MESSAGE_BYTES_MAX\`)`,
    beyond: 'too_large',
  },
  { what: 'Symbol', limit: `1 to ${SYMBOL_BYTES_MAX} bytes of UTF-8`, beyond: 'invalid_symbol' },
  { what: 'Digits of an amount, leading zeros included', limit: count(AMOUNT_DIGITS_MAX), beyond: 'invalid_field' },
  {
    what: 'Exponent of an amount',
    limit: `−${AMOUNT_EXPONENT_MAX} to ${AMOUNT_EXPONENT_MAX}`,
    beyond: 'invalid_field',
  },
  { what: 'Levels on one side of a book, in a message or in all', limit: count(LEVELS_MAX), beyond: 'too_large' },
  {
    what: 'Levels of all books in one encoder thread',
    limit: `${count(BOOK_LEVELS_DEFAULT)} (setting \`BOOK_LEVELS_MAX\`)`,
    beyond: 'too_large',
  },
  { what: 'Members of a quote', limit: count(QUOTE_MEMBERS_MAX), beyond: 'invalid_field' },
  { what: 'Name of a quote’s member', limit: `${MEMBER_NAME_LENGTH_MAX} characters`, beyond: 'invalid_field' },
  {
    what: 'Value of a quote’s own member: a text, or anything else as JSON',
    limit: `${count(MEMBER_VALUE_LENGTH_MAX)} characters`,
    beyond: 'invalid_field',
  },
  {
    what: 'Nesting of arrays and objects in a member’s value',
    limit: `${NESTING_MAX} levels`,
    beyond: 'invalid_field',
  },
  { what: 'Nesting of a MessagePack message', limit: `${MSGPACK_DEPTH_MAX} levels`, beyond: 'invalid_msgpack' },
];

/** What a client does, and its cost in units. */
const COSTS: readonly (readonly [what: string, units: string])[] = [
  ['Connecting, accepted or refused', String(CONNECT_UNITS)],
  ['Any message', `${MESSAGE_UNITS}, and 1 for every ${READ_BYTES_PER_UNIT} bytes`],
  ['… of JSON with a number of more digits than a double holds', `1 more for every ${EXACT_BYTES_PER_UNIT} bytes`],
  ['Each name in a command', String(NAME_UNITS)],
  ...Object.entries(TOPIC_UNITS).map(
    ([stream, units]) => [`A topic of \`${stream}\`: subscribe, another class, \`resync\``, String(units)] as const,
  ),
  [
    '… the trades of all symbols',
    `${ALL_TRADES_SYMBOL_UNITS} more for each symbol with trades, unless another client of the thread has them, and ${HAND_OVER_UNITS} for each of the connection’s topics when they begin and when they end`,
  ],
  [
    '… with `since`',
    `${REPLAY_UNITS} more, and 1 for every ${REPLAY_BYTES_PER_UNIT} bytes encoded or sent again, even if you leave before they arrive; ${REPLAY_MESSAGE_UNITS} per message until the bytes are known`,
  ],
  ['… its snapshots', `1 for every ${SNAPSHOT_BYTES_PER_UNIT} bytes`],
  ['Leaving a topic', String(UNSUBSCRIBE_UNITS)],
  [
    '`publish`',
    `${PUBLISH_UNITS}, and 1 for every ${PUBLISH_BYTES_PER_UNIT} bytes; ${ROOM_OPENED_UNITS} more if the room has no followers`,
  ],
  ['`auth`', String(AUTH_UNITS)],
  ['FIX: a MarketDataRequest', 'like `subscribe`; one that ends a subscription like leaving its topics'],
  [
    'FIX: a ResendRequest',
    `${RESENT_MESSAGE_UNITS} for each message sent again, and the new W of each topic like \`resync\``,
  ],
];

/** The list as a document: ops/limits.md. */
export function limitsDocument(): string {
  const rows = CONTENT_LIMITS.map(({ what, limit, beyond }) => `| ${what} | ${limit} | \`${beyond}\` |`);
  return `# What a message may contain
The gateway refuses a message beyond a limit: it counts it (\`millrace_feed_rejected_total\`, by reason), logs it, and puts it on
\`deadletter.<subject>\` with its reason. A refused message is a lost message: clients of a quote or a book get \`stale\` until a whole message
arrives, clients of trades, orders, analytics and rooms get a \`gap\`. Numbers of up to 300 digits reach clients as they were written: whole
numbers, and decimals in a member that is not an amount.

| what | limit | reason beyond it |
|---|---|---|
${rows.join('\n')}

| reason | why a message is refused |
|---|---|
${Object.entries(REJECT_REASONS)
  .map(([reason, why]) => `| \`${reason}\` | ${why} |`)
  .join('\n')}

# How much work a client may cause
The gateway charges every command by its cost, in units of about 1 µs of CPU. A connection may use \`WS_COST_RATE\` units per
second, a user ${USER_FACTOR} times as much over all connections, an address ${ADDRESS_FACTOR} times as much. Institutional clients have
${INSTITUTIONAL_FACTOR} times as much of each, and their addresses are not charged.

While a connection or its user owes more than ${INDEBTED_SECONDS} second of its budget, other clients come first: each of its commands, and every
few topics of a long one, wait some milliseconds. A client that has used up ${BURST_SECONDS} seconds of its budget gets \`rate_limited\` with
\`retry_after_ms\`, and nothing is done; a client that keeps sending is closed with 4029. A FIX client gets a Y with 281=2 instead; what
it asks for again is filled, and the new W wait; one that keeps sending is logged out.

| what | units |
|---|---|
${COSTS.map(([what, units]) => `| ${what} | ${units} |`).join('\n')}

\`npm run docs\` writes this file from the constants in \`src/protocol\`.
`;
}
