import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';

const BUILT = new URL('../../../dist/dashboard/', import.meta.url);
const GZIP_BYTES_MAX = 100_000;

it('R64 the pages, all files together, have less than 100 kB when compressed', () => {
  const files = readdirSync(BUILT);
  expect(files.sort()).toEqual([
    'dashboard.css',
    'dashboard.html',
    'dashboard.js',
    'demo.css',
    'demo.html',
    'demo.js',
    'icon.svg',
  ]);
  const sizes = files.map(file => gzipSync(readFileSync(new URL(file, BUILT)), { level: 9 }).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(GZIP_BYTES_MAX);
});
