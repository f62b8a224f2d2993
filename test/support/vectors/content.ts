/** D9, D13–D17, D19–D21: what is accepted, what is refused, and times. */
import { inOrder, message, packed, packedWith, type VectorSpec, withDigits } from './spec.js';

const QUOTE = 'md.quotes.A';
const BOOK = 'md.books.A';
const TRADE = 'md.trades.A';
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

const levels = (count: number, quantity: string) =>
  Array.from({ length: count }, (_, i) => [String(1000 - i), quantity]);

const deep: readonly VectorSpec[] = [
  {
    name: 'D9: of 300 bids the best 250 are deleted',
    topics: ['depth:A'],
    depth: 100,
    published: inOrder(BOOK, [
      JSON.stringify({ symbol: 'A', bids: levels(300, '1'), asks: [], snapshot: true }),
      JSON.stringify({ symbol: 'A', bids: levels(250, '0') }),
    ]),
  },
  {
    name: 'D9: levels that the client does not see change, then come into its sight',
    topics: ['depth:A'],
    published: inOrder(BOOK, [
      JSON.stringify({ symbol: 'A', bids: levels(15, '1'), snapshot: true }),
      '{"symbol":"A","bids":[["987","9"]]}',
      JSON.stringify({ symbol: 'A', bids: levels(5, '0') }),
    ]),
  },
  {
    name: 'D15: a book of 1000 levels',
    topics: ['depth:A'],
    depth: 25,
    published: inOrder(BOOK, [JSON.stringify({ symbol: 'A', bids: levels(1000, '1.5'), snapshot: true })]),
  },
];

const symbols = ['币安人生USDT', '1'.repeat(77), 'a/b~c', 'É"\\', 'constructor', 'x'.repeat(128)].map(
  (symbol): VectorSpec => ({
    name: `D13: the symbol ${symbol.length > 60 ? `of ${symbol.length} characters` : symbol}`,
    topics: [`quotes:${symbol}`, `depth:${symbol}`, `trades:${symbol}`],
    published: [
      ...inOrder(`md.quotes.${symbol}`, [
        JSON.stringify({ symbol, bid: 1 }),
        JSON.stringify({ symbol, bid: 2, partial: true }),
      ]),
      ...inOrder(`md.books.${symbol}`, [JSON.stringify({ symbol, bids: [['1', '1']], snapshot: true })]),
      ...inOrder(`md.trades.${symbol}`, [JSON.stringify({ symbol, trade_id: 1, price: 1, quantity: 1 })]),
    ],
  }),
);

const trade = (more: object) => JSON.stringify({ symbol: 'A', trade_id: 1, price: '1', quantity: '1', ...more });
const reserved: readonly VectorSpec[] = [
  ...[
    { type: 'match' },
    { type: 'trade_executed' },
    { epoch: 'e', seq: 7, prev_seq: 6 },
    { ts_event: 1, ts_sent: 2 },
    { seq: 7, source_seq: 8 },
    { type: { of: 'trade' } },
  ].map(
    (more): VectorSpec => ({
      name: `D14: a trade with ${JSON.stringify(more)}`,
      topics: ['trades:A'],
      published: inOrder(TRADE, [trade(more)]),
    }),
  ),
  {
    name: 'D14: an order with type and seq',
    topics: ['orders:alice'],
    published: inOrder('orders.alice', ['{"action":"filled","order_id":1,"type":"fill","seq":3}']),
  },
  {
    name: 'D14: an alert with type, channel and seq',
    topics: ['analytics:alerts'],
    published: inOrder('analytics.alerts', ['{"data":1,"type":"warn","channel":"mine","seq":3}']),
  },
  {
    name: 'D14: a room’s message with type, room and epoch',
    topics: ['rooms:desk'],
    published: inOrder('rooms.desk', ['{"from":"bob","data":1,"type":"say","room":"other","epoch":"e"}']),
  },
  {
    name: 'D14: a quote with type, epoch and seq',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [
      '{"symbol":"A","bid":1,"type":"ticker","epoch":"e","seq":9}',
      '{"symbol":"A","seq":10,"partial":true}',
    ]),
  },
];

const members: readonly VectorSpec[] = [
  ...['constructor', 'prototype', 'toString', 'a/b', 'c~d', '', 'é', '"quoted"', 'hasOwnProperty'].map(
    (name): VectorSpec => ({
      name: `D17: a quote’s member called ${JSON.stringify(name)}`,
      topics: ['quotes:A'],
      published: inOrder(QUOTE, [
        JSON.stringify({ symbol: 'A', bid: 1, [name]: 1 }),
        JSON.stringify({ symbol: 'A', [name]: { a: [2] }, partial: true }),
        JSON.stringify({ symbol: 'A', bid: 1 }),
      ]),
    }),
  ),
  {
    name: 'D17: a trade’s member called constructor',
    topics: ['trades:A'],
    published: inOrder(TRADE, [trade({ constructor: 1, prototype: [2] })]),
  },
  {
    name: 'D17: a quote’s member called __proto__ is refused',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, ['{"symbol":"A","bid":1}', '{"symbol":"A","bid":2,"__proto__":{"a":1}}']),
  },
];

const flags: readonly VectorSpec[] = ['1', '"true"', '0', '"yes"', '{}'].flatMap((value): VectorSpec[] => [
  {
    name: `D19: a book with snapshot ${value}`,
    topics: ['depth:A'],
    published: inOrder(BOOK, [
      '{"symbol":"A","bids":[["1","1"]],"snapshot":true}',
      `{"symbol":"A","bids":[["2","2"]],"snapshot":${value}}`,
    ]),
  },
  {
    name: `D19: a quote with partial ${value}`,
    topics: ['quotes:A'],
    published: inOrder(QUOTE, ['{"symbol":"A","bid":1,"own":2}', `{"symbol":"A","bid":3,"partial":${value}}`]),
  },
]);
const flagsAllowed: readonly VectorSpec[] = ['false', 'null'].flatMap((value): VectorSpec[] => [
  {
    name: `D19: a book’s change with snapshot ${value}`,
    topics: ['depth:A'],
    published: inOrder(BOOK, [
      '{"symbol":"A","bids":[["1","1"]],"snapshot":true}',
      `{"symbol":"A","bids":[["2","2"]],"snapshot":${value}}`,
    ]),
  },
  {
    name: `D19: a whole quote with partial ${value}`,
    topics: ['quotes:A'],
    published: inOrder(QUOTE, ['{"symbol":"A","bid":1,"own":2}', `{"symbol":"A","bid":3,"partial":${value}}`]),
  },
]);

const text = (name: string, ...payloads: readonly (string | Uint8Array)[]): VectorSpec => ({
  name: `D20: ${name}`,
  topics: ['quotes:A'],
  published: inOrder(QUOTE, ['{"symbol":"A","bid":1}', ...payloads]),
});
const encodings: readonly VectorSpec[] = [
  text('half a surrogate pair, escaped', '{"symbol":"A","bid":2,"own":"\\ud83d"}'),
  text('the other half', '{"symbol":"A","bid":2,"own":"\\ude00x"}'),
  text('half a surrogate pair in a name', '{"symbol":"A","bid":2,"\\ud83d":1}'),
  text('a whole pair, escaped', '{"symbol":"A","bid":2,"own":"\\ud83d\\ude00"}'),
  text('Latin-1 bytes', Buffer.from('{"symbol":"A","bid":2,"own":"caf\xe9"}', 'latin1')),
  text('Latin-1 bytes in MessagePack', packedWith({ symbol: 'A', bid: 2 }, 'own', 'a4636166e9')),
  text('an overlong sequence', Buffer.from('{"symbol":"A","bid":2,"own":"\xc0\xaf"}', 'latin1')),
  text('U+FFFD itself', '{"symbol":"A","bid":2,"own":"\ufffd"}'),
  text('a zero byte, escaped', '{"symbol":"A","bid":2,"own":"\\u0000"}'),
  text('not JSON', '{"symbol":"A",'),
  text('not an object', '[1]'),
  text('nothing', ''),
  text('a MessagePack map that is cut off', packed({ symbol: 'A', bid: 2 }).subarray(0, 9)),
  text('a MessagePack map with an unknown extension', packedWith({ symbol: 'A', bid: 2 }, 'own', 'd40501')),
  text('a MessagePack map with bytes behind it', Buffer.concat([packed({ symbol: 'A', bid: 2 }), Buffer.from([0])])),
];

const MOMENTS: readonly (readonly [what: string, digits: string])[] = [
  ['seconds', '1767323045'],
  ['milliseconds', '1767323045123'],
  ['microseconds', '1767323045123456'],
  ['nanoseconds', '1767323045123456789'],
  ['text', '"2026-01-02T03:04:05Z"'],
  ['text with nanoseconds', '"2026-01-02T03:04:05.123456789Z"'],
  ['text with an offset', '"2026-01-02T05:04:05+02:00"'],
];
const times: readonly VectorSpec[] = [
  ...MOMENTS.map(
    ([what, digits]): VectorSpec => ({
      name: `D16: times as ${what}`,
      topics: ['orderbook:A', 'quotes:A', 'trades:A', 'analytics:alerts'],
      published: [
        ...inOrder(BOOK, [withDigits({ symbol: 'A', bids: [['1', '1']], timestamp: '#', snapshot: true }, digits)]),
        ...inOrder(QUOTE, [withDigits({ symbol: 'A', bid: 1, last_updated: '#' }, digits)]),
        ...inOrder(TRADE, [withDigits({ symbol: 'A', trade_id: 1, price: 1, quantity: 1, executed_at: '#' }, digits)]),
        ...inOrder('analytics.alerts', [withDigits({ data: 1, timestamp: '#' }, digits)]),
      ],
    }),
  ),
  ...(
    [
      ['32', 'd6ff695736e5'],
      ['64', 'd7ff1d6f3454695736e5'],
      ['96', 'c70cff075bcd1500000000695736e5'],
    ] as const
  ).map(
    ([bits, hex]): VectorSpec => ({
      name: `D16: MessagePack’s timestamp of ${bits} bits`,
      topics: ['orderbook:A', 'quotes:A', 'trades:A'],
      published: [
        ...inOrder(BOOK, [packedWith({ symbol: 'A', bids: [['1', '1']], snapshot: true }, 'timestamp', hex)]),
        ...inOrder(QUOTE, [packedWith({ symbol: 'A', bid: 1 }, 'last_updated', hex)]),
        ...inOrder(TRADE, [packedWith({ symbol: 'A', trade_id: 1, price: 1, quantity: 1 }, 'executed_at', hex)]),
      ],
    }),
  ),
  ...['"yesterday"', '17', 'true', '"2026-02-30T00:00:00Z"'].map(
    (value): VectorSpec => ({
      name: `D16: ${value} is no time`,
      topics: ['quotes:A'],
      published: inOrder(QUOTE, ['{"symbol":"A","bid":1}', `{"symbol":"A","bid":2,"last_updated":${value}}`]),
    }),
  ),
  {
    name: 'D16: a byte order mark',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [
      Buffer.concat([BOM, Buffer.from('{"symbol":"A","bid":1}')]),
      Buffer.concat([BOM, packed({ symbol: 'A', bid: 2 })]),
    ]),
  },
  ...(
    [
      ['seconds', '1767323044'],
      ['milliseconds', '1767323044123'],
      ['microseconds', '1767323044123456'],
      ['nanoseconds', '1767323044123456789'],
      ['no unit', 'yesterday'],
    ] as const
  ).map(
    ([what, tsEvent]): VectorSpec => ({
      name: `D21: Ts-Event in ${what}`,
      topics: ['trades:A'],
      isStamped: true,
      published: [message(TRADE, trade({}), { seq: 1, tsEvent })],
    }),
  ),
];

export const accepted: readonly VectorSpec[] = [...deep, ...symbols, ...reserved, ...members, ...flagsAllowed];
export const malformed: readonly VectorSpec[] = [...flags, ...encodings];
export const timed: readonly VectorSpec[] = times;
