import { expect, it } from 'vitest';
import { fnv1a, fnv1aOfText } from '../../../src/protocol/fnv.js';

it('FNV-1a has the values of its authors, also of a part of the bytes', () => {
  const bytes = Buffer.from('xfoobarx');
  expect([fnv1aOfText(''), fnv1aOfText('a'), fnv1aOfText('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  expect(fnv1a(bytes, 1, 7)).toBe(0xbf9cf968);
});
