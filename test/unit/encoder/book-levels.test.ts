/** All books of an encoder together hold a bounded number of levels. */
import { beforeEach, describe, expect, it } from 'vitest';
import { BookLevels } from '../../../src/encoder/book-levels.js';
import { BooksSource } from '../../../src/encoder/books-source.js';
import { FrameEncoder } from '../../../src/encoder/frame-encoder.js';
import { createDoorbells, createRing, RingWriter } from '../../../src/threads/ring.js';

const LEVELS_MAX = 100;

let levels: BookLevels;
let seq: number;
let out: FrameEncoder;

beforeEach(() => {
  levels = new BookLevels(LEVELS_MAX);
  seq = 0;
  out = new FrameEncoder(new RingWriter(createRing(64 * 1024), createDoorbells(1)), () => 0);
});

const book = (symbol: string) => new BooksSource(1, symbol, out, () => undefined, levels);
const side = (count: number, from = 1): [string, string][] =>
  Array.from({ length: count }, (_, i) => [String(from + i), '1']);

function take(source: BooksSource, bids: [string, string][], asks: [string, string][] = [], snapshot = true): string {
  const at = { seq: ++seq, tsEventMicros: 0, hubMicros: 0, bytes: 0 };
  return source.data({ symbol: source.symbol, bids, asks, ...(snapshot && { snapshot }) }, at, false);
}

const bidsOf = (source: BooksSource): number => JSON.parse(source.checkpoint(true)?.text ?? '').bids.length;

describe('D9 J13 R47: the levels of all books', () => {
  it('are bounded: a message that would take more is refused, and its book is held back as it was', () => {
    const [a, b] = [book('A'), book('B')];
    expect([take(a, side(60)), take(b, side(20), side(20, 100))]).toEqual(['applied', 'applied']);
    expect(take(b, side(21), side(20, 100))).toBe('too_large');
    expect(b.hold?.reason).toBe('too_large');
    expect([bidsOf(b), levels.held]).toEqual([20, LEVELS_MAX]);
    // No change continues a book that lacks a message.
    expect(take(b, [['1', '0']], [], false)).toBe('no_base');
    expect(a.hold).toBeNull();
    expect(take(a, [['1', '2']], [], false)).toBe('applied');
  });

  it('have room again where another book gets shorter, or is forgotten', () => {
    const [a, b, c] = [book('A'), book('B'), book('C')];
    take(a, side(60));
    take(b, side(40));
    expect(take(c, side(10))).toBe('too_large');
    expect(
      take(
        a,
        [
          ['1', '0'],
          ['2', '0'],
        ],
        [],
        false,
      ),
    ).toBe('applied');
    expect([take(c, side(3)), take(c, side(2))]).toEqual(['too_large', 'applied']);
    expect(c.hold).toBeNull();
    b.drop();
    expect(levels.held).toBe(60);
    expect(take(c, side(42))).toBe('applied');
  });

  it('count each level once, however often it is sent', () => {
    const a = book('A');
    for (let i = 0; i < 10; i++) expect(take(a, side(50), side(50, 100))).toBe('applied');
    expect(take(a, side(50), [], false)).toBe('applied');
    expect(levels.held).toBe(LEVELS_MAX);
    expect(take(a, [...side(1, 200), ['1', '0']], [], false)).toBe('applied');
    expect(take(a, side(1, 300), [], false)).toBe('too_large');
    expect([levels.held, bidsOf(a)]).toEqual([LEVELS_MAX, 50]);
  });
});
