/** D3, D11, D12, D18: amounts in every form, on every stream that has them. */
import { inOrder, message, packed, packedWith, type VectorSpec, withDigits } from './spec.js';

/** As Python's and Java's decimals write them, and others. */
const TEXTS: readonly (readonly [what: string, text: string])[] = [
  ['zero with an exponent', '0E-8'],
  ['zero with a far exponent', '0e999'],
  ['zero with a minus', '-0'],
  ['a small exponent', '1E-7'],
  ['a large exponent', '1.5E+3'],
  ['an exponent that keeps its zeros', '1.500E+1'],
  ['a lower-case e', '25e-2'],
  ['no digit before the dot', '.5'],
  ['no digit behind the dot', '100.'],
  ['a plus', '+1'],
  ['zeros at the end', '150.2500'],
  ['zeros in front', '007.10'],
  ['64 digits', '1234567890123456789012345678901234567890.123456789012345678901234'],
  ['the largest exponent', '1e64'],
  ['the smallest exponent', '1E-64'],
];
const NEGATIVE = ['-37.63', '-1E-7', '-.5', '-1.5E+3'];
/** JSON numbers, digit by digit. */
const NUMBERS: readonly (readonly [what: string, digits: string])[] = [
  ['with an exponent', '1E-7'],
  ['with an exponent and whole', '1.5E+3'],
  ['zero with an exponent', '0E-8'],
  ['below any double’s normal range', '5e-324'],
  ['with more digits than a double holds', '0.10000000000000000001'],
  ['with more digits than a double holds, and an exponent', '1.29804459551018929e-7'],
  ['whole, beyond 2^53', '9007199254740993'],
  ['with zeros at the end', '100.50'],
];
/** What D18 names, and others of the kind. */
const NO_AMOUNTS = [
  '  ',
  '0x10',
  '0b11',
  ' 5\n',
  '1,5',
  '--1',
  '1e',
  '.',
  'e5',
  'NaN',
  'Infinity',
  '1_000',
  '١',
  '1'.repeat(65),
  '1e65',
  '1e-65',
];
const NO_AMOUNT_VALUES: readonly (readonly [what: string, value: unknown])[] = [
  ['true', true],
  ['an array', [1]],
  ['an object', {}],
];

const QUOTE = 'md.quotes.A';
const BOOK = 'md.books.A';
const TRADE = 'md.trades.A';
const ORDER = 'orders.alice';

const quote = (value: object) => JSON.stringify({ symbol: 'A', ...value });
const book = (bids: unknown, more: object = { snapshot: true }) =>
  JSON.stringify({ symbol: 'A', bids, asks: [], ...more });
const trade = (value: object) => JSON.stringify({ symbol: 'A', trade_id: 't', price: '1', quantity: '2', ...value });
const order = (value: object) => JSON.stringify({ action: 'created', order_id: 'o', symbol: 'A', ...value });

function inQuotes(what: string, price: unknown, digits?: string): VectorSpec {
  const write = (value: object) =>
    digits === undefined ? quote(value) : withDigits({ symbol: 'A', ...value }, digits);
  const published = [write({ current_price: price, ask: '2' }), write({ ask: price, partial: true })];
  return { name: `D3: a quote’s price, ${what}`, topics: ['quotes:A'], published: inOrder(QUOTE, published) };
}

const inBooks = (what: string, text: string): VectorSpec => ({
  name: `D3: a level’s price and quantity, ${what}`,
  topics: ['depth:A', 'orderbook:A'],
  published: inOrder(BOOK, [
    book([
      ['2', '1'],
      [text, '3'],
    ]),
    book([['3', text]], {}),
    book([[text, '0']], {}),
  ]),
});

const inEvents = (what: string, text: string): VectorSpec => ({
  name: `D3: a trade’s and an order’s price and quantity, ${what}`,
  topics: ['trades:A', 'orders:alice'],
  published: [
    message(TRADE, trade({ price: text, quantity: text }), { seq: 1 }),
    message(ORDER, order({ price: text, quantity: text, filled_quantity: text }), { seq: 1 }),
  ],
});

const deletes = ['0', '0E-8', '0.00', '-0', '+0', '.0', '0.', '0e999'].map(
  (zero): VectorSpec => ({
    name: `D3: a level is deleted by the quantity ${zero}`,
    topics: ['depth:A'],
    published: inOrder(BOOK, [
      book([
        ['2', '1'],
        ['1', '1'],
      ]),
      book([['2', zero]], {}),
    ]),
  }),
);

const negative = NEGATIVE.flatMap((text): VectorSpec[] => [
  { ...inQuotes(`negative: ${text}`, text), name: `D12: a quote’s price of ${text}` },
  {
    name: `D12: a level at ${text}`,
    topics: ['depth:A', 'orderbook:A'],
    published: inOrder(BOOK, [
      book([
        ['-50', '1'],
        [text, '3'],
        ['-0.001', '2'],
      ]),
      book([[text, '4']], {}),
    ]),
  },
  {
    name: `D12: a quantity of ${text} is refused`,
    topics: ['depth:A', 'trades:A'],
    published: [
      ...inOrder(BOOK, [book([['1', '1']]), book([['1', text]], {})]),
      ...inOrder(TRADE, [trade({}), trade({ quantity: text })]),
    ],
  },
]);

const numbers = NUMBERS.flatMap(([what, digits]): VectorSpec[] => [
  inQuotes(`a number ${what}`, '#', digits),
  {
    name: `D3: a level’s price and quantity, numbers ${what}`,
    topics: ['depth:A'],
    published: inOrder(BOOK, [
      withDigits(
        {
          symbol: 'A',
          bids: [
            ['3', 1],
            ['#', '#'],
          ],
          snapshot: true,
        },
        digits,
      ),
    ]),
  },
  {
    name: `D3: a trade’s price and quantity, numbers ${what}`,
    topics: ['trades:A'],
    published: inOrder(TRADE, [withDigits({ symbol: 'A', trade_id: 't', price: '#', quantity: '#' }, digits)]),
  },
]);

const binary = (
  [
    ['a float 64', 'cb3ff8000000000000'],
    ['a float 64 of whole value', 'cb4059000000000000'],
    ['a float 32', 'ca3f000000'],
    ['the smallest float 64', 'cb0000000000000001'],
    ['an integer of 8 bits', 'cc07'],
    ['a negative integer', 'd0e0'],
    ['an integer of 64 bits', 'cf0020000000000001'],
  ] as const
).map(
  ([what, hex]): VectorSpec => ({
    name: `D3: a quote’s price in MessagePack, ${what}`,
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [packedWith({ symbol: 'A', ask: 1 }, 'bid', hex)]),
  }),
);

const nothing = [null, ''].flatMap((none): VectorSpec[] => {
  const text = JSON.stringify(none);
  return [
    {
      name: `D11: a quote whose bid is ${text}`,
      topics: ['quotes:A'],
      published: inOrder(QUOTE, [
        quote({ current_price: 10, bid: none }),
        quote({ bid: 9, partial: true }),
        quote({ bid: none, partial: true }),
      ]),
    },
    {
      name: `D11: an order whose price is ${text}`,
      topics: ['orders:alice'],
      published: inOrder(ORDER, [order({ price: none, quantity: '1' })]),
    },
    {
      name: `D11: a trade whose price is ${text} is refused`,
      topics: ['trades:A'],
      published: inOrder(TRADE, [trade({}), trade({ price: none }), trade({})]),
    },
    {
      name: `D11: a level whose quantity is ${text} is refused`,
      topics: ['depth:A'],
      published: inOrder(BOOK, [book([['1', '1']]), book([['1', none]], {})]),
    },
  ];
});

const fewMembers: VectorSpec[] = [
  {
    name: 'D11: a quote without current_price',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [quote({ bid: '1.1', ask: '1.2' })]),
  },
  {
    name: 'D11: a quote of a ratio alone',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [quote({ change_percent: -0.12 })]),
  },
  {
    name: 'D11: a quote of its symbol alone is refused',
    topics: ['quotes:A'],
    published: inOrder(QUOTE, [quote({ bid: 1 }), quote({})]),
  },
];

const refused = [
  ...NO_AMOUNTS.map(
    text => [JSON.stringify(text.length > 60 ? `${text.slice(0, 5)}… (65 digits)` : text), text] as const,
  ),
  ...NO_AMOUNT_VALUES,
].flatMap(([what, value]): VectorSpec[] => [
  {
    name: `D18: no amount in a quote or a trade: ${what}`,
    topics: ['quotes:A', 'trades:A'],
    published: [
      ...inOrder(QUOTE, [quote({ current_price: 1 }), quote({ current_price: value })]),
      ...inOrder(TRADE, [trade({}), trade({ price: value })]),
    ],
  },
  {
    name: `D18: no amount in a book: ${what}`,
    topics: ['depth:A'],
    published: inOrder(BOOK, [book([['1', '1']]), book([[value, '1']], {}), book([['1', value]])]),
  },
]);

export const amounts: readonly VectorSpec[] = [
  ...TEXTS.map(([what, text]) => inQuotes(`${what}: ${text}`, text)),
  ...TEXTS.map(([what, text]) => inBooks(`${what}: ${text}`, text)),
  ...TEXTS.map(([what, text]) => inEvents(`${what}: ${text}`, text)),
  ...deletes,
  ...numbers,
  ...binary,
];

export const amountsRefused: readonly VectorSpec[] = [...negative, ...nothing, ...fewMembers, ...refused];

/** Also MessagePack: the same texts. */
export const amountsPacked: readonly VectorSpec[] = TEXTS.map(([what, text]) => ({
  name: `D3: MessagePack texts, ${what}: ${text}`,
  topics: ['quotes:A', 'depth:A'],
  published: [
    ...inOrder(QUOTE, [packed({ symbol: 'A', bid: text, volume: text })]),
    ...inOrder(BOOK, [
      packed({
        symbol: 'A',
        bids: [
          ['2', '1'],
          [text, text],
        ],
        snapshot: true,
      }),
    ]),
  ],
}));
