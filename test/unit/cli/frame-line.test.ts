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

it('R72 an alert of surveillance is shown as its sentence, other analytics as their value', () => {
  const shown = (data: object) =>
    describeFrame({ type: 'alerts', channel: 'alerts', seq: 3, data } as unknown as ServerFrame, {} as ClientDocuments);
  const summary = '4 of 5 sell orders, on 5 levels, cancelled within 1.6 s of a fill to buy';
  const alert = {
    source: 'surveillance',
    id: '0ffc3a2ece2e3462',
    detector: 'layering',
    symbol: 'DEMO',
    users: 1,
    summary,
  };
  expect(shown(alert)).toBe(`analytics:alerts seq 3 layering DEMO: ${summary}`);
  expect(shown({ ...alert, detector: 'client_churn', symbol: null, summary: '12 changes' })).toBe(
    'analytics:alerts seq 3 client_churn: 12 changes',
  );
  expect(shown({ level: 'info' })).toBe('analytics:alerts seq 3 {"level":"info"}');
});
