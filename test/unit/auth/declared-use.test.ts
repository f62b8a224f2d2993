import { describe, expect, it } from 'vitest';
import { isFirm, professionalOf, useOf } from '../../../src/auth/declared-use.js';

describe('R74 what a credential declares', () => {
  it.each([
    [true, true],
    ['pro', true],
    ['Professional', true],
    ['nonpro', false],
    ['Non-Professional', false],
    ['false', false],
    ['maybe', undefined],
    [1, undefined],
    [null, undefined],
  ])('R74 professional %j means %j', (value, meaning) => {
    expect(professionalOf(value)).toBe(meaning);
  });

  it.each([
    ['display', 'display'],
    ['Non_Display', 'non-display'],
    ['nondisplay', 'non-display'],
    ['sig', undefined],
    [true, undefined],
  ])('R74 use %j means %j', (value, meaning) => {
    expect(useOf(value)).toBe(meaning);
  });

  it('R74 a firm is a text of one line', () => {
    expect(isFirm('Acme & Söhne')).toBe(true);
    for (const value of ['', 'a\nb', 'x'.repeat(129), 7]) expect(isFirm(value)).toBe(false);
  });
});
