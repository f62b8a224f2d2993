/** Who may use the admin port of a real gateway, also after reloads, and what it says while a thread hangs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AdminClient } from '../support/admin-client.js';
import { TestClient } from '../support/client.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { until } from '../support/until.js';

const TOKEN = 'an-admin-token-of-thirty-two-bytes-or-more';
const FAULTS = new URL('../support/faults.mjs', import.meta.url).href;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-admin-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let gateway: TestGateway | undefined;
afterEach(async () => {
  await gateway?.stop('SIGINT');
  gateway = undefined;
});

const start = async (env: Record<string, string>): Promise<TestGateway> => {
  gateway = await startGateway({ SIM_RATE: '100', WORKERS: '1', ENCODERS: '1', ...env });
  return gateway;
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (admin: AdminClient, token: string, method = 'GET', path = '/log-level', body?: object) =>
  (await admin.ask(method, path, body, bearer(token))).status;

describe('R61 roles', () => {
  it('R61 of tokens that clients have, too: one may change, one may read, others may neither', async () => {
    const { adminUrl, log } = await start({ ADMIN_ROLE: 'admin', ADMIN_READ_ROLE: 'ops', WS_MAX_CONNECTIONS: '100' });
    const admin = new AdminClient(adminUrl);
    const carol = await testToken({ sub: 'carol', roles: ['admin'] });
    const dave = await testToken({ sub: 'dave', roles: ['ops', 'trader'] });
    const eve = await testToken({ sub: 'eve', roles: ['trader'] });
    const forged = await testToken({ sub: 'carol', roles: ['admin'], secret: 'x'.repeat(32) });
    const expired = await testToken({ sub: 'carol', roles: ['admin'], ttlMs: -60_000 });
    expect((await admin.get('/stats')).status).toBe(401);
    const order = ['PUT', '/log-level', { level: 'info', reason: 'check' }] as const;
    for (const [token, read, change] of [
      [carol, 200, 200],
      [dave, 200, 403],
      [eve, 403, 403],
      [forged, 401, 401],
      [expired, 401, 401],
    ] as const) {
      expect([await statusOf(admin, token), await statusOf(admin, token, ...order)]).toEqual([read, change]);
    }
    // Its author is who the token says, whatever a header says.
    await admin.ask(
      'PUT',
      '/log-level',
      { level: 'info', reason: 'whose' },
      { ...bearer(carol), 'x-operator': 'mallory' },
    );
    await until(() => log().includes('"reason":"whose"'));
    expect(log()).not.toContain('mallory');
    expect(log()).not.toContain('"author":"carol"');
    expect((await admin.get('/stats', { ...bearer(carol), 'x-operator': '\u00e9' })).status).toBe(400);
    expect(log()).toContain('"order":"PUT /log-level"');
    // A revoked token opens this port no more than the other.
    expect((await admin.ask('POST', '/revocations', { sub: 'dave' }, bearer(carol))).status).toBe(200);
    expect(await statusOf(admin, dave)).toBe(401);
    // Guesses have to wait; the right token has not.
    await until(async () => (await statusOf(admin, 'guess')) === 429);
    expect(await statusOf(admin, carol)).toBe(200);
  });
});

describe('R61 reloads', () => {
  it('R61 never open a public admin port', async () => {
    const file = join(directory, 'settings');
    writeFileSync(file, `ADMIN_HOST=0.0.0.0\nADMIN_TOKEN=${TOKEN}\n`, { mode: 0o600 });
    const { adminUrl, pid, log } = await start({ SETTINGS_FILE: file });
    const admin = new AdminClient(adminUrl.replace('0.0.0.0', '127.0.0.1'));
    // Without a token, the settings are valid for loopback, where this port is not.
    writeFileSync(file, 'ADMIN_HOST=127.0.0.1\n', { mode: 0o600 });
    process.kill(pid, 'SIGHUP');
    await until(() => log().includes('keeping ADMIN_TOKEN'));
    await until(() => log().includes('reloaded in part'));
    expect((await admin.get('/stats')).status).toBe(401);
    // What needs a restart is shown as it still is.
    const settings = (await admin.get('/config', bearer(TOKEN))).body.settings as { name: string; value: string }[];
    expect(settings.find(({ name }) => name === 'ADMIN_HOST')?.value).toBe('0.0.0.0');
    writeFileSync(file, `ADMIN_HOST=0.0.0.0\nADMIN_TOKEN=${'n'.repeat(32)}\n`, { mode: 0o600 });
    process.kill(pid, 'SIGHUP');
    await until(async () => (await statusOf(admin, 'n'.repeat(32))) === 200);
    expect(await statusOf(admin, TOKEN)).toBe(401);
  });
});

describe('R61 a thread that hangs', () => {
  it('R61 is named, and neither hangs the API nor hides what the others know', async () => {
    const file = join(directory, 'fault');
    const { adminUrl, url } = await start({
      WORKERS: '2',
      NODE_OPTIONS: `--import ${FAULTS}`,
      FAULT_FILE: file,
      THREAD_HUNG_AFTER: '8s',
    });
    const admin = new AdminClient(adminUrl);
    const token = await testToken();
    const clients = await Promise.all(Array.from({ length: 8 }, () => TestClient.connect(`${url}/ws?token=${token}`)));
    type Listed = { readonly id: string; readonly worker: number }[];
    const all = (await admin.get('/connections')).body.connections as Listed;
    const there = all.find(({ worker }) => worker === 1) ?? all[0];
    writeFileSync(file, 'worker hang\n');
    const silent = await until(async () => {
      const { body } = await admin.get('/connections');
      return (body.silent_threads as string[]).length > 0 ? body : undefined;
    });
    expect(silent?.silent_threads).toEqual(['gateway-0']);
    expect((silent?.connections as Listed).every(({ worker }) => worker === 1)).toBe(true);
    expect((await admin.get('/connections/5f0c2a91e3d7-2s')).status).toBe(503);
    if (there?.worker === 1) expect((await admin.get(`/connections/${there.id}`)).status).toBe(200);
    const threads = (await admin.get('/threads')).body.threads as { name: string; state: string }[];
    expect(threads.find(({ name }) => name === 'gateway-0')?.state).toMatch(/silent|starting/);
    // Once it is replaced, the history has the interruption, and all threads answer.
    await until(async () => ((await admin.get('/topics')).body.silent_threads as string[]).length === 0);
    await until(async () => {
      const samples = (await admin.get('/history')).body.samples as {
        connections: number | null;
        threads: unknown[];
      }[];
      const at = samples.findIndex(({ connections }) => connections === null);
      return at >= 0 && samples.slice(at).some(({ connections }) => connections !== null);
    });
    await Promise.all(clients.map(client => client.close()));
  });
});
