import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { JsonWriter } from '../../../src/encoder/json-writer.js';
import { Known } from '../../../src/protocol/byte-writer.js';
import { stringifyExact } from '../../../src/protocol/exact-json.js';
import { MsgpackReader } from '../../../src/protocol/msgpack-reader.js';
import { MsgpackWriter } from '../../../src/protocol/msgpack-writer.js';

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });
/** Prices, ratios, amounts and what else a number may be. */
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.tuple(fc.integer(), fc.constantFrom(10, 100, 1e4, 1e6, 1e7, 1e8)).map(([units, scale]) => units / scale),
  fc.tuple(fc.maxSafeInteger(), fc.constantFrom(100, 1e4, 1e6)).map(([units, scale]) => units / scale),
  fc.constantFrom(0, -0, 0.1, -0.1, 0.5, 1e-6, 1e-7, 1e14, 1e15 - 1, 1e15, 1e21, 5e-324, 1.005, 999_999.999_999),
  fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -1, -32, -33, -128, -129, -32_769),
);
/** Whether the digits of a whole number, as JSON writes them, exceed 64 bits. Those of -2^63 do: JSON rounds it away from zero. */
const exceeds64Bits = (digits: string) => BigInt(digits) < -(2n ** 63n) || BigInt(digits) >= 2n ** 64n;

const values = fc.oneof(
  numbers,
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'binary-ascii', maxLength: 80 }),
  fc.constantFrom('', '"', '\\', '\u007f', 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(255), 'x'.repeat(256)),
  fc.boolean(),
  fc.constant(null),
  // Whole numbers beyond 64 bits are text: those have a case of their own.
  fc
    .jsonValue()
    .filter(value => !(JSON.stringify(value).match(/-?\d{19,}/g) ?? []).some(exceeds64Bits)),
);

describe('R7: what the writers write', () => {
  it('as JSON is what JSON.stringify makes of it', () => {
    const out = new JsonWriter();
    fc.assert(
      fc.property(fc.array(values, { maxLength: 4 }), all => {
        out.clear();
        for (const value of all) out.value(value);
        const written = Buffer.from(out.bytes.subarray(0, out.length)).toString();
        expect(written).toBe(Buffer.from(all.map(value => JSON.stringify(value)).join('')).toString());
      }),
      { numRuns: 3000 },
    );
  });

  it('as MessagePack is what msgpackr makes of it, whole numbers beyond 32 bits as integers', () => {
    const out = new MsgpackWriter();
    fc.assert(
      fc.property(values, value => {
        out.clear();
        out.value(value);
        const written = Buffer.from(out.bytes.subarray(0, out.length));
        const whole = typeof value === 'number' && Number.isInteger(value) ? value : Number.NaN;
        // JSON writes it with an exponent.
        const isHuge = Math.abs(whole) >= 1e21;
        if (isHuge || (Number.isInteger(whole) && exceeds64Bits(String(whole)))) {
          const text = isHuge ? whole : String(whole);
          expect(new MsgpackReader().read(written, 0, written.length)).toBe(text);
          return;
        }
        // As long, and the same where msgpackr has no float for a whole number.
        expect(written.length).toBe(packr.pack(value).length);
        const read: unknown = JSON.parse(stringifyExact(new MsgpackReader().read(written, 0, written.length)));
        expect(read).toEqual(JSON.parse(JSON.stringify(value)));
        expect(Number.isNaN(whole)).toBe(typeof value !== 'number' || written[0] === 0xcb);
      }),
      { numRuns: 3000, examples: [[-(2 ** 63)], [2 ** 63], [2 ** 64]] },
    );
  });

  it('may be longer than what there was room for', () => {
    const out = new JsonWriter();
    out.string('a');
    out.string('x'.repeat(300_000));
    out.copy(new Known(new Uint8Array(300_000).fill(0x20)));
    out.number(1.25);
    const text = Buffer.from(out.bytes.subarray(0, out.length)).toString();
    expect(text).toBe(`"a""${'x'.repeat(300_000)}"${' '.repeat(300_000)}1.25`);
  });

  it('is copied whole, whatever its length', () => {
    const out = new JsonWriter();
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 }), { maxLength: 8 }), all => {
        out.clear();
        for (const text of all) out.copy(Known.text(text));
        expect(Buffer.from(out.written).toString()).toBe(all.join(''));
      }),
    );
  });

  it('is shown as it is now, in messages of all lengths', () => {
    const out = new JsonWriter();
    for (const text of ['ab', 'cd', 'x'.repeat(200_000), 'ef', 'é'.repeat(1500)]) {
      out.clear();
      out.text(text);
      expect(Buffer.from(out.written).toString()).toBe(text);
    }
  });
});
