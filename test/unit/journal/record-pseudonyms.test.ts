/** R71: every member of a record that can name a user or an address has a pseudonym in its place. */
import { describe, expect, it } from 'vitest';
import { withPseudonyms } from '../../../src/journal/privacy/record-pseudonyms.js';

const pseudonyms = { pseudonym: (kind: string, text: string) => `${kind[0]}_${text.length}` };

describe('a record on its way to the disk (R71)', () => {
  it.each([
    [
      { k: 'connected', user: 'alice', address: '192.0.2.1' },
      { user: 'u_5', address: 'a_9' },
    ],
    [{ k: 'subscribed', topic: 'orders:alice b' }, { topic: 'orders:u_7' }],
    [{ k: 'subscribed', topic: 'quotes:alice' }, { topic: 'quotes:alice' }],
    [{ k: 'authenticated', entitlements: ['orders:alice', 'orders:*'] }, { entitlements: ['orders:u_5', 'orders:*'] }],
    [{ k: 'command', stream: 'orders', symbols: ['alice', '*'] }, { symbols: ['u_5', '*'] }],
    [{ k: 'command', stream: 'quotes', symbols: ['alice'] }, { symbols: ['alice'] }],
    [
      { k: 'admin', by: 'admin', author: 'carol', user: 'alice' },
      { by: 'admin', author: 'u_5', user: 'u_5' },
    ],
    [{ k: 'closed', reason: 'not entitled to orders of alice' }, { reason: 'not entitled to orders of u_5' }],
    [
      {
        k: 'refused',
        user: 'alice',
        address: '192.0.2.1',
        reason: 'too many connections of alice from 192.0.2.1, malice',
      },
      { reason: 'too many connections of u_5 from a_9, malice' },
    ],
    [{ k: 'ended', reason: "Error: no view 'orders:alice'" }, { reason: "Error: no view 'orders:u_5'" }],
    [
      {
        k: 'alert',
        alert: { users: ['alice', '5'], symbol: 'A', summary: '5 trades between two users', evidence: ['t:5'] },
      },
      { alert: { users: ['u_5', 'u_1'], summary: '5 trades between two users', evidence: ['t:5'] } },
    ],
    [
      {
        k: 'alert',
        alert: { users: ['alice'], symbol: null, evidence: ['c-1', 'orders:bob', 'orders:*', 'quotes:A'] },
      },
      { alert: { users: ['u_5'], evidence: ['c-1', 'orders:u_3', 'orders:*', 'quotes:A'] } },
    ],
  ])('%j', (record, expected) => {
    expect(withPseudonyms(record, pseudonyms)).toMatchObject(expected);
  });
});
