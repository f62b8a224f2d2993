import type { StreamInfo } from 'nats';
import { describe, expect, it } from 'vitest';
import { storedPatterns } from '../../../src/feed/stored-subjects.js';
import { covers, intersection, matches } from '../../../src/feed/subject-patterns.js';

describe('K9 subject patterns, as NATS matches them', () => {
  it.each([
    ['orders.*', 'orders.alice', true],
    ['orders.*', 'orders.a.b', false],
    ['orders.*', 'orders', false],
    ['orders.>', 'orders.a.b', true],
    ['orders.>', 'orders', false],
    ['>', 'md.quotes.A', true],
    ['md.*.A', 'md.books.A', true],
    ['md.*.A', 'md.books.AB', false],
    ['*.quotes.>', 'md.quotes.BRK.B', true],
    ['md.quotes.A', 'md.quotes.A', true],
    ['md.quotes.A', 'md.quotes.A.B', false],
    ['md.quote', 'md.quotes', false],
  ])('K9: %s and %s: %s', (pattern, subject, isMatch) => {
    expect(matches(pattern, subject)).toBe(isMatch);
  });

  it.each([
    ['md.>', 'md.quotes.>', true],
    ['md.*.>', 'md.quotes.>', true],
    ['md.quotes.*', 'md.quotes.>', false],
    ['md.quotes.A', 'md.quotes.*', false],
    ['analytics.*', 'analytics.*', true],
    ['analytics.>', 'analytics.*', true],
    ['>', '>', true],
    ['*', '>', false],
  ])('K9: %s covers %s: %s', (pattern, narrower, isCovered) => {
    expect(covers(pattern, narrower)).toBe(isCovered);
  });

  it.each([
    ['md.>', '*.quotes.*', 'md.quotes.*'],
    ['md.quotes.>', 'md.books.>', undefined],
    ['md.*.A', 'md.books.*', 'md.books.A'],
    ['a', 'a.b', undefined],
    ['>', 'rooms.*', 'rooms.*'],
  ])('K9: %s and %s have %s in common', (a, b, both) => {
    expect(intersection(a, b)).toBe(both);
    expect(intersection(b, a)).toBe(both);
  });
});

describe('K9 what a stream stores', () => {
  const info = (config: object) => ({ config }) as StreamInfo;
  const streams: Record<string, StreamInfo> = {
    ORIGIN: info({ subjects: ['md.>', 'orders.*'] }),
    LOOP: info({ mirror: { name: 'LOOP' } }),
  };
  const of = (config: object) => storedPatterns(info(config), async name => streams[name]);

  it('K9: its subjects; of a mirror and of sources, those of their origin within the filter', async () => {
    expect(await of({ subjects: ['md.quotes.*'] })).toEqual(['md.quotes.*']);
    expect(await of({ mirror: { name: 'ORIGIN' } })).toEqual(['md.>', 'orders.*']);
    expect(await of({ mirror: { name: 'ORIGIN', filter_subject: 'md.books.>' } })).toEqual(['md.books.>']);
    const sources = [{ name: 'ORIGIN', filter_subject: 'orders.>' }];
    expect(await of({ subjects: ['rooms.*'], sources })).toEqual(['rooms.*', 'orders.*']);
  });

  it('K9: anything, where the origin cannot be seen', async () => {
    expect(await of({ mirror: { name: 'HIDDEN' } })).toEqual(['>']);
    expect(await of({ mirror: { name: 'HIDDEN', filter_subject: 'md.>' } })).toEqual(['md.>']);
    expect(await of({ mirror: { name: 'ORIGIN', external: { api: '$JS.hub.API' } } })).toEqual(['>']);
    expect(await of({ mirror: { name: 'LOOP' } })).toEqual(['>']);
  });

  it('K9: under the subjects that its transforms make', async () => {
    const transform = { src: 'raw.*', dest: 'md.quotes.{{wildcard(1)}}' };
    expect(await of({ subjects: ['raw.*', 'md.trades.>'], subject_transform: transform })).toEqual([
      'md.quotes.*',
      'md.trades.>',
    ]);
    const subject_transforms = [{ src: 'orders.*', dest: 'private.$1' }];
    expect(await of({ sources: [{ name: 'ORIGIN', subject_transforms }] })).toEqual(['private.*']);
  });
});
