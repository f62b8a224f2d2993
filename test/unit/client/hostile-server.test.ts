/** J12: what answers at the address may be no gateway. It can withhold and invent prices, and nothing else. */
import { expect, it } from 'vitest';
import type { MillraceError, Resync } from '../../../src/client/index.js';
import { connected } from '../../support/client-harness.js';
import { quotesDelta, quotesSnapshot } from '../../support/market-frames.js';

const BOOK = { bids: { '99': '1' }, asks: { '100': '1' } };
const depthSnapshot = (symbol: string) => ({
  type: 'depth_patch',
  snapshot: true,
  symbol,
  epoch: 'e1',
  prev_seq: 0,
  seq: 1,
  operations: Object.entries(BOOK).map(([side, value]) => ({ op: 'add', path: `/${side}`, value })),
});

/** A client that holds quotes of A and B and a book of X. */
async function holding() {
  const { client, socket } = await connected();
  const faults: MillraceError[] = [];
  const resyncs: Resync[] = [];
  client.on('error', error => faults.push(error));
  const quotes = client.quotes(['A', 'B']);
  const books = client.depth(['X']);
  quotes.on('resync', resync => resyncs.push(resync));
  books.on('resync', resync => resyncs.push(resync));
  await Promise.all([quotes.ready, books.ready]);
  socket.frames(quotesSnapshot({ A: 1, B: 1 }), depthSnapshot('X'));
  expect([quotes.get('A'), quotes.get('B'), books.get('X')]).not.toContain(undefined);
  return { socket, quotes, books, faults, resyncs };
}

const doubling = Array.from({ length: 20 }, (_, i) => ({
  op: 'copy',
  from: '/quotes/A',
  path: `/quotes/A/copy_${i}`,
}));

it.each<[string, readonly object[]]>([
  ['doubles a document with each operation', doubling],
  ['moves a value', [{ op: 'move', from: '/quotes/B', path: '/quotes/A/b' }]],
  ['tests a value', [{ op: 'test', path: '/quotes/A/symbol', value: 'A' }]],
  ['changes another topic', [{ op: 'replace', path: '/quotes/B/current_price', value: 1 }]],
  ['takes another topic away', [{ op: 'remove', path: '/quotes/B' }]],
  ['adds a topic', [{ op: 'add', path: '/quotes/C', value: { symbol: 'C' } }]],
  ['replaces all quotes', [{ op: 'replace', path: '/quotes', value: {} }]],
  ['replaces the whole document', [{ op: 'replace', path: '', value: { quotes: {} } }]],
  ['adds beside the quotes', [{ op: 'add', path: '/elsewhere', value: 1 }]],
  ['reaches for a prototype', [{ op: 'add', path: '/quotes/A/__proto__/polluted', value: 1 }]],
  ['reaches for a constructor', [{ op: 'add', path: '/quotes/A/constructor/prototype/polluted', value: 1 }]],
  ['brings a quote that is none', [{ op: 'replace', path: '/quotes/A', value: 7 }]],
  ['brings a quote that is too large', [{ op: 'add', path: '/quotes/A/note', value: 'x'.repeat(2 ** 21) }]],
  [
    'nests a value too deeply',
    [{ op: 'add', path: '/quotes/A/note', value: JSON.parse('['.repeat(99) + ']'.repeat(99)) }],
  ],
])('J12: a frame that %s is not applied, and its own topic is asked for again', async (_what, operations) => {
  const { socket, quotes, faults, resyncs } = await holding();
  socket.frames({ ...quotesDelta('A', 1, 2), operations });
  expect(resyncs).toEqual([{ topic: 'quotes:A', symbol: 'A', reason: 'patch_failed' }]);
  expect(socket.sent('resync')).toMatchObject([{ stream: 'quotes', symbol: 'A' }]);
  expect(faults).toMatchObject([{ code: 'malformed_frame', message: expect.stringContaining('quotes:A: ') }]);
  expect([quotes.get('A'), quotes.get('C')]).toEqual([undefined, undefined]);
  expect(quotes.get('B')?.current_price).toBe(100);
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  socket.frames(quotesSnapshot({ A: 2 }, 103), quotesDelta('A', 2, 104), quotesDelta('B', 1, 105));
  expect([quotes.get('A')?.current_price, quotes.get('B')?.current_price]).toEqual([104, 105]);
});

it('J12: a snapshot of one symbol does not change another', async () => {
  const { socket, quotes, resyncs } = await holding();
  const value = { symbol: 'B', current_price: 1 };
  const { operations, ...snapshot } = quotesSnapshot({ A: 2 });
  socket.frames({ ...snapshot, operations: [...operations, { op: 'replace', path: '/quotes/B', value }] });
  expect(quotes.get('B')?.current_price).toBe(100);
  expect(resyncs).toMatchObject([{ topic: 'quotes:A', reason: 'patch_failed' }]);
});

it('J12: a snapshot that cannot be read takes no document away', async () => {
  const { socket, quotes, faults } = await holding();
  socket.frames({ ...quotesSnapshot({ A: 2 }), seqs: { A: 2, B: 'two' } });
  expect(faults).toMatchObject([{ code: 'malformed_frame' }]);
  expect([quotes.get('A')?.current_price, quotes.get('B')?.current_price]).toEqual([100, 100]);
});

it.each<[string, readonly object[]]>([
  ['copies a side', [{ op: 'copy', from: '/bids', path: '/asks' }]],
  ['adds beside the sides', [{ op: 'add', path: '/quotes', value: {} }]],
  ['nests a level', [{ op: 'add', path: '/bids/99/deeper', value: '1' }]],
  ['takes a side away', [{ op: 'remove', path: '/bids' }]],
  ['makes a side a list', [{ op: 'replace', path: '/bids', value: ['1'] }]],
  ['adds a quantity that is no text', [{ op: 'add', path: '/bids/98', value: 1 }]],
  ['adds more than a book holds', [{ op: 'add', path: '/bids/98', value: '1'.repeat(2 ** 21) }]],
])('J12: a change of a book that %s is not applied, and the book is asked for again', async (_what, operations) => {
  const { socket, books, resyncs } = await holding();
  socket.frames({ type: 'depth_patch', symbol: 'X', epoch: 'e1', prev_seq: 1, seq: 2, operations });
  expect(resyncs).toEqual([{ topic: 'depth:X', symbol: 'X', reason: 'patch_failed' }]);
  expect(books.get('X')).toBeUndefined();
  socket.frames(depthSnapshot('X'));
  expect(books.get('X')).toEqual(BOOK);
});
