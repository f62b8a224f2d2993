/** D4, D5: whole numbers keep every digit, and have an integer type in MessagePack. */
import { inOrder, message, packedWith, type VectorSpec, withDigits } from './spec.js';

const DIGITS = [
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '8389766145050670869',
  '9223372036854775808',
  '18446744073709551615',
  '-9007199254740993',
  '-9223372036854775808',
  '18446744073709551616',
  '123456789012345678901234567890',
];
const PACKED: readonly (readonly [what: string, hex: string])[] = [
  ['uint64 8389766145050670869', 'cf746e7e6ccf4a9f15'],
  ['uint64 2^64 − 1', 'cfffffffffffffffff'],
  ['uint64 2^53 + 1', 'cf0020000000000001'],
  ['uint64 5', 'cf0000000000000005'],
  ['int64 −2^63', 'd38000000000000000'],
  ['int64 −5', 'd3fffffffffffffffb'],
  ['uint32 2^32 − 1', 'ceffffffff'],
];
const TIME = '2026-01-02T03:04:05Z';

const places = (write: (value: object) => string | Uint8Array, what: string): VectorSpec[] => [
  {
    name: `D4: a trade’s id, ${what}`,
    topics: ['trades:A'],
    published: inOrder('md.trades.A', [write({ symbol: 'A', price: '1', quantity: '2', trade_id: '#' })]),
  },
  {
    name: `D4: a quote’s own member, ${what}`,
    topics: ['quotes:A'],
    published: inOrder('md.quotes.A', [write({ symbol: 'A', bid: 1, count: '#' })]),
  },
  {
    name: `D4: an order’s id, ${what}`,
    topics: ['orders:alice'],
    published: inOrder('orders.alice', [write({ action: 'filled', symbol: 'A', order_id: '#' })]),
  },
];

const inJson = DIGITS.flatMap(digits => [
  ...places(value => withDigits(value, digits), digits),
  {
    name: `D4: data of an alert and of a room, ${digits}`,
    topics: ['analytics:alerts', 'rooms:desk'],
    published: [
      message('analytics.alerts', withDigits({ timestamp: TIME, data: { ids: ['#', { id: '#' }] } }, digits), {
        seq: 1,
      }),
      message('rooms.desk', withDigits({ from: 'bob', timestamp: TIME, data: { ids: ['#', { id: '#' }] } }, digits), {
        seq: 1,
      }),
    ],
  },
]);

/** The last member is the number. */
function lastPacked(value: object, hex: string): Uint8Array {
  const members = Object.entries(value);
  const [name] = members.at(-1) as [string, unknown];
  return packedWith(Object.fromEntries(members.slice(0, -1)), name, hex);
}

const inMsgpack = PACKED.flatMap(([what, hex]) => places(value => lastPacked(value, hex), what));

const own: VectorSpec[] = [
  {
    name: 'D4: a quote’s volume of 9007199254740993, and one more',
    topics: ['quotes:A'],
    published: inOrder('md.quotes.A', [
      '{"symbol":"A","bid":1,"volume":9007199254740993}',
      '{"symbol":"A","volume":9007199254740994,"partial":true}',
    ]),
  },
  {
    name: 'D4: two trades whose ids differ in the last digit',
    topics: ['trades:A'],
    published: inOrder(
      'md.trades.A',
      ['8389766145050670869', '8389766145050670870'].map(id =>
        withDigits({ symbol: 'A', trade_id: '#', price: '1', quantity: '1' }, id),
      ),
    ),
  },
  ...[2 ** 32, 5_000_000_001, Number.MAX_SAFE_INTEGER - 1].map(
    (seq): VectorSpec => ({
      name: `D5: sequences from ${seq} on`,
      topics: ['quotes:A', 'depth:A', 'orderbook:A', 'trades:A'],
      published: [
        message('md.quotes.A', '{"symbol":"A","bid":1}', { seq }),
        message('md.quotes.A', '{"symbol":"A","bid":2,"partial":true}', { seq: seq + 1 }),
        message('md.books.A', '{"symbol":"A","bids":[["1","1"]],"snapshot":true}', { seq }),
        message('md.books.A', '{"symbol":"A","bids":[["1","2"]]}', { seq: seq + 1 }),
        message('md.trades.A', '{"symbol":"A","trade_id":1,"price":"1","quantity":"1"}', { seq }),
        message('md.trades.A', '{"symbol":"A","trade_id":2,"price":"1","quantity":"1"}', { seq: seq + 1 }),
      ],
      hasHeartbeats: true,
    }),
  ),
  {
    name: 'D5: times of publisher and gateway',
    topics: ['quotes:A', 'depth:A', 'orderbook:A', 'trades:A'],
    isStamped: true,
    published: [
      message('md.quotes.A', '{"symbol":"A","bid":1}', { seq: 1, tsEvent: '1767323044123456' }),
      message('md.quotes.A', '{"symbol":"A","bid":2,"partial":true}', { seq: 2, tsEvent: '1767323044123457' }),
      message('md.books.A', '{"symbol":"A","bids":[["1","1"]],"snapshot":true}', {
        seq: 1,
        tsEvent: '1767323044123456',
      }),
      message('md.trades.A', '{"symbol":"A","trade_id":1,"price":"1","quantity":"1"}', {
        seq: 1,
        tsEvent: '1767323044123456',
      }),
    ],
  },
];

export const integers: readonly VectorSpec[] = [...inJson, ...inMsgpack, ...own];
