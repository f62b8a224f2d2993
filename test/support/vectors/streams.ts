/** Every stream's frames, as PROTOCOL describes them. */
import { inOrder, packed, type VectorSpec } from './spec.js';

const TIME = '2026-01-02T03:04:05Z';
const quote = {
  symbol: 'A',
  current_price: 229.73,
  base_price: 230,
  change: -0.27,
  change_percent: -0.12,
  bid: 229.71,
  ask: 229.75,
  volume: 997276,
  last_updated: TIME,
};
const quotes = [
  JSON.stringify(quote),
  JSON.stringify({ ...quote, current_price: 229.51, change: -0.49 }),
  '{"symbol":"A","bid":"229.50","partial":true}',
  '{"symbol":"A","venue":{"name":"X"},"halted":false,"partial":true}',
  JSON.stringify({ symbol: 'A', current_price: 230, bid: 229.5 }),
];
const books = [
  '{"symbol":"A","bids":[["100.00","1"],["99.50","2"],["99","3"]],"asks":[["100.50","1"],["101","2.50"]],"snapshot":true}',
  '{"symbol":"A","bids":[["100.00","0"],["99.75","4"]],"asks":[["101","2.25"]]}',
  '{"symbol":"A","asks":[["100.50","0"],["101","0"]]}',
  '{"symbol":"A","asks":[["102","1"]],"bids":[["99.75","0"],["99.50","0"],["99","0"]]}',
  '{"symbol":"A","bids":[["98","1"]],"asks":[["98.50","1"]],"snapshot":true}',
].map(text => text.replace('{', `{"timestamp":"${TIME}",`));
const trade = (n: number) => ({
  symbol: 'A',
  trade_id: `A-${n}`,
  price: '229.60',
  quantity: '57.83',
  executed_at: TIME,
  buyer_id: 'alice',
  seller_id: 'bob',
  buyer_fee: '0.1',
  seller_fee: '0.2',
  venue: 'X',
});
const trades = [1, 2, 3].map(n => JSON.stringify(trade(n)));
const orders = ['created', 'partially_filled', 'filled', 'cancelled', 'rejected'].map((action, n) =>
  JSON.stringify({
    action,
    order_id: 'o-17',
    symbol: 'A',
    side: 'buy',
    status: action,
    quantity: '2.0',
    filled_quantity: String(n),
    price: '229',
    timestamp: TIME,
  }),
);
const said = [1, 2].map(n => JSON.stringify({ from: 'bob', data: { text: 'hi', n }, timestamp: TIME }));
const CHANNELS = {
  'routing-metrics': 'routing-decision',
  'lp-performance': 'lp-metrics',
  'exposure-updates': 'exposure-update',
  alerts: 'alert',
};

const both = (payloads: readonly string[]): readonly (readonly [string, readonly (string | Uint8Array)[]])[] => [
  ['JSON', payloads],
  ['MessagePack', payloads.map(text => packed(JSON.parse(text)))],
];

const all: VectorSpec[] = [
  ...both(quotes).map(
    ([as, payloads]): VectorSpec => ({
      name: `quotes, published as ${as}`,
      topics: ['quotes:A'],
      published: inOrder('md.quotes.A', payloads),
      hasHeartbeats: true,
    }),
  ),
  ...both(books).flatMap(([as, payloads]): VectorSpec[] => [
    {
      name: `orderbook, published as ${as}`,
      topics: ['orderbook:A'],
      published: inOrder('md.books.A', payloads),
      hasHeartbeats: true,
    },
    ...[10, 25, 100].map(depth => ({
      name: `depth of ${depth}, published as ${as}`,
      topics: ['depth:A'],
      depth,
      published: inOrder('md.books.A', payloads),
    })),
  ]),
  ...both(trades).map(
    ([as, payloads]): VectorSpec => ({
      name: `trades, published as ${as}`,
      topics: ['trades:A'],
      published: inOrder('md.trades.A', payloads),
      hasHeartbeats: true,
    }),
  ),
  ...both(orders).map(
    ([as, payloads]): VectorSpec => ({
      name: `orders, published as ${as}`,
      topics: ['orders:alice'],
      published: inOrder('orders.alice', payloads),
    }),
  ),
  ...both(said).map(
    ([as, payloads]): VectorSpec => ({
      name: `rooms, published as ${as}`,
      topics: ['rooms:desk'],
      published: inOrder('rooms.desk', payloads),
    }),
  ),
  ...Object.entries(CHANNELS).map(
    ([channel, type]): VectorSpec => ({
      name: `analytics, ${channel}`,
      topics: [`analytics:${channel}`],
      published: inOrder(
        `analytics.${channel}`,
        [1, 2, 3].map(n => JSON.stringify({ type, timestamp: TIME, data: { n } })),
      ),
    }),
  ),
  { name: 'the trades of all symbols', topics: ['trades:*'], published: inOrder('md.trades.A', trades) },
  {
    name: 'every state stream with timestamps',
    topics: ['quotes:A', 'orderbook:A', 'depth:A'],
    isStamped: true,
    published: [...inOrder('md.quotes.A', quotes), ...inOrder('md.books.A', books)],
  },
  {
    name: 'every event stream with timestamps',
    topics: ['trades:A', 'orders:alice', 'rooms:desk'],
    isStamped: true,
    published: [...inOrder('md.trades.A', trades), ...inOrder('orders.alice', orders), ...inOrder('rooms.desk', said)],
  },
  {
    name: 'snapshots for a newcomer',
    topics: ['quotes:A', 'orderbook:A', 'depth:A'],
    isNewcomer: true,
    published: [...inOrder('md.quotes.A', quotes), ...inOrder('md.books.A', books)],
    hasHeartbeats: true,
  },
  {
    name: 'a newcomer’s events begin at its positions',
    topics: ['trades:A', 'analytics:alerts'],
    isNewcomer: true,
    published: [...inOrder('md.trades.A', trades), ...inOrder('analytics.alerts', ['{"data":1}'])],
    hasHeartbeats: true,
  },
];

export const streams: readonly VectorSpec[] = all;
