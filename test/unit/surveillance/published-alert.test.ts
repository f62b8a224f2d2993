import { describe, expect, it } from 'vitest';
import type { AlertRow } from '../../../src/protocol/admin-rows.js';
import { alertOf, channelMessage } from '../../../src/surveillance/published-alert.js';

const ALERT: AlertRow = {
  id: 'abc',
  time: '2026-11-02T10:00:00.000Z',
  node: 'one',
  detector: 'wash_trades',
  symbol: 'ACME',
  users: ['mallory', 'trudy'],
  summary: '6 trades between two users that nearly cancel out',
  figures: { trades: 6 },
  evidence: ['t-1'],
};

describe('alerts on the clients’ channel (R72)', () => {
  it.each([
    ['evidence', { figures: { trades: 6 }, evidence: ['t-1'] }],
    ['summary', {}],
  ] as const)('R72 with %s names no user', (content, more) => {
    const message = channelMessage(ALERT, content);
    const { evidence: _, figures: __, users: ___, ...rest } = ALERT;
    const { time: timestamp, ...shown } = rest;
    expect(message).toEqual({
      type: 'alert',
      timestamp,
      data: { source: 'surveillance', ...shown, users: 2, ...more },
    });
    expect(JSON.stringify(message)).not.toMatch(/mallory|trudy/);
  });

  it('R72 can be off', () => {
    expect(channelMessage(ALERT, 'off')).toBeUndefined();
  });

  it('R72 never name the connections and topics of a client', () => {
    const alert = { ...ALERT, symbol: null, users: ['alice'], evidence: ['c-1', 'orders:alice'] };
    expect(JSON.stringify(channelMessage(alert, 'evidence'))).not.toMatch(/alice|c-1/);
  });

  it('R72 are read from another gateway, and nothing else is', () => {
    const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    expect(alertOf(bytes(ALERT))).toEqual(ALERT);
    for (const other of [
      null,
      1,
      {},
      { ...ALERT, users: 'x' },
      { ...ALERT, symbol: 3 },
      { ...ALERT, figures: null },
      { ...ALERT, users: [3] },
    ]) {
      expect(alertOf(bytes(other))).toBeUndefined();
    }
    expect(alertOf(new TextEncoder().encode('{'))).toBeUndefined();
  });
});
