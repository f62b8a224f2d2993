import { describe, expect, it } from 'vitest';
import { ago, bytes, count, duration, figure, milliseconds, percent, plural } from '../../../src/dashboard/format.js';

describe('R64 figures on the pages', () => {
  it.each([
    [count(1234567), '1,234,567'],
    [count(2.345), '2.3'],
    [count(160123.4), '160,123'],
    [figure(0.375), '0.38'],
    [figure(12_345), '12,345'],
    [bytes(0), '0 B'],
    [bytes(999), '999 B'],
    [bytes(999_600), '1.0 MB'],
    [bytes(18_900_000), '18.9 MB'],
    [bytes(250_000_000), '250 MB'],
    [milliseconds(0), '0 ms'],
    [milliseconds(0.4249), '0.42 ms'],
    [milliseconds(12.34), '12.3 ms'],
    [milliseconds(104.9), '105 ms'],
    [milliseconds(999.9), '1.00 s'],
    [milliseconds(14_200), '14.2 s'],
    [percent(0.415), '42 %'],
    [duration(59.9), '59 s'],
    [duration(3_725), '1 h 2 min'],
    [duration(200_000), '2 d 7 h'],
    [ago(400), 'just now'],
    [ago(9_100), '9 s ago'],
    [plural(1, 'class', 'classes'), '1 class'],
    [plural(3, 'class', 'classes'), '3 classes'],
  ])('R64 %s', (shown, expected) => {
    expect(shown).toBe(expected);
  });

  it.each([count, bytes, milliseconds, percent, duration, ago])('R64 %o shows what is not known as a dash', format => {
    expect([format(null), format(undefined), format(Number.NaN)]).toEqual(['–', '–', '–']);
  });
});
