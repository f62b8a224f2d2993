/** Frames of event topics: each message once, in order, or a gap in its place. Publishers may add members. */
import { z } from 'zod';
import { CHANNELS, type Channel } from '../topics.js';
import { amount, chain, define, json, name, reference, stamps, time, user } from './members.js';

/** Members of a trade that everyone sees. */
export const tradeMembers = {
  trade_id: reference,
  symbol: name,
  price: amount,
  quantity: amount,
  executed_at: time.nullable().optional(),
  aggressor_side: z.string().optional().describe('Who took the liquidity: buy or sell'),
};
/** Members that only credentials entitled to `trades:full` see. */
const partyMembers = {
  buyer_id: reference.optional(),
  seller_id: reference.optional(),
  buyer_fee: amount.nullable().optional(),
  seller_fee: amount.nullable().optional(),
};
export const orderMembers = {
  action: z.enum(['created', 'replaced', 'filled', 'partially_filled', 'cancelled', 'rejected']),
  order_id: reference,
  symbol: name.optional(),
  side: z.string().optional(),
  status: z.string().optional(),
  order_type: z.string().optional().describe('Such as limit, market or immediate_or_cancel'),
  cancelled_by: z.string().optional().describe('Of a cancelled order: user, or exchange'),
  quantity: amount.nullable().optional(),
  filled_quantity: amount.nullable().optional(),
  price: amount.nullable().optional().describe('null or absent if the order has none'),
  timestamp: time.nullable().optional(),
};
export const analyticsMembers = { timestamp: time.nullable().optional(), data: json };
export const roomMembers = {
  from: z.string().describe('The author, a user'),
  data: json,
  timestamp: time.nullable().optional(),
};

const channels = Object.keys(CHANNELS) as Channel[];
export const analyticsMessage = z
  .union(
    channels.map(channel =>
      z
        .looseObject({
          type: z.literal(CHANNELS[channel]),
          ...analyticsMembers,
          channel: z.literal(channel),
          ...chain,
          ...stamps,
        })
        .describe(`Of the channel ${channel}`),
    ),
  )
  .describe('One message of a channel');

export const eventFrames = {
  trade_executed: define(
    'trade_executed',
    z.looseObject({ type: z.literal('trade_executed'), ...tradeMembers, ...partyMembers, ...chain, ...stamps }),
    'A trade; with its parties and their fees only for the entitlement trades:full',
    {
      type: 'trade_executed',
      trade_id: 'AAPL-2',
      symbol: 'AAPL',
      price: '229.60',
      quantity: '57.83',
      executed_at: '2026-11-20T22:50:02.316Z',
      epoch: 'b6a02026',
      prev_seq: 1,
      seq: 2,
    },
  ),
  order_update: define(
    'order_update',
    z.looseObject({ type: z.literal('order_update'), user_id: user, ...orderMembers, ...chain, ...stamps }),
    'An update of an order of the connection’s own user',
    {
      type: 'order_update',
      action: 'partially_filled',
      order_id: 'o-17',
      user_id: 'alice',
      symbol: 'AAPL',
      side: 'buy',
      status: 'open',
      quantity: '100',
      filled_quantity: '40',
      price: '229.60',
      timestamp: '2026-11-20T22:50:02.316Z',
      epoch: 'b6a02026',
      prev_seq: 3,
      seq: 4,
    },
  ),
  // No type: it is the only frame that is an array.
  analytics: define(
    undefined,
    z.array(analyticsMessage).min(1),
    'Messages of one channel, at most BATCH_MAX (50), sent no later than BATCH_INTERVAL (16 ms) after the first of them arrived',
    [
      {
        type: 'alert',
        timestamp: '2026-11-20T22:50:02.316Z',
        data: { severity: 'high', text: 'exposure above its limit' },
        channel: 'alerts',
        epoch: 'b6a02026',
        prev_seq: 7,
        seq: 8,
      },
    ],
  ),
  room_message: define(
    'room_message',
    z.looseObject({ type: z.literal('room_message'), room: name, ...roomMembers, ...chain, ...stamps }),
    'A message in a room',
    {
      type: 'room_message',
      room: 'desk-7',
      from: 'alice',
      data: { text: 'good morning' },
      timestamp: '2026-11-20T22:50:02.316Z',
      epoch: 'b6a02026',
      prev_seq: 8,
      seq: 9,
    },
  ),
};
