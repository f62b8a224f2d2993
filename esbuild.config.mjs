/**
 * After tsc: bundles each program of a gateway in place of what tsc wrote. Its threads load some 500 modules otherwise, which
 * is most of what a start costs. Libraries that are not ES modules stay outside.
 */
import { copyFileSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

/** Programs that share chunks. Threads share none: each loads its own. */
const PROGRAMS = [
  ['cli/main', 'cli/vectors'],
  ['gateway/thread'],
  ['fix-thread'],
  ['surveillance-thread'],
  ['encoder/task'],
  ['journal/thread'],
  ['journal/usage/usage-thread'],
];
const BUNDLED_LIBRARIES = ['jose', 'zod'];
const CHUNK = /-[0-9A-Z]{8}\.js(\.map)?$/;

const { dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

const results = await Promise.all(
  PROGRAMS.map(programs =>
    build({
      entryPoints: programs.map(program => `src/${program}.ts`),
      outbase: 'src',
      outdir: 'dist',
      // Beside the root's modules, which name other programs relative to themselves.
      chunkNames: '[name]-[hash]',
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: Object.keys({ ...dependencies, ...optionalDependencies }).filter(
        name => !BUNDLED_LIBRARIES.includes(name),
      ),
      sourcemap: true,
      metafile: true,
      logLevel: 'warning',
    }),
  ),
);

// Chunks of earlier builds.
const written = new Set(results.flatMap(({ metafile }) => Object.keys(metafile.outputs).map(path => basename(path))));
for (const name of readdirSync('dist')) if (CHUNK.test(name) && !written.has(name)) rmSync(`dist/${name}`);

// The browser pages, each with all that it needs: src/page-assets.ts serves them.
await build({
  entryPoints: [
    { in: 'src/dashboard/demo/main.ts', out: 'demo' },
    { in: 'src/dashboard/demo/demo.css', out: 'demo' },
    { in: 'src/dashboard/main.ts', out: 'dashboard' },
    { in: 'src/dashboard/dashboard.css', out: 'dashboard' },
  ],
  outdir: 'dist/dashboard',
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  legalComments: 'none',
  logLevel: 'warning',
});
for (const file of ['demo/demo.html', 'dashboard.html', 'icon.svg']) {
  copyFileSync(`src/dashboard/${file}`, `dist/dashboard/${basename(file)}`);
}
