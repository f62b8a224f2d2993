/**
 * The tuning profiles of ops/profiles: a gateway starts with each, and what it sends shows it.
 *
 * @module-tag slow
 * @module-tag bulk
 */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { connect, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config/settings-table.js';
import { TestClient } from '../support/client.js';
import { startGateway, testToken } from '../support/gateway.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';
import { runCli } from '../unit/cli/run-cli.js';

const BURST = 500;
const PAGE = readFileSync('ops/profiles/README.md', 'utf8');

/** Ends what the tests have started, in the opposite order. */
const ends: (() => unknown)[] = [];
let server: NatsServer;
let nats: NatsConnection;
beforeAll(async () => {
  server = await startNatsServer();
  ends.push(() => server.stop());
  nats = await connect({ servers: server.url });
  ends.push(() => nats.close());
});
afterAll(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

const settingsOf = (profile: string) => parseEnv(readFileSync(`ops/profiles/${profile}.env`, 'utf8'));

/** Rows of the profile's table: each setting with its value, and its default as the page has it. */
function rowsOf(profile: string): { readonly name: string; readonly value: string; readonly usual: string }[] {
  const section = new RegExp(`\\n## ${profile}\\n(.*?)(\\n## |$)`, 's').exec(PAGE)?.[1] ?? '';
  return [...section.matchAll(/^\| (`.*?`) \| (.*?) \|/gm)].flatMap(([, given = '', usual = '']) => {
    const defaults = usual.split(', ');
    const pairs = [...given.matchAll(/`(\w+)=(\S+?)`/g)];
    return pairs.map(([, name = '', value = ''], i) => ({ name, value, usual: defaults[i] ?? defaults[0] ?? '' }));
  });
}

describe.each([
  ['hft', 100, 8],
  ['alerts', 10, 5],
  ['memory-bound', 50, 16],
] as const)('R69 ops/profiles/%s.env', (profile, batchMax, batchIntervalMs) => {
  const env = { SETTINGS_FILE: `ops/profiles/${profile}.env` };

  it('R69 is a valid configuration, in which millrace check finds nothing', async () => {
    const { code, stdout, stderr } = await runCli(['check'], { ...env, AUTH_JWT_SECRET: 'x'.repeat(32) });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).not.toMatch(/^(problem|warning) /m);
    for (const [name, value] of Object.entries(settingsOf(profile)))
      expect(stdout).toMatch(new RegExp(`^\\* ${name} +${value}$`, 'm'));
  });

  it('R69 is explained on the page, line by line, beside the defaults', () => {
    const rows = rowsOf(profile);
    expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual(settingsOf(profile));
    for (const { name, usual } of rows) expect(usual, name).toBe(SETTINGS.get(name)?.default);
  });

  it('R69 makes a gateway send analytics in its batches', async () => {
    const gateway = await startGateway({ ...env, NATS_URL: server.url });
    ends.push(() => gateway.stop('SIGINT'));
    const token = await testToken();
    const client = await TestClient.connect(`${gateway.url}/ws/analytics?channels=alerts&token=${token}`);
    ends.push(() => client.close());
    let sent = 0;
    // What arrives while the thread is held up may leave in smaller batches.
    await until(async () => {
      for (let i = 0; i < BURST; i++) nats.publish('analytics.alerts', JSON.stringify({ data: { n: sent++ } }));
      await nats.flush();
      await until(() => client.ofType('alert').length === sent, undefined, 'every alert arrives');
      return Math.max(...client.batches) === batchMax;
    });
    expect(Math.max(...client.batches)).toBe(batchMax);
    expect(settingsOf(profile).BATCH_INTERVAL ?? SETTINGS.get('BATCH_INTERVAL')?.default).toBe(`${batchIntervalMs}ms`);
  });
});
