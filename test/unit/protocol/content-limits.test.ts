import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { limitsDocument } from '../../../src/protocol/limits-document.js';

it('R31 ops/limits.md says what the code allows (npm run docs writes it)', () => {
  expect(readFileSync(new URL('../../../ops/limits.md', import.meta.url), 'utf8')).toBe(limitsDocument());
});
