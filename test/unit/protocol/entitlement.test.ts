import { describe, expect, it } from 'vitest';
import { isEntitlement } from '../../../src/protocol/entitlement.js';

describe('isEntitlement', () => {
  it.each([
    'quotes:AAPL',
    'quotes:*',
    'depth:BTC/*',
    'trades:full',
    'orders:alice',
    'analytics:alerts',
    'rooms:desk-*',
    'quotes:币安*',
    'orders:CN=John Smith,O=Foo',
    'orders:a>b*',
  ])('accepts %s', text => {
    expect(isEntitlement(text)).toBe(true);
  });

  it.each([
    '',
    'quotes',
    'quotes:',
    ':AAPL',
    '*:AAPL',
    '*',
    'Quotes:AAPL',
    'futures:ES',
    'quotes:A B',
    'quotes:A\n',
    'quotes:>',
    'quotes:Ä\u00a0B',
    'quotes:\ud83d',
    'orders:',
    `orders:${'x'.repeat(513)}`,
    `quotes:${'x'.repeat(257)}`,
    7,
    null,
    ['quotes:*'],
  ])('refuses %j', value => {
    expect(isEntitlement(value)).toBe(false);
  });
});
