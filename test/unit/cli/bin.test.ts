/** What `npx millrace` runs. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
}

const manifest = async () => JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Manifest;

const run = (program: string) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>(resolve => {
    execFile(process.execPath, [program, '--version'], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

it('O6 is there before the first build, so that npx does not remember it as missing, and runs what was built', async () => {
  const { bin, version } = await manifest();
  expect(bin.millrace).not.toMatch(/^dist/);
  expect(await run(join(ROOT, bin.millrace ?? ''))).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

it('O6 says what to do before the first build', async () => {
  const { bin } = await manifest();
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bin-'));
  try {
    await mkdir(join(directory, 'src/cli'), { recursive: true });
    await copyFile(join(ROOT, bin.millrace ?? ''), join(directory, 'src/cli/bin.mjs'));
    expect(await run(join(directory, 'src/cli/bin.mjs'))).toEqual({
      code: 1,
      stdout: '',
      stderr: 'millrace: not built yet; run npm run build\n',
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
