/** What publishers and operators send over NATS, and what they receive there. */
import { z } from 'zod';
import { LEVELS_MAX, REVOCATION_NOTE_LENGTH_MAX } from '../content-limits.js';
import { analyticsMembers, orderMembers, roomMembers, tradeMembers } from './events.js';
import { define, name, user } from './members.js';

/** Headers of a publisher's message; NATS headers are texts. */
export const publisherHeaders = z
  .looseObject({
    'Ts-Event': z
      .string()
      .regex(/^\d{1,16}$/)
      .optional()
      .describe('When it happened, µs since the Unix epoch'),
    Seq: z
      .string()
      .regex(/^[1-9]\d{0,15}$/)
      .optional()
      .describe('The publisher’s own number, from 1, without holes within the subject; counts only with Epoch'),
    Epoch: z
      .string()
      .regex(/^[!-~]{1,64}$/)
      .optional()
      .describe('What Seq counts in'),
    'Nats-Msg-Id': z.string().optional().describe('A JetStream stream stores messages with the same id once'),
    traceparent: z.string().optional().describe('W3C Trace Context'),
  })
  .describe('All optional');

/** As publishers may write them: see protocol/amount.ts and time-text.ts. */
const amount = z
  .union([z.number(), z.string().regex(/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/)])
  .describe('A number, or a text that contains one, with or without a sign, a fraction or an exponent');
const quantity = z
  .union([z.number().nonnegative(), z.string().regex(/^\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/)])
  .describe('An amount that is not negative');
const none = z.union([z.null(), z.literal('')]).describe('There is no value');
const amountOrNone = z.union([amount, none]).optional();
const quantityOrNone = z.union([quantity, none]).optional();
const time = z
  .union([z.string(), z.number(), none])
  .optional()
  .describe('RFC 3339, or a number since the Unix epoch in s, ms, µs or ns, told apart by its size');
const flag = z.union([z.literal(false), z.null()]).optional();

const level = z
  .tuple([amount, quantity])
  .rest(z.unknown())
  .describe('Price and quantity; a quantity of zero removes the level');
const levels = z.array(level).max(LEVELS_MAX);
const noLevels = z.union([levels, z.null()]).optional();
const book = { symbol: name, timestamp: time };
const quoteMembers = {
  symbol: name,
  current_price: amountOrNone,
  base_price: amountOrNone,
  change: amountOrNone,
  change_percent: amountOrNone,
  bid: amountOrNone,
  ask: amountOrNone,
  volume: quantityOrNone,
  last_updated: time,
};

export const publisherMessages = {
  quote: define(
    undefined,
    z.looseObject({ ...quoteMembers, partial: flag }),
    'A whole quote: at least one member besides its symbol',
    {
      symbol: 'AAPL',
      current_price: 229.73,
      bid: 229.71,
      ask: 229.75,
      last_updated: '2026-11-20T22:49:58.313Z',
    },
  ),
  quote_partial: define(
    undefined,
    z.looseObject({ ...quoteMembers, partial: z.literal(true) }),
    'Changed members of a quote; after a loss, it waits for a whole one',
    { symbol: 'AAPL', current_price: 229.51, partial: true },
  ),
  book: define(
    undefined,
    z.looseObject({ ...book, bids: noLevels, asks: noLevels, snapshot: z.literal(true) }),
    'A whole book',
    { symbol: 'BTC/USDT', bids: [['64993.00', '231.72']], asks: [['65007.00', '847.63']], snapshot: true },
  ),
  book_partial: define(
    undefined,
    z.union([
      z.looseObject({ ...book, bids: levels, asks: noLevels, snapshot: flag }),
      z.looseObject({ ...book, bids: noLevels, asks: levels, snapshot: flag }),
    ]),
    'Changed levels of a book, with their new quantities',
    { symbol: 'BTC/USDT', bids: [['64993.00', '0']] },
  ),
  trade: define(
    undefined,
    z.looseObject({
      trade_id: tradeMembers.trade_id,
      symbol: name,
      price: amount,
      quantity,
      executed_at: time,
      buyer_id: z.unknown().optional(),
      seller_id: z.unknown().optional(),
      buyer_fee: amountOrNone,
      seller_fee: amountOrNone,
      aggressor_side: z.unknown().optional().describe('Who took the liquidity: buy or sell'),
    }),
    'A trade',
    { trade_id: 'AAPL-2', symbol: 'AAPL', price: '229.60', quantity: '57.83', buyer_id: 'bob', seller_id: 'sue' },
  ),
  order: define(
    undefined,
    z.looseObject({
      user_id: user.optional(),
      action: orderMembers.action,
      order_id: orderMembers.order_id,
      symbol: z.unknown().optional(),
      side: z.unknown().optional(),
      status: z.unknown().optional(),
      order_type: z.unknown().optional().describe('Such as limit, market or immediate_or_cancel'),
      cancelled_by: z.unknown().optional().describe('Of a cancelled order: user, or exchange'),
      quantity: quantityOrNone,
      filled_quantity: quantityOrNone,
      price: amountOrNone,
      timestamp: time,
    }),
    'An update of an order of the user named in the subject',
    { action: 'created', order_id: 'o-17', symbol: 'AAPL', side: 'buy', quantity: '100', price: '229.60' },
  ),
  analytics_message: define(
    undefined,
    z.looseObject({ timestamp: time, data: analyticsMembers.data }),
    'A message of the channel named in the subject',
    { type: 'alert', timestamp: '2026-11-20T22:50:02.316Z', data: { severity: 'high' } },
  ),
  room_post: define(
    undefined,
    z.looseObject({ from: roomMembers.from, data: roomMembers.data, timestamp: time }),
    'A message in the room named in the subject',
    { from: 'alice', data: { text: 'good morning' }, timestamp: '2026-11-20T22:50:02.316Z' },
  ),
};

const cut = `truncated after ${REVOCATION_NOTE_LENGTH_MAX} characters`;
const revocationNotes = {
  author: z.string().optional().describe(`Who revokes; ${cut}`),
  reason: z.string().optional().describe(`Why; ${cut}`),
};
const gateway = z.string().describe('NODE_NAME of the gateway that answers');

export const controlMessages = {
  revoke: define(
    undefined,
    z.union([
      z.strictObject({ sub: z.string().min(1), ...revocationNotes }),
      z.strictObject({ jti: z.string().min(1), ...revocationNotes }),
      z.strictObject({ api_key: z.string().min(1).describe('Its id, or the whole key'), ...revocationNotes }),
    ]),
    'Revokes a user, a token or an API key: its connections are closed with 4500, and new ones refused',
    { sub: 'alice', author: 'bob', reason: 'left the firm' },
  ),
  revoke_answer: define(
    undefined,
    z.union([
      z.strictObject({
        ok: z.literal(true),
        by: z.enum(['sub', 'jti', 'api_key']),
        value: z.string().describe('The user, the token’s id, or the API key’s id'),
        at: z.iso.datetime(),
        expires: z.iso.datetime().optional().describe('Absent: the revocation never ends'),
        stored: z.enum(['kv', 'file', 'memory']).describe('Where it is kept; memory: until this gateway exits'),
        gateway,
      }),
      z.strictObject({ ok: z.literal(false), error: z.string(), gateway }),
    ]),
    'A gateway’s answer to a request on control.revoke',
    {
      ok: true,
      by: 'sub',
      value: 'alice',
      at: '2026-11-20T22:49:58.313Z',
      expires: '2026-11-21T22:50:58.313Z',
      stored: 'kv',
      gateway: 'millrace',
    },
  ),
  surveillance_alert: define(
    undefined,
    z.strictObject({
      id: z.string().describe('The same for the same pattern, whichever gateway reports it'),
      time: z.iso.datetime().describe('When the last event of the evidence happened'),
      node: z.string().describe('NODE_NAME of the gateway that found it'),
      detector: z.string(),
      symbol: name.nullable().describe('null: it is about no symbol'),
      users: z.array(user),
      summary: z.string(),
      figures: z.record(z.string(), z.number()).describe('What crossed a threshold'),
      evidence: z
        .array(z.string())
        .describe('Ids of orders or trades; of a client’s behaviour, its connections and topics'),
    }),
    'A pattern that surveillance has found, with the users it is about',
    {
      id: '0ffc3a2ece2e3462',
      time: '2026-11-20T22:49:58.313Z',
      node: 'millrace',
      detector: 'layering',
      symbol: 'AAPL',
      users: ['mallory'],
      summary: '4 of 5 sell orders, on 5 levels, cancelled within 1.6 s of a fill to buy',
      figures: { levels: 5, cancelled_share: 0.8 },
      evidence: ['o-91', 'o-86', 'o-87', 'o-88', 'o-89'],
    },
  ),
  drain: define(
    undefined,
    z.looseObject({ node: z.string().min(1).describe('NODE_NAME of the gateway addressed') }),
    'Makes a gateway accept no more connections and end those it has',
    { node: 'millrace' },
  ),
};

export const deadLetterHeaders = z.looseObject({ Reason: z.string().max(256).describe('Why it was refused') });
export const deadLetter = define(undefined, z.unknown(), 'A refused message of a publisher, byte for byte', 'not JSON');
