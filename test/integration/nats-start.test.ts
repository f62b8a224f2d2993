/**
 * N7: NATS is down when the gateway starts.
 * @module-tag slow
 * @module-tag bulk
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ownFreePort } from '../../src/cli/free-port.js';
import { TEST_ENVIRONMENT } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const PROGRAM = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

/** A gateway that is not waited for. */
async function gateway(env: Record<string, string>) {
  const adminPort = String(await ownFreePort('127.0.0.1'));
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: {
      PATH: process.env.PATH ?? '',
      ...TEST_ENVIRONMENT,
      WORKERS: '1',
      ENCODERS: '1',
      ADMIN_PORT: adminPort,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  ends.push(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let log = '';
  child.stderr.on('data', chunk => {
    log += chunk;
  });
  const get = (path: string) => fetch(`http://127.0.0.1:${adminPort}${path}`, { headers: { connection: 'close' } });
  const statusOf = async (path: string) => (await get(path).catch(() => undefined))?.status;
  return { child, exited, log: () => log, get, statusOf };
}

describe('N7 NATS is down when the gateway starts', () => {
  it.each([{}, { JETSTREAM: 'on', REVOCATIONS_REQUIRED: 'on' }])(
    'N7: it waits, alive and not ready, and says so: %o',
    async env => {
      const port = await ownFreePort('127.0.0.1');
      const it = await gateway({ NATS_URL: `nats://127.0.0.1:${port}`, ...env });
      await until(() => it.log().includes('not ready: waiting for NATS'));
      expect(it.log()).toContain(`cannot connect to NATS at nats://127.0.0.1:${port}`);
      expect(await it.statusOf('/healthz')).toBe(200);
      const ready = await it.get('/readyz');
      expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('feed')]);
      expect(await (await it.get('/metrics')).text()).toMatch(/millrace_feed_errors_total\{kind="connection"\} [1-9]/);
      const stats = (await (await it.get('/api/v1/stats')).json()) as { feed: { errors: Record<string, number> } };
      expect(stats.feed.errors.connection).toBeGreaterThan(0);
      // One line, however often it tries.
      await until(async () => Number(/connection"\} (\d+)/.exec(await (await it.get('/metrics')).text())?.[1]) >= 3);
      expect(it.log().match(/not ready: waiting/g)).toHaveLength(1);
      const nats = await startNatsServer({ port, jetstream: true });
      ends.push(() => nats.kill());
      await until(async () => (await it.statusOf('/readyz')) === 200);
      it.child.kill('SIGTERM');
      expect(await it.exited).toBe(0);
    },
  );

  it('N7: NATS_START_TIMEOUT ends it with one line, and code 1', async () => {
    const port = await ownFreePort('127.0.0.1');
    const it = await gateway({ NATS_URL: `nats://127.0.0.1:${port}`, NATS_START_TIMEOUT: '1s' });
    expect(await it.exited).toBe(1);
    const last = it.log().trim().split('\n').at(-1) ?? '';
    expect(last).toMatch(/NATS_START_TIMEOUT=1s is over: cannot connect to NATS at nats:/);
    expect(it.log()).not.toMatch(/\n {4}at /);
  });

  it('N7: a signal ends the wait at once, with code 0', async () => {
    const port = await ownFreePort('127.0.0.1');
    const it = await gateway({ NATS_URL: `nats://127.0.0.1:${port}` });
    await until(() => it.log().includes('not ready: waiting for NATS'));
    it.child.kill('SIGTERM');
    expect(await it.exited).toBe(0);
  });
});
