import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from './run-cli.js';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-asyncapi-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('millrace asyncapi', () => {
  it('R36 prints the document and nothing else', async () => {
    const { code, stdout, stderr } = await runCli(['asyncapi']);
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ asyncapi: '3.0.0', info: { title: 'Millrace' } });
  });

  it('R36 writes the same into a file where one is named', async () => {
    const file = join(directory, 'millrace.json');
    const { stdout: printed } = await runCli(['asyncapi']);
    expect(await runCli(['asyncapi', '--out', file])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await readFile(file, 'utf8')).toBe(printed);
  });

  it('R36 says which file it cannot write', async () => {
    const { code, stdout, stderr } = await runCli(['asyncapi', '--out', join(directory, 'nowhere', 'x.json')]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^--out: cannot write .*nowhere.*\n$/);
  });
});
