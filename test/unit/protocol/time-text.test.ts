import { describe, expect, it } from 'vitest';
import { parseExact } from '../../../src/protocol/exact-json.js';
import { timeText } from '../../../src/protocol/time-text.js';

describe('D4: a time keeps the digits that it was published with', () => {
  it.each([
    ['1700000000.123456789', '2023-11-14T22:13:20.123456789Z'],
    ['1700000000.9999999', '2023-11-14T22:13:20.999999900Z'],
    ['1700000000123.456789', '2023-11-14T22:13:20.123456789Z'],
    ['1700000000123456.789', '2023-11-14T22:13:20.123456789Z'],
    ['1700000000123456789', '2023-11-14T22:13:20.123456789Z'],
    ['1700000000.500', '2023-11-14T22:13:20.500Z'],
    ['1700000000', '2023-11-14T22:13:20.000Z'],
  ])('%s, as a number and as text', (digits, time) => {
    expect(timeText(parseExact(digits))).toBe(time);
    expect(timeText(digits)).toBe(time);
  });

  it.each([
    ['2026-01-01T00:00:00.123456789123+01:00', '2025-12-31T23:00:00.123456789123Z'],
    ['2026-01-01T00:00:00,123456789120Z', '2026-01-01T00:00:00.12345678912Z'],
    ['2026-01-01T00:00:00.123456789123Z', '2026-01-01T00:00:00.123456789123Z'],
  ])('%s', (text, time) => {
    expect(timeText(text)).toBe(time);
  });

  it.each(['1700000000.1234567891', '170000000', '99999999999999999999', '253402300800'])('%s is none', digits => {
    expect([timeText(parseExact(digits)), timeText(digits)]).toEqual([undefined, undefined]);
  });
});

describe('D13: RFC 3339 in UTC stays as it came', () => {
  it.each(['', '.1', '.123', '.123456', '.123456789012'])(
    'every day from 1999 to 2004, with the fraction "%s"',
    fraction => {
      for (let ms = Date.UTC(1999, 0, 1, 23, 59, 59); ms < Date.UTC(2005, 0, 1); ms += 86_400_000) {
        const text = `${new Date(ms).toISOString().slice(0, 19)}${fraction}Z`;
        expect(timeText(text)).toBe(text);
      }
    },
  );

  it.each([
    '2023-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2024-02-30T00:00:00Z',
    '2024-04-31T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-00-10T00:00:00Z',
    '2024-01-00T00:00:00Z',
    '2024-01-32T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T23:60:00Z',
    '2024-01-01T23:59:61Z',
    '2024-01-01T23:59:59.Z',
    '2024-01-01T23:59:59.1x3Z',
    '2o24-01-01T23:59:59Z',
    '2024-01-01T23:59:59.1234567890123Z',
    '2024-01-01T2:59:59.123Z',
  ])('%s is none', text => {
    expect(timeText(text)).toBeUndefined();
  });

  it.each([
    ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00Z'],
    ['2000-02-29T12:00:00Z', '2000-02-29T12:00:00Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2024-01-01t00:00:00z', '2024-01-01T00:00:00.000Z'],
  ])('%s is %s', (text, time) => {
    expect(timeText(text)).toBe(time);
  });
});
