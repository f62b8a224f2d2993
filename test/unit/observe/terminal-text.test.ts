import fc from 'fast-check';
import { expect, it } from 'vitest';
import { printable, printableJson, printableLines } from '../../../src/observe/terminal-text.js';

const HOSTILE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

it.each([
  ['an escape sequence', 'a\x1b[2Jb', 'a?[2Jb'],
  ['its one-byte form', 'a\x9b2Jb', 'a?2Jb'],
  ['a bell, a backspace and a line end', '\x07\b\r\n', '????'],
  ['bidirectional overrides and isolates', 'a\u202e\u2066b\u2069', 'a??b?'],
  ['what has no width', 'a\u200b\u200db\ufeff', 'a??b?'],
  ['line and paragraph separators', 'a\u2028b\u2029', 'a?b?'],
  ['a tag character', 'a\u{e0041}b', 'a?b'],
])('J10: %s is shown as question marks', (_what, text, shown) => {
  expect(printable(text)).toBe(shown);
});

it('J10: what people read stays as it is, and lines of our own stay lines', () => {
  const text = 'Grüße, 日本, مرحبا, 🙂 €1.50';
  expect(printable(text)).toBe(text);
  expect(printableLines('a\x1b\nb\n')).toBe('a?\nb\n');
});

it('J10: JSON stays the same JSON, without anything that a terminal obeys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const json = JSON.stringify({ value, text, '\u202e\x9b\x7f\u{e0041}': '\u2028' });
      const clean = printableJson(json);
      expect(HOSTILE.test(clean)).toBe(false);
      expect(JSON.parse(clean)).toEqual(JSON.parse(json));
    }),
  );
  expect(printableJson('{"a":1}\n')).toBe('{"a":1}\n');
});
