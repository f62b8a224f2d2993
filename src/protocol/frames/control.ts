/** Frames about the connection and its topics. They carry no publisher's members, so they have exactly these. */
import { z } from 'zod';
import { NAME_LENGTH_MAX } from '../command-limits.js';
import { LOADS } from '../load.js';
import { errorCode, gapReason, staleReason } from './codes.js';
import { commandId, define, epoch, position, rateClass, seq, stamps, stream, time, topic } from './members.js';

const id = commandId.optional();
const message = z.string().describe('For people');
const topics = z.array(topic).min(1);
/** As the client sent them: they need not be valid topic names. */
const names = z
  .array(z.string().max(NAME_LENGTH_MAX))
  .min(1)
  .describe('The names concerned; the command’s other names were served');

const subscribed = { type: z.literal('subscribed'), id, topics };
const delay = z
  .string()
  .regex(/^\d+(?:ms|s|m|h)$/)
  .optional()
  .describe('How late the messages of these topics come, such as 15m. Absent: in real time');
const product = z
  .string()
  .optional()
  .describe('The code of the product that the topics belong to and the credential lacks');
const stateStream = z.enum(['quotes', 'orderbook', 'depth']);
const eventStream = z.enum(['trades', 'orders', 'analytics', 'rooms']);

export const controlFrames = {
  subscribed: define(
    'subscribed',
    z.union([
      z
        .strictObject({
          ...subscribed,
          stream: stateStream,
          class: rateClass,
          delay,
          recovered: z.literal(false).optional(),
        })
        .describe('State topics: a snapshot follows; recovered answers a since, for which the past is never sent'),
      z
        .strictObject({
          ...subscribed,
          stream: eventStream,
          delay,
          recovered: z.literal(false).optional(),
          positions: z
            .record(topic, position)
            .optional()
            .describe(
              'Each topic’s position: its next event has that seq as its prev_seq. Not for trades:*, nor for topics without any event yet',
            ),
        })
        .describe('Event topics that start here'),
      z
        .strictObject({ ...subscribed, stream: eventStream, delay, recovered: z.literal(true) })
        .describe('Resumed event topics: every message after the since of the command follows'),
    ]),
    'Replies to subscribe: what is subscribed from here on',
    {
      type: 'subscribed',
      id: '1',
      stream: 'trades',
      topics: ['trades:BTC/USDT'],
      positions: { 'trades:BTC/USDT': { epoch: 'b6a02026', seq: 41 } },
    },
  ),
  unsubscribed: define(
    'unsubscribed',
    z.strictObject({ type: z.literal('unsubscribed'), id, stream, topics }),
    'Replies to unsubscribe: nothing of these topics follows',
    { type: 'unsubscribed', id: '9', stream: 'quotes', topics: ['quotes:AAPL', 'quotes:MSFT'] },
  ),
  ack_publish: define(
    'ack',
    z.strictObject({ type: z.literal('ack'), id, topic, epoch, seq }),
    'Replies to publish: the message’s position in its room',
    { type: 'ack', id: 'm1', topic: 'rooms:desk-7', epoch: 'b6a02026', seq: 9 },
  ),
  ack_auth: define(
    'ack',
    z.strictObject({ type: z.literal('ack'), id, expires_at: time }),
    'Replies to auth: the new credential is in force',
    { type: 'ack', id: '4', expires_at: '2026-11-20T23:50:12.000Z' },
  ),
  pong: define('pong', z.strictObject({ type: z.literal('pong'), id, time }), 'Replies to ping', {
    type: 'pong',
    id: '7',
    time: '2026-11-20T22:50:12.178Z',
  }),
  warning: define(
    'warning',
    z.union([
      z
        .strictObject({
          type: z.literal('warning'),
          code: z.enum(['invalid_symbol', 'forbidden']),
          message,
          symbols: z.array(z.string()).min(1),
        })
        .describe('Left out of the subscription that the connection started with'),
      z
        .strictObject({
          type: z.literal('warning'),
          code: z.literal('unknown_parameter'),
          message,
          parameters: z.array(z.string()).min(1).describe('Names, the first 20 of them'),
        })
        .describe('Members of the query that had no effect: unknown on this endpoint, invalid, or repeated'),
      z
        .strictObject({ type: z.literal('warning'), code: z.literal('forbidden'), message, topics })
        .describe('Unsubscribed: the credential no longer allows them, or allows them with another delay'),
      z
        .strictObject({
          type: z.literal('warning'),
          code: z.literal('delayed'),
          message,
          topics,
          delay: delay.unwrap(),
        })
        .describe('Of the subscription that the connection started with: how late these topics come'),
      z
        .strictObject({ type: z.literal('warning'), code: z.literal('token_expiring'), message, expires_at: time })
        .describe('Send auth with a new token before that, or the connection is closed with 4001'),
      z
        .strictObject({
          type: z.literal('warning'),
          code: z.enum(['conflated', 'restored']),
          message,
          class: rateClass,
          steps: z.int().min(0).describe('How many classes slower its state topics are now than requested'),
        })
        .describe(
          'conflated: slow consumer, its state topics are sent less often, none faster than class. restored: it kept up, and they are sent more often again',
        ),
    ]),
    'Something that the client should know',
    { type: 'warning', code: 'invalid_symbol', message: 'unknown, left out: NOPE', symbols: ['NOPE'] },
  ),
  error: define(
    'error',
    z.union([
      z
        .strictObject({ type: z.literal('error'), id, code: errorCode, message, product, symbols: names.optional() })
        .describe('Replies to a command that was refused, in whole or in part'),
      z
        .strictObject({
          type: z.literal('error'),
          id,
          code: z.literal('rate_limited'),
          message,
          retry_after_ms: z.int().positive(),
        })
        .describe(
          'Refused because of its cost or number, or because the gateway is overloaded: try again after that time',
        ),
      z
        .strictObject({ type: z.literal('error'), code: z.literal('too_many_subscriptions'), message, topics })
        .describe('Was subscribed and is now ended: the gateway follows as many topics as it can'),
    ]),
    'A request was refused; the connection stays open',
    { type: 'error', id: 'g', code: 'invalid_symbol', message: 'unknown: NOPE' },
  ),
  gap: define(
    'gap',
    z.strictObject({
      type: z.literal('gap'),
      topic,
      from: seq.describe('The first missing seq; 0 for new_epoch'),
      to: seq.describe('The last missing seq: the prev_seq of the next event'),
      reason: gapReason,
      epoch: epoch.optional(),
      ...stamps,
    }),
    'Events of a topic that this connection will not receive',
    { type: 'gap', topic: 'trades:BTC/USDT', from: 12, to: 40, reason: 'slow_consumer' },
  ),
  heartbeat: define(
    'heartbeat',
    z.strictObject({
      type: z.literal('heartbeat'),
      topic,
      epoch,
      seq,
      stale: z.literal(true).optional().describe('The topic is held back: see stale'),
    }),
    'The topic is idle; this is its position. The first comes HEARTBEAT_INTERVAL after the last message, the next ones at doubling intervals up to HEARTBEAT_INTERVAL_MAX',
    { type: 'heartbeat', topic: 'quotes:AAPL', epoch: 'b6a02026', seq: 12 },
  ),
  lagging: define(
    'lagging',
    z.strictObject({
      type: z.literal('lagging'),
      age_ms: z.int().positive().describe('How old the oldest of them is'),
      topics: z.int().positive().describe('How many topics of the connection are that old'),
    }),
    'The client reads too slowly: what it holds of its state topics is older than their class interval and WS_MAX_AGE. Repeated each second until fresh',
    { type: 'lagging', age_ms: 2300, topics: 12 },
  ),
  fresh: define(
    'fresh',
    z.strictObject({ type: z.literal('fresh') }),
    'The client holds what is current again: ends lagging',
    { type: 'fresh' },
  ),
  stale: define(
    'stale',
    z.strictObject({
      type: z.literal('stale'),
      topic,
      epoch: z.union([epoch, z.literal('').describe('Nothing has been published yet')]),
      seq: seq.describe('Of the document that the client holds; 0 if there is none'),
      since: time,
      reason: staleReason,
      ...stamps,
    }),
    'The state topic lacks a message: what the client holds is old until the next snapshot of the topic',
    {
      type: 'stale',
      topic: 'depth:BTC/USDT',
      epoch: 'b6a02026',
      seq: 12,
      since: '2026-11-20T22:50:12.178Z',
      reason: 'publisher_gap',
    },
  ),
  status: define(
    'status',
    z.strictObject({
      type: z.literal('status'),
      feed: z.enum(['live', 'stale', 'failover']).describe('stale: the last values are still served'),
      since: time,
      load: z
        .enum(LOADS)
        .optional()
        .describe(
          'stretched: retail clients get the class 100ms less often; shedding: and cannot subscribe to more. Absent: normal',
        ),
    }),
    'The state of the gateway’s own source',
    { type: 'status', feed: 'stale', since: '2026-11-20T22:50:12.178Z' },
  ),
  notice: define(
    'notice',
    z.strictObject({
      type: z.literal('notice'),
      severity: z.enum(['info', 'warning', 'critical']),
      message,
      time,
    }),
    'A message of the gateway’s operators, for people. It changes nothing about the connection',
    { type: 'notice', severity: 'warning', message: 'Maintenance at 22:00 UTC', time: '2026-11-20T21:30:00.000Z' },
  ),
  going_away: define(
    'going_away',
    z.strictObject({ type: z.literal('going_away'), reconnect_after_ms: z.int().nonnegative() }),
    'The gateway is about to close the connection with 1001: reconnect after that time',
    { type: 'going_away', reconnect_after_ms: 3210 },
  ),
};
