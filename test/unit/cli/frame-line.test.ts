import { expect, it } from 'vitest';
import { describeFrame } from '../../../src/cli/frame-line.js';
import type { ClientDocuments, ServerFrame } from '../../../src/client/chain.js';

const line = (operations: readonly object[]): string =>
  describeFrame(
    { type: 'quotes_patch', symbol: 'A/B', seq: 2, operations } as unknown as ServerFrame,
    {} as ClientDocuments,
  );

it('R38 a delta that replaces a quote is shown with the fields of the quote', () => {
  const value = { symbol: 'A/B', current_price: 10.52, bid: '10.51', ask: null };
  expect(line([{ op: 'replace', path: '/quotes/A~1B', value }])).toBe(
    'quotes:A/B seq 2 whole current_price=10.52 bid=10.51 ask=null',
  );
});

it('R38 any other delta is shown as its changes', () => {
  const change = { op: 'replace', path: '/quotes/A~1B/bid', value: 10.5 };
  expect(line([change])).toBe('quotes:A/B seq 2 bid=10.5');
  expect(line([change, { op: 'remove', path: '/quotes/A~1B/note' }])).toBe('quotes:A/B seq 2 bid=10.5 -note');
});
