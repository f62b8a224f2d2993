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
