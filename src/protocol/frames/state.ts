/** Frames of state topics: quotes, best levels, depth. First a snapshot, then changes. */
import { z } from 'zod';
import { amountOrNone, chain, decimal, define, epoch, json, name, quantity, seq, stamps, time } from './members.js';

/** Members of a quote that all publishers share; they may add their own. */
const quoteMembers = {
  symbol: name,
  current_price: amountOrNone.optional(),
  base_price: amountOrNone.optional(),
  change: amountOrNone.optional(),
  change_percent: amountOrNone.optional(),
  bid: amountOrNone.optional(),
  ask: amountOrNone.optional(),
  volume: amountOrNone.optional(),
  last_updated: time.nullable().optional(),
};
export const assetQuote = z
  .looseObject(quoteMembers)
  .describe('The quote of one symbol, with the publisher’s own members');

const quotePath = z.string().regex(/^\/quotes\/[^/]+$/);
const quoteFieldPath = z.string().regex(/^\/quotes\/[^/]+\/[^/]*$/);
export const quoteAddition = z
  .strictObject({ op: z.literal('add'), path: quotePath, value: assetQuote })
  .describe('Adds or replaces a whole quote');
export const quoteChange = z
  .union([
    z.strictObject({ op: z.enum(['add', 'replace']), path: quoteFieldPath, value: json }),
    z.strictObject({ op: z.literal('remove'), path: quoteFieldPath }),
    z.strictObject({ op: z.literal('replace'), path: quotePath, value: assetQuote }),
  ])
  .describe('Changes one member of a quote, or the whole quote if that is shorter');

const side = z.record(decimal, quantity).describe('Quantity by price');
const sidePath = z.enum(['/bids', '/asks']);
const levelPath = z.string().regex(/^\/(?:bids|asks)\/-?\d+(?:\.\d+)?$/);
export const sideAddition = z
  .strictObject({ op: z.literal('add'), path: sidePath, value: side })
  .describe('Sets a whole side');
export const levelChange = z
  .union([
    z.strictObject({ op: z.enum(['add', 'replace']), path: levelPath, value: quantity }),
    z.strictObject({ op: z.literal('remove'), path: levelPath }),
    z.strictObject({ op: z.literal('replace'), path: sidePath, value: side }),
  ])
  .describe('Changes one level, or a whole side if that is shorter');

const checksum = z
  .int()
  .min(0)
  .max(0xffff_ffff)
  .describe(
    'Checksum of the document after this frame: unsigned CRC-32 over the ten best asks, then the ten best bids; for each, price then quantity, without dot and leading zeros',
  );
const depthPatch = { type: z.literal('depth_patch'), symbol: name, ...chain, checksum, ...stamps };
const bestLevel = { price: decimal.nullable(), quantity: quantity.nullable() };

export const stateFrames = {
  quotes_snapshot: define(
    'quotes_patch',
    z.strictObject({
      type: z.literal('quotes_patch'),
      snapshot: z.literal(true),
      epoch: z.union([epoch, z.literal('').describe('It contains no symbol: none has data yet')]),
      seqs: z.record(name, seq).describe('The seq of each symbol; those without data are absent'),
      operations: z.array(quoteAddition),
      complete: z
        .literal(true)
        .optional()
        .describe(
          'No quote of the connection waits for its first snapshot any more: a set of quotes comes in several frames',
        ),
      ...stamps,
    }),
    'Whole quotes, as JSON Patch (RFC 6902) on the client’s {"quotes":{}}: starts or repairs the chain of the symbols in seqs',
    {
      type: 'quotes_patch',
      snapshot: true,
      epoch: 'b6a02026',
      seqs: { AAPL: 6 },
      complete: true,
      operations: [
        {
          op: 'add',
          path: '/quotes/AAPL',
          value: {
            symbol: 'AAPL',
            current_price: 229.73,
            base_price: 230,
            change: -0.27,
            change_percent: -0.12,
            bid: 229.71,
            ask: 229.75,
            volume: 997276,
            last_updated: '2026-11-20T22:49:58.313Z',
          },
        },
      ],
    },
  ),
  quotes_delta: define(
    'quotes_patch',
    z.strictObject({
      type: z.literal('quotes_patch'),
      symbol: name,
      ...chain,
      operations: z.array(quoteChange).min(1),
      ...stamps,
    }),
    'The changes of one quote, as JSON Patch',
    {
      type: 'quotes_patch',
      symbol: 'AAPL',
      epoch: 'b6a02026',
      prev_seq: 6,
      seq: 7,
      operations: [
        { op: 'replace', path: '/quotes/AAPL/current_price', value: 229.51 },
        { op: 'replace', path: '/quotes/AAPL/change', value: -0.49 },
      ],
    },
  ),
  orderbook_update: define(
    'orderbook_update',
    z.strictObject({
      type: z.literal('orderbook_update'),
      snapshot: z.literal(true).optional().describe('This frame starts or repairs the chain'),
      symbol: name,
      best_bid: bestLevel.price,
      best_ask: bestLevel.price,
      bid_quantity: bestLevel.quantity,
      ask_quantity: bestLevel.quantity,
      spread: z
        .string()
        .regex(/^-?\d+(?:\.\d+)?$/)
        .nullable()
        .describe('best_ask − best_bid, exact; negative if the book is crossed'),
      timestamp: time,
      ...chain,
      ...stamps,
    }),
    'The best level of each side, always whole; null for an empty side',
    {
      type: 'orderbook_update',
      snapshot: true,
      symbol: 'BTC/USDT',
      best_bid: '64993.00',
      best_ask: '65007.00',
      bid_quantity: '231.72',
      ask_quantity: '847.63',
      spread: '14.00',
      timestamp: '2026-11-20T22:49:07.599Z',
      epoch: 'b6a02026',
      prev_seq: 1,
      seq: 1,
    },
  ),
  depth_snapshot: define(
    'depth_patch',
    z.strictObject({ ...depthPatch, snapshot: z.literal(true), operations: z.array(sideAddition).length(2) }),
    'The best 10, 25 or 100 levels of each side, as JSON Patch on {"bids":{},"asks":{}}: starts or repairs the chain',
    {
      type: 'depth_patch',
      snapshot: true,
      symbol: 'BTC/USDT',
      epoch: 'b6a02026',
      prev_seq: 1,
      seq: 1,
      operations: [
        { op: 'add', path: '/bids', value: { '64993.00': '231.72' } },
        { op: 'add', path: '/asks', value: { '65007.00': '847.63' } },
      ],
      checksum: 2024033814,
    },
  ),
  depth_delta: define(
    'depth_patch',
    z.strictObject({ ...depthPatch, operations: z.array(levelChange).min(1) }),
    'The changed levels, as JSON Patch',
    {
      type: 'depth_patch',
      symbol: 'BTC/USDT',
      epoch: 'b6a02026',
      prev_seq: 1,
      seq: 2,
      operations: [
        { op: 'remove', path: '/bids/64993.00' },
        { op: 'add', path: '/bids/64983.00', value: '30.52' },
      ],
      checksum: 3468373109,
    },
  ),
};
