/**
 * The surveillance thread dies or hangs: another one watches, and clients notice nothing. R72.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

describe('surveillance whose thread dies (R72)', () => {
  it.each(['throw', 'hang'])('R72 watches again after %s, with its counts and alerts', async fault => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-surveillance-'));
    const file = join(folder, 'fault');
    const preload = `--import ${new URL('../support/faults.mjs', import.meta.url).href}`;
    const env = {
      FEED: 'simulator',
      SIM_ORDERS: 'on',
      NODE_OPTIONS: preload,
      FAULT_FILE: file,
      WORKERS: '1',
      ENCODERS: '1',
      SURVEILLANCE: 'on',
    };
    const gateway = await startGateway(env);
    try {
      await until(async () => (await gateway.metric('millrace_surveillance_events_total')) > 20);
      await writeFile(file, `surveillance ${fault}`);
      await until(async () => (await gateway.metric('millrace_surveillance_restarts_total')) === 1);
      const before = await gateway.metric('millrace_surveillance_events_total');
      expect(before).toBeGreaterThan(20);
      await until(async () => (await gateway.metric('millrace_surveillance_state{state="watching"}')) === 1);
      await until(async () => (await gateway.metric('millrace_surveillance_events_total')) > before + 20);
      expect(gateway.log()).toContain('surveillance thread has ended; starting another');
      expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
    } finally {
      await gateway.stop();
      await rm(folder, { recursive: true });
    }
  });
});
