/** What a publisher's message may hold. The table in ops/limits.md is made from this list (`npm run docs`). */
import { AMOUNT_DIGITS_MAX, AMOUNT_EXPONENT_MAX } from './amount.js';
import { MSGPACK_DEPTH_MAX } from './msgpack-reader.js';

/** Bytes of one message, unless `MESSAGE_BYTES_MAX` says otherwise: NATS's own default. */
export const MESSAGE_BYTES_DEFAULT = 1024 * 1024;
/** Levels of one side of a book. */
export const LEVELS_MAX = 20_000;
/** Levels of arrays and objects in a member's value. */
export const NESTING_MAX = 8;
/** Members of a quote. */
export const QUOTE_MEMBERS_MAX = 64;
/** UTF-16 units of a quote's member's name. */
export const MEMBER_NAME_LENGTH_MAX = 128;
/** UTF-16 units of a quote's own member's value, as JSON. */
export const MEMBER_VALUE_LENGTH_MAX = 4096;
/** Bytes of a symbol, as UTF-8. */
export const SYMBOL_BYTES_MAX = 128;

export interface ContentLimit {
  readonly what: string;
  readonly limit: string;
  /** Reason of the refusal beyond it. */
  readonly beyond: string;
}

const count = (value: number): string => value.toLocaleString('en-US');

export const CONTENT_LIMITS: readonly ContentLimit[] = [
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
  { what: 'Members of a quote', limit: count(QUOTE_MEMBERS_MAX), beyond: 'invalid_field' },
  { what: 'Name of a quote’s member', limit: `${MEMBER_NAME_LENGTH_MAX} characters`, beyond: 'invalid_field' },
  {
    what: 'Value of a quote’s own member, as JSON',
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

/** The list as a document: ops/limits.md. */
export function limitsDocument(): string {
  const rows = CONTENT_LIMITS.map(({ what, limit, beyond }) => `| ${what} | ${limit} | \`${beyond}\` |`);
  return `# What a message may hold
Beyond a limit, a message is refused: it is counted (\`millrace_feed_rejected_total\`, by reason), logged, and put on \`deadletter.<subject>\` with
its reason. A refused message is a lost message: clients of a quote or a book are told \`stale\` until a whole message comes, clients of
trades, orders, analytics and rooms are told \`gap\`. Numbers have no limit of their own: whole numbers of any size, and decimals with any
number of digits in a member that is no amount, reach clients as they were written.

| what | limit | reason beyond it |
|---|---|---|
${rows.join('\n')}

This file is written by \`npm run docs\`, from \`src/protocol/content-limits.ts\`.
`;
}
