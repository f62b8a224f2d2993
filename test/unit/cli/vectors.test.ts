import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { runCli } from './run-cli.js';

const FOLDER = new URL('../../../src/protocol/vectors/', import.meta.url);
const PROGRAM = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const NAMES = readdirSync(FOLDER).map(file => file.replace('.json', ''));
const fileOf = (name: string) => readFileSync(new URL(`${name}.json`, FOLDER), 'utf8');
/** More than all of them together. */
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

describe('millrace vectors', () => {
  it('lists the files, and prints one as it is', async () => {
    expect(await runCli(['vectors', '--list'])).toEqual({
      code: 0,
      stdout: `${NAMES.sort().join('\n')}\n`,
      stderr: '',
    });
    expect(await runCli(['vectors', 'losses'])).toEqual({ code: 0, stdout: fileOf('losses'), stderr: '' });
  });

  it('says which there are when it is asked for another', async () => {
    const { code, stderr } = await runCli(['vectors', 'losses', 'nonsense']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('no vectors called nonsense; there are accepted,')]);
  });

  it('prints all of them as one array, built as from source', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, 'vectors'], {
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    const files = JSON.parse(stdout) as { readonly name: string; readonly cases: readonly object[] }[];
    expect(files.map(({ name }) => name)).toEqual(NAMES.sort());
    expect(JSON.parse(stdout)).toEqual(NAMES.sort().map(name => JSON.parse(fileOf(name))));
  });
});
