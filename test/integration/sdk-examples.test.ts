/** The client example for Node, as its reader runs it: by the package's own name, from the build. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RUN_TIMEOUT_MS = 15_000;

let gateway: TestGateway;
const children: ChildProcess[] = [];

beforeAll(async () => {
  gateway = await startGateway({ SYMBOLS: 'AAPL,MSFT', SIM_RATE: '50', WORKERS: '1', ENCODERS: '1' });
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => gateway?.stop());

async function run(symbols: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['ops/examples/node/quotes.mjs', ...symbols], {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? '', MILLRACE_URL: gateway.url, MILLRACE_TOKEN: await testToken(), ...env },
  });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', text => {
    output.stdout += text;
  });
  child.stderr.on('data', text => {
    output.stderr += text;
  });
  const exited = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)));
  return { child, output, exited };
}

describe('R34 ops/examples/node/quotes.mjs', () => {
  it.each(['json', 'msgpack'])('R34 prints changes of the quotes until it is interrupted, in %s', async format => {
    const { child, output, exited } = await run(['AAPL', 'MSFT'], { MILLRACE_FORMAT: format });
    const lines = () => output.stdout.trim().split('\n');
    await until(
      () => lines().filter(line => line.startsWith('AAPL ')).length > 5 && output.stdout.includes('\nMSFT '),
      RUN_TIMEOUT_MS,
      'some changes of both',
    );
    expect(lines()[0]).toMatch(/^(AAPL|MSFT) \d+(\.\d+)? bid \S+ ask \S+ seq \d+ skipped \d+$/);
    child.kill('SIGINT');
    expect(await exited).toBe(0);
    expect(output.stderr).toContain('open, feed live');
    expect(output.stderr).toContain('closed, feed unknown');
  });

  it('R34 says what the gateway refuses, and fails', async () => {
    const { output, exited } = await run(['NOPE']);
    expect(await exited).toBe(1);
    expect(output.stderr).toContain('NOPE: invalid_symbol: unknown: NOPE');
  });

  it('R34 says how it is used', async () => {
    const { output, exited } = await run([]);
    expect(await exited).toBe(2);
    expect(output.stderr).toBe('usage: node quotes.mjs SYMBOL…\n');
  });
});
