import fc from 'fast-check';
import { Packr, Unpackr } from 'msgpackr';
import { applyPatch } from 'rfc6902';
import { describe, expect, it } from 'vitest';
import type { LevelChange } from '../../../src/encoder/book.js';
import type { PlainObject } from '../../../src/encoder/decode.js';
import { DepthPatch } from '../../../src/encoder/depth-patch.js';
import { type Encodable, Stamps } from '../../../src/encoder/frame-encoder.js';
import { JsonWriter } from '../../../src/encoder/json-writer.js';
import { PatchHead } from '../../../src/encoder/patch-head.js';
import { type Layout, objectOf, type Quote, readQuote } from '../../../src/encoder/quote.js';
import { PatchBeginnings, QuotePatch } from '../../../src/encoder/quote-patch.js';
import { MsgpackWriter } from '../../../src/protocol/msgpack-writer.js';
import { isSymbol, pointerToken } from '../../../src/protocol/topics.js';
import { TS_SENT_PLACEHOLDER } from '../../../src/threads/stamp.js';

const SYMBOL_CHARS = [...'AZ09/~"\\.-'];
const symbols = fc
  .array(fc.constantFrom(...SYMBOL_CHARS), { minLength: 1, maxLength: 8 })
  .map(chars => chars.join(''))
  .filter(isSymbol);
const names = fc.oneof(
  fc.constantFrom('bid', 'ask', 'last_updated', 'toString', 'a/b', 'a~b', 'quo"te', 'é', '価格', '\u2028'),
  fc.string({ unit: fc.constantFrom('/', '~', '\u0001', '"', 'x'), minLength: 20, maxLength: 120 }),
  fc.string({ maxLength: 6 }).filter(name => name !== '__proto__'),
);
/** Whole numbers beyond 64 bits are text in MessagePack: see writers.test.ts. */
const isText = (value: number): boolean =>
  Number.isInteger(value) && Math.abs(value) >= 2 ** 63 && Math.abs(value) < 1e21;
const values = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter(value => !isText(value)),
  fc.integer(),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.integer(), { maxLength: 3 }),
);
/** Members that a publisher may send: a price is no array. As the quote holds them: times have one form. */
const quotes = fc
  .dictionary(names, values, { maxKeys: 6 })
  .map(members => Object.fromEntries(Object.entries(members).filter(([name, value]) => isMember(name, value))))
  .map(members => objectOf(quoteOf(members)));

const isMember = (name: string, value: unknown): boolean => readQuote({ [name]: value }, []) !== 'invalid_field';

function quoteOf(members: PlainObject, likely: Layout = []): Quote {
  const quote = readQuote(members, likely);
  if (quote === 'invalid_field') throw new Error('a member that is refused');
  return quote;
}

/** The patch as a source makes it: the later quote is read in the light of the earlier. */
function quotePatch(symbol: string, epoch: string, from: PlainObject, to: PlainObject, seq: number): QuotePatch {
  const before = quoteOf(from);
  return new QuotePatch(before, quoteOf(to, before.layout), new PatchBeginnings(symbol, epoch), seq, seq + 1);
}

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

function jsonOf(patch: Encodable): string {
  const out = new JsonWriter();
  patch.json(out);
  return Buffer.from(out.bytes.subarray(0, out.length)).toString();
}

function msgpackOf(patch: Encodable, stamps?: Stamps): Buffer {
  const out = new MsgpackWriter();
  patch.msgpack(out, stamps);
  return Buffer.from(out.bytes.subarray(0, out.length));
}

/** What the patch is to say, by the plain way. */
function expected(symbol: string, epoch: string, from: PlainObject, to: PlainObject, seq: number) {
  const path = (name: string): string => `/quotes/${pointerToken(symbol)}/${pointerToken(name)}`;
  const isSame = (a: unknown, b: unknown) =>
    a === b || (typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b));
  const has = (quote: PlainObject, name: string) => Object.hasOwn(quote, name);
  const changed = Object.keys(to).filter(name => !has(from, name) || !isSame(from[name], to[name]));
  const operations = [
    ...changed.map(name => ({ op: has(from, name) ? 'replace' : 'add', path: path(name), value: to[name] })),
    ...Object.keys(from).flatMap(name => (has(to, name) ? [] : [{ op: 'remove', path: path(name) }])),
  ];
  return { type: 'quotes_patch', symbol, epoch, prev_seq: seq, seq: seq + 1, operations };
}

/** The same change by one operation on the whole quote. */
function replacing(symbol: string, members: object, to: PlainObject) {
  return { ...members, operations: [{ op: 'replace', path: `/quotes/${pointerToken(symbol)}`, value: to }] };
}

describe('R7: the change of a quote', () => {
  it('is written as JSON and MessagePack would be from its members, and leads from one quote to the other', () => {
    fc.assert(
      fc.property(symbols, quotes, quotes, fc.nat(), (symbol, from, to, seq) => {
        const patch = quotePatch(symbol, 'e"1', from, to, seq);
        const members = expected(symbol, 'e"1', from, to, seq);
        const whole = replacing(symbol, members, to);
        const shorter =
          Buffer.byteLength(JSON.stringify(members)) <= Buffer.byteLength(JSON.stringify(whole)) ? members : whole;
        expect(Buffer.byteLength(jsonOf(patch))).toBe(Buffer.byteLength(JSON.stringify(shorter)));
        expect(JSON.parse(JSON.stringify([members, whole]))).toContainEqual(JSON.parse(jsonOf(patch)));
        const unpacked = [members, whole].map(message => unpackr.unpack(packr.pack(message)));
        expect(unpacked).toContainEqual(unpackr.unpack(msgpackOf(patch)));
        expect(msgpackOf(patch).length).toBeLessThanOrEqual(packr.pack(whole).length);
        // What a client reads: no -0.
        const read = JSON.parse(jsonOf(patch));
        const document = { quotes: { [symbol]: JSON.parse(JSON.stringify(from)) } };
        const failures = applyPatch(document, read.operations).filter(failure => failure !== null);
        expect(failures).toEqual([]);
        expect(document.quotes[symbol]).toEqual(JSON.parse(JSON.stringify(to)));
        expect(patch.isEmpty).toBe(read.operations.length === 0);
      }),
      { numRuns: 500 },
    );
  });

  it('adds what was not there, replaces what was, and removes what is gone', () => {
    const long = 'x'.repeat(300);
    const patch = quotePatch(
      'BTC/USDT',
      'e1',
      { bid: 1, ask: 2, note: 'x', long },
      { bid: 1, ask: 3, venue: 'N', long },
      4,
    );
    const members = {
      type: 'quotes_patch',
      symbol: 'BTC/USDT',
      epoch: 'e1',
      prev_seq: 4,
      seq: 5,
      operations: [
        { op: 'replace', path: '/quotes/BTC~1USDT/ask', value: 3 },
        { op: 'add', path: '/quotes/BTC~1USDT/venue', value: 'N' },
        { op: 'remove', path: '/quotes/BTC~1USDT/note' },
      ],
    };
    expect(JSON.parse(jsonOf(patch))).toEqual(members);
    expect(unpackr.unpack(msgpackOf(patch))).toEqual(members);
  });

  it('ends with its times where they are wanted', () => {
    const patch = quotePatch('A', 'e1', { bid: 1 }, { bid: 2 }, 4);
    const keys = Object.keys(unpackr.unpack(msgpackOf(patch, new Stamps(1_700_000_000_000_000.5))));
    expect(keys.slice(-2)).toEqual(['ts_event', 'ts_sent']);
    const unknown = unpackr.unpack(msgpackOf(patch, new Stamps(0)));
    expect([Object.keys(unknown).at(-1), unknown.ts_sent, unknown.ts_event]).toEqual([
      'ts_sent',
      TS_SENT_PLACEHOLDER,
      undefined,
    ]);
  });
});

describe('R4: the change of a book', () => {
  it('is written as JSON and MessagePack would be from its members', () => {
    const changes: LevelChange[] = [
      { op: 'replace', side: 'bids', price: '101.50', quantity: '2.5' },
      { op: 'add', side: 'asks', price: '102.00', quantity: '1' },
      { op: 'remove', side: 'asks', price: '103.00', quantity: undefined },
    ];
    const many = Array.from({ length: 20 }, () => changes).flat();
    for (const some of [changes, changes.slice(0, 1), many, []]) {
      const [symbol, epoch, checksum] = ['A"B', 'e"1', 4_294_967_295];
      const head = new PatchHead('depth_patch', symbol, epoch);
      const patch = new DepthPatch({ head, prevSeq: 8, seq: 9, changes: some, checksum });
      const operations = some.map(({ op, side, price, quantity }) => {
        return { op, path: `/${side}/${price}`, ...(quantity === undefined ? {} : { value: quantity }) };
      });
      const members = { type: 'depth_patch', symbol, epoch, prev_seq: 8, seq: 9, operations, checksum };
      expect(jsonOf(patch)).toBe(JSON.stringify(members));
      expect(unpackr.unpack(msgpackOf(patch))).toEqual(members);
      expect(msgpackOf(patch).equals(packr.pack(members))).toBe(true);
      expect(Object.keys(unpackr.unpack(msgpackOf(patch, new Stamps(1)))).slice(-2)).toEqual(['ts_event', 'ts_sent']);
    }
  });
});
