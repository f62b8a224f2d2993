import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, it } from 'vitest';

const ENTRY = fileURLToPath(new URL('../../../src/client/index.ts', import.meta.url));
/** Staleness and exact integers took it from 12 kB. */
const GZIP_BYTES_MAX = 15_000;

it('R34 the whole client is below 15 kB for a browser, and imports nothing', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [ENTRY],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    metafile: true,
    // What a bundle would leave to be imported at run time shows in the metafile.
    packages: 'external',
    logLevel: 'silent',
  });
  const [output] = outputFiles;
  const text = output?.text ?? '';
  const imports = Object.values(metafile.outputs).flatMap(({ imports: all }) => all);
  expect(imports).toEqual([]);
  const sources = Object.keys(metafile.inputs);
  expect(sources.length).toBeGreaterThan(15);
  expect(sources.filter(path => !/(^|\/)src\/(client|protocol)\/[\w-]+\.ts$/.test(path))).toEqual([]);
  expect(text).toMatch(/export\{.*MillraceClient/);
  expect(text).not.toMatch(/\b(process|Buffer|require)\b/);
  expect(gzipSync(text, { level: 9 }).length).toBeLessThan(GZIP_BYTES_MAX);
});
