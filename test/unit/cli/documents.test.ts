/** The documents that the code writes are up to date. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { REFERENCES, staleDocuments, withTables } from '../../../src/cli/documents.js';
import { runCli } from './run-cli.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

it('R36 R60 R63 no document is stale: npm run docs writes them', async () => {
  expect((await staleDocuments(ROOT)).map(({ path }) => path)).toEqual([]);
});

describe('tables between markers', () => {
  const text = 'a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n';

  it('are replaced, and nothing else is', () => {
    expect(withTables(text, { x: '| new |' })).toBe('a\n<!-- generated: x -->\n| new |\n<!-- end -->\nb\n');
  });

  it('are not lost by a marker that is missing or unknown', () => {
    expect(() => withTables(text, { x: '', y: '' })).toThrow('no markers for y');
    expect(() => withTables(text, {})).toThrow('there is no table x');
  });
});

it('millrace reference prints each of them, and says which there are', async () => {
  const { code, stdout } = await runCli(['reference', 'limits']);
  expect([code, stdout]).toEqual([0, REFERENCES.limits?.()]);
  const none = await runCli(['reference']);
  expect([none.code, none.stdout]).toEqual([1, '']);
  for (const name of Object.keys(REFERENCES)) expect(none.stderr).toContain(name);
});
